//! `countersign log witness keygen`: a key of its own for a witness.

use std::path::{Path, PathBuf};

use seal::cosign::CosignerKey;
use seal::{SecretKey, Signer, Zeroizing};

use crate::exit::{Exit, Failure, Outcome};
use crate::output;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign log witness keygen --name witness.example/w1 --key w1.pem
  countersign log witness keygen --name witness.example/w1 --key w1.pem --show

One line is printed, the verifier key, so there is no --format: logs put it into their witness
policy.")]
pub struct Args {
    /// The witness's name: an address without scheme, such as witness.example/w1
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Where the private key goes; never overwritten
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Print the verifier key of the key that is there, make none
    #[arg(long)]
    show: bool,
}

pub fn run(args: &Args) -> Outcome {
    let secret = if args.show { read(&args.key)? } else { make(args)? };
    output::print(&format!("{}\n", vkey(&args.name, &secret)?))?;
    Ok(Exit::Ok)
}

/// The private key of a witness.
pub fn read(path: &Path) -> Result<SecretKey, Failure> {
    let text = Zeroizing::new(output::read_text(path, 64 << 10)?);
    SecretKey::from_pem(&text)
        .map_err(|error| Failure::new(Exit::Config, format!("{}: {error}", path.display())))
}

fn make(args: &Args) -> Result<SecretKey, Failure> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *seed).map_err(|error| {
        Failure::new(Exit::Internal, format!("the system gives no random bytes: {error}"))
    })?;
    let secret = SecretKey::from_seed(*seed);
    // A name that cannot be one leaves no file behind.
    vkey(&args.name, &secret)?;
    output::create(&args.key, secret.to_pem().as_bytes(), true)?;
    Ok(secret)
}

fn vkey(name: &str, secret: &SecretKey) -> Result<CosignerKey, Failure> {
    CosignerKey::new(name, secret.public().clone()).ok_or_else(|| {
        Failure::new(Exit::Usage, "--name must not be empty nor hold white space or `+`")
    })
}
