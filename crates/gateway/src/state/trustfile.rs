//! The first trust file: our own keys, written once; afterwards it is the operator's.

use std::path::Path;

use record::trust::{Purpose, Trust};
use seal::digest::Digest;
use seal::note::NoteSigner;
use seal::signer::Signer as _;

use super::keys::{Keys, hmac_file};
use super::{AGENT, HMAC_KEY_ID, HOME, StateError, files};

/// The file's text.
pub(super) fn text(keys: &Keys, origin: &str) -> String {
    format!(
        "# Whose keys count, and for what. Written once by `countersign up`, never rewritten:\n\
         # edit it, keep it under review, hand it to whoever verifies.\n\
         version: 1\n\
         keys:\n\
         \x20 - name: gateway\n\
         \x20   purpose: receipts\n\
         \x20   key: |\n{gateway}\
         \x20   agent_id: {AGENT}\n\
         \x20 - name: decisions\n\
         \x20   purpose: decisions\n\
         \x20   key: |\n{decisions}\
         \x20 - name: {HMAC_KEY_ID}\n\
         \x20   purpose: hmac\n\
         \x20   key: file:{HOME}/keys/{hmac}\n\
         logs:\n\
         \x20 - key: \"{vkey}\"\n\
         \x20   quorum: none\n",
        gateway = block(&keys.gateway.public().to_pem()),
        decisions = block(&keys.decisions.public().to_pem()),
        hmac = hmac_file(),
        vkey = vkey(keys, origin),
    )
}

fn block(pem: &str) -> String {
    pem.lines().map(|line| format!("      {line}\n")).collect()
}

fn vkey(keys: &Keys, origin: &str) -> String {
    NoteSigner::new(origin, &*keys.log).vkey().to_string()
}
