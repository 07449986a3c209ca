//! The names under which a listener may be addressed.
//!
//! Loopback is not a boundary: a page in somebody's browser reaches it through a name of its own
//! that resolves to 127.0.0.1, and then this list is what stops it.

use std::net::IpAddr;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Uri};

/// The list.
#[derive(Debug, Clone)]
pub(crate) struct Hosts(Vec<String>);

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

    /// Exactly one `Host` that is ours, an absolute target that is ours too, and no `Origin` but
    /// the one made of the host.
    pub fn welcome(&self, target: &Uri, headers: &HeaderMap) -> bool {
        let target_is_ours = target.authority().is_none_or(|authority| {
            without_port(authority.as_str()).is_some_and(|n| self.names(n))
        });
        let mut hosts = headers.get_all(HOST).iter();
        let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
        let Ok(host) = host.to_str() else { return false };
        target_is_ours
            && without_port(host).is_some_and(|name| self.names(name))
            && headers.get_all(ORIGIN).iter().all(|origin| {
                let origin = origin.to_str().unwrap_or("");
                let page =
                    origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
                page.is_some_and(|page| page.eq_ignore_ascii_case(host))
            })
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

    #[test]
    fn only_our_names_and_no_foreign_page() {
        let hosts = Hosts::new("127.0.0.1".parse().unwrap(), &["log.example".to_owned()]);
        let check = |target: &str, pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.append(*name, HeaderValue::from_static(value));
            }
            hosts.welcome(&target.parse().unwrap(), &headers)
        };
        assert!(check("/", &[("host", "127.0.0.1:80")]));
        assert!(check("/", &[("host", "LOG.example")]));
        assert!(check("/", &[("host", "[::1]:1")]));
        assert!(check("http://log.example/", &[("host", "log.example")]));
        assert!(check("/", &[("host", "log.example"), ("origin", "https://log.example")]));
        for bad in [
            &[][..],
            &[("host", "evil.example")],
            &[("host", "log.example.evil.example")],
            &[("host", "log.example:x")],
            &[("host", "log.example"), ("host", "log.example")],
            &[("host", "log.example"), ("origin", "https://evil.example")],
            &[("host", "log.example"), ("origin", "null")],
        ] {
            assert!(!check("/", bad), "{bad:?}");
        }
        assert!(!check("http://evil.example/", &[("host", "log.example")]));
    }
}
