//! `countersign scan`: text in, verdict as the exit.

mod input;
mod print;
mod sarif;

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use countersign::scanner::{Scanner, Verdict};
use scan::Target;

use self::input::{Progress, Reader, Scanned};
use super::rules::RuleArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::output;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign scan 'ignore all previous instructions'
  countersign scan --file prompt.txt
  git diff | countersign scan --format json
  countersign scan --jsonl prompts.jsonl --mode strict
  countersign scan --dir knowledge-base --as tool-result --rules rules/ --format sarif > scan.sarif

A file, or standard input, is one text, whatever lines it has; with --jsonl each line is one: a JSON
string, or an object with the text under `text`, `prompt`, `input` or `content`. Here --dir scans every
file below it, each as one text; links are not followed.

Exit codes: 0 CLEAN, 1 SUSPICIOUS, 2 MALICIOUS; of several texts the worst decides.")]
pub struct Args {
    /// The text; `-`, or nothing at all, reads standard input
    #[arg(group = "source")]
    text: Option<String>,
    /// Scan a file as one text
    #[arg(long, value_name = "PATH", group = "source")]
    file: Option<PathBuf>,
    /// Scan standard input as one text
    #[arg(long, group = "source")]
    stdin: bool,
    /// Scan each line of a file (`-` for standard input)
    #[arg(long, value_name = "PATH", group = "source")]
    jsonl: Option<PathBuf>,
    /// What the text is
    #[arg(long = "as", value_name = "TARGET", default_value = "input")]
    target: As,
    #[command(flatten)]
    rules: RuleArgs,
    /// How to print
    #[arg(long, default_value = "table")]
    format: ScanFormat,
    /// Tell on standard error how far it is; by itself on a terminal, when it takes long
    #[arg(long)]
    progress: bool,
}

/// How a scan is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ScanFormat {
    /// Lines for people.
    Table,
    /// One JSON document.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum As {
    Input,
    Output,
    ToolCall,
    ToolResult,
}

/// `folder` is what --dir says, if it says anything.
pub fn run(args: Args, folder: Option<&Path>) -> Outcome {
    let given = args.text.is_some() || args.file.is_some() || args.jsonl.is_some() || args.stdin;
    if given && folder.is_some() {
        return Err(Failure::new(Exit::Usage, "--dir is a source of texts here: give one source"));
    }
    let target = match args.target {
        As::Input => Target::Input,
        As::Output => Target::Output,
        As::ToolCall => Target::ToolCall,
        As::ToolResult => Target::ToolResult,
    };
    let engine = args.rules.engine()?;
    let mode = engine.mode();
    let scanner = Scanner::over(engine);
    let mut reader = Reader::new(&scanner, target, Progress::new(args.progress));
    let single = args.jsonl.is_none() && folder.is_none();
    match (args.text.filter(|text| text != "-"), args.file, args.jsonl, folder) {
        (Some(text), ..) => reader.text("text", &text),
        (_, Some(file), ..) => reader.file(&file)?,
        (_, _, Some(lines), _) => reader.lines(&lines)?,
        (_, _, _, Some(folder)) => reader.folder(folder)?,
        (None, None, None, None) => reader.file("-".as_ref())?,
    }
    let scanned = reader.done();
    let verdict = scanned.iter().map(|one| one.verdict).max().unwrap_or(Verdict::Clean);
    let all = All { scanned: &scanned, verdict, single, ruleset: scanner.ruleset(), mode };
    match args.format {
        ScanFormat::Table => output::print(&print::table(&all))?,
        ScanFormat::Json => output::json(&print::json(&all))?,
        ScanFormat::Sarif => output::json(&sarif::document(&all))?,
    }
    Ok(match verdict {
        Verdict::Clean => Exit::Ok,
        Verdict::Suspicious => Exit::Suspicious,
        Verdict::Malicious => Exit::Malicious,
    })
}

/// Everything that is printed.
struct All<'s> {
    scanned: &'s [Scanned],
    verdict: Verdict,
    /// One text was asked for, not many.
    single: bool,
    ruleset: seal::Digest,
    mode: scan::Mode,
}

fn action(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Clean => "ALLOW",
        Verdict::Suspicious => "ALERT",
        Verdict::Malicious => "BLOCK",
    }
}

fn not_text(name: &str) -> Failure {
    Failure::new(Exit::Input, format!("{name}: not UTF-8 text"))
}
