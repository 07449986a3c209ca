//! SARIF 2.1.0 (OASIS): what every log of ours has in common.

use seal::json::Value;

/// What goes into the one run of a log.
pub struct Run {
    /// Described rules, in the order in which results name them.
    pub rules: Vec<Value>,
    /// What was found.
    pub results: Vec<Value>,
    /// What could not be looked at.
    pub notifications: Vec<Value>,
    /// About the run as a whole.
    pub properties: Value,
}

/// The log.
pub fn document(run: Run) -> Value {
    let driver = object(vec![
        ("name", "countersign".into()),
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("rules", run.rules.into()),
    ]);
    let invocation = object(vec![
        ("executionSuccessful", true.into()),
        ("toolExecutionNotifications", run.notifications.into()),
    ]);
    let run = object(vec![
        ("tool", object(vec![("driver", driver)])),
        ("invocations", Value::array([invocation])),
        ("columnKind", "unicodeCodePoints".into()),
        ("results", run.results.into()),
        ("properties", run.properties),
    ]);
    object(vec![
        ("version", "2.1.0".into()),
        ("$schema", "https://json.schemastore.org/sarif-2.1.0.json".into()),
        ("runs", Value::array([run])),
    ])
}

/// A path as a relative or file URI (RFC 3986).
pub fn uri(path: &str) -> String {
    let mut out = String::new();
    if path.starts_with('/') {
        out.push_str("file://");
    }
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A message.
pub fn text(text: &str) -> Value {
    object(vec![("text", text.into())])
}

/// An object of these members.
pub fn object(members: Vec<(&str, Value)>) -> Value {
    Value::Object(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_uris() {
        assert_eq!(uri("a b/\u{e9}.txt"), "a%20b/%C3%A9.txt");
        assert_eq!(uri("/x:y"), "file:///x%3Ay");
    }
}
