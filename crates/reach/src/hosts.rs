//! The names under which a listener may be addressed, for every listener of the house.
//!
//! Loopback is not a boundary: a page in somebody's browser reaches it through a name of its own
//! that resolves to 127.0.0.1, and then this list is what stops it.

use std::net::IpAddr;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Uri};

/// The list.
#[derive(Debug, Clone)]
pub struct Hosts(Vec<String>);

/// Why a request is not served, whatever it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unwelcome {
    /// It addresses somebody else, nobody, or two at once.
    Host,
    /// A page of another origin sent it.
    Origin,
}

impl Hosts {
    /// The bound address, this machine's own names, and what was configured.
    pub fn new(bound: IpAddr, configured: &[String]) -> Hosts {
        let mut names: Vec<String> =
            ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned).to_vec();
        names.push(match bound {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        });
        names.extend(configured.iter().cloned());
        Hosts(names)
    }

    /// Exactly one `Host` that is ours, an absolute target, which goes before it, that is ours too,
    /// and no `Origin` but the one made of the host.
    pub fn check(&self, target: &Uri, headers: &HeaderMap) -> Result<(), Unwelcome> {
        let ours = |host: &str| without_port(host).is_some_and(|name| self.names(name));
        let target_is_ours = target.authority().is_none_or(|authority| ours(authority.as_str()));
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None, true) = (hosts.next(), hosts.next(), target_is_ours) else {
            return Err(Unwelcome::Host);
        };
        let host = host.to_str().ok().filter(|host| ours(host)).ok_or(Unwelcome::Host)?;
        let of_host = |origin: &str| {
            let page = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
            page.is_some_and(|page| page.eq_ignore_ascii_case(host))
        };
        match headers.get_all(ORIGIN).iter().all(|origin| origin.to_str().is_ok_and(of_host)) {
            true => Ok(()),
            false => Err(Unwelcome::Origin),
        }
    }

    fn names(&self, name: &str) -> bool {
        self.0.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
    }
}

/// The host of `host[:port]`; `None` where the port is not a number.
fn without_port(host: &str) -> Option<&str> {
    let end = match host.strip_prefix('[') {
        Some(_) => host.find(']')? + 1,
        None => host.find(':').unwrap_or(host.len()),
    };
    let (name, rest) = host.split_at(end);
    let port = match rest {
        "" => return Some(name),
        rest => rest.strip_prefix(':')?,
    };
    port.bytes().all(|b| b.is_ascii_digit()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn check(target: &str, pairs: &[(&'static str, &'static str)]) -> Result<(), Unwelcome> {
        let hosts = Hosts::new([127, 0, 0, 1].into(), &["gate.example".to_owned()]);
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, HeaderValue::from_static(value));
        }
        hosts.check(&target.parse().expect("a target"), &headers)
    }

    #[test]
    fn only_our_names() {
        for good in ["localhost:8443", "127.0.0.1", "[::1]:80", "LOCALHOST", "GATE.example:1"] {
            assert_eq!(check("/", &[("host", good)]), Ok(()), "{good}");
        }
        for bad in [
            "evil.example",
            "gate.example.evil.example",
            "127.0.0.1.evil",
            "localhost:x",
            "[::1",
            "",
            "user@localhost",
        ] {
            assert_eq!(check("/", &[("host", bad)]), Err(Unwelcome::Host), "{bad}");
        }
        assert_eq!(check("/", &[]), Err(Unwelcome::Host));
        let twice = [("host", "localhost"), ("host", "localhost")];
        assert_eq!(check("/", &twice), Err(Unwelcome::Host));
    }

    #[test]
    fn no_foreign_page() {
        let own = [("host", "localhost:1"), ("origin", "http://localhost:1")];
        assert_eq!(check("/", &own), Ok(()));
        let own = [("host", "gate.example"), ("origin", "https://gate.example")];
        assert_eq!(check("/", &own), Ok(()));
        for origin in ["http://localhost:2", "null", "https://evil.example"] {
            let page = [("host", "localhost:1"), ("origin", origin)];
            assert_eq!(check("/", &page), Err(Unwelcome::Origin), "{origin}");
        }
    }

    #[test]
    fn an_absolute_target_names_us_too() {
        let host = [("host", "localhost:1")];
        assert_eq!(check("http://127.0.0.1:1/v1/models", &host), Ok(()));
        for bad in ["http://evil.example/v1/models", "http://user:pw@127.0.0.1/v1/models"] {
            assert_eq!(check(bad, &host), Err(Unwelcome::Host), "{bad}");
        }
    }
}
