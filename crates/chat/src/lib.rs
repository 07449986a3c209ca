//! One turn of conversation with a model API: what the caller sent, what the model answered,
//! as the bytes that travelled and as the events that checks judge.
//!
//! Pure: bytes in, values out. Nothing here opens a socket, reads a clock or decides anything.
//! Bytes are kept as they arrived, and are re-serialised only where a redaction changed them.

pub mod edit;
pub mod escapes;
pub mod event;
pub mod exchange;
pub mod leaves;
pub mod openai;
pub mod problem;
pub mod sse;

pub use edit::Edit;
pub use event::{Channel, ToolCall, Usage};
pub use exchange::{Exchange, RequestError, RequestErrorKind};
