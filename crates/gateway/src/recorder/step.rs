//! What the flow tells the recorder: digests, names and verdicts of one step. No prompt text gets
//! past the constructors of this module.

use chat::event::ToolCall;
use chat::exchange::Exchange;
use record::entry::{AuditDecision, Owner};
use record::receipt::Verdict;
use record::source::Source;
use seal::digest::Digest;
use seal::json::Value;

/// Who asked, and how that is known.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The resolved owner.
    pub owner: Owner,
    /// `asserted` or `authenticated:<method>`.
    pub how: String,
    /// The links of the approval chain, oldest first; may be empty.
    pub approval_chain: Vec<String>,
}

/// The outcome of one scan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// The verdict the receipt carries.
    pub verdict: Verdict,
    /// Ids of the rules that matched, without duplicates.
    pub rules: Vec<String>,
    /// The indicators of signed feeds that matched, without duplicates.
    pub sources: Vec<Source>,
}

impl Scanned {
    /// A scan without a hit.
    pub fn clean() -> Scanned {
        Scanned { verdict: Verdict::Clean, rules: Vec::new(), sources: Vec::new() }
    }
}

/// A decision with its reason: what the audit entry and the decision receipt say.
#[derive(Clone, Debug)]
pub struct Ruling {
    /// Allow, redact, block or escalate.
    pub decision: AuditDecision,
    /// The check that decided (`injection`, `token_budget`, …); empty when all allowed.
    pub check: String,
    /// A stable lower-case code (`injection`, `budget_exhausted`, …).
    pub code: String,
    /// For the operator; must hold no text of the caller or the model.
    pub reason: String,
}

impl Ruling {
    /// The gateway itself stopped or failed.
    pub(super) fn interrupted() -> Ruling {
        let reason = "the gateway stopped between admission and outcome".to_owned();
        let code = "interrupted".to_owned();
        Ruling { decision: AuditDecision::Block, check: String::new(), code, reason }
    }

    /// The caller left.
    pub(super) fn gone() -> Ruling {
        let reason = "the caller went away before the answer was complete".to_owned();
        let code = "client_disconnected".to_owned();
        Ruling { decision: AuditDecision::Block, check: String::new(), code, reason }
    }

    /// What the checks ruled over the part there was, in the words of an answer that nobody has
    /// whole.
    pub(super) fn left(self) -> Ruling {
        let gone = Ruling::gone();
        match self.decision {
            AuditDecision::Allow => Ruling { decision: AuditDecision::Allow, ..gone },
            AuditDecision::Redact | AuditDecision::Escalate | AuditDecision::Block => {
                Ruling { reason: format!("{}; {}", gone.reason, self.reason), ..self }
            }
        }
    }
}

impl Ruling {
    /// Nothing objected.
    pub fn allow() -> Ruling {
        Ruling {
            decision: AuditDecision::Allow,
            check: String::new(),
            code: "ok".to_owned(),
            reason: "all checks passed".to_owned(),
        }
    }
}

/// A refusal and the answer that carries it.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// Block or escalate, with check, code and reason.
    pub ruling: Ruling,
    /// The HTTP status of the answer.
    pub status: u16,
    /// Digest of the answer's body.
    pub response: Digest,
}

/// What was judged at admission.
#[derive(Clone, Debug)]
pub struct Input {
    /// The messages, as digests.
    pub conversation: Conversation,
    /// The scan of every string leaf of the request.
    pub scan: Scanned,
    /// The facts the ruling used (an object; integers only): stored salted, by digest.
    pub facts: Value,
}

/// Where an admitted request goes.
#[derive(Clone, Debug)]
pub struct Forward {
    /// Digest of the body that goes upstream (after redaction).
    pub body: Digest,
    /// The upstream's label.
    pub upstream: String,
    /// The model asked for.
    pub model: String,
}

/// A tool call that the model proposed, scanned and ruled upon.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// The id the upstream gave the call.
    pub call_id: String,
    /// The tool's name.
    pub tool: String,
    /// Text hash of the argument bytes, exactly as the upstream sent them.
    pub arguments: Digest,
    /// The scan of the arguments.
    pub scan: Scanned,
    /// Allow: delivered to the caller. Anything else: withheld, and its result will match nothing.
    pub ruling: Ruling,
}

impl Proposal {
    /// The proposal of `call`, with what was found in it and decided about it.
    pub fn of(call: &ToolCall, scan: Scanned, ruling: Ruling) -> Proposal {
        let (call_id, arguments) = echo(call);
        Proposal { call_id, tool: call.name.clone(), arguments, scan, ruling }
    }
}

/// The id and argument digest under which a call is found again when a request repeats it.
fn echo(call: &ToolCall) -> (String, Digest) {
    (call_id(&call.id, &call.name), Digest::of(call.arguments.as_bytes()))
}

/// Legacy function calls have no id; their results come under the function's name.
fn call_id(id: &str, name: &str) -> String {
    if id.is_empty() { format!("function:{name}") } else { id.to_owned() }
}

/// One delivered choice: what a client will echo as the assistant's message.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Text hash of the text as delivered (after redaction).
    pub text: Digest,
    /// Whether that text is empty (only tool calls).
    pub empty: bool,
    /// `(call id, argument digest)` of the calls this choice delivered, in order.
    pub calls: Vec<(String, Digest)>,
}

impl Answered {
    /// Digests the delivered text and calls of one choice.
    pub fn of<'a>(text: &str, calls: impl IntoIterator<Item = &'a ToolCall>) -> Answered {
        Answered {
            text: Digest::of(text.as_bytes()),
            empty: text.is_empty(),
            calls: calls.into_iter().map(echo).collect(),
        }
    }
}

/// How a forwarded request ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The decision over the answer (block: the answer was withheld, in whole or from some event on).
    pub ruling: Ruling,
    /// The HTTP status sent.
    pub status: u16,
    /// The upstream that really answered.
    pub upstream: String,
    /// The model that really answered.
    pub model: String,
    /// Over the upstream's answer: unary its bytes, streams the normal form of the event model.
    pub output: Digest,
    /// The scan of the output.
    pub scan: Scanned,
    /// Digest of the bytes delivered to the caller: the unary body, or all bytes of the stream
    /// before the receipt's comment block.
    pub response: Digest,
    /// The delivered choices.
    pub answers: Vec<Answered>,
    /// Prompt, completion and total tokens, where known.
    pub usage: Option<(u64, u64, u64)>,
    /// Facts the completion used (settled budget …), where there are any.
    pub facts: Option<Value>,
}

/// An upstream that gave no usable answer.
#[derive(Clone, Debug)]
pub struct Failure {
    /// `upstream_unreachable`, `upstream_timeout`, `upstream_status`, `internal` …
    pub code: String,
    /// For the operator.
    pub reason: String,
    /// The HTTP status sent to the caller.
    pub status: u16,
    /// The upstream's label.
    pub upstream: String,
    /// Digest of the bytes delivered to the caller.
    pub response: Digest,
}

/// The messages of a request, reduced to digests.
#[derive(Clone, Debug, Default)]
pub struct Conversation {
    pub(crate) turns: Vec<Turn>,
}

/// One message that lineage looks at; system and developer messages are covered by the
/// model call's input.
#[derive(Clone, Debug)]
pub(crate) enum Turn {
    User { text: Digest },
    Assistant { text: Digest, empty: bool, calls: Vec<(String, Digest)> },
    Result { call_id: String, text: Digest, scan: Option<Scanned> },
}

impl Conversation {
    /// The digests of a parsed request.
    pub fn of(exchange: &Exchange) -> Conversation {
        let turns = exchange.messages().into_iter().filter_map(|message| {
            let text = message.text();
            let digest = Digest::of(text.as_bytes());
            match message.role {
                "user" => Some(Turn::User { text: digest }),
                "assistant" => Some(Turn::Assistant {
                    text: digest,
                    empty: text.is_empty(),
                    calls: message.tool_calls.iter().map(echo).collect(),
                }),
                "tool" | "function" => Some(Turn::Result {
                    call_id: call_id(
                        message.tool_call_id.unwrap_or_default(),
                        message.name.unwrap_or_default(),
                    ),
                    text: digest,
                    scan: None,
                }),
                _ => None,
            }
        });
        Conversation { turns: turns.collect() }
    }

    /// Says what the scan of the `index`-th tool result (in message order) found; a result
    /// nothing is said about carries the verdict of the whole input.
    pub fn result_scanned(&mut self, index: usize, scanned: Scanned) {
        let mut results = self.turns.iter_mut().filter_map(|turn| match turn {
            Turn::Result { scan, .. } => Some(scan),
            Turn::User { .. } | Turn::Assistant { .. } => None,
        });
        if let Some(scan) = results.nth(index) {
            *scan = Some(scanned);
        }
    }
}
