//! Bodies in the provider's own shape, which the official SDKs parse.

use seal::json::{Value, write_plain};

/// An error body. `class` becomes `type`, by which SDKs choose what to raise; the correlation id
/// stands in the message, where people look, and as a member, where programs do.
///
/// ```
/// let body = countersign_chat::problem::openai_error("the request was refused", "permission_error", "refused", "7f");
/// assert_eq!(body, r#"{"error":{"message":"the request was refused (correlation id 7f)","type":"permission_error","param":null,"code":"refused","correlation_id":"7f"}}"#);
/// ```
pub fn openai_error(message: &str, class: &str, code: &str, correlation_id: &str) -> String {
    let message = match correlation_id {
        "" => message.to_owned(),
        id => format!("{message} (correlation id {id})"),
    };
    let mut error = vec![
        ("message".to_owned(), message.into()),
        ("type".to_owned(), class.into()),
        ("param".to_owned(), Value::Null),
        ("code".to_owned(), code.into()),
    ];
    if !correlation_id.is_empty() {
        error.push(("correlation_id".to_owned(), correlation_id.into()));
    }
    write_plain(&Value::object([("error", Value::Object(error))]))
}

/// The answer of `GET /v1/models`. `created` is in Unix seconds.
pub fn models<'a>(
    names: impl IntoIterator<Item = &'a str>,
    owned_by: &str,
    created: i64,
) -> String {
    let data = Value::array(names.into_iter().map(|name| {
        Value::object([
            ("id", name.into()),
            ("object", "model".into()),
            ("created", created.into()),
            ("owned_by", owned_by.into()),
        ])
    }));
    write_plain(&Value::object([("object", "list".into()), ("data", data)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_text_is_escaped() {
        assert_eq!(
            openai_error("a\"b\n", "t", "c", ""),
            r#"{"error":{"message":"a\"b\n","type":"t","param":null,"code":"c"}}"#
        );
    }

    #[test]
    fn the_models_list_has_the_sdk_shape() {
        assert_eq!(
            models(["a"], "o", 3),
            r#"{"object":"list","data":[{"id":"a","object":"model","created":3,"owned_by":"o"}]}"#
        );
    }
}
