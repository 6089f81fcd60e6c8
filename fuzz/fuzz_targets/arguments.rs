//! The command lines of `connect`, `serve` and `verify`, one word on each line.
#![no_main]

use handclasp::agent::fuzzing::read_arguments;
use libfuzzer_sys::fuzz_target;

/// Options whose files are read while the command line is.
const READS_FILES: [&str; 3] = ["--cafile", "--crl", "--psk-file"];

fuzz_target!(|text: &str| {
    let words: Vec<&str> = text.lines().collect();
    let reads_files = |word: &&str| {
        READS_FILES.iter().any(|option| word.strip_prefix(option).is_some_and(|rest| !rest.starts_with('-')))
    };
    if words.iter().any(reads_files) {
        return;
    }
    if let Err(error) = read_arguments(&words) {
        assert!(!error.is_empty());
    }
});
