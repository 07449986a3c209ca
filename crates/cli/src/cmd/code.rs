//! `countersign code`: the page of a finding code.

use record::report::Code;

use crate::exit::{Exit, Failure, Outcome};
use crate::output;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign code CS-CHAIN-002
  countersign code             all codes")]
pub struct Args {
    /// The code, such as CS-CHAIN-002; without it, the list
    #[arg(value_name = "CODE")]
    code: Option<String>,
}

pub fn run(args: Args) -> Outcome {
    let page = match args.code {
        None => {
            Code::ALL.iter().map(|code| format!("{:<20}{}\n", code.id(), code.title())).collect()
        }
        Some(id) => Code::from_id(&id.to_ascii_uppercase())
            .ok_or_else(|| {
                Failure::new(
                    Exit::Usage,
                    format!("{id} is no finding code; `countersign code` lists them"),
                )
            })?
            .page(),
    };
    output::print(&page)?;
    Ok(Exit::Ok)
}
