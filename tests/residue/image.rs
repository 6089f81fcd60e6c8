//! The writable memory of another process.

use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
};

/// A copy of every writable mapping.
pub(crate) struct Image(Vec<Vec<u8>>);

impl Image {
    /// Copies the memory of a child of ours, which does not run meanwhile.
    pub(crate) fn of(process: u32) -> Self {
        let maps = fs::read_to_string(format!("/proc/{process}/maps")).expect("its maps");
        let memory = File::open(format!("/proc/{process}/mem")).expect("its memory");
        let writable =
            maps.lines().filter(|line| line.split(' ').nth(1).is_some_and(|p| p.starts_with("rw")));
        Self(writable.map(|line| Self::read(&memory, line)).collect())
    }

    /// Reads the mapping of a line `7f00-7f80 rw-p ...`.
    fn read(memory: &File, line: &str) -> Vec<u8> {
        let (start, rest) = line.split_once('-').expect("a range");
        let end = rest.split(' ').next().expect("an end");
        let [start, end] = [start, end].map(|hex| u64::from_str_radix(hex, 16).expect("an address"));
        let mut bytes = vec![0; usize::try_from(end - start).expect("it fits")];
        memory.read_exact_at(&mut bytes, start).expect("a mapping can be read");
        bytes
    }

    pub(crate) fn mappings(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(Vec::as_slice)
    }

    pub(crate) fn size(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }
}
