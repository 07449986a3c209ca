//! A process under measurement, through what the kernel says of it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

/// `countersign up`, ended when this is dropped.
pub struct Process {
    child: Child,
    /// Its data port.
    pub port: u16,
}

impl Process {
    /// Starts it on `dir` and waits for its address.
    pub fn up(binary: &Path, dir: &Path) -> Result<Self> {
        let mut child = Command::new(binary)
            .arg("--dir")
            .arg(dir)
            .arg("up")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("stdout is piped")?).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("http://127.0.0.1:")?;
            let (port, _) = rest.split_once("/v1")?;
            port.parse().ok()
        });
        // Somebody has to read the rest, or the process would wait for room in the pipe.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        let port = port.context("countersign up printed no address")?;
        Ok(Self { child, port })
    }

    /// User and system time so far.
    pub fn cpu(&self) -> Result<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let (_, fields) = stat.rsplit_once(") ").context("a stat line")?;
        let ticks: u64 =
            fields.split(' ').skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
        // Linux counts these in hundredths of a second everywhere it runs today.
        Ok(Duration::from_millis(ticks * 10))
    }

    /// Resident memory now.
    pub fn resident_kib(&self) -> Result<u64> {
        status(self.child.id(), "VmRSS:").context("resident memory")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A figure of `/proc/<id>/status` in KiB.
pub fn status(id: u32, field: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
