//! Where the bytes of a reading come from.

use std::ops::Range;

/// Where the bytes of a text come from in the text that was given.
pub(crate) enum Origin<'a> {
    /// It is that text.
    Itself,
    /// Each byte has its own range in a parent.
    Mapped(&'a [(u32, u32)], &'a Origin<'a>),
    /// The same, and what it was made from spells its characters out as escapes.
    Spelled(&'a [(u32, u32)], &'a Origin<'a>),
    /// Its letters are those of a parent, moved or turned around.
    Turned(&'a [(u32, u32)], &'a Origin<'a>),
    /// All of it comes from one encoded run.
    Inside(Range<usize>),
}

impl Origin<'_> {
    pub fn raw(&self, span: Range<usize>) -> Range<usize> {
        match self {
            Origin::Itself => span,
            Origin::Inside(run) => run.clone(),
            Origin::Mapped(map, parent)
            | Origin::Spelled(map, parent)
            | Origin::Turned(map, parent) => {
                let last = span.end.checked_sub(1).unwrap_or(span.end);
                let first = map.get(span.start).copied().unwrap_or_default();
                let last = map.get(last).copied().unwrap_or(first);
                let (start, end) = (first.0.min(last.0), first.1.max(last.1));
                parent.raw(start as usize..end as usize)
            }
        }
    }

    pub fn is_decoded(&self) -> bool {
        match self {
            Origin::Itself => false,
            Origin::Inside(_) | Origin::Turned(..) => true,
            Origin::Mapped(_, parent) | Origin::Spelled(_, parent) => parent.is_decoded(),
        }
    }

    /// Whether a reader sees each character as an escape: then none of them is hidden.
    pub fn is_spelled(&self) -> bool {
        match self {
            Origin::Itself | Origin::Inside(_) => false,
            Origin::Spelled(..) => true,
            Origin::Mapped(_, parent) | Origin::Turned(_, parent) => parent.is_spelled(),
        }
    }
}
