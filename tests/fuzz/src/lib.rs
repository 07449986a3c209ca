//! One function for each parser of outside bytes: given any bytes it must return, and what it
//! accepted must be what its writer would write.
//!
//! The tests replay the seeds and some thousand mutations of them; `fuzz/` gives the same functions
//! to libFuzzer (`./x fuzz`).

mod api;
mod attest;
mod boms;
mod collect;
mod evidence;
mod feeds;
mod gates;
mod gateway;
mod journal;
pub mod mutate;
mod proofs;
mod retention;
mod rules;
pub mod seeds;
mod stamps;
mod text;

/// A target by name, with what it does to its input.
pub type Target = (&'static str, fn(&[u8]));

/// Every target. Each has a file of its name in `fuzz/fuzz_targets`.
pub const TARGETS: &[Target] = &[
    ("anchor", stamps::anchor),
    ("answer", api::answer),
    ("archive", collect::archive),
    ("attestconfig", collect::attestconfig),
    ("audit", evidence::audit),
    ("bundle", attest::bundle),
    ("cache", collect::cache),
    ("capability", evidence::capability),
    ("chain", evidence::chain),
    ("config", gateway::config),
    ("cosign", proofs::cosign),
    ("decision", evidence::decision),
    ("drafts", feeds::drafts),
    ("feed", feeds::feed),
    ("feedproof", feeds::feedproof),
    ("feedrotation", feeds::feedrotation),
    ("gate", gates::gate),
    ("head", gateway::head),
    ("journal", journal::journal),
    ("json", text::json),
    ("keychange", evidence::keychange),
    ("keyring", gateway::keyring),
    ("manifest", collect::manifest),
    ("note", text::note),
    ("policy", proofs::policy),
    ("project", collect::project),
    ("proof", proofs::proof),
    ("receipt", evidence::receipt),
    ("request", api::request),
    ("results", attest::results),
    ("retention", retention::retention),
    ("rules", rules::rules),
    ("sbom", boms::sbom),
    ("salts", collect::salts),
    ("scan", text::scan),
    ("sse", api::sse),
    ("stamp", stamps::stamp),
    ("statement", attest::statement),
    ("tile", proofs::tile),
    ("time", text::time),
    ("tokens", text::tokens),
    ("trust", evidence::trust),
];

/// Gives the input to the target of this name.
///
/// # Panics
/// There is no such target, or it found a fault.
pub fn run(name: &str, input: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(known, _)| *known == name).expect("a target's name");
    target(input);
}
