//! `countersign rules`: the rules that text is scanned with, ours and those of files.

mod feed;

use std::path::{Path, PathBuf};

use clap::{Subcommand, ValueEnum};
use scan::{
    Engine, Indicator, Limits, Mode, Options, Pattern, RULE_FILE_LIMIT, Rule, RuleFile, Source,
    duplicates,
};
use seal::json::Value;

use super::must_exist;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// All rules: id, severity, what they find
    #[command(after_help = "Examples:
  countersign rules list
  countersign rules list --rules my-rules/ --format json")]
    List(List),
    /// One rule with all it says
    #[command(after_help = "Examples:
  countersign rules show CS-INJ-001
  countersign rules show MY-7 --rules my-rules.yaml --format json")]
    Show(Show),
    /// Whether rule files can be used: each fault with its line
    #[command(after_help = "Examples:
  countersign rules check my-rules.yaml
  countersign rules check my-rules/ --format json

Exit 78 when a rule is not valid, when two share an id, or when one costs more than is allowed. What
a rule file holds and what its patterns may cost is in spec/rules.md.")]
    Check(Check),
    /// The digest of the ruleset, as scans and receipts name it
    #[command(after_help = "Examples:
  countersign rules hash
  countersign rules hash --rules my-rules/ --mode strict")]
    Hash(Hash),
}

/// Which rules.
#[derive(Debug, clap::Args)]
pub struct RuleArgs {
    /// A rule file (YAML), or a directory of them, besides our own rules
    #[arg(long, value_name = "FILE|DIR")]
    rules: Vec<PathBuf>,
    /// How much it takes to be suspicious or malicious
    #[arg(long, default_value = "standard")]
    mode: ModeArg,
    #[command(flatten)]
    feeds: feed::FeedArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ModeArg {
    /// What is only worth a note elsewhere is suspicious, what is suspicious malicious
    Strict,
    /// Critical and high are malicious, medium is suspicious
    Standard,
    /// Only critical is malicious; high is suspicious
    Permissive,
}

#[derive(Debug, clap::Args)]
pub struct List {
    #[command(flatten)]
    rules: RuleArgs,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub struct Show {
    /// Its id
    id: String,
    #[command(flatten)]
    rules: RuleArgs,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub struct Check {
    /// Rule files, or directories of them
    #[arg(required = true)]
    path: Vec<PathBuf>,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

#[derive(Debug, clap::Args)]
pub struct Hash {
    #[command(flatten)]
    rules: RuleArgs,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: Args) -> Outcome {
    match args.command {
        Command::List(args) => list(&args),
        Command::Show(args) => show(&args),
        Command::Check(args) => check(&args),
        Command::Hash(args) => hash(&args),
    }
}

impl RuleArgs {
    /// The engine over all of them.
    pub fn engine(&self) -> Result<Engine, Failure> {
        let mode = match self.mode {
            ModeArg::Strict => Mode::Strict,
            ModeArg::Standard => Mode::Standard,
            ModeArg::Permissive => Mode::Permissive,
        };
        let files = read(&self.rules)?.map_err(|faults| unusable(&faults))?;
        let (signed, feeds) = self.feeds.read()?;
        let indicators = files.iter().flat_map(RuleFile::indicators).chain(signed).collect();
        let options = Options { mode, feeds, ..Options::default() };
        build(indicators, &options)?.map_err(|faults| unusable(&faults))
    }
}

fn unusable(faults: &[String]) -> Failure {
    Failure::new(Exit::Config, faults.join("\n"))
}

/// The engine, or what cannot be used of the indicators.
fn build(
    indicators: Vec<Indicator>,
    options: &Options,
) -> Result<Result<Engine, Vec<String>>, Failure> {
    let names: Vec<String> = indicators.iter().map(place).collect();
    let (engine, refused) = Engine::builtin_with(indicators, options)
        .map_err(|error| Failure::new(Exit::Internal, error.to_string()))?;
    let told = |one: &scan::Refused| {
        let file = names.get(one.index).map_or("", String::as_str);
        format!("{file}: rule {:?}: {}", &*one.id, one.reason)
    };
    let faults: Vec<String> = refused.iter().map(told).collect();
    Ok(if faults.is_empty() { Ok(engine) } else { Err(faults) })
}

fn place(indicator: &Indicator) -> String {
    match &indicator.source {
        Source::File(file) => file.to_string(),
        Source::Builtin | Source::Feed { .. } => indicator.source.name(),
    }
}

/// The rule files at these places, or every fault in them.
fn read(paths: &[PathBuf]) -> Result<Result<Vec<RuleFile>, Vec<String>>, Failure> {
    let (mut files, mut faults) = (Vec::new(), Vec::new());
    for path in paths {
        for file in files_at(path)? {
            let text = output::read_text(&file, RULE_FILE_LIMIT as u64)?;
            match RuleFile::parse(&file.display().to_string(), &text, &Limits::default()) {
                Ok(file) => files.push(file),
                Err(more) => faults.extend(more),
            }
        }
    }
    let ours = Engine::builtin();
    faults.extend(duplicates(&files, ours.rules().map(|rule| rule.id.as_str())));
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    Ok(if faults.is_empty() { Ok(files) } else { Err(faults) })
}

/// A file, or the rule files of a directory in the order of their names: `.yaml`, then `.yml`.
fn files_at(path: &Path) -> Result<Vec<PathBuf>, Failure> {
    must_exist(path)?;
    if !path.is_dir() {
        return Ok(vec![path.to_path_buf()]);
    }
    let entries = std::fs::read_dir(path).map_err(|error| Failure::io(path, &error))?;
    let mut files = Vec::new();
    for entry in entries {
        files.push(entry.map_err(|error| Failure::io(path, &error))?.path());
    }
    let kind = |file: &PathBuf| {
        let ending = file.extension().and_then(|ending| ending.to_str());
        ["yaml", "yml"].iter().position(|known| Some(*known) == ending)
    };
    files.retain(|file| kind(file).is_some() && file.is_file());
    files.sort_by_key(|file| (kind(file), file.clone()));
    if files.is_empty() {
        let message = format!("{}: no *.yaml or *.yml in it", path.display());
        return Err(Failure::new(Exit::Config, message));
    }
    Ok(files)
}

/// A rule of ours, or those patterns of a file that are one rule.
struct Told {
    id: String,
    source: String,
    severity: &'static str,
    category: String,
    technique: String,
    description: String,
    targets: Vec<&'static str>,
    patterns: Vec<String>,
}

fn told(args: &RuleArgs) -> Result<Vec<Told>, Failure> {
    let engine = args.engine()?;
    let mut all: Vec<Told> = engine.rules().map(ours).collect();
    for file in read(&args.rules)?.map_err(|faults| unusable(&faults))? {
        all.extend(file.rules.iter().map(|rule| Told {
            id: rule.id.to_string(),
            source: file.name.to_string(),
            severity: rule.severity.as_str(),
            category: rule.category.clone(),
            technique: rule.technique.to_string(),
            description: if rule.description.is_empty() {
                rule.name.clone()
            } else {
                rule.description.clone()
            },
            targets: scan::Target::ALL.map(scan::Target::as_str).into(),
            patterns: rule.patterns.clone(),
        }));
    }
    Ok(all)
}

fn ours(rule: &Rule) -> Told {
    let patterns = match &rule.pattern {
        Pattern::Phrase { groups, gap, .. } => {
            let groups: Vec<String> = groups.iter().map(|group| group.join("|")).collect();
            vec![groups.join(&format!(" ..{gap}.. "))]
        }
        Pattern::Regex { regex, .. } => vec![regex.clone()],
        Pattern::Detector(detector) => vec![format!("detector {}", detector.as_str())],
    };
    Told {
        id: rule.id.clone(),
        source: "builtin".to_owned(),
        severity: rule.severity.as_str(),
        category: rule.category.as_str().to_owned(),
        technique: rule.technique.clone(),
        description: rule.description.clone(),
        targets: rule.targets.iter().map(scan::Target::as_str).collect(),
        patterns,
    }
}

fn json_of(rule: &Told) -> Value {
    let list = |items: &[String]| Value::array(items.iter().map(String::as_str));
    Value::object([
        ("id", rule.id.as_str().into()),
        ("source", rule.source.as_str().into()),
        ("severity", rule.severity.into()),
        ("category", rule.category.as_str().into()),
        ("technique", rule.technique.as_str().into()),
        ("description", rule.description.as_str().into()),
        ("targets", Value::array(rule.targets.iter().copied())),
        ("patterns", list(&rule.patterns)),
    ])
}

fn list(args: &List) -> Outcome {
    let all = told(&args.rules)?;
    match args.format {
        Format::Json => {
            output::json(&Value::object([("rules", Value::array(all.iter().map(json_of)))]))?;
        }
        Format::Table => {
            let width = all.iter().map(|rule| rule.id.len()).max().unwrap_or(0);
            let mut out = String::new();
            for rule in &all {
                out.push_str(&format!(
                    "{:width$}  {:8}  {}: {}\n",
                    output::safe(&rule.id),
                    rule.severity,
                    output::safe(&rule.technique),
                    output::safe(&rule.description),
                ));
            }
            out.push_str(&format!("{} rules\n", all.len()));
            output::print(&out)?;
        }
    }
    Ok(Exit::Ok)
}

fn show(args: &Show) -> Outcome {
    let all = told(&args.rules)?;
    let Some(rule) = all.iter().find(|rule| rule.id == args.id) else {
        let message = format!("no rule {:?}; `countersign rules list` lists them", args.id);
        return Err(Failure::new(Exit::NoPath, message));
    };
    match args.format {
        Format::Json => output::json(&json_of(rule))?,
        Format::Table => {
            let mut out = format!(
                "{} ({}, {})\n{}\ncategory {}, technique {}\ntargets {}\n",
                output::safe(&rule.id),
                rule.severity,
                output::safe(&rule.source),
                output::safe(&rule.description),
                output::safe(&rule.category),
                output::safe(&rule.technique),
                rule.targets.join(", "),
            );
            for pattern in &rule.patterns {
                out.push_str(&format!("  {}\n", output::safe(pattern)));
            }
            output::print(&out)?;
        }
    }
    Ok(Exit::Ok)
}

fn check(args: &Check) -> Outcome {
    let faults = match read(&args.path)? {
        Err(faults) => faults,
        Ok(files) => {
            let indicators = files.iter().flat_map(RuleFile::indicators).collect();
            let built = build(indicators, &Options::default())?;
            if let Ok(engine) = &built {
                let rules: usize = files.iter().map(|file| file.rules.len()).sum();
                let (files, patterns) = (files.len(), engine.indicators().len());
                match args.format {
                    Format::Json => output::json(&Value::object([
                        ("valid", true.into()),
                        ("files", files.into()),
                        ("rules", rules.into()),
                        ("patterns", patterns.into()),
                        ("faults", Value::array::<Value>([])),
                    ]))?,
                    Format::Table => output::print(&format!(
                        "{files} files, {rules} rules, {patterns} patterns: all can be used"
                    ))?,
                }
            }
            built.err().unwrap_or_default()
        }
    };
    if faults.is_empty() {
        return Ok(Exit::Ok);
    }
    match args.format {
        Format::Json => output::json(&Value::object([
            ("valid", false.into()),
            ("faults", Value::array(faults.iter().map(String::as_str))),
        ]))?,
        Format::Table => {
            let lines = faults.iter().map(|fault| format!("{}\n", output::safe(fault)));
            output::print(&lines.collect::<String>())?;
        }
    }
    Ok(Exit::Config)
}

fn hash(args: &Hash) -> Outcome {
    let engine = args.rules.engine()?;
    match args.format {
        Format::Table => output::print(&engine.ruleset_digest().to_string())?,
        Format::Json => output::json(&Value::object([
            ("ruleset", engine.ruleset_digest().into()),
            ("mode", engine.mode().as_str().into()),
            ("engine", scan::ENGINE_VERSION.into()),
            ("unicode", scan::unicode_version().as_str().into()),
            ("rules", engine.rules().count().into()),
            ("patterns", engine.indicators().len().into()),
        ]))?,
    }
    Ok(Exit::Ok)
}
