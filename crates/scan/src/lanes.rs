//! The ways in which literals are looked for, by what text they stand in and how long they are.

use crate::filter::{Draft, Filter};
use crate::near::{Group, LANES};
use crate::normalize::FOREIGN;
use crate::required::Over;

/// Literals that are looked for in one way.
#[derive(Debug)]
pub(crate) struct Lane {
    pub over: Over,
    /// `None` when nothing is looked for in this way.
    pub filter: Option<Filter>,
    /// For each literal where its needles begin in `needles`, and the end.
    starts: Box<[u32]>,
    needles: Box<[u32]>,
}

impl Lane {
    /// How many bytes it takes.
    pub fn memory(&self) -> usize {
        self.filter.as_ref().map_or(0, Filter::memory)
            + 4 * (self.starts.len() + self.needles.len())
    }

    /// The needles that are looked at where the literal stands.
    pub fn needles_of(&self, literal: u32) -> &[u32] {
        let at = |n: usize| self.starts.get(n).map_or(0, |start| *start as usize);
        let literal = literal as usize;
        self.needles.get(at(literal)..at(literal + 1)).unwrap_or_default()
    }
}

/// Literals of fewer bytes than these have a lane of their own.
const LONG: usize = 6;
pub(crate) const FOUR: usize = 4;

/// Literals by how they are looked for.
pub(crate) struct Drafts([LaneDraft; LANES]);

/// Folded literals of six and more letters, of four and five, of fewer; literals as they are.
pub(crate) const LONGER: usize = 0;
pub(crate) const FOURS: usize = 1;
pub(crate) const SHORT: usize = 2;
pub(crate) const RAW: usize = 3;

/// Where folded literals of so many letters are looked for.
pub(crate) fn lane_of(shortest: usize) -> usize {
    match shortest {
        LONG.. => LONGER,
        FOUR..LONG => FOURS,
        _ => SHORT,
    }
}

/// How many letters of a folded literal tell something.
pub(crate) fn telling(literal: &[u8]) -> usize {
    literal.iter().filter(|byte| !matches!(**byte, FOREIGN | b' ')).count()
}

impl Drafts {
    pub fn new() -> Drafts {
        Drafts([
            LaneDraft::new(Over::Folded, 5, 2),
            LaneDraft::new(Over::Folded, 4, 1),
            LaneDraft::new(Over::Folded, 2, 1),
            LaneDraft::new(Over::Raw, 4, 1),
        ])
    }

    pub fn build(self) -> [Lane; LANES] {
        self.0.map(LaneDraft::build)
    }

    /// A group that is looked for; `None` if not all of it can be.
    pub fn add(&mut self, lane: usize, literals: &[Vec<u8>]) -> Option<Group> {
        let literals = self.0.get_mut(lane)?.add(literals)?;
        Some(Group { lane, literals })
    }

    /// The same, with the needle looked at where one of the literals stands.
    pub fn anchor(&mut self, lane: usize, literals: &[Vec<u8>], needle: u32) -> Option<Group> {
        let group = self.add(lane, literals)?;
        self.0.get_mut(lane)?.anchor(&group.literals, needle);
        Some(group)
    }
}

struct LaneDraft {
    over: Over,
    draft: Draft,
    /// For each literal the needles that are looked at where it stands.
    needles: Vec<Vec<u32>>,
}

impl LaneDraft {
    fn new(over: Over, width: usize, stride: usize) -> LaneDraft {
        LaneDraft { over, draft: Draft::new(width, stride), needles: Vec::new() }
    }

    /// The numbers of the literals; `None` if not all of them can be looked for.
    fn add(&mut self, literals: &[Vec<u8>]) -> Option<Box<[u32]>> {
        let numbers: Option<Box<[u32]>> =
            literals.iter().map(|literal| self.draft.add(literal)).collect();
        let last = numbers.iter().flatten().max().map_or(0, |last| *last as usize + 1);
        self.needles.resize(self.needles.len().max(last), Vec::new());
        numbers
    }

    /// Has the needle looked at where one of the literals stands.
    fn anchor(&mut self, numbers: &[u32], needle: u32) {
        for number in numbers {
            if let Some(needles) = self.needles.get_mut(*number as usize) {
                needles.push(needle);
            }
        }
    }

    fn build(self) -> Lane {
        let (mut starts, mut needles) = (vec![0], Vec::new());
        for of_literal in &self.needles {
            needles.extend_from_slice(of_literal);
            starts.push(needles.len() as u32);
        }
        let filter = self.draft.build();
        Lane { over: self.over, filter, starts: starts.into(), needles: needles.into() }
    }
}
