//! Whose weights answer.

use super::Count::{Optional, OptionalTree, Tree};
use super::{Type, role};
use crate::shape::{Field, Shape, may, must};

const PART: &[Field] = &[
    must(
        "role",
        Shape::OneOf(&["primary", "fallback", "judge", "embedding", "reranker"]),
        "What it does in the chain.",
    ),
    must("name", Shape::Text, "The model's name."),
    may("provider", Shape::Text, "Who serves it."),
    may("purl", Shape::Purl, "Its package URL, such as pkg:huggingface/org/name@revision."),
    may("statement", Shape::Sha256, "Of the payload of the statement about this model."),
];

const QUANTISATION: &[Field] = &[
    must("method", Shape::Text, "The method."),
    must("bits", Shape::Count, "Bits a weight."),
    may("tool", Shape::Text, "What did it."),
];

/// `model`.
pub const TYPE: Type = Type {
    name: "model",
    uri: "https://countersign.dev/attestation/model/v1",
    about: "Whose weights answer: weights, adapters, quantisation, and the chain of models they work in.",
    roles: &[
        role("weights", Tree, "The weights, and all that lies beside them."),
        role("adapters", OptionalTree, "What is laid over the weights."),
        role("model_card", Optional, "What its makers say of it."),
        role("license", Optional, "The terms of its use."),
    ],
    fields: &[
        must("name", Shape::Text, "The model's name."),
        may("version", Shape::Text, "Its version or revision."),
        may("purl", Shape::Purl, "Its package URL, such as pkg:huggingface/org/name@revision."),
        must(
            "root",
            Shape::Sha256,
            "Over the digests of the weights, in the order of their paths, name by name, as OpenSSF Model Signing has it.",
        ),
        may("base", Shape::Text, "The model that it was made from."),
        may("base_purl", Shape::Purl, "Its package URL."),
        may("adapters_purl", Shape::Purl, "The package URL of what is laid over the weights."),
        may("quantisation", Shape::Object(QUANTISATION), "How weights were made smaller."),
        may("chain", Shape::List(&Shape::Object(PART), 1), "The models that work together."),
    ],
    needs: &[],
};
