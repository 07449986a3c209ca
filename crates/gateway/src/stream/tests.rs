//! However a stream is cut into reads, what is released and what is said of it is the same: every
//! recorded stream in two pieces at every byte, byte by byte, and in pieces of seeded lengths.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chat::exchange::Exchange;
use http::{HeaderMap, HeaderValue};
use ledger::store::memory::MemoryStore;
use seal::digest::Digest;
use seal::json::Limits;
use seal::time::UnixMillis;
use testkit::recorded::{Told, streams};
use testkit::rng::Rng;
use tokio::sync::mpsc;

use super::*;
use crate::config::Config;
use crate::gate::Gate;
use crate::server::App;
use crate::state::State;
use crate::upstream::AnswerKind;
use crate::{facts, problem, upstream};

/// What became of a stream: bytes, how it ended, what the evidence would say, the normal form.
#[derive(Debug, PartialEq)]
struct Run {
    released: Vec<u8>,
    ended: String,
    said: String,
    form: Digest,
}

struct Stepping(AtomicU64);

impl ledger::Clock for Stepping {
    fn now(&self) -> UnixMillis {
        UnixMillis(self.0.fetch_add(1, Ordering::Relaxed))
    }
}

fn app() -> Arc<App> {
    let clock = Arc::new(Stepping(AtomicU64::new(1_795_176_000_000)));
    let state = State::seeded(Arc::new(MemoryStore::new()), clock);
    let config = Config { simulator: true, ..Config::default() };
    Arc::new(App::new(config, state, None).expect("the defaults are right"))
}

fn run<'b>(app: &Arc<App>, pieces: impl Iterator<Item = &'b [u8]>) -> Run {
    let mut headers = HeaderMap::new();
    headers.insert("x-agent-id", HeaderValue::from_static("agent:tester"));
    let body = br#"{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let exchange = Exchange::parse(body.to_vec(), Limits::REQUEST).expect("a request");
    let mut gate = Gate::new(app, app.rules.now(), facts::gather(app, &headers));
    gate.admit(exchange).expect("a harmless request");
    let pieces = pieces.map(Bytes::copy_from_slice).collect();
    let mut answer = upstream::Answer::made(problem::ok(), AnswerKind::Events, pieces);
    let (sender, mut receiver) = mpsc::channel(1024);
    let mut outlet = Outlet::to(sender);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    let relay = relay(&app.aside, &mut answer, Inspection::new(gate, "m"), &mut outlet);
    let (ended, inspection) = runtime.expect("a runtime").block_on(relay);
    drop(outlet);
    let mut released = Vec::new();
    while let Ok(bytes) = receiver.try_recv() {
        released.extend_from_slice(&bytes);
    }
    let ended = match ended {
        Ended::Complete { terminal } => {
            released.extend_from_slice(&terminal.unwrap_or_default());
            "complete".to_owned()
        }
        Ended::Stopped(stopped) => format!("{stopped:?}"),
        Ended::Error => "error".to_owned(),
        Ended::Gone => "gone".to_owned(),
    };
    Run { released, ended, said: inspection.said(), form: inspection.normal_digest() }
}

#[test]
fn every_way_to_cut_a_stream_into_reads_gives_the_same() {
    let app = app();
    let mut rng = Rng::new(50);
    for stream in streams() {
        let bytes = &stream.bytes[..];
        let whole = run(&app, std::iter::once(bytes));
        let text = String::from_utf8_lossy(&whole.released);
        match &stream.told {
            Told::All => {
                assert_eq!((whole.ended.as_str(), &whole.released[..]), ("complete", bytes))
            }
            Told::Redacted(told) => assert_eq!(text, String::from_utf8_lossy(told)),
            Told::Before(told) => {
                assert_eq!(text, String::from_utf8_lossy(told));
                assert!(whole.ended.contains("classification_drift"), "{}", whole.ended);
            }
        }
        for cut in 1..bytes.len() {
            let (first, second) = bytes.split_at(cut);
            assert_eq!(
                run(&app, [first, second].into_iter()),
                whole,
                "{} cut at {cut}",
                stream.name
            );
        }
        assert_eq!(run(&app, bytes.chunks(1)), whole, "{} byte by byte", stream.name);
        for _ in 0..100 {
            let longest = 1 + rng.below(200);
            let mut rest = bytes;
            let mut pieces = Vec::new();
            while !rest.is_empty() {
                let length = usize::try_from(1 + rng.below(longest)).unwrap_or(1).min(rest.len());
                let (piece, after) = rest.split_at(length);
                pieces.push(piece);
                rest = after;
            }
            let lengths: Vec<usize> = pieces.iter().map(|piece| piece.len()).collect();
            assert_eq!(run(&app, pieces.into_iter()), whole, "{} in {lengths:?}", stream.name);
        }
    }
}

/// Events that wait cost memory however short they are: a blank line is one of a single byte.
#[test]
fn blank_lines_behind_half_a_tool_call_end_a_stream() {
    let begun = br#"data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":"{"}}]},"finish_reason":null}]}

"#;
    let blank = vec![b'\n'; 40_000];
    let run = run(&app(), [&begun[..], &blank].into_iter());
    assert_eq!(run.ended, "Unreadable(TooLarge)");
    assert!(run.released.is_empty());
}
