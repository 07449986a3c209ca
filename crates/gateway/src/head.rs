//! A request's head judged apart from any server: what the request path asks of it before a body is
//! read, in the same order and by the same functions. For tests that give it any bytes.

use std::net::{IpAddr, Ipv4Addr};

use http::{HeaderMap, Method, Uri};
use reach::hosts::Hosts;

use crate::metrics::Route;
use crate::problem::Refusal;
use crate::receive;

/// The route of a request to a loopback listener that answers to `hosts` as well and takes bodies
/// of at most `body_bytes`.
///
/// # Errors
/// The first thing for which the gateway would refuse it.
pub fn judge(
    hosts: &[String],
    body_bytes: u64,
    method: &Method,
    target: &Uri,
    headers: &HeaderMap,
) -> Result<Route, Refusal> {
    let hosts = Hosts::new(IpAddr::V4(Ipv4Addr::LOCALHOST), hosts);
    receive::addressed(&hosts, target, headers)?;
    let route = receive::route(method, target.path())?;
    receive::announced(headers, body_bytes)?;
    receive::passed_on(headers)?;
    Ok(route)
}
