//! Lineage across requests: which receipt stands for a message that a later request repeats.
//!
//! Holds digests only, keyed by owner, so nothing an owner sends can ever cite what another owner
//! caused. The maps are bounded: what was forgotten is treated as never seen, which costs a link
//! of the graph and never invents one.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::hash::Hash;
use std::str::FromStr;
use std::sync::Arc;

use record::entry::{Owner, OwnerType};
use record::taint::TaintSet;
use seal::digest::{Digest, Hasher};

/// What is known, by owner and message.
pub(crate) struct Lineage {
    /// A message has several keys, which share what they stand for.
    messages: Recent<Key, Arc<Known>>,
    calls: Recent<Key, Call>,
    taints: Vec<Arc<TaintSet>>,
}

/// The receipt that stands for a message; without one under the `sealed` profile.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Known {
    pub receipt: Option<Digest>,
    pub taint: Arc<TaintSet>,
}

/// A proposed tool call that was delivered to its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub arguments: Digest,
    pub tool: Arc<str>,
    pub model_call: Known,
}

/// One thing to remember once its entries are durable; the audit entry carries it (`_lineage`).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Memory {
    pub known: Known,
    pub keys: Vec<Key>,
    pub calls: Vec<RememberedCall>,
}

/// A call of a [`Memory`], whose `known` is its model call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RememberedCall {
    pub key: Key,
    pub arguments: Digest,
    pub tool: String,
}

impl Lineage {
    /// Remembers up to `messages` messages and a quarter as many calls.
    pub fn new(messages: usize) -> Lineage {
        Lineage {
            messages: Recent::new(messages),
            calls: Recent::new(messages / 4),
            taints: Vec::new(),
        }
    }

    pub fn message(&self, key: Key) -> Option<&Known> {
        self.messages.get(&key).map(|known| &**known)
    }

    pub fn call(&self, key: Key) -> Option<&Call> {
        self.calls.get(&key)
    }

    pub fn remember(&mut self, memory: Memory) {
        let taint = self.shared(memory.known.taint);
        let known = Arc::new(Known { receipt: memory.known.receipt, taint });
        for key in memory.keys {
            self.messages.insert(key, known.clone());
        }
        for call in memory.calls {
            let (arguments, tool) = (call.arguments, call.tool.into());
            self.calls.insert(call.key, Call { arguments, tool, model_call: (*known).clone() });
        }
    }

    /// Few distinct taint sets are in use; one copy of each keeps an entry small.
    fn shared(&mut self, taint: Arc<TaintSet>) -> Arc<TaintSet> {
        if let Some(shared) = self.taints.iter().find(|shared| **shared == taint) {
            return shared.clone();
        }
        if self.taints.len() < SHARED_TAINTS {
            self.taints.push(taint.clone());
        }
        taint
    }
}

/// Names a message or call of one owner: the first half of a SHA-256 over tagged parts.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Key([u8; 16]);

impl Key {
    /// A user's or assistant's text, wherever it stands.
    pub fn text(scope: &Scope, role: &str, text: &Digest) -> Key {
        scope.key(&["text", role], &[text])
    }

    /// A message at its place in a conversation.
    pub fn place(thread: &Thread) -> Key {
        let mut half = [0; 16];
        half.copy_from_slice(&thread.0.as_bytes()[..16]);
        Key(half)
    }

    /// A proposed tool call.
    pub fn call(scope: &Scope, call_id: &str) -> Key {
        scope.key(&["call"], &[&Digest::of(call_id.as_bytes())])
    }

    /// A tool result, with the call it says it answers and the arguments it says that call had.
    pub fn result(scope: &Scope, call_id: &str, arguments: Option<&Digest>, text: &Digest) -> Key {
        let call_id = Digest::of(call_id.as_bytes());
        let nothing = Digest::of(b"");
        scope.key(&["result"], &[&call_id, arguments.unwrap_or(&nothing), text])
    }
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&seal::hex::encode(&self.0))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Key {
    type Err = ();

    fn from_str(text: &str) -> Result<Key, ()> {
        let bytes = seal::hex::decode(text).ok_or(())?;
        bytes.try_into().map(Key).map_err(|_| ())
    }
}

/// The owner within whom messages are matched.
pub(crate) struct Scope(String);

impl Scope {
    /// `None` for an unresolved owner: nobody is not somebody who may match.
    pub fn of(owner: &Owner) -> Option<Scope> {
        match owner.kind {
            OwnerType::Unresolved => None,
            OwnerType::Human | OwnerType::Agent | OwnerType::Policy => {
                Some(Scope(owner.to_string()))
            }
        }
    }

    fn key(&self, tags: &[&str], digests: &[&Digest]) -> Key {
        Key::place(&Thread(hash(tags, &self.0, digests)))
    }
}

/// A conversation up to some message: a digest chained over its user, assistant and tool
/// messages. System messages are left out, since clients renew them from turn to turn.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Thread(Digest);

impl Thread {
    pub fn start(scope: &Scope) -> Thread {
        Thread(hash(&["thread"], &scope.0, &[]))
    }

    pub fn user(&self, text: &Digest) -> Thread {
        Thread(hash(&["user"], "", &[&self.0, text]))
    }

    pub fn assistant(&self, text: &Digest, calls: &[(String, Digest)]) -> Thread {
        let ids: Vec<Digest> = calls.iter().map(|(id, _)| Digest::of(id.as_bytes())).collect();
        let mut parts = vec![&self.0, text];
        for (id, (_, arguments)) in ids.iter().zip(calls) {
            parts.extend([id, arguments]);
        }
        Thread(hash(&["assistant"], "", &parts))
    }

    pub fn result(&self, call_id: &str, text: &Digest) -> Thread {
        let call_id = Digest::of(call_id.as_bytes());
        Thread(hash(&["result"], "", &[&self.0, &call_id, text]))
    }
}

/// Tags hold no NUL and the scope is closed by one, so no two inputs share a preimage.
fn hash(tags: &[&str], scope: &str, digests: &[&Digest]) -> Digest {
    let mut hasher = Hasher::new();
    hasher.update(b"countersign-lineage/v1\0");
    for tag in tags {
        hasher.update(tag.as_bytes());
        hasher.update(b"\0");
    }
    hasher.update(b"\0");
    hasher.update(scope.as_bytes());
    hasher.update(b"\0");
    for digest in digests {
        hasher.update(digest.as_bytes());
    }
    hasher.finish()
}

/// A bounded map that forgets what was inserted longest ago; inserting again renews.
struct Recent<K, V> {
    capacity: usize,
    entries: HashMap<K, (u64, V)>,
    order: VecDeque<(u64, K)>,
    stamp: u64,
}

impl<K: Copy + Eq + Hash, V> Recent<K, V> {
    fn new(capacity: usize) -> Recent<K, V> {
        Recent {
            capacity: capacity.max(1),
            entries: HashMap::new(),
            order: VecDeque::new(),
            stamp: 0,
        }
    }

    fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    fn insert(&mut self, key: K, value: V) {
        self.stamp += 1;
        self.entries.insert(key, (self.stamp, value));
        self.order.push_back((self.stamp, key));
        while self.entries.len() > self.capacity || self.order.len() > 2 * self.capacity {
            let Some((stamp, oldest)) = self.order.pop_front() else {
                break;
            };
            // A renewed key stands again further back; only its newest place counts.
            if self.entries.get(&oldest).is_some_and(|(newest, _)| *newest == stamp) {
                self.entries.remove(&oldest);
            }
        }
    }
}

/// As many distinct taint sets are shared; more are kept one by one.
const SHARED_TAINTS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(id: &str) -> Scope {
        Scope::of(&Owner { kind: OwnerType::Agent, id: id.to_owned() }).expect("a resolved owner")
    }

    #[test]
    fn the_oldest_is_forgotten_and_renewal_counts() {
        let mut recent = Recent::new(2);
        recent.insert(1, 'a');
        recent.insert(2, 'b');
        recent.insert(1, 'c');
        recent.insert(3, 'd');
        assert_eq!(recent.get(&1), Some(&'c'));
        assert_eq!(recent.get(&2), None);
        assert_eq!(recent.get(&3), Some(&'d'));
        for _ in 0..1000 {
            recent.insert(3, 'e');
        }
        assert!(recent.order.len() <= 4 && recent.get(&1).is_none_or(|value| *value == 'c'));
    }

    #[test]
    fn keys_differ_by_owner_and_kind() {
        let text = Digest::of(b"hello");
        let key = Key::text(&scope("a"), "user", &text);
        assert_ne!(key, Key::text(&scope("b"), "user", &text));
        assert_ne!(key, Key::text(&scope("a"), "assistant", &text));
        assert_eq!(key.to_string().parse(), Ok(key));
        assert_eq!("00".parse::<Key>(), Err(()));
    }

    #[test]
    fn a_thread_depends_on_every_message() {
        let start = Thread::start(&scope("a"));
        let (one, two) = (Digest::of(b"1"), Digest::of(b"2"));
        assert!(start.user(&one).user(&two) != start.user(&two).user(&one));
        assert!(start.user(&one) != start.assistant(&one, &[]));
        let call = ("c".to_owned(), two);
        assert!(start.assistant(&one, &[]) != start.assistant(&one, &[call]));
        assert!(start != Thread::start(&scope("b")));
    }

    #[test]
    fn an_unresolved_owner_has_no_scope() {
        let nobody = Owner { kind: OwnerType::Unresolved, id: String::new() };
        assert!(Scope::of(&nobody).is_none());
    }
}
