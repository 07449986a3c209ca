//! A disk that loses what was not synced, as disks do: any sectors, in any order, and names too.
//!
//! The model is harsher than most real disks. Content is durable only by `sync` of its file, names
//! only by `sync_dir`. A crash keeps an arbitrary choice of the unsynced 512-byte sectors, an
//! arbitrary part of the file's growth (unwritten parts read as zeros) and an arbitrary choice of
//! the unsynced creations, renames and removals. A sync that fails drops what it should have
//! written: a later sync of the same file reports success and does not bring it back.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use ledger::store::{Item, Source, Store};

use crate::rng::Rng;

const SECTOR: usize = 512;

/// The store. Clean until told to fail.
#[derive(Debug, Default)]
pub struct FaultStore {
    disk: Mutex<Disk>,
}

/// What happens at one step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The step fails with this error and does nothing.
    Error(io::ErrorKind),
    /// The same with an error number of the system, for errors without a kind of their own.
    Os(i32),
    /// A write stops half way with this error; any other step fails and does nothing.
    Half(io::ErrorKind),
    /// The step is done as asked, and fails all the same: the answer was lost, not the act.
    Done(io::ErrorKind),
    /// The power goes: this step may have begun, and nothing works after it.
    Crash,
}

/// A promise the store can be told to break, to show that tests notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// `sync` says yes and does nothing.
    Sync,
    /// `sync_dir` says yes and does nothing.
    SyncDir,
}

#[derive(Debug, Default, Clone)]
struct Disk {
    inodes: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    pending: Vec<Renaming>,
    aside: BTreeMap<String, Vec<u8>>,
    steps: Vec<&'static str>,
    faults: BTreeMap<usize, Fault>,
    looks: usize,
    look_faults: BTreeMap<usize, io::ErrorKind>,
    lie: Option<Lie>,
    down: bool,
}

/// What becomes of a step that was begun.
#[derive(Debug, Default)]
struct Act {
    /// Only half of the bytes are written.
    half: bool,
    /// What the caller is told in the end.
    error: Option<io::Error>,
}

impl Act {
    fn end(self) -> io::Result<()> {
        self.error.map_or(Ok(()), Err)
    }
}

#[derive(Debug, Default, Clone)]
struct Inode {
    /// What the system shows.
    content: Vec<u8>,
    /// What the disk holds.
    durable: Vec<u8>,
    /// Sectors the disk does not hold yet.
    dirty: BTreeSet<usize>,
}

/// A change of names the disk does not hold yet.
#[derive(Debug, Clone)]
enum Renaming {
    Create(String, usize),
    Rename(String, String, usize),
    Remove(String),
}

impl FaultStore {
    /// An empty disk that works.
    pub fn new() -> FaultStore {
        FaultStore::default()
    }

    /// A disk with these files, all durable.
    pub fn of(files: BTreeMap<String, Vec<u8>>) -> FaultStore {
        let mut disk = Disk::default();
        for (name, content) in files {
            let durable = content.clone();
            disk.names.insert(name, disk.inodes.len());
            disk.inodes.push(Inode { content, durable, dirty: BTreeSet::new() });
        }
        disk.durable_names = disk.names.clone();
        FaultStore { disk: Mutex::new(disk) }
    }

    /// Breaks a promise from now on.
    pub fn lie(&self, lie: Lie) {
        self.disk().lie = Some(lie);
    }

    /// Plans a fault at a step, counted from 0 over all writing operations since the store was made.
    pub fn fault_at(&self, step: usize, fault: Fault) {
        self.disk().faults.insert(step, fault);
    }

    /// Plans an error of a look (listing, length or reading), counted from 0 since the store was
    /// made.
    pub fn fault_at_look(&self, look: usize, kind: io::ErrorKind) {
        self.disk().look_faults.insert(look, kind);
    }

    /// How many looks there were.
    pub fn looks(&self) -> usize {
        self.disk().looks
    }

    /// The names of the steps so far.
    pub fn steps(&self) -> Vec<&'static str> {
        self.disk().steps.clone()
    }

    /// What was set aside.
    pub fn aside(&self) -> BTreeMap<String, Vec<u8>> {
        self.disk().aside.clone()
    }

    /// What the system shows now.
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let disk = self.disk();
        let content = |&inode: &usize| disk.inodes[inode].content.clone();
        disk.names.iter().map(|(name, inode)| (name.clone(), content(inode))).collect()
    }

    /// The disk as one of the possible crashes right now would leave it. This store is not changed.
    pub fn crash(&self, seed: u64) -> FaultStore {
        let disk = self.disk().clone();
        let mut rng = Rng::new(seed);
        // Some crashes lose nearly everything, some nearly nothing.
        let keep = [0, 20, 50, 80, 100][rng.below(5) as usize];
        let mut names = disk.durable_names.clone();
        for change in &disk.pending {
            if rng.chance(keep) {
                apply(&mut names, change);
            }
        }
        let after: Vec<Vec<u8>> =
            disk.inodes.iter().map(|inode| survive(inode, keep, &mut rng)).collect();
        let files = names.into_iter().map(|(name, inode)| (name, after[inode].clone())).collect();
        let crashed = FaultStore::of(files);
        crashed.disk().aside = disk.aside;
        crashed
    }

    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn apply(names: &mut BTreeMap<String, usize>, change: &Renaming) {
    match change {
        Renaming::Create(name, inode) => drop(names.insert(name.clone(), *inode)),
        Renaming::Rename(from, to, inode) => {
            names.remove(from);
            names.insert(to.clone(), *inode);
        }
        Renaming::Remove(name) => drop(names.remove(name)),
    }
}

/// One file after a crash.
fn survive(inode: &Inode, keep: u64, rng: &mut Rng) -> Vec<u8> {
    let (old, new) = (inode.durable.len(), inode.content.len());
    let (short, long) = (old.min(new), old.max(new));
    let length = match rng.below(4) {
        0 => old,
        1 => new,
        // Growth that reached some sector, or some byte.
        2 => (short + rng.below((long - short + 1) as u64) as usize).div_ceil(SECTOR) * SECTOR,
        _ => short + rng.below((long - short + 1) as u64) as usize,
    };
    let length = length.clamp(short, long);
    let mut after = inode.durable.clone();
    after.resize(length, 0);
    for &sector in &inode.dirty {
        if rng.chance(keep) {
            copy_sector(&mut after, &inode.content, sector);
        }
    }
    after
}

fn copy_sector(to: &mut [u8], from: &[u8], sector: usize) {
    let start = sector * SECTOR;
    let end = (start + SECTOR).min(to.len()).min(from.len());
    if start < end {
        to[start..end].copy_from_slice(&from[start..end]);
    }
}

impl Disk {
    /// Counts a step and says how much of it is to be done.
    fn step(&mut self, name: &'static str) -> io::Result<Act> {
        if self.down {
            return Err(io::Error::other("the power is off"));
        }
        let fault = self.faults.get(&self.steps.len()).copied();
        self.steps.push(name);
        let part = |error: io::Error| {
            if name == "append" { Ok(Act { half: true, error: Some(error) }) } else { Err(error) }
        };
        match fault {
            None => Ok(Act::default()),
            Some(Fault::Error(kind)) => Err(kind.into()),
            Some(Fault::Os(number)) => Err(io::Error::from_raw_os_error(number)),
            Some(Fault::Half(kind)) => part(kind.into()),
            Some(Fault::Done(kind)) => Ok(Act { half: false, error: Some(kind.into()) }),
            Some(Fault::Crash) => {
                self.down = true;
                // An append may have begun; the rest is atomic and did not happen. That it happened
                // without an answer is the crash at the step after it.
                part(io::Error::other("the power went off"))
            }
        }
    }

    /// Counts a look.
    fn look(&mut self) -> io::Result<()> {
        let fault = self.look_faults.get(&self.looks).copied();
        self.looks += 1;
        fault.map_or(Ok(()), |kind| Err(kind.into()))
    }

    fn inode(&self, name: &str) -> io::Result<usize> {
        self.names.get(name).copied().ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn change(&mut self, change: Renaming) {
        apply(&mut self.names, &change);
        self.pending.push(change);
    }
}

impl Source for FaultStore {
    fn list(&self) -> io::Result<Vec<Item>> {
        let mut disk = self.disk();
        disk.look()?;
        Ok(disk.names.keys().cloned().map(Item::File).collect())
    }

    fn len(&self, name: &str) -> io::Result<u64> {
        let mut disk = self.disk();
        disk.look()?;
        let inode = disk.inode(name)?;
        Ok(disk.inodes[inode].content.len() as u64)
    }

    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut disk = self.disk();
        disk.look()?;
        let content = &disk.inodes[disk.inode(name)?].content;
        let rest = content.get(offset as usize..).unwrap_or(&[]);
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

impl Store for FaultStore {
    fn create(&self, name: &str) -> io::Result<()> {
        let mut disk = self.disk();
        let act = disk.step("create")?;
        if disk.names.contains_key(name) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = disk.inodes.len();
        disk.inodes.push(Inode::default());
        disk.change(Renaming::Create(name.to_owned(), inode));
        act.end()
    }

    fn append(&self, name: &str, at: u64, bytes: &[u8]) -> io::Result<()> {
        let mut disk = self.disk();
        let act = disk.step("append")?;
        let inode = disk.inode(name)?;
        let inode = &mut disk.inodes[inode];
        if inode.content.len() as u64 != at {
            return Err(io::Error::other("the file has another length than its writer left"));
        }
        let written = if act.half { &bytes[..bytes.len() / 2] } else { bytes };
        let from = inode.content.len() / SECTOR;
        inode.content.extend_from_slice(written);
        inode.dirty.extend(from..inode.content.len().div_ceil(SECTOR));
        act.end()
    }

    fn sync(&self, name: &str) -> io::Result<()> {
        let mut disk = self.disk();
        let step = disk.step("sync");
        if disk.down {
            return step.map(drop);
        }
        let lying = disk.lie == Some(Lie::Sync);
        let inode = disk.inode(name)?;
        let inode = &mut disk.inodes[inode];
        match step {
            _ if lying => Ok(()),
            Ok(act) => {
                inode.durable.resize(inode.content.len(), 0);
                for sector in std::mem::take(&mut inode.dirty) {
                    copy_sector(&mut inode.durable, &inode.content, sector);
                }
                act.end()
            }
            Err(error) => {
                // The pages count as clean now, and the disk never got them.
                inode.dirty.clear();
                Err(error)
            }
        }
    }

    fn truncate(&self, name: &str, length: u64) -> io::Result<()> {
        let mut disk = self.disk();
        let act = disk.step("truncate")?;
        let inode = disk.inode(name)?;
        let inode = &mut disk.inodes[inode];
        // Meanwhile the disk may have taken what was written. The cut is another matter: until it
        // is synced, a crash brings back what was cut off, in part beneath what came later.
        inode.durable.resize(inode.content.len(), 0);
        for sector in std::mem::take(&mut inode.dirty) {
            copy_sector(&mut inode.durable, &inode.content, sector);
        }
        inode.content.truncate(length as usize);
        act.end()
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut disk = self.disk();
        let act = disk.step("rename")?;
        let inode = disk.inode(from)?;
        disk.change(Renaming::Rename(from.to_owned(), to.to_owned(), inode));
        act.end()
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut disk = self.disk();
        let act = disk.step("remove")?;
        disk.inode(name)?;
        disk.change(Renaming::Remove(name.to_owned()));
        act.end()
    }

    fn sync_dir(&self, name: &str) -> io::Result<()> {
        let mut disk = self.disk();
        let act = disk.step("sync_dir")?;
        if disk.lie == Some(Lie::SyncDir) {
            return Ok(());
        }
        let dir = directory(name);
        let (done, left): (Vec<Renaming>, Vec<Renaming>) =
            std::mem::take(&mut disk.pending).into_iter().partition(|change| match change {
                Renaming::Create(name, _)
                | Renaming::Rename(name, _, _)
                | Renaming::Remove(name) => directory(name) == dir,
            });
        disk.pending = left;
        done.iter().for_each(|change| apply(&mut disk.durable_names, change));
        act.end()
    }

    fn set_aside(&self, name: &str, bytes: &[u8]) -> io::Result<String> {
        let mut disk = self.disk();
        let act = disk.step("set_aside")?;
        disk.aside.insert(name.to_owned(), bytes.to_vec());
        act.end()?;
        Ok(format!("aside:{name}"))
    }
}

fn directory(name: &str) -> &str {
    name.rsplit_once('/').map_or("", |(dir, _)| dir)
}
