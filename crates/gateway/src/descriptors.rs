//! How many connections fit into the open files that the system grants. A gateway without a
//! descriptor left could neither answer nor begin its journal's next segment, so it keeps some back
//! instead of learning it at the worst moment.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Connections of callers and operators at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Connections {
    pub(crate) data: usize,
    pub(crate) admin: usize,
}

impl Connections {
    /// As many as `wanted`, or as fit. Raises the soft limit of open files where that helps.
    pub(crate) fn of(wanted: u32) -> Connections {
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        let mut granted = current.unwrap_or(u64::MAX);
        let needed = u64::from(wanted) * 2 + OWN;
        if granted < needed {
            let raised = needed.min(maximum.unwrap_or(u64::MAX));
            if setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum }).is_ok() {
                granted = raised;
            }
        }
        let fit = Connections::within(granted, wanted);
        if fit.data < wanted as usize {
            tracing::warn!(
                wanted,
                connections = fit.data,
                open_files = granted,
                "fewer connections than configured: raise the limit of open files (ulimit -n)"
            );
        }
        fit
    }

    /// A caller needs two: its own connection and the one to the upstream.
    fn within(granted: u64, wanted: u32) -> Connections {
        let for_callers = granted.saturating_sub(OWN.min(granted / 2)) / 2;
        let data = usize::try_from(for_callers).unwrap_or(usize::MAX);
        let admin = usize::try_from(granted / 8).unwrap_or(usize::MAX);
        Connections { data: data.clamp(1, (wanted as usize).max(1)), admin: admin.clamp(1, ADMIN) }
    }
}

/// Connections of operators.
const ADMIN: usize = 64;
/// What the gateway itself has open, operators included, with room to spare.
const OWN: u64 = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_kept_back() {
        let within = |granted, wanted| {
            let fit = Connections::within(granted, wanted);
            (fit.data, fit.admin)
        };
        assert_eq!(within(u64::MAX, 1024), (1024, 64));
        assert_eq!(within(1024 * 2 + 128, 1024), (1024, 64));
        assert_eq!(within(1024, 1024), (448, 64));
        assert_eq!(within(64, 1024), (16, 8));
        assert_eq!(within(2, 1024), (1, 1));
    }
}
