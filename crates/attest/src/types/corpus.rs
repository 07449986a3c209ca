//! What answers are drawn from.

use super::Count::{Files, One, Optional, Tree};
use super::{Type, role};
use crate::shape::{Shape, may, must};

/// `corpus`.
pub const TYPE: Type = Type {
    name: "corpus",
    uri: "https://countersign.dev/attestation/corpus/v1",
    about: "What answers are drawn from: documents, how they were cut and embedded, the index.",
    roles: &[
        role("connector_configs", Files, "Where documents are fetched."),
        role("documents", Tree, "The documents themselves."),
        role("document_manifest", One, "The list of the documents."),
        role("chunking_config", One, "How documents are cut."),
        role("embedding_input", One, "What was embedded."),
        role("vector_index", One, "The index that was built."),
        role("build_log", Optional, "What the build said."),
    ],
    fields: &[
        must("snapshot_id", Shape::Text, "The name of this state of the corpus."),
        may(
            "purl",
            Shape::Purl,
            "Its package URL, such as pkg:huggingface/datasets/org/name@revision.",
        ),
        must("embedding_model", Shape::Text, "The model that embedded it."),
        must("index_builder_image", Shape::Sha256, "The image that built the index."),
        may("build_command", Shape::Text, "The command that built the index."),
    ],
    needs: &[],
};
