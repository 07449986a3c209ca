//! `countersign feed unsubscribe`: a feed's indicators no longer count here.

use std::path::Path;

use countersign::feeds::Slot;
use record::report::ExitClass;
use seal::json::Value;

use super::consume;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::{self, Format};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  countersign feed unsubscribe alpha/core
  countersign feed unsubscribe alpha.example/alpha/core

Its indicators no longer count, those that were kept included. The ledger goes on knowing what was
accepted: whoever subscribes again gets nothing older. A subscription whose files were changed is
removed by its whole slot, as `.countersign/feeds/<slot>.json` is named.

Exit codes: 0 done; 10 no such subscription; 64 the name is that of several; 69 the ledger is
unreachable.")]
pub struct Args {
    /// Feed id, issuer/feed id or slot, as `feed list` shows them
    name: String,
    /// How to print
    #[arg(long, default_value = "table")]
    format: Format,
}

pub fn run(args: &Args, dir: &Path) -> Outcome {
    let missing = || {
        let text = format!("no subscription is called {:?}: see `feed list`", args.name);
        Failure::new(Exit::Evidence(ExitClass::Missing), text)
    };
    let (store, all) = consume::load_all(dir)?;
    let store = store.ok_or_else(missing)?;
    let slot = match Slot::from_hex(&args.name) {
        Some(slot) => slot,
        None => {
            let names = std::slice::from_ref(&args.name);
            match consume::chosen(all.held, names)?.as_slice() {
                [one] => one.slot,
                several => {
                    let slots: Vec<String> = several.iter().map(|h| h.slot.hex()).collect();
                    let text = format!("several are called so, say which: {}", slots.join(", "));
                    return Err(Failure::new(Exit::Usage, text));
                }
            }
        }
    };
    let writing = store.write().map_err(consume::failure)?;
    let mut memory = consume::memory(dir, &store);
    if !writing.unsubscribe(slot, memory.as_mut()).map_err(consume::offer_failure)? {
        return Err(missing());
    }
    match args.format {
        Format::Json => output::json(&Value::object([("unsubscribed", Value::from(slot.hex()))]))?,
        Format::Table => output::print(&format!("unsubscribed {slot}\n"))?,
    }
    Ok(Exit::Ok)
}
