//! YAML that nobody writes by accident: refused with a word about it, or read as what it says.

use super::Config;

/// Refused, and the message has this part.
fn refused(yaml: &str, part: &str) {
    let error = Config::parse(yaml).expect_err("it must be refused").to_string();
    let start: String = yaml.chars().take(80).collect();
    assert!(error.contains(part), "{start:?}: {error:?} does not say {part:?}");
    assert!(error.len() < 400 && !error.contains('\n'), "{start:?}: {error:?}");
    assert!(!error.chars().any(|c| c.is_control()), "{start:?}: {error:?}");
    assert!(!Config::problems(yaml).is_empty(), "{start:?}");
}

/// Read like this plain text.
fn means(yaml: &str, plain: &str) {
    let read = |text| Config::parse(text).expect("it is a configuration").settings();
    assert_eq!(read(yaml), read(plain), "{yaml:?}");
}

#[test]
fn bombs_do_not_go_off() {
    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = format!("*a{}, ", level - 1).repeat(10);
        laughs += &format!("a{level}: &a{level} [{below}]\n");
    }
    refused(&laughs, "");
    refused("hosts: &h [x]\na: *h\n", "unknown key");
    refused(&format!("hosts: {}", "[".repeat(100_000)), "");
    refused(&"a: {".repeat(10_000), "");
    refused(&format!("hosts: [{}]", "- ".repeat(100_000)), "");
    refused(&format!("listen: {}", "x".repeat(10 << 20)), "larger than");
    refused(&"# nothing\n".repeat(1 << 20), "larger than");
    refused("a: &a\n  b: *a\n", "");
}

#[test]
fn what_two_readers_may_read_differently_is_refused() {
    refused("listen: 127.0.0.1:1\nlisten: 127.0.0.1:2", "twice");
    refused("limits: {body_bytes: 1, body_bytes: 2}", "twice");
    refused("limits:\n\tbody_bytes: 5", "");
    refused("listen: \"127.0.0.1:1\u{0}\"", "");
    refused("listen: 127.0.0.1:1\n---\nlisten: 127.0.0.1:2", "");
    refused("listen: 127.0.0.1:1\n...\nlisten: 127.0.0.1:2", "");
    refused("limits: {body_bytes: !!binary aGk=}", "");
    refused("limits: {body_bytes: 1.5}", "");
    refused("limits: {body_bytes: 1e3}", "");
    refused("limits: {body_bytes: -1}", "");
    refused("limits: {body_bytes: 99999999999999999999999}", "");
    refused("limits: {body_bytes: .inf}", "");
    refused("limits:\n  body_bytes: '5'", "line 2: expected a whole number, without quotes");
    refused("guard: {owner: {required: 'true'}}", "expected true or false");
    refused("guard: {owner: {required: yes}}", "");
    refused("upstream: {url: 'http://a/v1', name: 5}", "between quotes");
    refused("guard: {owner: {required: perhaps}}", "");
    refused("? [a, b]\n: 1", "");
    refused("{}: 1", "");
    refused("just a text", "");
    refused("- listen: 127.0.0.1:1", "");
    refused("\u{85}\u{2028}listen: 127.0.0.1:1\u{7}", "");
    refused("\u{1b}[31mlisten: 1", "");
    refused("limits: *nowhere", "");
    refused("li\u{200b}mits: {}", "unknown key");
    refused("lіmits: {}", "unknown key");
}

#[test]
fn ordinary_variety_is_read() {
    means("\u{feff}listen: 127.0.0.1:1\n", "listen: 127.0.0.1:1");
    means(
        "listen: 127.0.0.1:1\r\nlimits:\r\n  body_bytes: 5\r\n",
        "listen: 127.0.0.1:1\nlimits: {body_bytes: 5}",
    );
    means("# a remark\n---\nlisten: '127.0.0.1:1'\n...\n", "listen: 127.0.0.1:1");
    means("{\"listen\": \"127.0.0.1:1\"}", "listen: 127.0.0.1:1");
    means("limits: {body_bytes: 0x10}", "limits: {body_bytes: 16}");
    means(
        "hosts: &h [a.example]\nguard: {tools: {denied: *h}}",
        "hosts: [a.example]\nguard: {tools: {denied: [a.example]}}",
    );
    means("limits: &l {body_bytes: 5}\n", "limits: {body_bytes: 5}");
    means("\n\n", "{}");
}
