//! Chains under change: whatever is dropped, moved, doubled, exchanged or rewritten is a finding.

use proptest::prelude::*;
use record::SignedReceipt;
use record::dag::{ChainOptions, ChainSource, verify_chain};
use record::receipt::{Receipt, read, sign};
use record::report::{Code, ExitClass, Report};
use seal::Signer;

use crate::common::*;

/// A chain whose shape `choices` tell: each step cites one or two of the steps before it.
fn chain(choices: &[(u8, u8)]) -> Vec<SignedReceipt> {
    let (agent, id) = (agent(), key(1).key_id());
    let mut chain = vec![signed(user_input())];
    for (number, (one, two)) in choices.iter().enumerate() {
        let at = T0 + 1 + number as i64;
        let content = digest(&format!("step {number}"));
        let first = &chain[usize::from(*one) % chain.len()];
        let second = &chain[usize::from(*two) % chain.len()];
        let cite = [(first.hash, &first.receipt.taint), (second.hash, &second.receipt.taint)];
        let receipt = if first.hash == second.hash {
            Receipt::model_call(&agent, id, at, "m", content, content).parents(&cite[..1])
        } else {
            Receipt::merge(&agent, id, at, content).parents(&cite)
        };
        let receipt = receipt.tainted(&tags(&[if number % 3 == 0 { "extra" } else { "rag:docs" }]));
        chain.push(signed(receipt));
    }
    chain
}

fn text(chain: &[SignedReceipt]) -> String {
    chain_of(&chain.iter().collect::<Vec<_>>())
}

fn report(chain: &str, options: ChainOptions) -> Report {
    judge(chain.as_bytes(), &trust(), options).0
}

/// What a holder of the chain's head and count asks for.
fn noted(chain: &[SignedReceipt]) -> ChainOptions {
    ChainOptions {
        expect_head: chain.last().map(|last| last.hash),
        expect_count: Some(chain.len() as u64),
        threads: 1,
        ..ChainOptions::default()
    }
}

fn is_cited(chain: &[SignedReceipt], at: usize) -> bool {
    chain.iter().any(|receipt| receipt.receipt.parents.contains(&chain[at].hash))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_was_made_holds(choices in prop::collection::vec(any::<(u8, u8)>(), 0..24)) {
        let chain = chain(&choices);
        let found = report(&text(&chain), noted(&chain));
        prop_assert!(found.findings.is_empty(), "{}", found.to_table());
    }

    /// A dropped line is missed by its children, or by who noted how many there were.
    #[test]
    fn a_dropped_line_is_missed(choices in prop::collection::vec(any::<(u8, u8)>(), 1..16), at in any::<prop::sample::Index>()) {
        let chain = chain(&choices);
        let (at, mut less) = (at.index(chain.len()), chain.clone());
        less.remove(at);
        let found = report(&text(&less), noted(&chain));
        prop_assert!(found.has(Code::ChainTruncated) && found.exit_class() == ExitClass::Tampered);
        let found = report(&text(&less), ChainOptions::default());
        prop_assert_eq!(found.has(Code::ChainParent), is_cited(&chain, at));
    }

    /// Any cut is seen by who noted the head alone.
    #[test]
    fn a_cut_is_seen(choices in prop::collection::vec(any::<(u8, u8)>(), 1..16), at in any::<prop::sample::Index>()) {
        let chain = chain(&choices);
        let cut = &chain[..at.index(chain.len())];
        let head = ChainOptions { expect_count: None, ..noted(&chain) };
        prop_assert!(report(&text(cut), head).has(Code::ChainTruncated));
        // In bytes, too: whatever remains of the last line.
        let whole = text(&chain);
        let bytes = at.index(whole.len() - 1);
        let (found, _) = judge(&whole.as_bytes()[..bytes], &trust(), noted(&chain));
        prop_assert!(found.has(Code::ChainTruncated), "{} of {} bytes", bytes, whole.len());
    }

    #[test]
    fn a_moved_line_is_out_of_order(
        choices in prop::collection::vec(any::<(u8, u8)>(), 1..16),
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
    ) {
        let chain = chain(&choices);
        let (from, to) = (from.index(chain.len()), to.index(chain.len()));
        let mut moved = chain.clone();
        let line = moved.remove(from);
        moved.insert(to, line);
        let found = report(&text(&moved), noted(&chain));
        let place = |hash| moved.iter().position(|other| other.hash == hash);
        let wrong = moved.iter().enumerate().any(|(at, receipt)| {
            receipt.receipt.parents.iter().any(|parent| place(*parent) > Some(at))
        });
        prop_assert_eq!(found.has(Code::ChainOrder), wrong, "{}", found.to_table());
        prop_assert_eq!(found.ok(), !wrong);
    }

    #[test]
    fn a_second_copy_is_one_too_many(
        choices in prop::collection::vec(any::<(u8, u8)>(), 0..16),
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
    ) {
        let mut chain = chain(&choices);
        let copy = chain[from.index(chain.len())].clone();
        let to = to.index(chain.len() + 1);
        chain.insert(to, copy);
        prop_assert!(report(&text(&chain), ChainOptions::default()).has(Code::ChainDuplicate));
    }

    /// A step that is given other parents, time or taint is another receipt, and its signature is
    /// not that of the old one.
    #[test]
    fn a_step_cannot_be_rewritten(
        choices in prop::collection::vec(any::<(u8, u8)>(), 1..16),
        at in any::<prop::sample::Index>(),
        what in 0..4_u8,
    ) {
        let chain = chain(&choices);
        let at = 1 + at.index(chain.len() - 1);
        let old = &chain[at];
        let mut receipt = old.receipt.clone();
        match what {
            0 => receipt.parents = vec![digest("elsewhere"), digest("nowhere")],
            1 => receipt.iat += 1,
            2 => receipt.taint.insert("more"),
            _ => receipt.output_hash = Some(digest("other")),
        }
        receipt.parents.sort();
        let new = sign(&receipt, &key(1)).unwrap();
        let (input, _) = new.jws.rsplit_once('.').unwrap();
        let (_, signature) = old.jws.rsplit_once('.').unwrap();
        let forged = format!("{input}.{signature}");
        let lines = text(&chain);
        // With the hash of what it is now, and with the old one.
        for line in [line_of(&forged), line_of(&forged).replace(&seal::Digest::of(forged.as_bytes()).to_string(), &old.hash.to_string())] {
            let changed = lines.replace(&chain_of(&[old]), &line);
            prop_assert_ne!(&changed, &lines);
            let found = report(&changed, ChainOptions::default());
            prop_assert!(found.has(Code::ReceiptSignature), "{}", found.to_table());
            prop_assert!(matches!(found.exit_class(), ExitClass::Untrusted | ExitClass::Tampered));
        }
    }

    /// A step by a stranger's key, put in or exchanged, is not taken for the agent's.
    #[test]
    fn a_strangers_step_is_not_the_agents(
        choices in prop::collection::vec(any::<(u8, u8)>(), 1..16),
        at in any::<prop::sample::Index>(),
        claims in any::<bool>(),
    ) {
        let chain = chain(&choices);
        let old = &chain[at.index(chain.len())];
        let stranger = key(9);
        let line = if claims {
            // Under the agent's key id.
            let (input, _) = old.jws.rsplit_once('.').unwrap();
            let signature = seal::base64::url_encode(&stranger.sign(input.as_bytes()));
            line_of(&format!("{input}.{signature}"))
        } else {
            let receipt = Receipt { key_id: stranger.key_id(), ..old.receipt.clone() };
            chain_of(&[&sign(&receipt, &stranger).unwrap()])
        };
        let changed = text(&chain).replace(&chain_of(&[old]), &line);
        let found = report(&changed, ChainOptions::default());
        let code = if claims { Code::ReceiptSignature } else { Code::ReceiptKeyUnknown };
        prop_assert!(found.has(code) && !found.ok(), "{}", found.to_table());
    }

    /// One byte of a token that is another byte: whatever it makes of it, it is refused, or its
    /// signature is bad. There is no second spelling of a receipt.
    #[test]
    fn a_receipt_that_differs_in_one_byte_is_refused(
        choices in prop::collection::vec(any::<(u8, u8)>(), 0..4),
        at in any::<prop::sample::Index>(),
        byte in 0..128_u8,
    ) {
        let chain = chain(&choices);
        let mut jws = chain.last().unwrap().jws.clone().into_bytes();
        let at = at.index(jws.len());
        prop_assume!(jws[at] != byte);
        jws[at] = byte;
        let jws = String::from_utf8(jws).unwrap();
        let held = read(&jws).is_ok_and(|signed| signed.verify(key(1).public()));
        prop_assert!(!held, "byte {}: {}", at, jws);
    }
}

/// Every bit of one receipt, and every single byte removed, doubled or put in.
#[test]
fn no_second_spelling_of_a_receipt() {
    let jws = signed(model_call(&signed(user_input()))).jws;
    let refused = |bytes: Vec<u8>| {
        let Ok(text) = String::from_utf8(bytes) else { return true };
        let parsed = read(&text);
        parsed.map_or(true, |signed| !signed.verify(key(1).public()))
    };
    for at in 0..jws.len() {
        for bit in 0..7 {
            let mut bytes = jws.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            assert!(refused(bytes), "bit {bit} of byte {at}");
        }
        let mut less = jws.clone().into_bytes();
        let byte = less.remove(at);
        // One of two equal neighbours is as good as the other: it is the same text.
        assert!(refused(less), "without byte {at}");
        for extra in [byte, b'A', b'=', b'.', b'\n', b' '] {
            let mut more = jws.clone().into_bytes();
            more.insert(at, extra);
            assert!(refused(more), "with {extra} at byte {at}");
        }
    }
    for extra in ["=", "A", "AA", ".", "\n", "\0"] {
        assert!(refused(format!("{jws}{extra}").into_bytes()), "with {extra:?} at the end");
    }
}

/// What is read a second time must be what was there the first time.
#[test]
fn a_chain_that_changes_between_the_passes() {
    struct Turning(Vec<String>, usize);
    impl ChainSource for Turning {
        fn for_each(&mut self, f: &mut dyn FnMut(&[u8])) {
            let pass = self.0[self.1.min(self.0.len() - 1)].clone();
            self.1 += 1;
            pass.split_inclusive('\n').for_each(|line| f(line.as_bytes()));
        }
    }
    let root = signed(user_input());
    let call = signed(model_call(&root));
    let other = signed(Receipt { iat: T0 + 2, ..model_call(&root) });
    let first = chain_of(&[&call, &root]);
    let verdict = |passes: &[String]| {
        let mut report = Report::new("chain");
        let mut source = Turning(passes.to_vec(), 0);
        let options = ChainOptions::default();
        verify_chain(&mut source, &trust(), options, &mut report);
        (errors(&report), report.exit_class(), source.1)
    };
    assert_eq!(
        verdict(std::slice::from_ref(&first)),
        (vec![Code::ChainOrder], ExitClass::Malformed, 2)
    );
    // In order nothing is read twice.
    assert_eq!(verdict(&[chain_of(&[&root, &call])]), (vec![], ExitClass::Ok, 1));
    for second in
        [String::new(), chain_of(&[&root, &call]), chain_of(&[&other, &root]), "null\n".into()]
    {
        let (codes, exit, passes) = verdict(&[first.clone(), second]);
        assert!(codes.contains(&Code::ChainChanged), "{codes:?}");
        assert_eq!((exit, passes), (ExitClass::Tampered, 2));
    }
}
