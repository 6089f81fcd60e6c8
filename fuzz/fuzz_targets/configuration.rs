//! The agent's configuration file.
#![no_main]

use handclasp::agent::fuzzing::read_configuration;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Err(error) = read_configuration(text) {
        let line = error.strip_prefix("config:").and_then(|rest| rest.split(':').next());
        let line: usize = line.and_then(|line| line.parse().ok()).expect("an error names its line");
        assert!((1..=text.lines().count()).contains(&line), "{error}");
    }
});
