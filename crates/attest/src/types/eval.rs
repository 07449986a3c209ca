//! How well it did.

use super::Count::{One, Optional};
use super::{Type, role};
use crate::shape::{Field, Shape, may, must};

/// What a metric must reach.
const BOUND: &[Field] = &[
    may("min", Shape::Decimal, "Less is a failure."),
    may("max", Shape::Decimal, "More is a failure."),
    may("max_drop", Shape::Decimal, "A larger fall below the baseline is a regression."),
    may("max_rise", Shape::Decimal, "A larger rise above the baseline is a regression."),
];

/// `eval`.
pub const TYPE: Type = Type {
    name: "eval",
    uri: "https://countersign.dev/attestation/eval/v1",
    about: "How well it did: results of a test set, beside those of a baseline, and what was asked of them.",
    roles: &[
        role("testset", One, "What was asked."),
        role("scoring_config", One, "How answers become scores, and scores metrics."),
        role("baseline_results", One, "Scores of what it is compared with."),
        role("candidate_results", One, "Scores of what is attested."),
        role("run_environment", Optional, "Where it ran."),
    ],
    fields: &[
        must("suite_id", Shape::Text, "The name of the suite."),
        must("metrics", Shape::Map(&Shape::Decimal, 1), "Computed from the candidate's results."),
        must("baseline", Shape::Map(&Shape::Decimal, 0), "Computed from the baseline's results."),
        must("thresholds", Shape::Map(&Shape::Object(BOUND), 1), "What each metric must reach."),
        must("passed", Shape::Bool, "Every threshold is reached, no metric is missing."),
        must("regression_detected", Shape::Bool, "Some metric fell, or rose, by more than it may."),
        must("failures", Shape::List(&Shape::Text, 0), "Metrics that fail, sorted."),
    ],
    needs: &["prompt", "corpus"],
};
