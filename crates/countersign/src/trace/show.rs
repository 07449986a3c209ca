//! A trace as a table, as JSON and as a graph.

use record::dag::Graph;
use record::receipt;
use record::source::Source;
use seal::escape::terminal;
use seal::json::{Limits, Value, parse};

use super::{Check, Request, Row, Trace};

impl Trace {
    /// For people: one line a step, newest first. Everything from outside is escaped.
    pub fn to_table(&self) -> String {
        let mut out = String::new();
        for request in &self.requests {
            for signed in &request.decisions {
                let decision = &signed.decision;
                out.push_str(&format!(
                    "request {}: {} ({})\n",
                    terminal(&decision.request_id),
                    terminal(&decision.decision),
                    terminal(&decision.reason_code)
                ));
            }
        }
        if !self.rows.is_empty() {
            out.push_str(&format!("path {}\n\n", terminal(&self.path())));
            out.push_str(&columns(["STEP", "AGENT", "DETAIL", "RECEIPT", "VERIFIED"]));
        }
        for row in &self.rows {
            let hex: String = row.hash.hex().chars().take(16).collect();
            out.push_str(&columns([
                row.receipt.operation.as_str(),
                row.receipt.agent_id.as_str(),
                &terminal(&row.detail()),
                &hex,
                &terminal(&row.verified()),
            ]));
        }
        out.push('\n');
        out.push_str(&self.report.to_table());
        out
    }

    /// For programs: everything, with the receipts and the inclusion proofs.
    pub fn to_json(&self) -> Value {
        let rulesets = self.rulesets.iter().map(|ruleset| {
            Value::object([("digest", ruleset.digest.into()), ("rules", ruleset.rules.into())])
        });
        let log = self.log.as_ref().map(|(origin, size)| {
            Value::object([("origin", origin.as_str().into()), ("checkpoint_size", (*size).into())])
        });
        Value::object([
            ("what", self.what.as_str().into()),
            ("ok", self.report.ok().into()),
            ("path", Value::array(self.rows.iter().map(Row::step))),
            ("steps", Value::array(self.rows.iter().map(Row::to_json))),
            ("requests", Value::array(self.requests.iter().map(Request::to_json))),
            ("rulesets", Value::array(rulesets)),
            ("log", log.unwrap_or(Value::Null)),
            ("report", self.report.to_json()),
        ])
    }

    /// For `dot`: arrows from what a step builds on.
    pub fn to_dot(&self) -> String {
        let mut graph = Graph::new();
        for row in &self.rows {
            if let Ok(signed) = receipt::read(&row.jws) {
                graph.insert(signed);
            }
        }
        graph.to_dot()
    }
}

impl Row {
    /// What distinguishes the step: model, tool, corpus, verdict.
    pub fn detail(&self) -> String {
        let receipt = &self.receipt;
        let named =
            [("model", &receipt.model), ("tool", &receipt.tool), ("corpus", &receipt.corpus)];
        let mut parts: Vec<String> = named
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?)))
            .collect();
        if let Some(verdict) = receipt.verdict {
            match self.scanned() {
                Some(target) => parts.push(format!("{target} {verdict}")),
                None => parts.push(format!("verdict={verdict}")),
            }
        }
        if let Some(caller) =
            receipt.extension_value("x_countersign_caller").and_then(Value::as_str)
        {
            parts.push(format!("for {caller}"));
        }
        if parts.is_empty() { "-".to_owned() } else { parts.join(" ") }
    }

    /// What was checked, and how it came out.
    pub fn verified(&self) -> String {
        let mut parts = Vec::new();
        for (name, check) in self.checks() {
            if check.says.is_empty() {
                continue;
            }
            parts.push(match check.holds {
                Some(true) => match name {
                    "inclusion" => format!("included as {}", check.says),
                    _ => check.says.clone(),
                },
                Some(false) => format!("{} DOES NOT HOLD: {}", name, check.says),
                None => format!("{name} not known: {}", check.says),
            });
        }
        parts.join("; ")
    }

    fn to_json(&self) -> Value {
        let payload = seal::jws::split(&self.jws, receipt::JWS_LIMIT)
            .ok()
            .and_then(|jws| parse(&jws.payload, Limits::RECEIPT).ok());
        let checks = self
            .checks()
            .into_iter()
            .map(|(name, check)| (name.to_owned(), check.to_json()))
            .collect();
        let proof = self.proof.as_ref().map(|inclusion| {
            Value::object([
                ("index", inclusion.index.into()),
                ("size", inclusion.size.into()),
                ("proof", Value::array(inclusion.proof.iter().map(ToString::to_string))),
            ])
        });
        Value::object([
            ("receipt_hash", self.hash.into()),
            ("step", self.step().into()),
            ("operation", self.receipt.operation.as_str().into()),
            ("agent_id", self.receipt.agent_id.as_str().into()),
            ("place", self.place.as_str().into()),
            ("parents", Value::array(self.receipt.parents.iter().map(ToString::to_string))),
            ("taint", Value::array(self.receipt.taint.iter())),
            ("checks", Value::Object(checks)),
            ("inclusion", proof.unwrap_or(Value::Null)),
            ("key", self.key.clone().unwrap_or(Value::Null)),
            ("payload", payload.unwrap_or(Value::Null)),
            ("jws", self.jws.as_str().into()),
        ])
    }
}

impl Check {
    fn to_json(&self) -> Value {
        Value::object([("holds", self.holds.into()), ("says", self.says.as_str().into())])
    }
}

impl Request {
    fn to_json(&self) -> Value {
        let audits = self.audits.iter().map(|audit| {
            let entry = &audit.entry;
            Value::object([
                ("entry_id", entry.entry_id.as_str().into()),
                ("owner", entry.owner.to_string().into()),
                ("how", entry.meta_text("_how").into()),
                ("check_name", entry.check_name.as_str().into()),
                ("decision", entry.decision.as_str().into()),
                ("reason", entry.reason.as_str().into()),
                ("request_fingerprint", entry.request_fingerprint.as_str().into()),
            ])
        });
        let decisions = self.decisions.iter().map(|signed| {
            let decision = &signed.decision;
            Value::object([
                ("hash", signed.hash.into()),
                ("decision", decision.decision.as_str().into()),
                ("reason_code", decision.reason_code.as_str().into()),
                ("audit_entry_id", decision.audit_entry_id.as_str().into()),
                ("upstream", decision.upstream.as_str().into()),
                ("model", decision.model.as_str().into()),
                ("request_digest", decision.request_digest.into()),
                ("response_digest", decision.response_digest.into()),
                ("config_digest", decision.config_digest.into()),
                ("ruleset_digest", decision.ruleset_digest.into()),
                ("heads", Value::array(decision.heads.iter().map(ToString::to_string))),
                ("sources", Value::array(decision.sources.iter().map(Source::to_value))),
                ("sources_digest", decision.sources_digest.into()),
                ("jws", signed.jws.as_str().into()),
            ])
        });
        Value::object([
            ("request_id", self.id.as_str().into()),
            ("audit_entries", Value::array(audits)),
            ("decision_receipts", Value::array(decisions)),
        ])
    }
}

fn columns(cells: [&str; 5]) -> String {
    let [step, agent, detail, receipt, verified] = cells;
    format!("{step:<16} {agent:<22} {detail:<34} {receipt:<18} {verified}\n")
}
