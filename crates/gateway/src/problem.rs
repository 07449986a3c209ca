//! The only file that knows HTTP status codes: what was decided becomes a
//! status, the headers every answer carries, and a terse body in the shape of
//! the provider's own errors. The caller learns a code and a correlation id;
//! the reasons are in the evidence under that id.

use http::header::{ALLOW, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};

use crate::body::Body;
use crate::upstream::UpstreamError;

/// On every answer: the id under which its evidence is found.
pub const CORRELATION_ID: HeaderName = HeaderName::from_static("x-countersign-correlation-id");
/// On every answer whose content was decided: the decision receipt.
pub const RECEIPT: HeaderName = HeaderName::from_static("x-countersign-receipt");

/// Why a request is not served. Closed: each has a status, a kind and a code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The `Host` header is missing, doubled, or names no listener of ours.
    HostNotAllowed,
    /// An `Origin` that is not ours: a web page is driving the caller's browser.
    ForeignOrigin,
    /// The request line or headers are not HTTP that can be read.
    MalformedHttp,
    /// No such path.
    UnknownRoute,
    /// The path exists, the method does not.
    MethodNotAllowed {
        /// What would be allowed.
        allow: &'static str,
    },
    /// The body is announced as something other than plain JSON.
    UnsupportedMediaType,
    /// More bytes than the limit.
    BodyTooLarge,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The body ended early: the caller went away.
    BodyIncomplete,
    /// The body is not a request of this API; the kind names the rule it broke.
    Malformed {
        /// The parser's own name of what is wrong.
        kind: &'static str,
    },
    /// A header that goes on, or names a session, is not what it must be.
    Header {
        /// What is wrong with which.
        kind: &'static str,
    },
    /// Nobody, or more than one, is named as the owner of the request.
    NoOwner {
        /// What is wrong with the identity headers.
        code: &'static str,
    },
    /// A check denied the content.
    Denied,
    /// A budget is used up.
    BudgetExhausted {
        /// Seconds until it is worth trying again.
        retry_after: u64,
    },
    /// A check asks for a person's approval, and nobody can be asked yet.
    ApprovalRequired,
    /// The model's answer was withheld by a check.
    AnswerWithheld,
    /// The upstream did not give an answer that can be passed on.
    Upstream(UpstreamError),
    /// The evidence cannot be written, so nothing may be answered.
    EvidenceUnavailable,
    /// The feeds of indicators are older than they may be.
    FeedsStale,
    /// The gateway stops, and the grace period is over.
    Stopping,
    /// The admin token is missing or wrong.
    Unauthorised,
    /// As many large requests as may be under way are.
    Busy,
    /// A fault of ours; it is a refusal because nothing is allowed by accident.
    Internal,
}

impl Refusal {
    /// The stable code: in the error body, the audit entry's reason and the
    /// logs. Never anything a caller chose.
    pub fn code(&self) -> &'static str {
        match self {
            Self::HostNotAllowed => "host_not_allowed",
            Self::ForeignOrigin => "foreign_origin",
            Self::MalformedHttp => "malformed_http",
            Self::UnknownRoute => "unknown_route",
            Self::MethodNotAllowed { .. } => "method_not_allowed",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyTimeout => "body_timeout",
            Self::BodyIncomplete => "body_incomplete",
            Self::Malformed { kind } | Self::Header { kind } => kind,
            Self::NoOwner { code } => code,
            Self::Denied => "refused",
            Self::BudgetExhausted { .. } => "budget_exhausted",
            Self::ApprovalRequired => "approval_required",
            Self::AnswerWithheld => "answer_withheld",
            Self::Upstream(error) => error.code(),
            Self::EvidenceUnavailable => "evidence_unavailable",
            Self::FeedsStale => "feeds_stale",
            Self::Stopping => "stopping",
            Self::Unauthorised => "unauthorised",
            Self::Busy => "busy",
            Self::Internal => "internal_error",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::HostNotAllowed => StatusCode::MISDIRECTED_REQUEST,
            Self::ForeignOrigin
            | Self::NoOwner { .. }
            | Self::Denied
            | Self::ApprovalRequired
            | Self::AnswerWithheld => StatusCode::FORBIDDEN,
            Self::MalformedHttp
            | Self::BodyIncomplete
            | Self::Malformed { .. }
            | Self::Header { .. } => StatusCode::BAD_REQUEST,
            Self::UnknownRoute => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::BudgetExhausted { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Upstream(error) => match error {
                UpstreamError::Timeout => StatusCode::GATEWAY_TIMEOUT,
                UpstreamError::Connect
                | UpstreamError::Protocol
                | UpstreamError::Redirect
                | UpstreamError::ContentType
                | UpstreamError::ContentEncoding
                | UpstreamError::TooLarge
                | UpstreamError::MalformedAnswer
                | UpstreamError::MalformedStream
                | UpstreamError::Truncated => StatusCode::BAD_GATEWAY,
            },
            Self::EvidenceUnavailable | Self::FeedsStale | Self::Busy | Self::Stopping => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Unauthorised => StatusCode::UNAUTHORIZED,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The provider's own error classes, so that SDKs raise what their users
    /// already catch.
    fn class(&self) -> &'static str {
        match self.status().as_u16() {
            401 | 403 => "permission_error",
            429 => "rate_limit_error",
            500.. => "server_error",
            _ => "invalid_request_error",
        }
    }

    /// What the caller may know in words.
    fn message(&self) -> &'static str {
        match self {
            Self::HostNotAllowed => "this host name is not served here",
            Self::ForeignOrigin => "requests from web pages of other origins are refused",
            Self::MalformedHttp => "the request is not valid HTTP",
            Self::UnknownRoute => "no such endpoint",
            Self::MethodNotAllowed { .. } => "method not allowed",
            Self::UnsupportedMediaType => "send the body as plain application/json",
            Self::BodyTooLarge => "the request body is too large",
            Self::BodyTimeout => "the request body did not arrive in time",
            Self::BodyIncomplete => "the request was not completed",
            Self::Malformed { .. } => "the request body is not a valid request of this endpoint",
            Self::Header { .. } => "a header of the request is not valid",
            Self::NoOwner { .. } => "name one owner, for example X-Agent-Id: agent:billing",
            Self::Denied | Self::ApprovalRequired => "the request was refused",
            Self::BudgetExhausted { .. } => "the budget is used up",
            Self::AnswerWithheld => "the answer was withheld",
            Self::Upstream(_) => "the upstream gave no usable answer",
            Self::EvidenceUnavailable => "evidence cannot be written, so nothing is served",
            Self::FeedsStale => "the rules are older than they may be",
            Self::Stopping => "the gateway is stopping, ask again later",
            Self::Unauthorised => "the admin token is missing or wrong",
            Self::Busy => "too many large requests are under way",
            Self::Internal => "internal error",
        }
    }

    /// The number for metrics and the log; everybody else uses the type.
    pub fn number(&self) -> u16 {
        self.status().as_u16()
    }

    /// The error body in the provider's shape.
    pub fn body(&self, correlation_id: &str) -> String {
        chat::problem::openai_error(self.message(), self.class(), self.code(), correlation_id)
    }

    /// The one error event a stream ends with when it must not go on.
    pub fn event(&self, correlation_id: &str) -> String {
        format!("data: {}\n\n", self.body(correlation_id))
    }

    /// The whole answer.
    pub fn response(&self, correlation_id: &str, receipt: Option<&str>) -> Response<Body> {
        let mut response = answer(
            self.status(),
            "application/json",
            Body::from(self.body(correlation_id)),
            correlation_id,
            receipt,
        );
        let headers = response.headers_mut();
        match self {
            Self::MethodNotAllowed { allow } => {
                headers.insert(ALLOW, HeaderValue::from_static(allow));
            }
            Self::BudgetExhausted { retry_after } => {
                headers.insert(RETRY_AFTER, HeaderValue::from(*retry_after));
            }
            Self::EvidenceUnavailable | Self::Busy | Self::Stopping => {
                headers.insert(RETRY_AFTER, HeaderValue::from(1_u64));
            }
            Self::FeedsStale => {
                headers.insert(RETRY_AFTER, HeaderValue::from(60_u64));
            }
            Self::Unauthorised => {
                headers.insert(
                    http::header::WWW_AUTHENTICATE,
                    HeaderValue::from_static("Bearer realm=\"countersign admin\""),
                );
            }
            _ => {}
        }
        response
    }
}

/// What an upstream's status line means to the flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// 2xx.
    Success,
    /// 4xx and 5xx: the provider's own error, passed on with its status.
    Failure,
    /// 3xx: never followed, never passed on.
    Redirect,
    /// 1xx as a final status, 206, or beyond 599: nothing that this API answers.
    Nonsense,
}

/// Reads an upstream's status.
pub fn standing(status: StatusCode) -> Standing {
    match status.as_u16() {
        // A part that nobody asked for is not an answer.
        206 => Standing::Nonsense,
        200..=299 => Standing::Success,
        300..=399 => Standing::Redirect,
        400..=599 => Standing::Failure,
        _ => Standing::Nonsense,
    }
}

/// The status of a plain good answer.
pub fn ok() -> StatusCode {
    StatusCode::OK
}

/// The status of "it was begun".
pub fn begun() -> StatusCode {
    StatusCode::ACCEPTED
}

/// The status of "alive but not ready".
pub fn not_ready() -> StatusCode {
    StatusCode::SERVICE_UNAVAILABLE
}

/// An answer with the headers every answer has.
pub fn answer(
    status: StatusCode,
    content_type: &'static str,
    body: Body,
    correlation_id: &str,
    receipt: Option<&str>,
) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    if let Ok(value) = HeaderValue::from_str(correlation_id) {
        headers.insert(CORRELATION_ID, value);
    }
    if let Some(Ok(value)) = receipt.map(HeaderValue::from_str) {
        headers.insert(RECEIPT, value);
    }
    response
}
