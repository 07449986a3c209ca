//! The shape of a check.

use chat::exchange::Exchange;
use chat::{Channel, ToolCall, Usage};

use crate::checks::scope_drift::Drift;
use crate::checks::token_budget::Budget;
use crate::facts::{Effect, Facts, Want};
use crate::finder::Found;
use crate::verdict::Ruling;

/// One thing to judge, as a pure state machine: `rule(state, event, facts) -> (state', ruling,
/// wants, effects)`.
///
/// Contract: the same arguments give the same answer. A fact that is needed and missing is named
/// in `wants`, and the event is ruled on again when facts have come; if it is missing still, the
/// pipeline refuses. Effects are executed once, in order, whatever the joined ruling is, so a
/// check asks for one only when it must happen. A check that does not care about an event allows
/// it and keeps its state.
pub trait Check: Send + Sync + std::fmt::Debug {
    /// The name in evidence.
    fn name(&self) -> &'static str;

    /// Whether it has effects: such checks rule on a request only when all others let it pass.
    fn has_effects(&self) -> bool {
        false
    }

    /// Judges one event.
    fn rule(&self, state: State, event: &Event<'_>, facts: &Facts) -> Turn;
}

/// What a check remembers of one request.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum State {
    /// Nothing yet.
    #[default]
    Start,
    /// Of `scope_drift`.
    Drift(Drift),
    /// Of `token_budget`.
    Budget(Budget),
}

/// What a check answers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Turn {
    /// Its state from here on.
    pub state: State,
    /// Its ruling.
    pub ruling: Ruling,
    /// Facts it misses; then the ruling does not count yet.
    pub wants: Vec<Want>,
    /// What is to be done.
    pub effects: Vec<Effect>,
    /// About a text: from where on the check must see more before it can let go of it. About a
    /// tool call: its arguments could become something else if they went on. `None` where there is
    /// nothing to wait for.
    pub held: Option<usize>,
}

impl Turn {
    /// A ruling and nothing else.
    pub fn ruled(state: State, ruling: Ruling) -> Turn {
        Turn { state, ruling, ..Turn::default() }
    }

    /// Nothing to object.
    pub fn allow(state: State) -> Turn {
        Turn::ruled(state, Ruling::Allow)
    }

    /// A fact is missing.
    pub fn want(state: State, want: Want) -> Turn {
        Turn { state, wants: vec![want], ..Turn::default() }
    }
}

/// What happens to a request, in this order: request, then texts and tool calls, then completion
/// or disconnect.
#[derive(Debug, Clone, Copy)]
pub enum Event<'e> {
    /// A request came in.
    Request {
        /// The request.
        exchange: &'e Exchange,
        /// What the scan found in it.
        found: &'e [Found],
    },
    /// Text of the answer.
    Text {
        /// The text.
        text: TextEvent<'e>,
        /// What the scan found in or near its new part.
        found: &'e [Found],
    },
    /// A complete tool call is proposed.
    ToolCall {
        /// The call.
        call: &'e ToolCall,
        /// What the scan found in it.
        found: &'e [Found],
    },
    /// The answer is complete.
    Completion(Completion<'e>),
    /// The answer will not be completed, or not delivered.
    Disconnect(Ending),
}

impl<'e> Event<'e> {
    /// What the scan found in the event's text; `None` when the event has none.
    pub fn found(&self) -> Option<&'e [Found]> {
        match self {
            Event::Request { found, .. }
            | Event::Text { found, .. }
            | Event::ToolCall { found, .. } => Some(found),
            Event::Completion(_) | Event::Disconnect(_) => None,
        }
    }
}

/// The text of one channel of the answer so far.
#[derive(Debug, Clone, Copy)]
pub struct TextEvent<'e> {
    /// The choice.
    pub choice: u32,
    /// The channel.
    pub channel: &'e Channel,
    /// All text so far.
    pub text: &'e str,
    /// Where the part begins that no event showed before.
    pub from: usize,
    /// Where the part begins that was not released; at most `from`. What was released before
    /// cannot be cut any more.
    pub open: usize,
    /// Whether no more text will come on this channel.
    pub last: bool,
}

/// How an answer was completed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Completion<'e> {
    /// What the upstream says it used.
    pub usage: Option<Usage>,
    /// The finish reason of the first choice.
    pub finish: Option<&'e str>,
}

/// Why an answer is not completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Nothing was sent to the upstream: nothing was used.
    NotForwarded,
    /// The upstream failed, or a check stopped the answer; what it used is estimated unless known.
    Aborted(Option<Usage>),
    /// The caller went away; what was used is estimated unless known.
    Disconnected(Option<Usage>),
}
