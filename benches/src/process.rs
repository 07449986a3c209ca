//! Processes under measurement, through what the kernel says of them.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// A child that listens; ended when this is dropped.
pub struct Process {
    child: Child,
    /// Its port.
    pub port: u16,
}

impl Process {
    /// Starts it and waits until it prints `127.0.0.1:<port>`.
    pub fn start(mut command: Command) -> Result<Self> {
        let name = command.get_program().to_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .with_context(|| format!("{} starts; `./x build` makes it", name.display()))?;
        // from here on the drop ends it, also when it says nothing useful
        let mut process = Self { child, port: 0 };
        let output = process.child.stdout.take().context("stdout is piped")?;
        let mut lines = BufReader::new(output).lines();
        let port = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("127.0.0.1:")?;
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse().ok()
        });
        // somebody has to read the rest, or the child would wait for room in the pipe
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
        process.port = port.with_context(|| format!("{} printed no address", name.display()))?;
        Ok(process)
    }

    /// Starts one that says nothing, and waits until `port` takes connections.
    pub fn start_on(mut command: Command, port: u16) -> Result<Self> {
        let name = command.get_program().to_owned();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} starts", name.display()))?;
        let mut process = Self { child, port };
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if process.child.try_wait()?.is_some() {
                bail!("{} ended at once", name.display());
            }
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(process);
            }
            std::thread::sleep(POLL);
        }
        bail!("{} takes no connections", name.display())
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(mut self) -> Result<()> {
        let id = self.child.id().to_string();
        // the standard library only knows how to kill
        let asked = Command::new("kill").args(["-TERM", &id]).status()?;
        ensure!(asked.success(), "kill -TERM {id} failed");
        self.child.wait()?;
        Ok(())
    }

    /// User and system time so far.
    pub fn cpu(&self) -> Result<Duration> {
        times(&format!("/proc/{}/stat", self.child.id()), 11)
    }

    /// A figure of its memory in MB: `VmRSS` or `VmHWM`.
    pub fn memory(&self, field: &str) -> Result<f64> {
        memory(self.child.id(), field).with_context(|| format!("{field} of a running process"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program that ran to its end came to.
pub struct Ended {
    /// Whether it said all is well.
    pub success: bool,
    /// How long it ran.
    pub wall: Duration,
    /// User and system time.
    pub cpu: Duration,
    /// The most memory it held, MB.
    pub peak: f64,
    /// What it printed.
    pub output: String,
}

/// Runs a program to its end.
pub fn run(mut command: Command) -> Result<Ended> {
    let name = command.get_program().to_owned();
    let before = children()?;
    let begun = std::time::Instant::now();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} starts; `./x build` makes it", name.display()))?;
    let output = child.stdout.take().context("stdout is piped")?;
    let reader = std::thread::spawn(move || std::io::read_to_string(output).unwrap_or_default());
    let mut peak: f64 = 0.0;
    // the kernel forgets the peak when the process ends, so it is read while it runs
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        peak = memory(child.id(), "VmHWM").map_or(peak, |now| peak.max(now));
        std::thread::sleep(POLL);
    };
    let wall = begun.elapsed();
    let cpu = children()?.saturating_sub(before);
    let output = reader.join().unwrap_or_default();
    Ok(Ended { success: status.success(), wall, cpu, peak, output })
}

const POLL: Duration = Duration::from_millis(2);
const PATIENCE: Duration = Duration::from_secs(5);

/// User and system time of this process.
pub fn own() -> Result<Duration> {
    times("/proc/self/stat", 11)
}

/// User and system time of all children that have ended.
fn children() -> Result<Duration> {
    times("/proc/self/stat", 13)
}

/// Two neighbouring fields of a stat file, counted from behind the name.
fn times(path: &str, first: usize) -> Result<Duration> {
    let stat = std::fs::read_to_string(path)?;
    let (_, fields) = stat.rsplit_once(") ").context("a stat line")?;
    let ticks = fields.split(' ').skip(first).take(2).map(str::parse::<u64>);
    let ticks = ticks.sum::<Result<u64, _>>()?;
    // USER_HZ is 100 on every architecture that Linux runs on today
    Ok(Duration::from_millis(ticks * 10))
}

fn memory(id: u32, field: &str) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(field))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib * 1024.0 / 1e6)
}
