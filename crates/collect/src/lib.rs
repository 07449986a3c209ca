//! From files to statements: a root that no path leaves, digests by all cores, configurations in YAML,
//! and a folder that is only added to.
//!
//! Every file is opened once; what its length and times were before it was read they must be after.

mod batch;
mod cache;
mod config;
mod copy;
mod folder;
mod git;
mod hash;
mod make;
mod near;
mod open;
mod project;
mod tree;
mod yaml;

pub use batch::Batch;
pub use cache::{Cache, Known as Cached, write as write_cache};
pub use config::{Config, ConfigError, LIMIT as CONFIG_LIMIT, Mode, Wanted, is_computed};
pub use copy::Copy;
pub use folder::{BUNDLE, Folder, FolderError, Known, STATEMENT, name_of};
pub use git::{Commit, GitError, Later, Repository, listed_changes};
pub use hash::{Asked, Hashed, hash};
pub use make::{Checkout, Made, MakeError, Order, among, make};
pub use open::{Opened, Root, Stamp};
pub use project::{Listed, Project};
