//! `countersign-fuzz seeds DIR` writes the seeds, one folder a target; `countersign-fuzz replay
//! TARGET FILE...` gives files to a target without libFuzzer; `countersign-fuzz list` names them.

use std::path::Path;
use std::process::ExitCode;

fn main() -> std::io::Result<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["list"] => countersign_fuzz::TARGETS.iter().for_each(|(name, _)| println!("{name}")),
        ["seeds", dir] => {
            for (name, _) in countersign_fuzz::TARGETS {
                let folder = Path::new(dir).join(name);
                std::fs::create_dir_all(&folder)?;
                for (number, seed) in countersign_fuzz::seeds::of(name).iter().enumerate() {
                    std::fs::write(folder.join(format!("seed-{number:03}")), seed)?;
                }
            }
        }
        ["replay", target, files @ ..] => {
            for file in files {
                countersign_fuzz::run(target, &std::fs::read(file)?);
            }
        }
        _ => {
            eprintln!("usage: countersign-fuzz list | seeds DIR | replay TARGET FILE...");
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}
