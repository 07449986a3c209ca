//! A feed of any size for figures, the same every time: hosts, hexadecimal tokens, phrases,
//! expressions over phrases and hosts, and characters that nobody sees.

/// Kind and pattern of each.
pub fn patterns(count: usize) -> Vec<(&'static str, String)> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let made = |n: usize| {
        let mut word = || WORDS[next(WORDS.len())];
        let (one, two, three, four) = (word(), word(), word(), word());
        match n % 10 {
            0 | 1 => ("substring", format!("{one}-{two}{n}.example")),
            2 => {
                let token = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                ("substring", format!("{token:016x}"))
            }
            3 | 4 => ("substring", format!("{one} the {two} {three} of {four}")),
            5 | 6 => ("regex", format!(r"(?i)\b{one}\s+(?:the|your|all)\s+{two}\s+{three}\b")),
            7 => ("regex", format!(r"(?i){one}.{{0,40}}{two} {three}")),
            8 => ("regex", format!(r"https?://[a-z0-9.]{{1,40}}\.{one}{n}\.example/\S{{1,80}}")),
            _ => {
                let (hidden, selector) = (0x2060 + n % 16, 0xe0100 + n % 240);
                ("unicode_signature", format!("{hidden:04X},{selector:05X}"))
            }
        }
    };
    (0..count).map(made).collect()
}

/// What the phrases are made of.
#[rustfmt::skip]
pub static WORDS: &[&str] = &[
    "absorb", "account", "admin", "agent", "amber", "answer", "archive", "attach", "balance", "banner", "basket",
    "beacon", "branch", "bridge", "budget", "bypass", "cancel", "canvas", "carbon", "castle", "channel", "cipher",
    "client", "cobalt", "collect", "command", "comment", "console", "context", "copper", "credential", "cursor",
    "debug", "decode", "delete", "desert", "detail", "device", "disable", "discard", "dragon", "effect", "embed",
    "engine", "entry", "escape", "execute", "expose", "fabric", "falcon", "filter", "forget", "forward", "frozen",
    "garden", "gateway", "ghost", "grant", "guard", "harbor", "hidden", "ignore", "import", "inject", "island",
    "jungle", "kernel", "ladder", "launch", "ledger", "legacy", "lender", "license", "linear", "locate", "magnet",
    "margin", "market", "master", "memory", "merge", "mirror", "module", "monitor", "native", "nebula", "notice",
    "object", "orange", "output", "override", "packet", "parent", "password", "payload", "pepper", "phantom",
    "pillar", "planet", "policy", "prefix", "prompt", "proxy", "purple", "quartz", "query", "random", "ransom",
    "record", "release", "remote", "replace", "report", "reset", "restore", "reveal", "rocket", "router", "sample",
    "secret", "select", "session", "shadow", "signal", "silent", "silver", "socket", "source", "spirit", "stream",
    "switch", "system", "tablet", "target", "tunnel", "unlock", "update", "upload", "vector", "velvet", "vendor",
    "verify", "violet", "virtual", "wallet", "window", "winter", "wizard", "zephyr", "zone",
];
