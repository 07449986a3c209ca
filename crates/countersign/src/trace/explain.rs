//! A trace in sentences: what an auditor asks, answered from what was verified and nothing else.

use std::collections::BTreeSet;

use record::receipt::Operation;
use record::report::{Assurance, Severity};
use record::source::Source;
use seal::Digest;
use seal::escape::terminal;
use seal::json::Value;

use super::{Row, Trace};

impl Trace {
    /// The answers, one paragraph each. Everything from outside is escaped.
    pub fn explain(&self) -> String {
        let answers = [
            ("Which model produced this?", self.model()),
            ("Which agent asked?", self.agent()),
            ("What was in the context?", self.context()),
            ("Did any of it come from untrusted sources?", self.sources()),
            ("Were the guardrails active, and which rules?", self.guardrails()),
            ("Has anything been altered since?", self.alterations()),
        ];
        let mut out = String::new();
        if let Some(outcome) = self.outcome() {
            out.push_str(&terminal(&outcome));
            out.push_str("\n\n");
        }
        for (question, sentences) in answers {
            out.push_str(question);
            out.push('\n');
            for sentence in sentences {
                out.push_str(&format!("  {}\n", terminal(&sentence)));
            }
            out.push('\n');
        }
        out
    }

    /// What came of the request that was asked for.
    fn outcome(&self) -> Option<String> {
        let request = self.requests.first()?;
        let decision = &request.decisions.last()?.decision;
        Some(format!(
            "Request {} ended with {} ({}). Its audit entry is {}; its decision receipt binds the delivered response {}.",
            decision.request_id,
            decision.decision,
            decision.reason_code,
            decision.audit_entry_id,
            decision.response_digest.map_or("of nothing".to_owned(), |digest| digest.to_string()),
        ))
    }

    fn model(&self) -> Vec<String> {
        let mut out: Vec<String> = self
            .rows_of(Operation::ModelCall)
            .map(|row| {
                let model = row.receipt.model.as_deref().unwrap_or("not named");
                let mut sentence = format!("The model {model} (receipt {}", row.hash);
                match self.upstream_of(row) {
                    Some((upstream, request)) => sentence.push_str(&format!(
                        "), answered by the upstream {upstream}, as the decision receipt of request {request} says."
                    )),
                    None => sentence.push_str("), as the agent that recorded it says."),
                }
                sentence
            })
            .collect();
        if out.is_empty() {
            out.push("No model call leads here: no model was asked before this step.".to_owned());
        }
        out
    }

    fn upstream_of(&self, row: &Row) -> Option<(String, String)> {
        let request = extension(row, "x_countersign_request")?;
        let decision = self
            .requests
            .iter()
            .find(|known| known.id == request)
            .and_then(|known| known.decisions.last())
            .map(|signed| &signed.decision)?;
        (!decision.upstream.is_empty())
            .then(|| (decision.upstream.clone(), decision.request_id.clone()))
    }

    fn agent(&self) -> Vec<String> {
        let mut out = Vec::new();
        let mut recorded: BTreeSet<(&str, &str)> = BTreeSet::new();
        for row in &self.rows {
            recorded.insert((row.receipt.agent_id.as_str(), &row.signature.says));
        }
        for request in &self.requests {
            let callers: BTreeSet<(String, String)> = request
                .audits
                .iter()
                .map(|audit| {
                    let how = audit.entry.meta_text("_how").unwrap_or("not stated");
                    (audit.entry.owner.to_string(), how.to_owned())
                })
                .collect();
            for (owner, how) in callers {
                let known = match how.as_str() {
                    "asserted" => {
                        "asserted: the caller said so in a header and nobody checked it".to_owned()
                    }
                    "unresolved" => "nobody said who it was".to_owned(),
                    other => other.to_owned(),
                };
                out.push(format!("{owner} asked (request {}); {known}.", request.id));
            }
        }
        for (agent, signed) in recorded {
            out.push(format!("{agent} recorded the steps, {signed}."));
        }
        if out.is_empty() {
            out.push("Nothing here says who asked.".to_owned());
        }
        out
    }

    fn context(&self) -> Vec<String> {
        let mut out = Vec::new();
        for row in &self.rows {
            let receipt = &row.receipt;
            let name = match receipt.operation {
                Operation::UserInput => "A user message",
                Operation::Retrieval => "Documents retrieved",
                Operation::ToolCall => "The result of a tool",
                Operation::AgentHandoff => "What another agent handed over",
                Operation::ModelCall => "What the model was sent",
                Operation::GuardrailScan | Operation::Sanitisation | Operation::Merge => continue,
            };
            let digest: Option<Digest> = match receipt.operation {
                Operation::UserInput | Operation::ModelCall => receipt.input_hash,
                _ => receipt.output_hash,
            };
            let of = [&receipt.tool, &receipt.corpus]
                .into_iter()
                .flatten()
                .map(|name| format!(" ({name})"))
                .collect::<String>();
            if let Some(digest) = digest {
                out.push(format!("{name}{of}: {digest}."));
            }
        }
        if out.is_empty() {
            out.push("No receipt says what was in it.".to_owned());
        } else {
            out.push(
                "These are digests: whoever has the text can prove that it is the one.".to_owned(),
            );
        }
        out
    }

    fn sources(&self) -> Vec<String> {
        let mut tags: BTreeSet<&str> = BTreeSet::new();
        for row in &self.rows {
            tags.extend(row.receipt.taint.iter().filter(|tag| !tag.starts_with("guardrail-scan:")));
        }
        let mut out = Vec::new();
        for tag in tags {
            out.push(match tag {
                "external_user" => {
                    "Yes: text of an external user is in it (taint external_user).".to_owned()
                }
                _ => match tag.strip_prefix("rag:") {
                    Some(corpus) => format!(
                        "Yes: documents of the corpus {corpus}, which is not trusted (taint {tag})."
                    ),
                    None => format!("Yes: it carries the taint {tag}."),
                },
            });
        }
        let strays = self
            .requests
            .iter()
            .flat_map(|request| &request.audits)
            .filter(|audit| audit.entry.check_name == "pipeline.tool_result")
            .count();
        if strays > 0 {
            out.push(format!("Yes: {strays} tool results match no call that was proposed here."));
        }
        for row in self.rows_of(Operation::Sanitisation) {
            if let Some(removed) = row.receipt.removed() {
                let tool = row.receipt.tool.as_deref().unwrap_or("somebody");
                out.push(format!("{tool} cleared {removed} on the way."));
            }
        }
        if out.is_empty() {
            out.push(
                "No step says so: nothing here carries a taint of an outside source.".to_owned(),
            );
        }
        out
    }

    fn guardrails(&self) -> Vec<String> {
        let mut out = Vec::new();
        for row in self.rows_of(Operation::GuardrailScan) {
            let verdict =
                row.receipt.verdict.map_or("no verdict".to_owned(), |verdict| verdict.to_string());
            let rules =
                row.receipt.extension_value("x_countersign_rules").and_then(Value::as_array).map(
                    |rules| rules.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
                );
            let hits = match rules {
                Some(rules) if !rules.is_empty() => format!(", hit by {rules}"),
                Some(_) => ", no rule hit".to_owned(),
                None => String::new(),
            };
            let scanned =
                row.receipt.input_hash.map_or(String::new(), |digest| format!(" ({digest})"));
            let target = match row.scanned() {
                Some("output") => "the model's answer",
                Some("tool_call") => "the arguments of a proposed tool call",
                Some("tool_result") => "a tool's result",
                Some(_) | None => "what the model was to be sent",
            };
            out.push(format!("The scan of {target}{scanned} said {verdict}{hits}."));
            let listed = row.receipt.extension_value("x_countersign_sources");
            for source in listed.and_then(Value::as_array).unwrap_or_default() {
                if let Some(source) = Source::read(source) {
                    let (name, hash) = (source.name(), source.content_hash());
                    out.push(format!("The indicator {hash} of {name} was found in it."));
                }
            }
        }
        if out.is_empty() {
            out.push("No scan is recorded on this way.".to_owned());
        } else {
            out.insert(0, "Yes.".to_owned());
        }
        for ruleset in &self.rulesets {
            out.push(match ruleset.rules {
                Some(rules) => format!(
                    "The ruleset was {}: {rules} rules, kept in the ledger.",
                    ruleset.digest
                ),
                None => format!(
                    "The ruleset was {}; its text is not part of this evidence.",
                    ruleset.digest
                ),
            });
        }
        out
    }

    fn alterations(&self) -> Vec<String> {
        let errors: Vec<String> = self
            .report
            .findings
            .iter()
            .filter(|finding| finding.code.severity() == Severity::Error)
            .map(|finding| format!("{finding}."))
            .collect();
        let mut out = Vec::new();
        match (self.report.assurance, errors.is_empty()) {
            (Assurance::Signed, true) => {
                let steps = self.rows.len();
                out.push(format!(
                    "No. {steps} steps were checked: each has the hash it is cited by, a signature of a key you trust, its parents, and the taint it must carry."
                ));
                if let Some((origin, size)) = &self.log {
                    out.push(format!(
                        "Each was proven to lie under the checkpoint of the log {origin} over {size} entries, whose signature verifies."
                    ));
                }
            }
            (_, true) => out.push(
                "Nothing was found altered, but not everything is signed by someone you trust or covered by a checkpoint yet: what is there agrees with itself.".to_owned(),
            ),
            (_, false) => {
                out.push("It cannot be relied on:".to_owned());
                out.extend(errors);
            }
        }
        out
    }
}

fn extension<'r>(row: &'r Row, name: &str) -> Option<&'r str> {
    row.receipt.extension_value(name).and_then(Value::as_str)
}
