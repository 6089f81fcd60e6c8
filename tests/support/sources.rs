//! The project's sources, for tests that read them.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Every Rust file below a folder of the project, with its path from there; folders that are not wanted are passed over.
pub(crate) fn sources(folder: &str, is_wanted: impl Fn(&Path) -> bool) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let (mut files, mut folders) = (Vec::new(), vec![root.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.extend(is_wanted(&path).then_some(path));
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path.strip_prefix(&root).unwrap().to_path_buf(), text));
            }
        }
    }
    assert!(!files.is_empty(), "no sources in {folder}");
    files
}

/// What stands before a file's module of tests, whoever sees that.
pub(crate) fn before_tests(text: &str) -> &str {
    let modules = text.match_indices("\n#[cfg(test)]\n").find(|(at, mark)| {
        let line = text[at + mark.len()..].lines().next().unwrap_or_default();
        line.starts_with("mod ") || line.starts_with("pub") && line.contains(" mod ")
    });
    modules.map_or(text, |(at, _)| &text[..at + 1])
}
