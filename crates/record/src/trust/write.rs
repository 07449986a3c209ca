//! Writing the file: a fixed layout that reads back to the same trust.

use seal::json::push_string;

use super::{KeyMaterial, Quorum, Trust, TrustKey, pem};

pub(super) fn yaml(trust: &Trust) -> String {
    let mut out = String::from("version: 1\n");
    out.push_str(if trust.keys.is_empty() { "keys: []\n" } else { "keys:\n" });
    for key in &trust.keys {
        write_key(&mut out, key);
    }
    out.push_str(if trust.logs.is_empty() { "logs: []\n" } else { "logs:\n" });
    for log in &trust.logs {
        let quorum = match &log.quorum {
            Quorum::None => "none",
            Quorum::Policy(file) => file,
        };
        out.push_str(&format!("  - key: {}\n", quoted(&log.vkey.to_string())));
        out.push_str(&format!("    quorum: {}\n", quoted(quorum)));
    }
    out
}

fn write_key(out: &mut String, key: &TrustKey) {
    out.push_str(&format!("  - name: {}\n", quoted(&key.name)));
    out.push_str(&format!("    purpose: {}\n", key.purpose));
    match (&key.reference, &key.key) {
        (Some(reference), _) => out.push_str(&format!("    key: {}\n", quoted(reference))),
        (None, KeyMaterial::Public(public)) => block(out, &public.to_pem()),
        (None, KeyMaterial::Ecdsa(public)) => block(out, &public.to_pem()),
        (None, KeyMaterial::Certificates(chain)) => {
            block(out, &chain.iter().map(|der| pem::text(der)).collect::<String>());
        }
        // A secret without a reference was given for one command; it is never written down.
        (None, KeyMaterial::Secret(_)) => {
            out.push_str("    key: \"env:COUNTERSIGN_HMAC_KEY\"\n");
        }
    }
    if let Some(agent_id) = &key.agent_id {
        out.push_str(&format!("    agent_id: {agent_id}\n"));
    }
    if let Some(issuer) = &key.issuer {
        out.push_str(&format!("    agent_id: {}\n", quoted(issuer)));
    }
    for (name, list) in [("policies", &key.policies), ("types", &key.types)] {
        if !list.is_empty() {
            let list: Vec<String> = list.iter().map(|one| quoted(one)).collect();
            out.push_str(&format!("    {name}: [{}]\n", list.join(", ")));
        }
    }
    if key.valid.from.is_some() || key.valid.until.is_some() {
        out.push_str("    valid:\n");
        if let Some(from) = key.valid.from {
            out.push_str(&format!("      from: {from}\n"));
        }
        if let Some(until) = key.valid.until {
            out.push_str(&format!("      until: {until}\n"));
        }
    }
}

fn block(out: &mut String, text: &str) {
    out.push_str("    key: |\n");
    for line in text.lines() {
        out.push_str(&format!("      {line}\n"));
    }
}

/// A JSON string is a double-quoted YAML scalar.
fn quoted(text: &str) -> String {
    let mut out = String::new();
    push_string(text, &mut out);
    out
}
