//! Where the messages of a request come from: which receipts stand for them already, which must be
//! made, and which tool results match a call that this gateway saw proposed.

use seal::digest::Digest;

use super::step::{Conversation, Scanned, Turn};
use crate::lineage::{Call, Key, Known, Lineage, Scope, Thread};

/// The answer: known parents of the input scan, and the steps still to be recorded.
#[derive(Default)]
pub(super) struct Ancestry {
    pub parents: Vec<Known>,
    pub steps: Vec<Step>,
    /// The conversation after its last message; `None` for an unresolved owner.
    pub thread: Option<Thread>,
}

/// A message without a receipt.
pub(super) enum Step {
    /// A new user message.
    User { text: Digest, keys: Vec<Key> },
    /// The result of a call that was proposed to the same owner with the same arguments.
    ToolCall { call_id: Digest, call: Call, text: Digest, keys: Vec<Key> },
    /// A tool result that matches nothing.
    Stray {
        call_id: Digest,
        text: Digest,
        scan: Option<Scanned>,
        mismatch: Mismatch,
        keys: Vec<Key>,
    },
}

/// Why a tool result matches nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Mismatch {
    /// No call of this id was proposed to this owner (or it was forgotten).
    UnknownCall,
    /// The request repeats the call with other arguments than were proposed.
    AlteredArguments,
    /// The request does not repeat the call, so its arguments cannot be compared.
    ArgumentsMissing,
}

impl Mismatch {
    pub fn code(self) -> &'static str {
        match self {
            Mismatch::UnknownCall => "tool_result_unknown_call",
            Mismatch::AlteredArguments => "tool_result_altered_arguments",
            Mismatch::ArgumentsMissing => "tool_result_arguments_missing",
        }
    }
}

impl Ancestry {
    /// Walks the messages in order. A known assistant message *at its known place* descends from
    /// everything before it, so it replaces all parents found so far: evidence grows with the new
    /// messages of a turn, not with the length of the conversation.
    pub fn of(conversation: &Conversation, scope: Option<&Scope>, lineage: &Lineage) -> Ancestry {
        let mut found = Ancestry { thread: scope.map(Thread::start), ..Ancestry::default() };
        // A retry of the whole request must get user receipts of its own: only messages that
        // stand before an answer are history.
        let answered =
            conversation.turns.iter().rposition(|turn| !matches!(turn, Turn::User { .. }));
        let mut echoed: Vec<(&str, Digest)> = Vec::new();
        for (at, turn) in conversation.turns.iter().enumerate() {
            match turn {
                Turn::User { text } => {
                    let thread = found.thread.as_ref().map(|thread| thread.user(text));
                    let keys =
                        keys(scope, thread.as_ref(), |scope| Some(Key::text(scope, "user", text)));
                    let history = answered.is_some_and(|last| at < last);
                    match first_known(lineage, &keys).filter(|_| history) {
                        Some(known) => found.parents.push(known),
                        None => found.steps.push(Step::User { text: *text, keys }),
                    }
                    found.thread = thread;
                }
                Turn::Assistant { text, empty, calls } => {
                    echoed.extend(calls.iter().map(|(id, digest)| (id.as_str(), *digest)));
                    let thread = found.thread.as_ref().map(|t| t.assistant(text, calls));
                    let here = thread.as_ref().and_then(|t| lineage.message(Key::place(t)));
                    if let Some(known) = here {
                        found.parents.clear();
                        found.steps.clear();
                        found.parents.push(known.clone());
                    } else if let Some(scope) = scope {
                        let by_text = Some(text)
                            .filter(|_| !empty)
                            .and_then(|text| lineage.message(Key::text(scope, "assistant", text)));
                        let by_call = || {
                            calls.iter().find_map(|(id, arguments)| {
                                lineage
                                    .call(Key::call(scope, id))
                                    .filter(|call| call.arguments == *arguments)
                                    .map(|call| &call.model_call)
                            })
                        };
                        found.parents.extend(by_text.or_else(by_call).cloned());
                    }
                    found.thread = thread;
                }
                Turn::Result { call_id, text, scan } => {
                    let arguments = echoed
                        .iter()
                        .rev()
                        .find(|(id, _)| id == call_id)
                        .map(|(_, digest)| *digest);
                    let thread = found.thread.as_ref().map(|t| t.result(call_id, text));
                    let keys = keys(scope, thread.as_ref(), |scope| {
                        Some(Key::result(scope, call_id, arguments.as_ref(), text))
                    });
                    found.thread = thread;
                    if let Some(known) = first_known(lineage, &keys) {
                        found.parents.push(known);
                        continue;
                    }
                    let id = Digest::of(call_id.as_bytes());
                    let call = scope.and_then(|scope| lineage.call(Key::call(scope, call_id)));
                    let mismatch = match (call, arguments) {
                        (Some(call), Some(arguments)) if call.arguments == arguments => {
                            found.steps.push(Step::ToolCall {
                                call_id: id,
                                call: call.clone(),
                                text: *text,
                                keys,
                            });
                            continue;
                        }
                        (Some(_), Some(_)) => Mismatch::AlteredArguments,
                        (Some(_), None) => Mismatch::ArgumentsMissing,
                        (None, _) => Mismatch::UnknownCall,
                    };
                    found.steps.push(Step::Stray {
                        call_id: id,
                        text: *text,
                        scan: scan.clone(),
                        mismatch,
                        keys,
                    });
                }
            }
        }
        found
    }
}

/// The key at its place first: it is the more exact one.
fn keys(
    scope: Option<&Scope>,
    thread: Option<&Thread>,
    anywhere: impl Fn(&Scope) -> Option<Key>,
) -> Vec<Key> {
    let place = thread.map(Key::place);
    place.into_iter().chain(scope.and_then(anywhere)).collect()
}

fn first_known(lineage: &Lineage, keys: &[Key]) -> Option<Known> {
    keys.iter().find_map(|key| lineage.message(*key)).cloned()
}
