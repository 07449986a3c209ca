//! What an OpenAI-compatible upstream answers: whole, or as a stream of chunks.
//!
//! Both become the same thing, a [`Step`] of an [`Assembler`]: text per choice and channel, and
//! whole tool calls. Every string that the provider sends is either a tool call, text on a named
//! channel, or text on [`Channel::Other`](crate::Channel::Other): nothing goes uninspected.

mod assembler;
mod document;
mod partial;
mod words;

pub use assembler::{AssembleError, Assembler, NewText, Segment, Step};
pub use document::{Answer, AnswerError, ApiError, CallDelta, Chunk, StreamItem, Text, item};
