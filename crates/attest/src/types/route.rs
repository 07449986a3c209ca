//! Which model answers.

use super::Count::{One, Optional};
use super::{Type, role};
use crate::shape::{Field, Shape, may, must};

const PROVIDER: &[Field] = &[
    must("provider", Shape::Text, "Who serves it."),
    must("model", Shape::Text, "The model's name there."),
    may("statement", Shape::Sha256, "Of the payload of the statement about this model."),
];

/// `route`.
pub const TYPE: Type = Type {
    name: "route",
    uri: "https://countersign.dev/attestation/route/v1",
    about: "Which model answers: routing, budgets, what happens when one fails.",
    roles: &[
        role("route_config", One, "The routing."),
        role("budget_policy", One, "What it may cost."),
        role("fallback_graph", One, "Who answers when another fails."),
        role("canary_config", Optional, "How a new route is tried."),
        role("simulation_result", Optional, "What a simulation gave."),
    ],
    fields: &[
        must("strategy", Shape::Text, "The routing strategy."),
        must("providers", Shape::List(&Shape::Object(PROVIDER), 1), "Who may answer."),
    ],
    needs: &["eval"],
};
