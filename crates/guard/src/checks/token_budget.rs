//! `token_budget`: what an owner may use per window of time.
//!
//! The stateful check, and the proof that the shape carries one: it reserves an estimate at
//! admission, and gives it back against what was used on completion, abort and disconnect, each
//! reservation exactly once.

use chat::Usage;
use chat::exchange::Exchange;
use chat::leaves::{Path, walk};

use crate::check::{Check, Ending, Event, State, Turn};
use crate::checks::owner_resolution::owner;
use crate::config::{OwnerConfig, TokenBudgetConfig};
use crate::counters::{CounterKey, Window};
use crate::facts::{Effect, Facts, Want};
use crate::verdict::{Cause, Ruling};

/// What the check remembers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Budget {
    phase: Phase,
    keys: Vec<CounterKey>,
    /// What is reserved under each key.
    amount: u64,
    /// The estimate for the prompt alone.
    prompt: u64,
    /// Bytes of the answer seen so far.
    answered: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Phase {
    /// Nothing is reserved.
    #[default]
    Idle,
    /// Reservations were asked for.
    Asked,
    /// All were granted.
    Held,
    /// All were given back.
    Settled,
}

/// The check.
#[derive(Debug, Clone)]
pub struct TokenBudget {
    config: TokenBudgetConfig,
    owner: OwnerConfig,
}

impl TokenBudget {
    /// With this configuration.
    pub fn new(config: TokenBudgetConfig, owner: OwnerConfig) -> TokenBudget {
        TokenBudget { config, owner }
    }

    fn caps(&self) -> impl Iterator<Item = (Window, u64)> {
        [
            (Window::Minute, self.config.per_minute),
            (Window::Hour, self.config.per_hour),
            (Window::Day, self.config.per_day),
        ]
        .into_iter()
        .filter_map(|(window, cap)| cap.map(|cap| (window, cap)))
    }

    fn ask(&self, exchange: &Exchange, facts: &Facts) -> Turn {
        let Some(identity) = &facts.identity else {
            return Turn::want(State::Start, Want::Identity);
        };
        let Some(now) = facts.now else {
            return Turn::want(State::Start, Want::Now);
        };
        let owner = match owner(&self.owner, identity) {
            Ok(owner) => owner.to_string(),
            Err(error) => {
                let ruling = Ruling::deny(self.name(), error.code(), error.to_string());
                return Turn::ruled(State::Start, ruling);
            }
        };
        let prompt = prompt_tokens(exchange);
        let answer = exchange.token_limit().unwrap_or(self.config.default_max_tokens);
        let amount = prompt.saturating_add(answer.saturating_mul(exchange.n));
        let mut budget = Budget { phase: Phase::Asked, amount, prompt, ..Budget::default() };
        let mut turn = Turn::default();
        for (window, cap) in self.caps() {
            let key = CounterKey::at("tokens", owner.clone(), window, now);
            turn.effects.push(Effect::Reserve { key: key.clone(), amount, cap });
            turn.wants.push(Want::Grant(key.clone()));
            budget.keys.push(key);
        }
        turn.state = State::Budget(budget);
        turn
    }

    fn weigh(&self, mut budget: Budget, facts: &Facts) -> Turn {
        let grant = |key: &CounterKey| facts.grants.iter().find(|grant| grant.key == *key);
        let missing = budget.keys.iter().find(|key| grant(key).is_none()).cloned();
        if let Some(key) = missing {
            return Turn::want(State::Budget(budget), Want::Grant(key));
        }
        let refused = |key: &&CounterKey| grant(key).is_some_and(|grant| !grant.granted);
        let Some(now) = facts.now else {
            return Turn::want(State::Budget(budget), Want::Now);
        };
        let wait =
            budget.keys.iter().filter(refused).map(|key| key.window.remaining_seconds(now)).max();
        let Some(wait) = wait else {
            budget.phase = Phase::Held;
            return Turn::allow(State::Budget(budget));
        };
        let windows: Vec<&str> =
            budget.keys.iter().filter(refused).map(|key| key.window.as_str()).collect();
        let ruling = Ruling::Deny(Cause {
            check: self.name(),
            code: "token_budget_exceeded",
            reason: format!("the owner's token budget per {} is used up", windows.join(" and ")),
            retry_after: Some(wait),
        });
        let effects = release(&budget, facts);
        budget.phase = Phase::Settled;
        Turn { effects, ..Turn::ruled(State::Budget(budget), ruling) }
    }
}

impl Check for TokenBudget {
    fn name(&self) -> &'static str {
        "token_budget"
    }

    fn has_effects(&self) -> bool {
        true
    }

    fn rule(&self, state: State, event: &Event<'_>, facts: &Facts) -> Turn {
        if !self.config.enabled() {
            return Turn::allow(state);
        }
        let mut budget = match state {
            State::Budget(budget) => budget,
            _ => Budget::default(),
        };
        let used = match event {
            Event::Request { exchange, .. } => {
                return match budget.phase {
                    Phase::Idle => self.ask(exchange, facts),
                    Phase::Asked => self.weigh(budget, facts),
                    Phase::Held | Phase::Settled => Turn::allow(State::Budget(budget)),
                };
            }
            Event::Text { text, .. } => {
                let new = text.text.len().saturating_sub(text.from);
                budget.answered = budget.answered.saturating_add(new as u64);
                return Turn::allow(State::Budget(budget));
            }
            Event::ToolCall { call, .. } => {
                let new = call.name.len() + call.arguments.len();
                budget.answered = budget.answered.saturating_add(new as u64);
                return Turn::allow(State::Budget(budget));
            }
            Event::Completion(completion) => used(&budget, completion.usage),
            Event::Disconnect(Ending::NotForwarded) => 0,
            Event::Disconnect(Ending::Aborted(usage) | Ending::Disconnected(usage)) => {
                used(&budget, *usage)
            }
        };
        let effects = match budget.phase {
            Phase::Idle | Phase::Settled => Vec::new(),
            Phase::Asked => release(&budget, facts),
            Phase::Held => {
                let settle = |key: &CounterKey| Effect::Settle {
                    key: key.clone(),
                    reserved: budget.amount,
                    used,
                };
                budget.keys.iter().map(settle).collect()
            }
        };
        if budget.phase != Phase::Idle {
            budget.phase = Phase::Settled;
        }
        Turn { effects, ..Turn::allow(State::Budget(budget)) }
    }
}

/// Gives back, unused, what was granted.
fn release(budget: &Budget, facts: &Facts) -> Vec<Effect> {
    let granted =
        |key: &&CounterKey| facts.grants.iter().any(|grant| grant.granted && grant.key == **key);
    let settle =
        |key: &CounterKey| Effect::Settle { key: key.clone(), reserved: budget.amount, used: 0 };
    budget.keys.iter().filter(granted).map(settle).collect()
}

/// What the upstream reports, else an estimate from what was seen.
fn used(budget: &Budget, usage: Option<Usage>) -> u64 {
    match usage {
        Some(usage) if usage.total > 0 => usage.total,
        _ => budget.prompt.saturating_add(budget.answered.div_ceil(4)),
    }
}

/// An estimate: a token per four bytes of text and four per message. Embedded data counts as a
/// thousand tokens a piece, whatever its size.
fn prompt_tokens(exchange: &Exchange) -> u64 {
    let mut tokens: u64 = 0;
    for (key, value) in exchange.value.as_object().unwrap_or(&[]) {
        if !matches!(key.as_str(), "messages" | "tools" | "functions" | "response_format") {
            continue;
        }
        let mut bytes: u64 = 0;
        walk(&Path::Root(""), value, &mut |_, is_key, text| {
            if text.starts_with("data:") {
                tokens = tokens.saturating_add(1000);
            } else if !is_key || key != "messages" {
                bytes = bytes.saturating_add(text.len() as u64);
            }
        });
        tokens = tokens.saturating_add(bytes.div_ceil(4));
    }
    let messages = exchange.value.get("messages").and_then(|value| value.as_array());
    tokens.saturating_add(4 * messages.map_or(0, <[_]>::len) as u64)
}
