//! Notices that files changed: certificates are renewed without anybody telling the agent, and tlshd needs no telling.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// What tells one state of a file from another; `None` for a file that is not there.
type Stamp = Option<(u64, u64, u64, i64, i64)>;

/// Files, as they were when they were read.
#[derive(Debug, Default)]
pub(super) struct Stamps(Vec<(PathBuf, Stamp)>);

impl Stamps {
    /// Notes how a file is now; call it before the file is read, so that no change is missed.
    pub(super) fn add(&mut self, path: &Path) {
        self.0.push((path.into(), stamp(path)));
    }

    /// Whether any file is not as it was.
    pub(super) fn changed(&self) -> bool {
        self.0.iter().any(|(path, before)| stamp(path) != *before)
    }

    /// Takes the files as they are now for what they were: their trouble was reported, and once is enough.
    pub(super) fn renew(&mut self) {
        self.0.iter_mut().for_each(|(path, before)| *before = stamp(path));
    }
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
}
