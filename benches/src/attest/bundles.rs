//! Many bundles: verified by the release binary, judged by gates in this process.

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use attest::gate::{Facts, Policy, Proven};
use attest::statement::PAYLOAD_TYPE;
use attest::verify::{Blob, How};
use attest::{Bundle, Statement, verify};
use collect::{Folder, Root, STATEMENT};
use record::trust::{Purpose, Trust};
use rego::Document;
use seal::dsse::{Envelope, PrivateKey, Signer as _};
use seal::key::SecretKey;
use seal::time::UnixMillis;
use seal::{Digest, VerifyKey};

use super::{least, timed};
use crate::figure::{Figure, Table, cores};
use crate::{floor, process};

const CHAINS: usize = 2_000;
const TIMES: usize = 5;

pub fn run(binary: &Path, table: &mut Table) -> Result<()> {
    table.section(
        "Many bundles",
        &format!(
            "{CHAINS} chains of prompt, corpus, eval, route and slo over the files of examples/rag, all of them distinct, and the model that they refer to: `attest verify DIR --trust FILE` of the release binary with all stages. Then the gates of the example (countersign.gate.yaml, countersign.gate.rego) over what was verified, in this process, best of {TIMES}: the policies are read before."
        ),
    );
    let dir = tempfile::tempdir()?;
    let project = dir.path().join("rag");
    super::example(&project)?;
    let create = ["attest", "create", "--commit", "x", "--out", "made"];
    timed(Command::new(binary).args(create).current_dir(&project))?;
    let key = PrivateKey::ed25519(SecretKey::from_seed([13; 32]));
    let folder = dir.path().join("bundles");
    fs::create_dir(&folder)?;
    let count = write_chains(&project.join("made"), &folder, &key)?;
    let trust = dir.path().join("trust.yaml");
    write_trust(&trust, key.public())?;

    let all = cores();
    let mut best: Option<process::Ended> = None;
    for _ in 0..3 {
        let mut command = Command::new(binary);
        command.args(["attest", "verify"]).arg(&folder).arg("--trust").arg(&trust);
        let ended = process::run({
            command.current_dir(&project);
            command
        })?;
        ensure!(ended.success, "the bundles did not verify:\n{}", ended.output);
        if best.as_ref().is_none_or(|best| ended.wall < best.wall) {
            best = Some(ended);
        }
    }
    let ended = best.context("three runs")?;
    let strict = floor::verifications(all);
    table.add(
        Figure::new(
            format!("{count} bundles verified, {all} cores"),
            ended.wall.as_secs_f64(),
            "s",
        )
        .floor(count as f64 / strict, format!("Ed25519 strict, {all} cores"))
        .cpu(ended.cpu.as_secs_f64() * 1e6 / count as f64)
        .goal(2.0, 2.0),
    );
    table.add(Figure::new("peak memory", ended.peak, "MB").goal(200.0, 200.0));
    gates(&project, &folder, &trust, table)
}

/// A trust file with one key, for statements.
pub fn write_trust(path: &Path, key: &VerifyKey) -> Result<()> {
    let pem = key.to_pem().replace('\n', "\n      ");
    let yaml = format!(
        "version: 1\nkeys:\n  - name: bench\n    purpose: statements\n    key: |\n      {}\n",
        pem.trim_end()
    );
    Ok(fs::write(path, yaml)?)
}

/// Copies of a project's statements, each chain with ids of its own; tells how many bundles there are.
fn write_chains(made: &Path, to: &Path, key: &PrivateKey) -> Result<usize> {
    let from = Folder::open(made)?;
    let mut known: BTreeMap<&str, (Statement, Digest)> = BTreeMap::new();
    for name in from.names(STATEMENT)? {
        let (payload, statement) = from.payload(&name)?;
        known.insert(statement.kind.name, (statement, Digest::of(&payload)));
    }
    let mut count = 0;
    let mut put = |statement: &Statement| -> Result<Digest> {
        let payload = statement.write().into_bytes();
        let digest = Digest::of(&payload);
        let envelope = Envelope::sign(PAYLOAD_TYPE, payload, key)?;
        let bundle = Bundle::of(envelope, key.public().hint());
        let name = format!("{}-{count:05}.bundle.json", statement.kind.name);
        fs::write(to.join(name), bundle.write())?;
        count += 1;
        Ok(digest)
    };
    put(&known.get("model").context("a model")?.0)?;
    for chain in 0..CHAINS {
        let mut anew: BTreeMap<Digest, Digest> = BTreeMap::new();
        for (at, kind) in ["prompt", "corpus", "eval", "route", "slo"].into_iter().enumerate() {
            let (statement, old) = known.get(kind).context("a statement of each type")?;
            let mut statement = statement.clone();
            statement.id = format!("{chain:08x}-{at:04x}-4000-8000-000000000000");
            for one in &mut statement.depends_on {
                one.digest = anew.get(&one.digest).copied().unwrap_or(one.digest);
            }
            anew.insert(*old, put(&statement)?);
        }
    }
    Ok(count)
}

fn gates(project: &Path, folder: &Path, trust: &Path, table: &mut Table) -> Result<()> {
    let trust = Trust::parse(&fs::read_to_string(trust)?, &|_| Err("no reference".into()))?;
    ensure!(trust.keys_for(Purpose::Statements).count() == 1, "one key");
    let mut paths: Vec<_> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    paths.sort();
    let blobs = paths.iter().map(|path| Blob {
        name: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        bytes: Ok(fs::read(path).unwrap_or_default()),
        proof: None,
    });
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
    let now = UnixMillis(u64::try_from(now.as_millis())?);
    let root = Root::open(project)?;
    let verified = verify(blobs, Some(&trust), Some(&root), &How { now, ..How::default() });
    let attested = verified.attested();
    ensure!(attested.len() == paths.len(), "{} of {} hold", attested.len(), paths.len());
    let proven: Vec<Proven<'_>> = attested
        .iter()
        .map(|one| Proven {
            place: one.files.first().copied().unwrap_or_default(),
            statement: one.statement,
            payload: one.payload,
            signers: &one.signers,
            stamped: one.stamped,
            logged: one.logged,
        })
        .collect();
    let facts = Facts { proven: &proven, changes: None, root: "", now };
    let policy = Policy::parse(&fs::read_to_string(project.join("countersign.gate.yaml"))?)?;
    let text = fs::read_to_string(project.join("countersign.gate.rego"))?;
    let rules = rego::Policy::parse(&[("gate.rego".into(), text)], rego::Dialect::V1)?;
    let (mut yaml, mut made, mut judged) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..TIMES {
        let begun = Instant::now();
        ensure!(black_box(policy.judge(&facts)).findings.is_empty(), "a gate is shut");
        yaml.push(begun.elapsed().as_secs_f64() * 1e3);
        let begun = Instant::now();
        let document = Document::of(&facts, verified.report(), &attested);
        made.push(begun.elapsed().as_secs_f64() * 1e3);
        ensure!(rules.judge(document)?.passes(), "a rule is violated");
        judged.push(begun.elapsed().as_secs_f64() * 1e3);
    }
    let count = attested.len();
    table.add(
        Figure::new(format!("gates in YAML over {count}"), least(&yaml), "ms").goal(100.0, 100.0),
    );
    table.add(
        Figure::new(format!("gates in Rego over {count}"), least(&judged), "ms").goal(300.0, 300.0),
    );
    table.add(Figure::new("of that, its input", least(&made), "ms"));
    Ok(())
}
