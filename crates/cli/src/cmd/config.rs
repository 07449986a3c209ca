//! `countersign config`: the gateway's configuration file, without a gateway.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use gateway::Config;
use gateway::config::keys::{self, KEYS, Key, Kind};
use seal::digest::Digest;
use seal::json::Value;

use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check what a start would check, without network and without making anything
    #[command(after_help = "Examples:
  countersign config check
  countersign config check /etc/countersign.yaml --format json

Exit codes: 0 a gateway would start with it, 78 it would not, 66 no such file.")]
    Check {
        /// The file, or - for standard input; default: .countersign/config.yaml in --dir
        file: Option<PathBuf>,
        /// How to print
        #[arg(long, default_value = "table")]
        format: Format,
    },
    /// Say what a key takes, its default and what it does
    #[command(after_help = "Examples:
  countersign config explain
  countersign config explain limits
  countersign config explain upstream.key")]
    Explain {
        /// A key or a section; default: all of them
        key: Option<String>,
        /// How to print
        #[arg(long, default_value = "table")]
        format: Format,
    },
    /// Show the keys in which two effective configurations differ, defaults included
    #[command(after_help = "Examples:
  countersign config diff .countersign/config.yaml new.yaml

Secrets are never printed, only where they lie. The exit is 0 with and without differences.")]
    Diff {
        /// A configuration file
        a: PathBuf,
        /// Another
        b: PathBuf,
        /// How to print
        #[arg(long, default_value = "table")]
        format: Format,
    },
    /// Print the JSON Schema (2020-12) of the file
    #[command(after_help = "Examples:
  countersign config schema > countersign.schema.json")]
    Schema,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    match args.command {
        Command::Check { file, format } => check(file, dir, format),
        Command::Explain { key, format } => explain(key.as_deref(), format),
        Command::Diff { a, b, format } => diff(&a, &b, format),
        Command::Schema => {
            output::json(&gateway::config::schema())?;
            Ok(Exit::Ok)
        }
    }
}

fn check(file: Option<PathBuf>, dir: &Path, format: Format) -> Outcome {
    let default = dir.join(".countersign").join("config.yaml");
    let file = file.or_else(|| default.exists().then_some(default));
    let (name, text) = match &file {
        Some(path) => (path.display().to_string(), read(path)?),
        // As `gateway serve` would start here.
        None => ("built-in defaults".to_owned(), String::new()),
    };
    let problems: Vec<String> = Config::problems(&text).iter().map(ToString::to_string).collect();
    match problems.as_slice() {
        [] => {}
        [only] => return Err(Failure::new(Exit::Config, format!("{name}: {only}"))),
        all => {
            for one in all {
                output::complain(&output::safe(&format!("{name}: {one}")));
            }
            return Err(Failure::new(Exit::Config, format!("{name}: {} problems", all.len())));
        }
    }
    let config =
        Config::parse(&text).map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    let effective = digest(&config, &name)?;
    if let Some(group) = &config.ledger.group {
        gateway::state::group_number(group)
            .map_err(|error| Failure::new(Exit::Config, format!("{name}: {error}")))?;
    }
    let cited = gateway::state::cited_config(dir, &config)
        .map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    match format {
        Format::Table => {
            let cited = cited.map_or(String::new(), |digest| format!("in entries     {digest}\n"));
            output::print(&format!(
                "configuration  {}\neffective      {effective}\n{cited}result         ok\n",
                output::safe(&name)
            ))?;
        }
        Format::Json => output::json(&Value::object([
            ("configuration", Value::from(name.as_str())),
            ("effective", effective.into()),
            ("in_entries", cited.into()),
            ("result", "ok".into()),
        ]))?,
    }
    Ok(Exit::Ok)
}

fn explain(asked: Option<&str>, format: Format) -> Outcome {
    let keys: Vec<&Key> = match asked {
        None => KEYS.iter().collect(),
        Some(path) => {
            let section = format!("{path}.");
            let found = |key: &&Key| key.path == path || key.path.starts_with(&section);
            KEYS.iter().filter(found).collect()
        }
    };
    if keys.is_empty() {
        let asked = asked.unwrap_or_default();
        let nearest = keys::nearest(asked, &[]);
        return Err(Failure::new(
            Exit::Usage,
            format!("there is no key {asked}; the nearest known one is {nearest}"),
        ));
    }
    // Ticks are for the page.
    let plain = |text: &str| text.replace('`', "");
    match format {
        Format::Table => {
            let told: Vec<String> = keys
                .iter()
                .map(|key| {
                    let default = plain(&key.default_text());
                    let default = match default.is_empty() {
                        true => String::new(),
                        false => format!("  default  {default}\n"),
                    };
                    format!(
                        "{}\n  takes    {}\n{default}  {}\n",
                        key.path,
                        plain(&key.takes()),
                        plain(key.about)
                    )
                })
                .collect();
            output::print(&told.join("\n"))?;
        }
        Format::Json => output::json(&Value::array(keys.iter().map(|key| {
            Value::object([
                ("key", Value::from(key.path)),
                ("takes", plain(&key.takes()).into()),
                ("default", plain(&key.default_text()).into()),
                ("about", plain(key.about).into()),
            ])
        })))?,
    }
    Ok(Exit::Ok)
}

fn diff(a: &Path, b: &Path, format: Format) -> Outcome {
    let [(left, left_digest), (right, right_digest)] = {
        let read = |path: &Path| {
            let config = load(path)?;
            let digest = digest(&config, &path.display().to_string())?;
            Ok::<_, Failure>((config, digest))
        };
        [read(a)?, read(b)?]
    };
    // Where a section is there on one side only, its keys say so one by one.
    let differ = |key: &&Key| key.kind != Kind::Section && key.value(&left) != key.value(&right);
    let changes: Vec<&Key> = KEYS.iter().filter(differ).collect();
    match format {
        Format::Table => {
            let mut out = format!(
                "a  {left_digest}  {}\nb  {right_digest}  {}\n",
                output::path(a),
                output::path(b)
            );
            for key in &changes {
                let (from, to) = (key.shown(&left), key.shown(&right));
                out += &format!("{}: {} -> {}\n", key.path, output::safe(&from), output::safe(&to));
            }
            if changes.is_empty() {
                out += "no differences\n";
            }
            output::print(&out)?;
        }
        Format::Json => output::json(&Value::object([
            ("a", left_digest.into()),
            ("b", right_digest.into()),
            (
                "changes",
                Value::array(changes.iter().map(|key| {
                    Value::object([
                        ("key", Value::from(key.path)),
                        ("a", key.shown(&left).into()),
                        ("b", key.shown(&right).into()),
                    ])
                })),
            ),
        ]))?,
    }
    Ok(Exit::Ok)
}

/// Longest configuration file read, bytes.
const LIMIT: u64 = 1 << 20;

fn read(path: &Path) -> Result<String, Failure> {
    output::read_text(path, LIMIT).map_err(|failure| match failure.exit {
        Exit::Input => Failure::new(Exit::Config, failure.message),
        _ => failure,
    })
}

fn load(path: &Path) -> Result<Config, Failure> {
    Config::parse(&read(path)?)
        .map_err(|error| Failure::new(Exit::Config, format!("{}: {error}", path.display())))
}

fn digest(config: &Config, name: &str) -> Result<Digest, Failure> {
    config.digest().map_err(|error| Failure::new(Exit::Config, format!("{name}: {error}")))
}
