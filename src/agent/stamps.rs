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

    /// Takes the files as they are now for what they were: their trouble was reported, and once is enough.
    pub(super) fn renew(&mut self) {
        self.0.iter_mut().for_each(|(path, before)| *before = state(path));
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
        let mut stamps = Stamps::default();
        stamps.add(&path);
        assert!(!stamps.changed());
        for act in [
            |path: &Path| fs::write(path, "1"),
            |path: &Path| fs::write(path, "22"),
            |path: &Path| fs::remove_file(path),
        ] {
            act(&path).unwrap();
            assert!(stamps.changed());
            stamps.renew();
            assert!(!stamps.changed());
        }
    }

    #[test]
    fn a_file_that_changes_in_a_directory_is_noticed_behind_a_link_too() {
        let top = std::env::temp_dir().join(format!("handclasp-stamps-in-{}", std::process::id()));
        let directory = top.join("crls");
        fs::create_dir_all(&directory).unwrap();
        fs::write(top.join("aim"), "1").unwrap();
        std::os::unix::fs::symlink("../aim", directory.join("link")).unwrap();
        let mut stamps = Stamps::default();
        stamps.add(&directory);
        // A file that came while the others were in trouble is watched like them.
        fs::write(directory.join("late"), "1").unwrap();
        assert!(stamps.changed());
        stamps.renew();
        for file in [directory.join("late"), top.join("aim")] {
            assert!(!stamps.changed());
            // As `openssl ca -gencrl -out` does: neither a new file nor a new entry.
            fs::write(&file, "22").unwrap();
            assert!(stamps.changed(), "{}", file.display());
            stamps.renew();
        }
        fs::remove_dir_all(&top).unwrap();
    }
}
