//! Being asked to end.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::exit::{Exit, Failure};

/// Whether SIGINT or SIGTERM came.
pub struct Stop(Arc<(Mutex<bool>, Condvar)>);

impl Stop {
    /// From here on the two signals no longer end the process by themselves.
    pub fn install() -> Result<Stop, Failure> {
        let failed = |error: std::io::Error| Failure::new(Exit::Internal, error.to_string());
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (mut interrupt, mut terminate) = {
            let _inside = runtime.enter();
            (
                signal(SignalKind::interrupt()).map_err(failed)?,
                signal(SignalKind::terminate()).map_err(failed)?,
            )
        };
        let asked = Arc::new((Mutex::new(false), Condvar::new()));
        let told = asked.clone();
        std::thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            });
            *told.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
            told.1.notify_all();
        });
        Ok(Stop(asked))
    }

    /// Whether it was asked.
    pub fn is_asked(&self) -> bool {
        *self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for so long, or until it is asked; says whether it was.
    pub fn wait(&self, time: Duration) -> bool {
        let (asked, changed) = &*self.0;
        let asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = changed.wait_timeout_while(asked, time, |asked| !*asked);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
