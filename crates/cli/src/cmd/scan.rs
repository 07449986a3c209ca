//! `countersign scan`: text in, verdict as the exit.

use std::path::PathBuf;

use clap::ValueEnum;
use countersign::scanner::{Action, Hit, ScanResult, Scanner, Verdict};
use scan::Target;
use seal::json::Value;

use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

/// Longest text scanned, bytes.
const LIMIT: u64 = 8 << 20;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign scan 'ignore all previous instructions'
  countersign scan --file prompt.txt
  git diff | countersign scan --format json

Exit codes: 0 CLEAN, 1 SUSPICIOUS, 2 MALICIOUS.")]
pub struct Args {
    /// The text; `-`, or neither text nor --file, reads standard input
    text: Option<String>,
    /// Scan the text of a file
    #[arg(long, value_name = "PATH", conflicts_with = "text")]
    file: Option<PathBuf>,
    /// What the text is
    #[arg(long = "as", value_name = "TARGET", default_value = "input")]
    target: As,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum As {
    Input,
    Output,
    ToolCall,
    ToolResult,
}

pub fn run(args: Args) -> Outcome {
    let text = match (args.text.filter(|text| text != "-"), args.file) {
        (Some(text), _) if text.len() as u64 <= LIMIT => text,
        (Some(_), _) => {
            return Err(Failure::new(
                Exit::Input,
                format!("the text is longer than {LIMIT} bytes"),
            ));
        }
        (None, Some(file)) => output::read_text(&file, LIMIT)?,
        (None, None) => output::read_text("-".as_ref(), LIMIT)?,
    };
    let target = match args.target {
        As::Input => Target::Input,
        As::Output => Target::Output,
        As::ToolCall => Target::ToolCall,
        As::ToolResult => Target::ToolResult,
    };
    let result = Scanner::builtin().scan_as(&text, target);
    match args.format {
        Format::Json => output::json(&to_json(&result))?,
        Format::Table => output::print(&to_table(&result))?,
    }
    Ok(match result.verdict {
        Verdict::Clean => Exit::Ok,
        Verdict::Suspicious => Exit::Suspicious,
        Verdict::Malicious => Exit::Malicious,
    })
}

fn to_table(result: &ScanResult) -> String {
    let word = output::paint(result.verdict.as_str(), result.action() == Action::Allow);
    let mut out = format!("{word} ({})\nruleset {}\n", result.action().as_str(), result.ruleset);
    for hit in &result.hits {
        out.push_str(&format!(
            "  {} {} bytes {}..{}{}\n",
            output::safe(&hit.rule),
            output::safe(&hit.technique),
            hit.span.start,
            hit.span.end,
            if hit.decoded { " (decoded)" } else { "" }
        ));
    }
    out
}

fn to_json(result: &ScanResult) -> Value {
    let hit = |hit: &Hit| {
        Value::object([
            ("rule", Value::from(&*hit.rule)),
            ("technique", Value::from(&*hit.technique)),
            ("start", hit.span.start.into()),
            ("end", hit.span.end.into()),
            ("redact", hit.redact.into()),
            ("decoded", hit.decoded.into()),
        ])
    };
    Value::object([
        ("verdict", result.verdict.as_str().into()),
        ("action", result.action().as_str().into()),
        ("ruleset", result.ruleset.into()),
        ("hits", Value::array(result.hits.iter().map(hit))),
    ])
}
