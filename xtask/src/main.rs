//! `./x bench`, and `cargo run -p xtask -- tidy`, which prints what breaks a habit (the same rules
//! run in `cargo test`).

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> anyhow::Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("tidy") => {
            let tree = xtask::tree::Tree::of_repository()?;
            let broken: Vec<String> =
                xtask::tidy::RULES.iter().flat_map(|(_, rule)| rule(&tree)).collect();
            broken.iter().for_each(|line| println!("{line}"));
            Ok(if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Some("bench") => {
            // The binary of the same profile lies beside this one.
            let beside = std::env::current_exe()?.with_file_name("countersign");
            xtask::bench::run(&arguments.next().map_or(beside, PathBuf::from))?;
            Ok(ExitCode::SUCCESS)
        }
        other => anyhow::bail!("expected `tidy` or `bench [BINARY]`, got {other:?}"),
    }
}
