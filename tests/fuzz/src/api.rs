//! What clients and upstreams of the chat API send.

use chat::openai::{Answer, Assembler, Chunk, StreamItem, item};
use chat::sse::{EVENT_BYTES, Event, Parser, SseError};
use chat::{Edit, Exchange, leaves};
use seal::json::{Limits, parse};

/// Events and error are the same however the bytes are cut, and the raw bytes are the input.
pub fn sse(input: &[u8]) {
    let Some((step, stream)) = input.split_first() else { return };
    for cap in [EVENT_BYTES, 48] {
        let whole = events(stream, stream.len().max(1), cap);
        assert_eq!(events(stream, 1, cap), whole);
        assert_eq!(events(stream, usize::from(*step).max(1), cap), whole);
        let (found, error) = whole;
        let raw: Vec<u8> = found.iter().flat_map(|event| event.raw.iter().copied()).collect();
        match error {
            None => assert_eq!(raw, stream),
            Some(_) => assert!(stream.starts_with(&raw)),
        }
    }
}

fn events(stream: &[u8], step: usize, cap: usize) -> (Vec<Event>, Option<SseError>) {
    let mut parser = Parser::with_cap(cap);
    let mut events = Vec::new();
    for piece in stream.chunks(step) {
        if let Err(error) = parser.push_into(piece, &mut events) {
            return (events, Some(error));
        }
        assert!(parser.pending() <= cap);
    }
    match parser.finish() {
        Ok(finish) => {
            events.extend(finish.event);
            events.extend(finish.tail);
            (events, None)
        }
        Err(error) => (events, Some(error)),
    }
}

/// A request that is accepted stays one when it is written again or edited.
pub fn request(input: &[u8]) {
    let Ok(exchange) = Exchange::parse(input, Limits::REQUEST) else { return };
    assert_eq!(exchange.edited(&[]).expect("no edits"), input);
    let messages = exchange.messages();
    assert!(exchange.user_texts().len() <= messages.len());
    for leaf in leaves::string_leaves(&exchange.value).iter().take(64) {
        let value = leaves::find(&exchange.value, &leaf.pointer).expect("the leaf's place");
        assert!(leaf.key || value.as_str() == Some(leaf.text));
        let edit = Edit { key: leaf.key, ..Edit::value(&leaf.pointer, 0..leaf.text.len(), "cut") };
        // Two keys of one object may become the same; the document is then refused, not mixed up.
        if let Ok(body) = exchange.edited(&[edit]) {
            let again = parse(&body, Limits::REQUEST).expect("an edited body is strict JSON");
            assert!(leaf.key || leaves::find(&again, &leaf.pointer).is_some());
        }
    }
}

/// Answers, chunks and whole streams, as a gateway reads them.
pub fn answer(input: &[u8]) {
    if let Ok(answer) = Answer::parse(input, Limits::REQUEST) {
        for text in answer.texts.iter().take(64) {
            let Some(pointer) = &text.pointer else { continue };
            assert!(leaves::find(&answer.value, pointer).is_some(), "{pointer:?}");
        }
        assert!(parse(&answer.edited(&[]).expect("no edits"), Limits::REQUEST).is_ok());
        let mut assembler = Assembler::new();
        if assembler.push_answer(&answer).is_ok() {
            assert!(parse(assembler.normal_form().as_bytes(), Limits::REQUEST).is_ok());
        }
    }
    if let Ok(text) = std::str::from_utf8(input)
        && let Ok(chunk) = Chunk::parse(text, Limits::REQUEST)
    {
        assemble(&mut Assembler::new(), &chunk);
    }
    let (events, _) = events(input, 4096, EVENT_BYTES);
    let mut assembler = Assembler::with_cap(4096);
    for event in &events {
        match item(event, Limits::REQUEST) {
            Ok(StreamItem::Chunk(chunk)) => {
                if !assemble(&mut assembler, &chunk) {
                    return;
                }
            }
            Ok(StreamItem::Done) | Err(_) => return,
        }
    }
}

fn assemble(assembler: &mut Assembler, chunk: &Chunk) -> bool {
    if assembler.push(chunk).is_err() {
        return false;
    }
    let form = assembler.normal_form();
    assert!(parse(form.as_bytes(), Limits { depth: 128, ..Limits::DOCUMENT }).is_ok(), "{form}");
    // A second look at the end changes nothing.
    let mut ended = std::mem::take(assembler);
    ended.end();
    assert!(ended.end().is_empty() && !ended.has_open_calls());
    *assembler = ended;
    true
}
