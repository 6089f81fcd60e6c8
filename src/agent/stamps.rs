//! Notices that files changed: certificates are renewed without anybody telling the agent, and tlshd needs no telling.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::trust_store;

/// What tells one state of a file from another; `None` for a file that is not there.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

/// The stamp of a path and, of a directory, of each of its files: one that is written in place leaves its directory as it was.
type State = Vec<(PathBuf, Stamp)>;

/// Files and directories, as they were when they were read.
#[derive(Debug, Default)]
pub(super) struct Stamps(Vec<(PathBuf, State)>);

impl Stamps {
    /// Notes how a file or directory is now; call it before it is read, so that no change is missed.
    pub(super) fn add(&mut self, path: &Path) {
        self.0.push((path.into(), state(path)));
    }

    /// Whether any file is not as it was.
    pub(super) fn changed(&self) -> bool {
        self.0.iter().any(|(path, before)| state(path) != *before)
    }
}

fn state(path: &Path) -> State {
    let files = trust_store::files(path).unwrap_or_default();
    files.into_iter().chain([path.into()]).map(|path| (path.clone(), stamp(&path))).collect()
}

fn stamp(path: &Path) -> Stamp {
    let file = fs::metadata(path).ok()?;
    Some((file.dev(), file.ino(), file.size(), file.mtime(), file.mtime_nsec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_comes_changes_or_goes_is_noticed() {
        let path = std::env::temp_dir().join(format!("handclasp-stamps-{}", std::process::id()));
        assert!(!stamps_of(&path).changed());
        for act in [
            |path: &Path| fs::write(path, "1"),
            |path: &Path| fs::write(path, "22"),
            |path: &Path| fs::remove_file(path),
        ] {
            let stamps = stamps_of(&path);
            act(&path).unwrap();
            assert!(stamps.changed());
            assert!(!stamps_of(&path).changed());
        }
    }

    fn stamps_of(path: &Path) -> Stamps {
        let mut stamps = Stamps::default();
        stamps.add(path);
        stamps
    }

    #[test]
    fn a_file_that_changes_in_a_directory_is_noticed_behind_a_link_too() {
        let top = std::env::temp_dir().join(format!("handclasp-stamps-in-{}", std::process::id()));
        let directory = top.join("crls");
        fs::create_dir_all(&directory).unwrap();
        fs::write(top.join("aim"), "1").unwrap();
        std::os::unix::fs::symlink("../aim", directory.join("link")).unwrap();
        let stamps = stamps_of(&directory);
        fs::write(directory.join("late"), "1").unwrap();
        assert!(stamps.changed());
        for file in [directory.join("late"), top.join("aim")] {
            let stamps = stamps_of(&directory);
            // As `openssl ca -gencrl -out` does: neither a new file nor a new entry.
            fs::write(&file, "22").unwrap();
            assert!(stamps.changed(), "{}", file.display());
        }
        fs::remove_dir_all(&top).unwrap();
    }
}
