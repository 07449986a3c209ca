//! The words of the stretches of a text that have to be looked at; the rest of it is never read as
//! words.

use std::ops::Range;

use crate::walk::Candidate;
use crate::words::{Reading, Words};

/// The words of a text, of no more of it than candidates ask for.
pub(crate) struct Views<'t> {
    text: &'t [u8],
    /// Stretches that do not touch one another, in order; made when first asked for.
    views: Option<Vec<View>>,
}

struct View {
    span: Range<usize>,
    words: Words,
}

/// A stretch of words.
pub(crate) struct Part<'w> {
    /// The words around it, too.
    pub bytes: &'w [u8],
    map: &'w [u32],
    /// Which of them it is.
    pub span: Range<usize>,
}

impl<'t> Views<'t> {
    pub fn new(text: &'t [u8]) -> Views<'t> {
        Views { text, views: None }
    }

    /// The words where `some` of `all` candidates stand.
    pub fn parts(&mut self, all: &[Candidate], some: &[Candidate]) -> Vec<Part<'_>> {
        let text = self.text;
        let views = self.views.get_or_insert_with(|| {
            let mut spans: Vec<Range<usize>> = all.iter().map(|one| one.span.clone()).collect();
            spans.sort_unstable_by_key(|span| span.start);
            let mut joined: Vec<Range<usize>> = Vec::new();
            for span in spans {
                match joined.last_mut() {
                    Some(last) if span.start <= last.end => last.end = last.end.max(span.end),
                    _ => joined.push(span),
                }
            }
            joined.into_iter().map(|span| View::read(text, span)).collect()
        });
        let part = |one: &Candidate| {
            let next = views.partition_point(|view| view.span.start <= one.span.start);
            let words = &views.get(next.checked_sub(1)?)?.words;
            let place = |at: usize| words.map.partition_point(|from| (*from as usize) < at);
            Some(Part::of(words, place(one.span.start)..place(one.span.end)))
        };
        some.iter().filter_map(part).collect()
    }
}

impl View {
    fn read(text: &[u8], span: Range<usize>) -> View {
        let words = Words::read_some(text, std::slice::from_ref(&span), Reading::Plain);
        View { span, words }
    }
}

impl<'w> Part<'w> {
    pub fn of(words: &'w Words, span: Range<usize>) -> Part<'w> {
        Part { bytes: &words.bytes, map: &words.map, span }
    }

    /// The words of the stretch itself.
    pub fn inside(&self) -> &'w [u8] {
        self.bytes.get(self.span.clone()).unwrap_or_default()
    }

    /// Where something inside stands among the words around.
    pub fn placed(&self, span: Range<usize>) -> Range<usize> {
        span.start + self.span.start..span.end + self.span.start
    }

    /// The bytes of the text that words came from.
    pub fn source(&self, span: Range<usize>) -> Option<Range<usize>> {
        let start = self.map.get(span.start)?;
        let last = self.map.get(span.end.checked_sub(1)?)?;
        Some(*start as usize..*last as usize + 1)
    }
}
