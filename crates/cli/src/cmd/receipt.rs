//! `countersign receipt`: provenance receipts by hand.

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use countersign::identity::AgentIdentity;
use countersign::logger::{OpenError, ProvenanceLogger, RecordError};
use countersign::scanner::{ScanResult, Scanner, Verdict};
use countersign::{AgentId, TaintSet, Tracer};
use scan::Target;
use seal::Digest;
use seal::json::{self, Limits, Value};

use super::verify::How;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Record one step: append a signed receipt to a chain file
    #[command(after_help = "Examples:
  countersign receipt emit user-input --agent mailer --chain chain.jsonl --input 'pay the invoice'
  countersign receipt emit model-call --agent mailer --chain chain.jsonl --parent sha256:... \\
      --model gpt-4o --input @prompt.txt --output @answer.txt
  countersign receipt emit tool-call --agent mailer --chain chain.jsonl --parent sha256:... \\
      --tool send_email --input '{\"to\":\"dana\"}' --output '{\"sent\":true}'

--agent takes the prefix that `agent new` wrote: <PREFIX>-private.pem and <PREFIX>-capability.json.
@PATH reads a file. The contents are hashed, never stored. The receipt's hash is printed.")]
    Emit(Box<Emit>),
    /// Judge a chain or a receipt (as `countersign verify`)
    #[command(after_help = "Examples:
  countersign receipt verify chain.jsonl --trust mailer-trust.yaml --statement mailer-capability.json
  countersign receipt verify chain.jsonl --pubkeys mailer-public.pem --expect-count 4")]
    Verify {
        /// The chain or receipt; `-` for standard input
        path: PathBuf,
        #[command(flatten)]
        how: How,
    },
    /// Take a receipt apart, without judging who signed it
    #[command(after_help = "Examples:
  countersign receipt show receipt.jws
  countersign receipt show sha256:... --chain chain.jsonl")]
    Show {
        /// A file with a receipt or decision receipt, `-`, or a hash in --chain
        what: String,
        /// The chain to look the hash up in
        #[arg(long, value_name = "FILE")]
        chain: Option<PathBuf>,
    },
    /// Draw what a receipt builds on, as DOT
    #[command(after_help = "Examples:
  countersign receipt graph sha256:... --chain chain.jsonl | dot -Tsvg > graph.svg
  countersign receipt graph 0f3a9be1c2d4 --out graph.dot")]
    Graph {
        /// The receipt: its hash, or the beginning of it
        receipt: String,
        /// The chain; default: the ledger in --dir
        #[arg(long, value_name = "FILE")]
        chain: Option<PathBuf>,
        /// Write here instead of standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

#[derive(Debug, clap::Args)]
struct Emit {
    /// What happened
    operation: Step,
    /// The agent: the prefix of its key and statement files
    #[arg(long, value_name = "PREFIX")]
    agent: PathBuf,
    /// The chain file; made when missing
    #[arg(long, value_name = "FILE")]
    chain: PathBuf,
    /// A receipt this step builds on
    #[arg(long = "parent", value_name = "HASH")]
    parents: Vec<Digest>,
    /// What went in: text, or JSON for a tool call; @PATH reads a file
    #[arg(long, value_name = "TEXT", default_value = "")]
    input: String,
    /// What came out: text for a model call or sanitisation, else JSON; @PATH reads a file
    #[arg(long, value_name = "TEXT", default_value = "")]
    output: String,
    /// The model
    #[arg(long)]
    model: Option<String>,
    /// The tool, or the sanitiser
    #[arg(long)]
    tool: Option<String>,
    /// The corpus
    #[arg(long)]
    corpus: Option<String>,
    /// The corpus is trusted: what comes from it is not tainted
    #[arg(long)]
    trusted: bool,
    /// The verdict of another scanner; without it the input is scanned with the built-in rules
    #[arg(long, requires = "ruleset")]
    verdict: Option<Verdict2>,
    /// Digest of the other scanner's rules
    #[arg(long, value_name = "DIGEST", requires = "verdict")]
    ruleset: Option<Digest>,
    /// What was scanned
    #[arg(long = "as", value_name = "TARGET", default_value = "input")]
    target: As,
    /// The agent that takes over
    #[arg(long, value_name = "AGENT")]
    to: Option<AgentId>,
    /// A taint tag that was removed
    #[arg(long, value_name = "TAG", value_delimiter = ',')]
    removed: Vec<String>,
    /// The tenant
    #[arg(long)]
    tenant: Option<String>,
    /// Public key (PEM) of the statement's issuer, when it is not self-signed
    #[arg(long, value_name = "PEM")]
    issuer_key: Option<PathBuf>,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Step {
    #[value(alias = "user_input")]
    UserInput,
    #[value(alias = "model_call")]
    ModelCall,
    #[value(alias = "tool_call")]
    ToolCall,
    Retrieval,
    #[value(alias = "guardrail_scan")]
    GuardrailScan,
    #[value(alias = "agent_handoff")]
    AgentHandoff,
    Sanitisation,
    Merge,
}

/// A verdict on the command line.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "UPPER")]
enum Verdict2 {
    Clean,
    Suspicious,
    Malicious,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum As {
    Input,
    Output,
    ToolCall,
    ToolResult,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    match args.command {
        Command::Emit(args) => emit(&args),
        Command::Verify { path, how } => super::verify::judge(&path, how, dir),
        Command::Show { what, chain } => show(&what, chain.as_deref()),
        Command::Graph { receipt, chain, out } => graph(&receipt, chain.as_deref(), out, dir),
    }
}

fn emit(args: &Emit) -> Outcome {
    let beside = |suffix: &str| {
        let mut name = args.agent.as_os_str().to_owned();
        name.push(suffix);
        PathBuf::from(name)
    };
    let issuer = args
        .issuer_key
        .as_deref()
        .map(|path| {
            let pem = output::read_text(path, 64 << 10)?;
            seal::PublicKey::from_pem(&pem)
                .map_err(|error| Failure::new(Exit::Input, format!("{}: {error}", path.display())))
        })
        .transpose()?;
    let identity =
        AgentIdentity::load(&beside("-private.pem"), &beside("-capability.json"), issuer.as_ref())
            .map_err(super::agent::failure)?;
    let mut log = ProvenanceLogger::to_file(&identity, &args.chain).map_err(open_failure)?;
    if let Some(tenant) = &args.tenant {
        log = log.tenant(tenant);
    }
    let parents = args.parents.as_slice();
    let input = || content(&args.input);
    let output_text = || content(&args.output);
    let recorded = match args.operation {
        Step::UserInput => log.record_user_input(&input()?),
        Step::ModelCall => {
            let model = needed(&args.model, "--model")?;
            log.record_model_call(parents, model, &input()?, &output_text()?)
        }
        Step::ToolCall => {
            let tool = needed(&args.tool, "--tool")?;
            log.record_tool_call(parents, tool, &value(&input()?)?, &value(&output_text()?)?)
        }
        Step::Retrieval => {
            let corpus = needed(&args.corpus, "--corpus")?;
            let chunks = value(&output_text()?)?;
            log.record_retrieval(parents, corpus, &input()?, &chunks, args.trusted)
        }
        Step::GuardrailScan => {
            let text = input()?;
            log.record_guardrail_scan(parents, &text, &scanned(args, &text))
        }
        Step::AgentHandoff => {
            let to = needed(&args.to, "--to")?;
            log.record_agent_handoff(parents, to, &value(&output_text()?)?)
        }
        Step::Sanitisation => {
            let tool = needed(&args.tool, "--tool")?;
            let removed = TaintSet::of(args.removed.iter().map(String::as_str));
            log.record_sanitisation(parents, tool, &removed, &input()?, &output_text()?)
        }
        Step::Merge => log.record_merge(parents, &value(&output_text()?)?),
    };
    let hash = recorded.map_err(record_failure)?;
    match args.format {
        Format::Table => output::print(&hash.to_string())?,
        Format::Json => output::json(&Value::object([
            ("receipt_hash", hash.into()),
            ("taint", Value::array(log.taint(&hash).iter().flat_map(|taint| taint.iter()))),
        ]))?,
    }
    Ok(Exit::Ok)
}

fn scanned(args: &Emit, text: &str) -> ScanResult {
    let target = match args.target {
        As::Input => Target::Input,
        As::Output => Target::Output,
        As::ToolCall => Target::ToolCall,
        As::ToolResult => Target::ToolResult,
    };
    match (args.verdict, args.ruleset) {
        (Some(verdict), Some(ruleset)) => ScanResult {
            verdict: match verdict {
                Verdict2::Clean => Verdict::Clean,
                Verdict2::Suspicious => Verdict::Suspicious,
                Verdict2::Malicious => Verdict::Malicious,
            },
            hits: Vec::new(),
            ruleset,
            target,
        },
        _ => Scanner::builtin().scan_as(text, target),
    }
}

fn needed<'a, T>(option: &'a Option<T>, name: &str) -> Result<&'a T, Failure> {
    option.as_ref().ok_or_else(|| Failure::new(Exit::Usage, format!("this operation needs {name}")))
}

/// The text given, or that of the file named with `@`.
fn content(argument: &str) -> Result<String, Failure> {
    match argument.strip_prefix('@') {
        Some(path) => output::read_text(Path::new(path), 64 << 20),
        None => Ok(argument.to_owned()),
    }
}

fn value(text: &str) -> Result<Value, Failure> {
    let limits = Limits { bytes: 64 << 20, depth: 32 };
    json::parse(text.as_bytes(), limits)
        .map_err(|error| Failure::new(Exit::Input, format!("expected JSON: {error}")))
}

fn record_failure(error: RecordError) -> Failure {
    let exit = match &error {
        RecordError::ModelNotAllowed { .. }
        | RecordError::ToolNotAllowed { .. }
        | RecordError::TagNotAllowed { .. } => Exit::Evidence(record::report::ExitClass::Violated),
        RecordError::StatementTime { .. } => Exit::Evidence(record::report::ExitClass::Untrusted),
        RecordError::UnknownParent(_) => Exit::Evidence(record::report::ExitClass::Missing),
        RecordError::Parents { .. } => Exit::Usage,
        RecordError::Value(_) | RecordError::Emit(_) => Exit::Input,
        RecordError::Store(_) => Exit::Io,
        _ => Exit::Internal,
    };
    Failure::new(exit, error.to_string())
}

fn open_failure(error: OpenError) -> Failure {
    let exit = match &error {
        OpenError::Damaged { .. } => Exit::Evidence(record::report::ExitClass::Malformed),
        OpenError::File { error, .. } if error.kind() == std::io::ErrorKind::NotFound => {
            Exit::CannotCreate
        }
        _ => Exit::Io,
    };
    Failure::new(exit, error.to_string())
}

fn show(what: &str, chain: Option<&Path>) -> Outcome {
    let token = match chain {
        Some(chain) => {
            super::must_exist(chain)?;
            let tracer = Tracer::over_chain(chain);
            let steps = tracer.trace(what).map_err(super::trace::failure)?;
            match steps.rows.first() {
                Some(row) => row.jws.clone(),
                None => String::new(),
            }
        }
        None => {
            super::must_exist_or_stdin(Path::new(what))?;
            output::read_text(Path::new(what), 1 << 20)?
        }
    };
    let token = token.trim();
    let malformed = |why: String| {
        Failure::new(
            Exit::Evidence(record::report::ExitClass::Malformed),
            format!("not a receipt: {why}"),
        )
    };
    let jws = seal::jws::split(token, record::receipt::JWS_LIMIT)
        .map_err(|error| malformed(error.to_string()))?;
    let part = |bytes: &[u8]| {
        json::parse(bytes, Limits::RECEIPT).map_err(|error| malformed(error.to_string()))
    };
    output::json(&Value::object([
        ("hash", Digest::of(token.as_bytes()).into()),
        ("header", part(&jws.header)?),
        ("payload", part(&jws.payload)?),
        ("verified", false.into()),
    ]))?;
    Ok(Exit::Ok)
}

fn graph(receipt: &str, chain: Option<&Path>, out: Option<PathBuf>, dir: &Path) -> Outcome {
    let tracer = match chain {
        Some(chain) => {
            super::must_exist(chain)?;
            Tracer::over_chain(chain)
        }
        None => {
            let ledger = super::ledger_of(dir);
            super::must_exist(&ledger)?;
            Tracer::over_ledger(&ledger)
        }
    };
    let trace = tracer.trace(receipt).map_err(super::trace::failure)?;
    match out {
        None => output::print(&trace.to_dot())?,
        Some(path) => output::create(&path, trace.to_dot().as_bytes(), false)?,
    }
    Ok(Exit::Ok)
}
