//! The machine around a product under test: a small disk of its own, another account.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A small disk, mounted where nobody else sees it: in a mount namespace that ends with this value.
/// As root or, where the system lets everybody have one, in a user namespace.
pub struct Disk {
    holder: Child,
    users: bool,
    mounted: PathBuf,
}

impl Disk {
    /// Mounts `size` at `dir`; `None`, said on stderr, where this account may not.
    pub fn mount(dir: &Path, size: &str) -> Option<Disk> {
        for (flags, users) in [("-m", false), ("-rm", true)] {
            let script =
                "mount -t tmpfs -o mode=0700,size=\"$2\" none \"$1\" && echo mounted && exec cat";
            let mut holder = Command::new("unshare")
                .args([flags, "sh", "-c", script, "sh"])
                .arg(dir)
                .arg(size)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .ok()?;
            let mut said = String::new();
            let mut out = BufReader::new(holder.stdout.take().expect("stdout is piped"));
            let _ = out.read_line(&mut said);
            if said.trim() == "mounted" {
                return Some(Disk { holder, users, mounted: dir.to_owned() });
            }
            let _ = holder.kill();
            let _ = holder.wait();
        }
        skipped("this account may not mount a small disk: a full one is not tried");
        None
    }

    /// A command that sees the disk.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.holder.id().to_string(), "--mount"]);
        if self.users {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg("--").arg(program);
        command
    }

    /// The disk as this process sees it.
    pub fn path(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.mounted.strip_prefix("/").expect("an absolute path"))
    }

    /// Fills the disk until so many bytes are free, more or less a page.
    pub fn fill(&self, free: usize) {
        let mut file = fs::OpenOptions::new();
        let file = file.create(true).append(true).open(self.path().join("filler"));
        let mut file = file.expect("a filler");
        while file.write_all(&[b'x'; 4096]).is_ok() {}
        if free > 0 {
            let length = file.metadata().expect("its length").len();
            file.set_len(length - free as u64).expect("shortened");
        }
    }

    /// Makes room again.
    pub fn empty(&self) {
        fs::remove_file(self.path().join("filler")).expect("removed");
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// An account for which the modes of files count: nobody, or whoever runs the tests if that is not
/// root.
pub struct OtherAccount {
    root: bool,
    binary: PathBuf,
    own: (u32, u32),
}

const NOBODY: u32 = 65_534;

impl OtherAccount {
    /// The account, which owns `home` from now on.
    pub fn of(home: &Path) -> OtherAccount {
        let found = fs::metadata(home).expect("the directory");
        let root = found.uid() == 0;
        let own = if root { (NOBODY, NOBODY) } else { (found.uid(), found.gid()) };
        let mut account =
            OtherAccount { root, binary: env!("CARGO_BIN_EXE_countersign").into(), own };
        account.own(home);
        if !account.command().arg("--version").output().is_ok_and(|out| out.status.success()) {
            // Built where nobody else may look: a copy for it.
            let copy = home.join("countersign-under-test");
            fs::copy(&account.binary, &copy).expect("a copy");
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("its mode");
            account.binary = copy;
        }
        account
    }

    /// Whether it is another one than that of the tests.
    pub fn is_another(&self) -> bool {
        self.root
    }

    /// Its group.
    pub fn group(&self) -> u32 {
        self.own.1
    }

    /// Gives it a directory.
    pub fn own(&self, path: &Path) {
        if self.root {
            let (user, group) = self.own;
            std::os::unix::fs::chown(path, Some(user), Some(group)).expect("given away");
        }
    }

    /// `countersign` as this account.
    pub fn command(&self) -> Command {
        if !self.root {
            return Command::new(&self.binary);
        }
        let mut command = Command::new("setpriv");
        let (user, group) = self.own;
        command.args([format!("--reuid={user}"), format!("--regid={group}")]);
        command.args(["--clear-groups", "--"]).arg(&self.binary);
        command
    }
}

/// Says that a test was not run for want of something, past the test harness, which would swallow
/// what a passing test prints.
pub fn skipped(why: &str) {
    let _ = std::io::stderr().write_all(format!("\nSKIPPED: {why}\n").as_bytes());
}

/// A digest of every name, mode and byte below a directory.
pub fn hash(dir: &Path) -> String {
    fn walk(dir: &Path, into: &mut Vec<u8>) {
        let listed = fs::read_dir(dir).expect("listed");
        let mut paths: Vec<PathBuf> = listed.map(|entry| entry.expect("an entry").path()).collect();
        paths.sort();
        for path in paths {
            let found = fs::symlink_metadata(&path).expect("there");
            into.extend(format!("{} {:o}\n", path.display(), found.mode()).bytes());
            if found.is_dir() {
                walk(&path, into);
            } else if !std::os::unix::fs::FileTypeExt::is_socket(&found.file_type()) {
                into.extend(fs::read(&path).expect("read"));
            }
        }
    }
    let mut all = Vec::new();
    walk(dir, &mut all);
    seal::digest::Digest::of(&all).to_string()
}
