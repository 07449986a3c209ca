//! `cargo run -p xtask -- tidy` prints what breaks a habit; the same rules run in `cargo test`.

use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    match std::env::args().nth(1).as_deref() {
        Some("tidy") => {
            let tree = xtask::tree::Tree::of_repository()?;
            let broken: Vec<String> =
                xtask::tidy::RULES.iter().flat_map(|(_, rule)| rule(&tree)).collect();
            broken.iter().for_each(|line| println!("{line}"));
            Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        other => anyhow::bail!("expected `tidy`, got {other:?}"),
    }
}
