//! The API's own words in answers: where the API puts them they cannot carry anything.

/// Values of `object`.
pub(super) const OBJECTS: [&str; 2] = ["chat.completion", "chat.completion.chunk"];
/// Values of `role`.
pub(super) const ROLES: [&str; 6] =
    ["assistant", "system", "user", "tool", "function", "developer"];
/// Values of `finish_reason`.
pub(super) const FINISH: [&str; 5] =
    ["stop", "length", "tool_calls", "content_filter", "function_call"];

/// Keys that the API documents for answers. Any other key is text that reaches the client.
pub(super) fn known_key(key: &str) -> bool {
    matches!(
        key,
        "id" | "object"
            | "created"
            | "model"
            | "choices"
            | "usage"
            | "system_fingerprint"
            | "service_tier"
            | "error"
            | "message"
            | "type"
            | "param"
            | "code"
            | "index"
            | "logprobs"
            | "finish_reason"
            | "delta"
            | "role"
            | "content"
            | "refusal"
            | "reasoning"
            | "reasoning_content"
            | "audio"
            | "data"
            | "expires_at"
            | "transcript"
            | "annotations"
            | "url_citation"
            | "start_index"
            | "end_index"
            | "title"
            | "url"
            | "tool_calls"
            | "function_call"
            | "function"
            | "custom"
            | "name"
            | "arguments"
            | "input"
            | "text"
            | "token"
            | "bytes"
            | "logprob"
            | "top_logprobs"
            | "prompt_tokens"
            | "completion_tokens"
            | "total_tokens"
            | "prompt_tokens_details"
            | "completion_tokens_details"
            | "cached_tokens"
            | "audio_tokens"
            | "text_tokens"
            | "image_tokens"
            | "reasoning_tokens"
            | "accepted_prediction_tokens"
            | "rejected_prediction_tokens"
            | "obfuscation"
    )
}
