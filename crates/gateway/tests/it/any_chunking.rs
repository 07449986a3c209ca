//! Number 50 of the list of attacks: recorded streams in pieces of any length, over sockets. Every
//! split at every byte is tried without sockets, in `src/stream/tests.rs`.

use testkit::recorded::{Told, streams};
use testkit::rng::Rng;
use testkit::upstream::Script;

use crate::harness::{Gateway, ask_stream};

#[test]
fn any_chunking_on_the_wire_gives_the_same_bytes_and_the_same_evidence() {
    let gateway = Gateway::start();
    let mut rng = Rng::new(61);
    let mut told = Vec::new();
    for stream in streams() {
        for longest in [1, 2, 7, 40, 200, 1000] {
            let mut script = Script::events();
            let mut rest = &stream.bytes[..];
            while !rest.is_empty() {
                let length = usize::try_from(1 + rng.below(longest)).unwrap_or(1).min(rest.len());
                let (piece, after) = rest.split_at(length);
                script = script.piece(piece);
                rest = after;
            }
            gateway.upstream.push(script.end());
            let mut client = gateway.client();
            client.chat(&ask_stream("hi"), &[]);
            let reply = client.reply();
            let text = reply.text();
            let start = text.find(": x-countersign-receipt ").expect("a receipt");
            let end = start + text[start..].find("\n\n").expect("its block") + 2;
            let rest = format!("{}{}", &text[..start], &text[end..]);
            let name = format!("{} in pieces up to {longest}", stream.name);
            match &stream.told {
                Told::All => assert_eq!(rest.as_bytes(), stream.bytes, "{name}"),
                Told::Redacted(told) => assert_eq!(rest.as_bytes(), told, "{name}"),
                Told::Before(told) => {
                    let behind = rest.as_bytes().strip_prefix(&told[..]).expect("what is good");
                    assert!(behind.starts_with(b"data: {\"error\":"), "{name}: {rest}");
                }
            }
            told.push((stream.name, name, reply.id().to_owned()));
        }
    }
    let evidence = gateway.stop();
    for pair in told.windows(2).filter(|pair| pair[0].0 == pair[1].0) {
        let [(_, _, first), (_, name, second)] = pair else { continue };
        let says = |id: &str| {
            let decision = evidence.decision(id);
            let told = (decision.decision.clone(), decision.reason_code.clone());
            (told, evidence.of(id), evidence.operations(id), evidence.scans(id))
        };
        assert_eq!(says(first), says(second), "{name}");
    }
    let ids: Vec<&str> = told.iter().step_by(6).map(|(_, _, id)| id.as_str()).collect();
    evidence.verify_and_trace(&ids);
}
