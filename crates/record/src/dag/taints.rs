//! The taint of a whole chain: each tag once, each set of tags once.
//!
//! A hostile chain may hold as many sets as receipts, each of thousands of tags, and let one step
//! cite hundreds of them. So sets are numbers in order, and what is asked of them is one walk along
//! each, without a copy.

use std::collections::HashMap;
use std::sync::Arc;

use crate::taint::TaintSet;

/// Tags that a finding names; the others are no news.
const NAMED: usize = 8;

#[derive(Default)]
pub(super) struct Taints {
    tags: HashMap<Arc<str>, u32>,
    names: Vec<Arc<str>>,
    /// Numbers of tags, ascending.
    sets: Vec<Arc<[u32]>>,
    numbers: HashMap<Arc<[u32]>, u32>,
}

impl Taints {
    /// The number of a set, a new one if it was not seen before.
    pub(super) fn number(&mut self, taint: &TaintSet) -> u32 {
        let mut tags: Vec<u32> = taint.iter().map(|tag| self.tag(tag)).collect();
        tags.sort_unstable();
        if let Some(number) = self.numbers.get(tags.as_slice()) {
            return *number;
        }
        let number = self.sets.len() as u32;
        let set: Arc<[u32]> = tags.into();
        self.sets.push(Arc::clone(&set));
        self.numbers.insert(set, number);
        number
    }

    fn tag(&mut self, tag: &str) -> u32 {
        if let Some(number) = self.tags.get(tag) {
            return *number;
        }
        let name: Arc<str> = tag.into();
        let number = self.names.len() as u32;
        self.names.push(Arc::clone(&name));
        self.tags.insert(name, number);
        number
    }

    fn set(&self, number: u32) -> &[u32] {
        self.sets.get(number as usize).map_or(&[], |set| set)
    }

    /// Tags of the inherited sets that the own one lacks, if any.
    pub(super) fn dropped(&self, own: u32, inherited: &[u32]) -> Option<String> {
        let mut lost = Vec::new();
        for number in inherited.iter().filter(|number| **number != own) {
            missing(self.set(*number), self.set(own), &mut lost, |_| ());
        }
        self.say("lost", &lost)
    }

    /// In what the own set is not the inherited ones together without the removed tags.
    pub(super) fn differs(
        &self,
        own: u32,
        inherited: &[u32],
        removed: &TaintSet,
    ) -> Option<String> {
        let own = self.set(own);
        // A tag that nobody ever carried was not removed from anything.
        let mut gone: Vec<u32> =
            removed.iter().filter_map(|tag| self.tags.get(tag).copied()).collect();
        gone.sort_unstable();
        let mut lost = Vec::new();
        let mut backed = vec![false; own.len()];
        for number in inherited {
            let mut unexplained = Vec::new();
            missing(self.set(*number), own, &mut unexplained, |at| {
                backed.get_mut(at).into_iter().for_each(|backed| *backed = true);
            });
            lost.extend(unexplained.into_iter().filter(|tag| gone.binary_search(tag).is_err()));
        }
        let kept = own
            .iter()
            .zip(&backed)
            .filter(|(tag, backed)| !**backed || gone.binary_search(tag).is_ok());
        let added: Vec<u32> = kept.map(|(tag, _)| *tag).collect();
        match (self.say("lost", &lost), self.say("has", &added)) {
            (None, None) => None,
            (lost, added) => Some(lost.into_iter().chain(added).collect::<Vec<_>>().join(", ")),
        }
    }

    fn say(&self, what: &str, tags: &[u32]) -> Option<String> {
        let name = |tag: &u32| self.names.get(*tag as usize).map(|name| &**name);
        let mut tags = tags.to_vec();
        tags.sort_unstable();
        tags.dedup();
        let named: Vec<&str> = tags.iter().filter_map(name).take(NAMED).collect();
        let more = if tags.len() > NAMED { " and more" } else { "" };
        (!named.is_empty()).then(|| format!("{what} {}{more}", named.join(",")))
    }
}

/// Adds what is in `these` and not in `those`, both ascending; `met` is told where in `those` the
/// others are.
fn missing(these: &[u32], those: &[u32], out: &mut Vec<u32>, mut met: impl FnMut(usize)) {
    let mut at = 0;
    for tag in these {
        while those.get(at).is_some_and(|other| other < tag) {
            at += 1;
        }
        match those.get(at) {
            Some(other) if other == tag => met(at),
            _ => out.push(*tag),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(tags: &str) -> TaintSet {
        TaintSet::of(tags.split(',').filter(|tag| !tag.is_empty()))
    }

    /// By the algebra of sets, over all small cases.
    #[test]
    fn walks_agree_with_the_algebra() {
        let sets = ["", "a", "b", "c", "a,b", "b,c", "a,c", "a,b,c", "d"].map(of);
        let mut taints = Taints::default();
        // In another order than that of the tags.
        taints.number(&of("c,x"));
        let numbers: Vec<u32> = sets.iter().map(|set| taints.number(set)).collect();
        assert_eq!(sets.each_ref().map(|set| taints.number(set)).as_slice(), numbers);
        for (own, own_number) in sets.iter().zip(&numbers) {
            for (one, one_number) in sets.iter().zip(&numbers) {
                for (two, two_number) in sets.iter().zip(&numbers) {
                    let (union, inherited) = (one.union(two), [*one_number, *two_number]);
                    let dropped = taints.dropped(*own_number, &inherited);
                    assert_eq!(dropped.is_none(), own.is_superset(&union), "{dropped:?}");
                    for removed in sets.iter().chain([&of("never,seen")]) {
                        let differs = taints.differs(*own_number, &inherited, removed);
                        let same = *own == union.minus(removed);
                        assert_eq!(differs.is_none(), same, "{own} {union} {removed} {differs:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_wrong_is_named_in_few_words() {
        let mut taints = Taints::default();
        let many = of(&(0..100).map(|n| format!("t{n}")).collect::<Vec<_>>().join(","));
        let (none, many) = (taints.number(&of("")), taints.number(&many));
        let said = taints.dropped(none, &[many]).expect("all are lost");
        assert_eq!(said.split(',').count(), NAMED);
        assert!(said.starts_with("lost t0,") && said.ends_with(" and more"), "{said}");
        assert_eq!(taints.differs(many, &[many], &of("t1")).as_deref(), Some("has t1"));
    }
}
