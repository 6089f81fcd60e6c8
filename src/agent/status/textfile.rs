//! A file in the text format of Prometheus, for the node exporter's textfile collector.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::agent::log;

/// How old the file gets.
const INTERVAL: Duration = Duration::from_secs(15);

/// The file, and when to write it again.
#[derive(Debug)]
pub(super) struct Textfile {
    path: PathBuf,
    due: Instant,
    /// Whether it could not be written the last time: then once is enough to say so.
    is_failing: bool,
}

impl Textfile {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.into(), due: Instant::now(), is_failing: false }
    }

    pub(super) fn deadline(&self) -> Instant {
        self.due
    }

    /// Writes it if it is due.
    pub(super) fn refresh(&mut self, text: impl FnOnce() -> String) {
        if self.due > Instant::now() {
            return;
        }
        self.due = Instant::now() + INTERVAL;
        let result = replace(&self.path, &text());
        if let (Err(error), false) = (&result, self.is_failing) {
            log::warning(format_args!("{}: cannot be written: {error}", self.path.display()));
        }
        self.is_failing = result.is_err();
    }
}

/// Nobody reads half a file: a new one takes the old one's place. (Its name has no ".prom" at the end, so no collector sees it before.)
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".{}", std::process::id()));
    let draft = path.with_file_name(name);
    // What another agent of this number left, or somebody planted there, is not written through.
    let _absent = fs::remove_file(&draft);
    let written = File::options().write(true).create_new(true).open(&draft).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        // The collector is not root, and a umask may be strict.
        file.set_permissions(PermissionsExt::from_mode(0o644))?;
        fs::rename(&draft, path)
    });
    written.inspect_err(|_| drop(fs::remove_file(&draft)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_replaced_whole_when_it_is_due() {
        let folder = std::env::temp_dir().join(format!("handclasp-textfile-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("handclasp.prom");
        let mut file = Textfile::new(&path);
        file.refresh(|| "first\n".into());
        let kept = fs::File::open(&path).unwrap();
        file.refresh(|| unreachable!("it is not due"));
        file.due = Instant::now();
        file.refresh(|| "second\n".into());
        assert_eq!(io::read_to_string(kept).unwrap(), "first\n", "who has it open reads on");
        assert_eq!(fs::read_to_string(&path).unwrap(), "second\n");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "no draft is left");
        let planted = folder.join(format!("handclasp.prom.{}", std::process::id()));
        std::os::unix::fs::symlink(folder.join("elsewhere"), &planted).unwrap();
        file.due = Instant::now();
        file.refresh(|| "safe\n".into());
        assert!(!folder.join("elsewhere").exists(), "a planted link is not followed");
        fs::remove_dir_all(&folder).unwrap();
        file.due = Instant::now();
        file.refresh(|| "third\n".into());
        assert!(file.is_failing && file.due > Instant::now());
    }
}
