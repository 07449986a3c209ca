//! `countersign log anchor`: has the newest checkpoint stamped by a timestamp authority.

use std::path::{Path, PathBuf};

use countersign::TrustFile;
use ledger::{Entry, Kind, Prepared};
use record::anchor::{Anchor, imprint};
use record::report::ExitClass;
use seal::Digest;
use seal::json::Value;
use seal::note;

use super::super::authority::Authority;
use super::super::seat;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign trust add --name freetsa --purpose tsa --key freetsa-root.pem
  countersign log anchor --tsa https://freetsa.org/tsr

Asks for a timestamp (RFC 3161) over the checkpoint, judges the answer against the authorities of
the trust file (purpose tsa), and appends it as an entry of kind anchor: through the process that
writes the ledger, such as `countersign up`, if one runs. An answer that proves nothing is told and
not stored. A gateway does this by itself: see ledger.anchors in its configuration.

Exit 69: the authority cannot be reached in time; 11: what it answered proves nothing; 78: no
authority is trusted; 10: no checkpoint covers an entry yet.")]
pub struct Args {
    /// The authority's address
    #[arg(long, value_name = "URL")]
    tsa: String,
    /// Ask for a stamp under this policy (dotted OID), and take no other
    #[arg(long, value_name = "OID")]
    policy: Option<String>,
    /// The trust file; default: countersign.trust.yaml in --dir
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Certificate authorities (PEM) for https beside those of the web
    #[arg(long, value_name = "PEM")]
    https_ca: Option<PathBuf>,
    /// How long the authority may take
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let path = super::super::ledger_of(dir);
    super::super::must_exist(&path)?;
    let trust = args.trust.clone().unwrap_or_else(|| dir.join(countersign::trustfile::FILE_NAME));
    super::super::must_exist(&trust)?;
    let file = TrustFile::read(&trust, Some(&path)).map_err(super::super::trust_failure)?;
    let authority = Authority::of(
        &args.tsa,
        args.policy.as_deref(),
        &file.trust,
        args.https_ca.as_deref(),
        args.timeout,
    )?;

    // Who becomes the sequencer signs a checkpoint over everything when it starts; who does not is
    // beside one that does so all the time.
    let mut seat = seat::take(dir, "anchor-*")?;
    let reader = super::super::ledger::open(&path)?;
    let published = reader.checkpoint().zip(reader.checkpoint_bytes());
    let Some((checkpoint, bytes)) = published.filter(|(checkpoint, _)| checkpoint.size > 0) else {
        return Err(Failure::new(
            Exit::Evidence(ExitClass::Missing),
            format!("{}: no checkpoint covers any entry yet", path.display()),
        ));
    };
    let untrusted = |why: String| Failure::new(Exit::Evidence(ExitClass::Untrusted), why);
    let Some(key) = file.trust.log(&checkpoint.origin) else {
        let origin = output::safe(&checkpoint.origin);
        return Err(untrusted(format!("the log {origin} is not in {}", trust.display())));
    };
    note::open(bytes, std::slice::from_ref(key))
        .map_err(|error| untrusted(format!("public/checkpoint: {error}")))?;
    let Ok(signed) = std::str::from_utf8(bytes) else {
        return Err(untrusted("public/checkpoint is not UTF-8".to_owned()));
    };

    let digest = imprint(signed);
    let stamped = authority.stamp(&digest)?;
    let internal = |error: &dyn std::fmt::Display| Failure::new(Exit::Internal, error.to_string());
    let anchor = Anchor::new(signed, &stamped.reply).map_err(|error| internal(&error))?;
    let body = anchor.to_body().into_bytes();
    let id = Digest::of(&body).to_string();
    let entry = Prepared::of(Entry { kind: Kind::Anchor, id: id.clone(), body })
        .map_err(|error| internal(&error))?;
    let indices = seat.append(&[entry]).map_err(|error| seat::failure(&error))?;
    seat.leave().map_err(|error| seat::failure(&error))?;
    let index = indices.first().copied().unwrap_or_default();
    let stamp = &stamped.stamp;
    match args.format {
        Format::Table => output::print(&format!(
            "entries 0..{} existed before {} by {}; entry {index} keeps the timestamp\n",
            checkpoint.size,
            stamp.latest(),
            output::safe(&stamp.authority),
        ))?,
        Format::Json => output::json(&Value::object([
            ("index", index.into()),
            ("id", id.as_str().into()),
            ("size", checkpoint.size.into()),
            ("time", stamp.time.to_string().into()),
            ("before", stamp.latest().to_string().into()),
            ("authority", stamp.authority.as_str().into()),
            ("policy", stamp.policy.as_str().into()),
            ("serial", stamp.serial.as_str().into()),
        ]))?,
    }
    Ok(Exit::Ok)
}
