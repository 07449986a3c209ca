//! `countersign keys generate`.

use std::path::{Path, PathBuf};

use countersign::identity::new_secret_key;
use record::trust::{Purpose, Trust, TrustKey};
use seal::Zeroizing;
use seal::json::Value;

use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What it is for: root, receipts, decisions, capabilities, feed, statements, vsa, approvals, hmac
    purpose: String,
    /// The private file; default: countersign-PURPOSE.pem (for hmac .hex). The public key goes
    /// beside it, as NAME.pub.pem
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Its name in reports, and for hmac its key id; default: the purpose
    #[arg(long)]
    name: Option<String>,
    /// Which agent the key signs as (receipts), or the issuer it publishes for (feed)
    #[arg(long, value_name = "AGENT")]
    agent_id: Option<String>,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: Args, dir: &Path) -> Outcome {
    let usage = |why: String| Failure::new(Exit::Usage, why);
    let purpose: Purpose = args.purpose.parse().map_err(|_| {
        usage("expected root, receipts, decisions, capabilities, feed, statements, vsa, approvals or hmac".into())
    })?;
    if purpose == Purpose::Tsa {
        return Err(usage("a timestamp authority makes its own key: add its root certificate with `countersign trust add`".into()));
    }
    let name = args.name.unwrap_or_else(|| purpose.to_string());
    if purpose == Purpose::Hmac && !record::keychange::is_secret_id(&name) {
        return Err(usage(
            "--name: the id of an hmac key has up to 64 letters, digits and _ . : -".into(),
        ));
    }
    let ending = if purpose == Purpose::Hmac { "hex" } else { "pem" };
    let file = args.out.unwrap_or_else(|| dir.join(format!("countersign-{purpose}.{ending}")));
    let made = new_secret_key().map_err(super::super::agent::failure)?;
    let public = seal::Signer::public(&made).clone();
    let mut key = match purpose {
        Purpose::Hmac => {
            let reference = format!("file:{}", file.display());
            TrustKey::hmac(name.as_str(), Zeroizing::new(made.seed().to_vec()), Some(reference))
        }
        _ => TrustKey::public(name.as_str(), purpose, public.clone()),
    };
    key.agent_id = match &args.agent_id {
        None => None,
        Some(issuer) if purpose == Purpose::Feed => {
            key.issuer = Some(issuer.clone());
            None
        }
        Some(id) => Some(id.parse().map_err(|error| usage(format!("--agent-id: {error}")))?),
    };
    let mut trust = Trust::empty();
    trust.add_key(key).map_err(|error| usage(error.to_string()))?;
    let yaml = trust.to_yaml();
    let entry: String = yaml
        .lines()
        .filter(|line| line.starts_with("  "))
        .map(|line| format!("{line}\n"))
        .collect();

    let beside = file.with_extension("pub.pem");
    let (added, shown) = match purpose {
        Purpose::Hmac => {
            let line = Zeroizing::new(format!("{}\n", seal::hex::encode(&made.seed()[..])));
            output::create(&file, line.as_bytes(), true)?;
            (format!("--reference {}", output::safe(&format!("file:{}", file.display()))), None)
        }
        _ => {
            output::create(&file, made.to_pem().as_bytes(), true)?;
            output::create(&beside, public.to_pem().as_bytes(), false)?;
            (format!("--key {}", output::path(&beside)), Some(&public))
        }
    };
    match args.format {
        Format::Table => {
            let mut text = format!("private   {}\n", output::path(&file));
            if let Some(public) = shown {
                text += &format!(
                    "public    {}\nkey id    {}\nprint     {}\n",
                    output::path(&beside),
                    public.key_id(),
                    public.fingerprint()
                );
            }
            text += &format!("\nIn the trust file of everyone who verifies, under keys:\n{entry}");
            text += &format!(
                "\nor: countersign trust add --name {} --purpose {purpose} {added}\n",
                output::safe(&name)
            );
            if purpose == Purpose::Root {
                text += "\nMove the private file to where no gateway runs, and keep a copy.\n";
            }
            output::print(&text)?;
        }
        Format::Json => output::json(&Value::object([
            ("purpose", purpose.as_str().into()),
            ("name", name.as_str().into()),
            ("private_key", file.display().to_string().into()),
            ("public_key", shown.map(|_| beside.display().to_string()).into()),
            ("key_id", shown.map(|public| public.key_id().to_string()).into()),
            ("fingerprint", shown.map(|public| public.fingerprint().to_string()).into()),
            ("trust_entry", entry.as_str().into()),
        ]))?,
    }
    Ok(Exit::Ok)
}
