//! The methods and routes that evidence names. Anything else is `other`: what comes from outside may
//! hold a secret.

/// A method as evidence has it.
pub(super) fn method(method: &str) -> &'static str {
    METHODS.iter().copied().find(|known| *known == method).unwrap_or("other")
}

/// A route as evidence has it: with a slash behind it, it is the same one.
pub(super) fn route(path: &str) -> &'static str {
    let path = path.strip_suffix('/').unwrap_or(path);
    ROUTES.iter().copied().find(|known| *known == path).unwrap_or("other")
}

const METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];
const ROUTES: [&str; 8] = [
    "/v1/chat/completions",
    "/v1/models",
    "/v1/completions",
    "/v1/embeddings",
    "/v1/responses",
    "/v1/messages",
    "/v1/realtime",
    "/mcp",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slash_behind_a_route_does_not_hide_its_name() {
        assert_eq!(route("/v1/chat/completions"), "/v1/chat/completions");
        assert_eq!(route("/v1/chat/completions/"), "/v1/chat/completions");
        assert_eq!(route("/v1/models/"), "/v1/models");
        for other in ["/v1/chat/completions//", "/V1/models", "/", "", "/v1/a-secret/"] {
            assert_eq!(route(other), "other", "{other}");
        }
    }
}
