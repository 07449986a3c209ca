//! Bills of materials of others: what they list, and what of that is attested.
//!
//! CycloneDX 1.4 to 1.7 and SPDX 2.2 and 2.3, in JSON. Of their members only those are read that name a
//! component and say what it is made of; the others are theirs.

mod correlate;
mod read;
#[cfg(test)]
mod tests;

use seal::digest::Digest;
use seal::json::JsonError;

pub use correlate::{Correlation, Judgement, Standing, correlate};

use crate::purl::{Purl, PurlError};

/// A bill of materials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sbom {
    /// Format and version.
    pub format: String,
    /// Everything it lists, at any depth, in its order.
    pub components: Vec<Component>,
}

/// Something that it lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Component {
    /// Its id there, or the JSON Pointer to it.
    pub place: String,
    /// What it is, in the words of the format.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: Option<String>,
    /// Its package URL, as it stands there and as it was understood.
    pub purl: Option<(String, Result<Purl, PurlError>)>,
    /// The SHA-256 digests that it is said to have.
    pub digests: Vec<Digest>,
    /// The component that it stands in, by its place in the list.
    pub inside: Option<usize>,
}

/// Why a document is no bill of materials that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SbomError {
    /// Not strict JSON, or beyond the limits.
    #[error("not strict JSON: {0}; write it anew with the tool that made it")]
    Json(#[from] JsonError),
    /// Of another format or version.
    #[error("{0}: expected CycloneDX 1.4 to 1.7 or SPDX 2.2 or 2.3 in JSON")]
    Format(String),
    /// A member that is not what the format says.
    #[error("{place}: {why}")]
    Member {
        /// JSON Pointer.
        place: String,
        /// What is wrong.
        why: String,
    },
    /// More than anybody lists.
    #[error("more than {COMPONENTS} components; split it")]
    TooMany,
}

/// Longest document, bytes.
pub const LIMIT: usize = 128 << 20;
/// Most components.
pub const COMPONENTS: usize = 500_000;

impl Component {
    /// Whether it is a model.
    pub fn is_model(&self) -> bool {
        self.kind == MODEL || self.model_purl()
    }

    /// Whether it is of the kinds that statements are about: models and data. What a registry of
    /// models hands out is one, whatever the tool that listed it calls it.
    pub fn is_attestable(&self) -> bool {
        self.kind == DATA || self.is_model()
    }

    fn model_purl(&self) -> bool {
        let purl = self.purl.as_ref().and_then(|(_, purl)| purl.as_ref().ok());
        let data = |purl: &Purl| purl.namespace.first().is_some_and(|first| first == "datasets");
        purl.is_some_and(|purl| {
            matches!(purl.kind.as_str(), "huggingface" | "mlflow") && !data(purl)
        })
    }
}

const MODEL: &str = "machine-learning-model";
const DATA: &str = "data";
const FILE: &str = "file";
