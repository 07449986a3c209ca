//! Taint: what a piece of content is marked with, and never loses unseen.

use std::fmt;

use seal::json::utf16_order;

/// The tag of content from people outside.
pub const EXTERNAL_USER: &str = "external_user";

/// A set of tags in the one order that is signed: UTF-16 code units, no duplicates.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct TaintSet(Vec<String>);

/// A tag that cannot be carried: empty, with a comma or a control character.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("taint tag {0:?} is empty or has a comma or a control character")]
pub struct TagError(pub String);

impl TaintSet {
    /// No taint.
    pub fn new() -> Self {
        TaintSet::default()
    }

    /// The set of these tags. Tags are checked when a receipt is signed; see [`TaintSet::check`].
    pub fn of<T: Into<String>>(tags: impl IntoIterator<Item = T>) -> Self {
        let mut tags: Vec<String> = tags.into_iter().map(Into::into).collect();
        tags.sort_by(|a, b| utf16_order(a, b));
        tags.dedup();
        TaintSet(tags)
    }

    /// Adds one tag.
    pub fn insert(&mut self, tag: impl Into<String>) {
        let tag = tag.into();
        if let Err(at) = self.0.binary_search_by(|known| utf16_order(known, &tag)) {
            self.0.insert(at, tag);
        }
    }

    /// Whether the tag is in the set.
    pub fn contains(&self, tag: &str) -> bool {
        self.0.binary_search_by(|known| utf16_order(known, tag)).is_ok()
    }

    /// Adds every tag of `other`.
    pub fn merge(&mut self, other: &TaintSet) {
        for tag in &other.0 {
            if !self.contains(tag) {
                self.insert(tag.clone());
            }
        }
    }

    /// Both sets.
    pub fn union(&self, other: &TaintSet) -> TaintSet {
        let mut all = self.clone();
        all.merge(other);
        all
    }

    /// This set without the tags of `removed`.
    pub fn minus(&self, removed: &TaintSet) -> TaintSet {
        TaintSet(self.0.iter().filter(|tag| !removed.contains(tag)).cloned().collect())
    }

    /// Whether every tag of `other` is here.
    pub fn is_superset(&self, other: &TaintSet) -> bool {
        other.0.iter().all(|tag| self.contains(tag))
    }

    /// The tags, in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// How many tags.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// No taint.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Refuses the first tag that no receipt may carry.
    pub fn check(&self) -> Result<(), TagError> {
        match self.0.iter().find(|tag| !is_tag(tag)) {
            Some(tag) => Err(TagError(tag.clone())),
            None => Ok(()),
        }
    }
}

impl fmt::Display for TaintSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(","))
    }
}

impl<T: Into<String>> FromIterator<T> for TaintSet {
    fn from_iter<I: IntoIterator<Item = T>>(tags: I) -> Self {
        TaintSet::of(tags)
    }
}

/// Whether a receipt may carry this tag: a tag with a comma could never be named as removed.
pub fn is_tag(tag: &str) -> bool {
    !tag.is_empty() && !tag.chars().any(|c| c == ',' || c.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_utf16() {
        let set = TaintSet::of(["\u{e000}", "🔑", "a", "a"]);
        assert_eq!(set.iter().collect::<Vec<_>>(), ["a", "🔑", "\u{e000}"]);
        assert!(set.contains("🔑") && set.contains("\u{e000}"));
    }

    #[test]
    fn algebra() {
        let both = TaintSet::of(["x"]).union(&TaintSet::of(["y", "x"]));
        assert_eq!(both, TaintSet::of(["x", "y"]));
        assert!(both.is_superset(&TaintSet::of(["y"])));
        assert!(!both.is_superset(&TaintSet::of(["z"])));
        assert_eq!(both.minus(&TaintSet::of(["x", "z"])), TaintSet::of(["y"]));
        assert_eq!(both.to_string(), "x,y");
    }

    #[test]
    fn tags_that_could_never_be_removed_are_refused() {
        for bad in ["", "a,b", "a\nb", "\u{7f}"] {
            assert!(TaintSet::of([bad]).check().is_err(), "{bad:?}");
        }
        assert!(TaintSet::of(["rag:docs", "naïveté"]).check().is_ok());
    }
}
