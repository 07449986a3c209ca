//! What is promised.

use super::Count::{One, Optional};
use super::{Type, role};
use crate::shape::{Field, Shape, must};

const WINDOW: &[Field] = &[
    must("start", Shape::Time, "From then on."),
    must("end", Shape::Time, "Until then, and later than the start."),
];

/// `slo`.
pub const TYPE: Type = Type {
    name: "slo",
    uri: "https://countersign.dev/attestation/slo/v1",
    about: "What is promised: speed, cost and errors of a time window.",
    roles: &[
        role("profile", One, "The profile of the objectives."),
        role("observability_query", Optional, "How they are measured."),
    ],
    fields: &[
        must("profile_id", Shape::Text, "The name of the profile."),
        must("window", Shape::Object(WINDOW), "When it counts."),
        must("ttft_ms_p50", Shape::Decimal, "Time to the first token, median, milliseconds."),
        must("ttft_ms_p95", Shape::Decimal, "The same, 95th percentile."),
        must("tokens_per_second_p50", Shape::Decimal, "Tokens a second, median."),
        must("cost_per_1k_tokens_cap_usd", Shape::Decimal, "Most that 1,000 tokens may cost."),
        must("error_rate_cap", Shape::Decimal, "Most errors, as a part of one."),
        must("error_budget_remaining", Shape::Decimal, "What is left, as a part of one."),
    ],
    needs: &["route"],
};
