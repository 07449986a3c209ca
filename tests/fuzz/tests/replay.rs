//! The smoke run: every seed, and mutations of the seeds, through every target.

use countersign_fuzz::{TARGETS, mutate, seeds};
use testkit::rng::Rng;

/// Mutations of a target; the long runs are libFuzzer's. Few where one takes milliseconds: a text is
/// scanned at some sixty cuts, a statement is signed and verified.
fn rounds(name: &str) -> usize {
    match name {
        "scan" => 300,
        "bundle" | "chain" | "rules" | "statement" => 1000,
        _ => 4000,
    }
}

#[test]
fn seeds_and_their_mutations_break_no_parser() {
    std::thread::scope(|scope| {
        for (name, target) in TARGETS {
            scope.spawn(move || {
                let seeds = seeds::of(name);
                let mut rng = Rng::new(name.bytes().fold(17, |n, byte| n * 31 + u64::from(byte)));
                for round in 0..seeds.len() + rounds(name) {
                    let seed = &seeds[round % seeds.len()];
                    let other = &seeds[rng.below(seeds.len() as u64) as usize];
                    let input = match round < seeds.len() {
                        true => seed.clone(),
                        false => mutate::mutate(&mut rng, seed, other),
                    };
                    let outcome = std::panic::catch_unwind(|| target(&input));
                    assert!(outcome.is_ok(), "{name}, round {round}: {}", input.escape_ascii());
                }
            });
        }
    });
}

#[test]
fn every_target_has_its_program_for_libfuzzer() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/");
    let manifest = std::fs::read_to_string(format!("{folder}Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        let program = std::fs::read_to_string(format!("{folder}fuzz_targets/{name}.rs")).unwrap();
        assert!(program.contains(&format!("run(\"{name}\", data)")), "{name}");
        assert!(manifest.contains(&format!("fuzz_targets/{name}.rs")), "{name}");
    }
    let programs = std::fs::read_dir(format!("{folder}fuzz_targets")).unwrap().count();
    assert_eq!(programs, TARGETS.len());
}
