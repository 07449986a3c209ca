//! All files below a directory.

use attest::files::FileError;
use rustix::fs::{AtFlags, Dir, FileType, statat};

use crate::open::{Root, told};

/// Most files of a tree that are listed: more than a statement can name.
const MOST: usize = 1_000_000;

/// Their paths below the root, sorted by their bytes. Directories alone leave no trace; whatever is
/// neither a file nor a directory is an error.
pub fn list(root: &Root, dir: &str) -> Result<Vec<String>, FileError> {
    walk(root, dir).map_err(|(path, error)| match error {
        // who asks knows the directory only
        FileError::Outside if path != dir => odd(&path, "a symbolic link"),
        FileError::Special if path != dir => odd(&path, "neither a file nor a directory"),
        error => error,
    })
}

/// The same; an error comes with the path that it is about.
pub fn walk(root: &Root, dir: &str) -> Result<Vec<String>, (String, FileError)> {
    let first = if dir == attest::Tree::ROOT { "" } else { dir };
    let (mut found, mut open) = (Vec::new(), vec![first.to_owned()]);
    while let Some(dir) = open.pop() {
        let failed = |error| (dir.clone(), error);
        let opened = root.directory(&dir).map_err(failed)?;
        let entries = Dir::read_from(&opened).map_err(|error| failed(told(error)))?;
        for entry in entries {
            let entry = entry.map_err(|error| failed(told(error)))?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let kind = match entry.file_type() {
                // not every file system tells
                FileType::Unknown => {
                    let stat = statat(&opened, name, AtFlags::SYMLINK_NOFOLLOW);
                    FileType::from_raw_mode(stat.map_err(|error| failed(told(error)))?.st_mode)
                }
                kind => kind,
            };
            let place = |name: &str| match dir.is_empty() {
                true => name.to_owned(),
                false => format!("{dir}/{name}"),
            };
            let Ok(text) = name.to_str() else {
                let name = place(&name.to_string_lossy());
                let why = format!("{name:?} is no UTF-8 name");
                return Err((name, FileError::Unreadable(why)));
            };
            let path = place(text);
            match kind {
                FileType::Directory => open.push(path),
                FileType::RegularFile => found.push(path),
                FileType::Symlink => return Err((path, FileError::Outside)),
                _ => return Err((path, FileError::Special)),
            }
            if found.len() + open.len() > MOST {
                let why = format!("more than {MOST} files lie below it");
                return Err((first.to_owned(), FileError::Unreadable(why)));
            }
        }
    }
    // names are bytes, and so is their order
    found.sort_unstable();
    Ok(found)
}

fn odd(path: &str, what: &str) -> FileError {
    FileError::Unreadable(format!("{path:?} is {what}, and only files can be attested"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use attest::files::Files as _;

    #[test]
    fn files_are_listed_at_any_depth_in_the_order_of_their_bytes() {
        let dir = tempfile::tempdir().unwrap();
        for path in ["t/a/b", "t/a-b", "t/a.b", "t/.hidden", "t/a/c/d", "other"] {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        std::fs::create_dir(dir.path().join("t/empty")).unwrap();
        let root = Root::open(dir.path()).unwrap();
        let all = ["t/.hidden", "t/a-b", "t/a.b", "t/a/b", "t/a/c/d"];
        assert_eq!(root.list("t").unwrap(), all);
        assert_eq!(root.list(".").unwrap().len(), 6);
        assert_eq!(root.list("").unwrap(), root.list(".").unwrap());
        assert_eq!(root.list("nothing"), Err(FileError::Missing));
        assert_eq!(root.list("other"), Err(FileError::Missing));
        assert_eq!(root.list("../x"), Err(FileError::Outside));
        std::os::unix::fs::symlink("a-b", dir.path().join("t/a/link")).unwrap();
        assert!(root.list("t").unwrap_err().to_string().contains("symbolic link"));
    }
}
