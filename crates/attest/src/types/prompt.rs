//! What a model is told.

use super::Count::{One, Optional, OptionalTree, Tree};
use super::{Type, role};
use crate::shape::{Shape, may};

/// `prompt`.
pub const TYPE: Type = Type {
    name: "prompt",
    uri: "https://countersign.dev/attestation/prompt/v1",
    about: "What a model is told: system prompt, templates, tools, safety policy.",
    roles: &[
        role("system_prompt", One, "The system prompt."),
        role("templates", Tree, "Templates of prompts."),
        role("tool_schemas", OptionalTree, "Schemas of the tools that the model may call."),
        role("safety_policy", One, "What the model must not do."),
        role("render_config", Optional, "How templates become prompts."),
        role("test_suite", Optional, "What the prompts were tried with."),
    ],
    fields: &[may("version", Shape::Text, "The prompts' own version.")],
    needs: &[],
};
