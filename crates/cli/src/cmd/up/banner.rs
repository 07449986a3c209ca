//! What `up` tells once, at the start: where it is, how to ask it, whose keys it has.

use std::path::{Path, PathBuf};

use gateway::state::State;
use gateway::{Bound, Config};

use crate::output;

/// Who answers, and with whose key.
pub struct Asked {
    name: String,
    simulator: bool,
    /// Callers bring their own key for the upstream.
    own_key: bool,
}

impl Asked {
    /// As configured.
    pub fn of(config: &Config) -> Asked {
        match &config.upstream {
            Some(upstream) => Asked {
                name: upstream.name.clone().unwrap_or_else(|| upstream.url.clone()),
                simulator: false,
                own_key: upstream.key.is_none(),
            },
            None => Asked {
                name: "the built-in simulator: it answers any model name".to_owned(),
                simulator: true,
                own_key: false,
            },
        }
    }
}

/// What is known before the ports are.
pub struct Banner {
    asked: Asked,
    keys: Vec<(&'static str, String)>,
    trust: PathBuf,
    trust_digest: String,
    made: bool,
    token_path: PathBuf,
    token: String,
    ledger: Option<PathBuf>,
    origin: String,
    dir: PathBuf,
}

impl Banner {
    /// Of an opened state.
    pub fn of(state: &State, asked: Asked, memory: bool) -> Banner {
        let fingerprints = state.fingerprints().into_iter();
        Banner {
            asked,
            keys: fingerprints.map(|(name, digest)| (name, digest.to_string())).collect(),
            trust: state.trust_path(),
            trust_digest: state.trust_digest().to_string(),
            made: state.created(),
            token_path: state.admin_token_path(),
            token: state.admin_token().to_owned(),
            ledger: (!memory).then(|| state.ledger_dir()),
            origin: state.origin().to_owned(),
            dir: state.dir().to_path_buf(),
        }
    }

    /// The text.
    pub fn text(&self, bound: Bound) -> String {
        let mut lines = vec!["Countersign is up.".to_owned(), String::new()];
        lines.extend(self.facts(bound));
        lines.push(String::new());
        lines.push("Ask it:".to_owned());
        lines.extend(self.curl(bound));
        lines.push(String::new());
        lines.push("From Python (pip install openai):".to_owned());
        lines.extend(self.python(bound));
        lines.push(String::new());
        lines.push(format!("The admin token is in {}:", output::path(&self.token_path)));
        lines.push(format!(
            "  curl -sS http://{}/metrics -H \"Authorization: Bearer $(cat {})\"",
            bound.admin,
            word(&self.token_path)
        ));
        // The value only where a person looks, never into a log file.
        if output::on_terminal() {
            lines.push(format!("  {}", self.token));
        }
        lines.push(String::new());
        lines.extend(self.proof());
        lines.push(String::new());
        lines.join("\n")
    }

    fn facts(&self, bound: Bound) -> Vec<String> {
        let made = if self.made { ", made now" } else { "" };
        let ledger = match &self.ledger {
            Some(ledger) => output::path(ledger),
            None => "in memory: it ends with this process".to_owned(),
        };
        let mut lines = vec![
            format!("  data      http://{}/v1", bound.data),
            format!("  admin     http://{}", bound.admin),
            format!("  upstream  {}", output::safe(&self.asked.name)),
            format!("  ledger    {ledger}"),
            format!("  log       {}", output::safe(&self.origin)),
            format!("  trust     {} ({}){made}", output::path(&self.trust), self.trust_digest),
            String::new(),
            "Keys (SHA-256 of the public key's PEM):".to_owned(),
        ];
        let keys = self.keys.iter();
        lines.extend(keys.map(|(name, fingerprint)| format!("  {name:<10}{fingerprint}")));
        lines
    }

    fn curl(&self, bound: Bound) -> Vec<String> {
        let data = bound.data;
        let key = match self.asked.own_key {
            true => " \\\n    -H \"Authorization: Bearer $OPENAI_API_KEY\"",
            false => "",
        };
        let (before, model) = match self.asked.simulator {
            true => (None, "simulator"),
            // Which models there are, the upstream knows.
            false => (
                Some(format!(
                    "  MODEL=$(curl -sS http://{data}/v1/models -H '{OWNER}'{key} |\n    grep -o '\"id\": *\"[^\"]*\"' | head -n 1 | cut -d'\"' -f4)"
                )),
                "'\"$MODEL\"'",
            ),
        };
        let ask = format!(
            "  curl -sS http://{data}/v1/chat/completions -H 'Content-Type: application/json' \\\n    -H '{OWNER}'{key} \\\n    -d '{{\"model\":\"{model}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'"
        );
        before.into_iter().chain([ask]).collect()
    }

    fn python(&self, bound: Bound) -> Vec<String> {
        let (name, value) = OWNER.split_once(": ").unwrap_or_default();
        // Without a key given, the SDK takes the one in OPENAI_API_KEY.
        let key = match self.asked.own_key {
            true => "",
            false => ", api_key=\"unused\"",
        };
        let model = match self.asked.simulator {
            true => "\"simulator\"",
            false => "client.models.list().data[0].id",
        };
        vec![
            "  from openai import OpenAI".to_owned(),
            format!(
                "  client = OpenAI(base_url=\"http://{}/v1\"{key}, default_headers={{\"{name}\": \"{value}\"}})",
                bound.data
            ),
            format!(
                "  print(client.chat.completions.create(model={model}, messages=[{{\"role\": \"user\", \"content\": \"Hello\"}}]).choices[0].message.content)"
            ),
        ]
    }

    fn proof(&self) -> Vec<String> {
        let Some(ledger) = &self.ledger else {
            return vec!["Nothing is kept: --ledger memory.".to_owned()];
        };
        let command = command(&self.dir);
        vec![
            "Every answer has a correlation id in X-Countersign-Correlation-Id. Walk it and prove it:"
                .to_owned(),
            format!("  {command} trace <correlation id> --explain"),
            format!("  {command} verify {}", word(ledger)),
        ]
    }
}

/// Who asks, in the printed lines.
const OWNER: &str = "X-Commit-Owner: human:you";

/// The command line that finds this state again, from here.
fn command(dir: &Path) -> String {
    let program = std::env::args_os().next().filter(|program| !program.is_empty());
    let program = program.map_or("countersign".to_owned(), |program| word(Path::new(&program)));
    match dir == Path::new(".") {
        true => program,
        false => format!("{program} --dir {}", word(dir)),
    }
}

/// A path as a word for the shell.
fn word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text
    } else {
        format!("'{}'", output::safe(&text).replace('\'', "'\\''"))
    }
}
