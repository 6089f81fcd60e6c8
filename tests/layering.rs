//! The architecture's import rules, read from src/: a diagram that fails the build.

#[path = "support/sources.rs"]
mod sources;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Every Rust file under a folder of src/, with its path relative to src/.
fn sources(folder: &str) -> Vec<(PathBuf, String)> {
    let files = sources::sources(&format!("src/{folder}"), |_| true);
    files.into_iter().map(|(path, text)| (Path::new(folder).join(path), text)).collect()
}

/// What ships of a file: without its test module, and without citations, which are the RFC's words and not ours.
fn shipped(text: &str) -> String {
    let text = sources::before_tests(text);
    let is_citation = |line: &&str| ["//=", "//#"].iter().any(|mark| line.trim_start().starts_with(mark));
    text.lines().filter(|line| !is_citation(line)).collect::<Vec<_>>().join("\n")
}

/// The code of a file: what ships, without comments.
fn code(text: &str) -> String {
    shipped(text).lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Whether a path segment occurs as a whole word.
fn mentions(code: &str, word: &str) -> bool {
    code.match_indices(word).any(|(at, _)| {
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        !code[..at].ends_with(is_word) && !code[at + word.len()..].starts_with(is_word)
    })
}

fn refuse(folder: &str, words: &[&str], except: &[&str]) {
    for (path, text) in sources(folder) {
        if except.iter().any(|prefix| path.starts_with(prefix)) {
            continue;
        }
        for word in words {
            assert!(!mentions(&code(&text), word), "src/{} must not mention {word}", path.display());
        }
    }
}

#[test]
fn crypto_knows_neither_engine_nor_agent() {
    refuse("crypto", &["crate::engine", "crate::agent", "nix", "neli", "libc"], &[]);
}

#[test]
fn engine_knows_no_agent_and_no_input_or_output() {
    refuse("engine", &["crate::agent", "nix", "neli", "libc", "std", "ring", "x509"], &["engine/rfc8448"]);
}

#[test]
fn only_x509_reads_certificates_with_x509_parser() {
    refuse("crypto", &["x509_parser", "std"], &["crypto/x509"]);
    refuse("agent", &["x509_parser", "ring"], &[]);
}

#[test]
fn client_and_server_do_not_know_each_other() {
    refuse("engine/client", &["server::", "engine::server"], &[]);
    refuse("engine/server", &["client::", "engine::client"], &[]);
}

#[test]
fn messages_know_no_keys_and_only_records_protect() {
    refuse("engine/message", &["crypto"], &[]);
    refuse("engine", &["aead"], &["engine/record", "engine/error.rs"]);
}

#[test]
fn only_the_netlink_module_mentions_neli() {
    refuse("agent", &["neli"], &["agent/netlink", "agent/netlink.rs"]);
}

#[test]
fn unsafe_stands_in_one_file() {
    for folder in ["crypto", "engine", "agent"] {
        refuse(folder, &["unsafe"], &["agent/system.rs", "crypto/mod.rs", "engine/mod.rs"]);
    }
    let system = sources("agent").into_iter().find(|(path, _)| path.ends_with("system.rs")).unwrap().1;
    let blocks = code(&system).matches("unsafe {").count();
    assert_eq!(
        shipped(&system).matches("// SAFETY:").count(),
        blocks,
        "each unsafe block says why it is sound"
    );
}

#[test]
fn the_spine_stays_readable() {
    let mut spine = 0;
    for (path, text) in sources("engine").into_iter().chain(sources("crypto")) {
        let path = path.to_str().unwrap();
        let is_spine = path.starts_with("engine/client/")
            || path.starts_with("engine/server/")
            || ["engine/transcript.rs", "crypto/key_schedule.rs"].contains(&path);
        if is_spine {
            spine += shipped(&text).lines().count();
        }
    }
    assert!((1..2000).contains(&spine), "the spine has {spine} lines");
}

/// The words of a text that begin with "on_": handlers of messages and answers.
fn handlers(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| word.starts_with("on_")).map(String::from).collect()
}

#[test]
fn the_figure_names_every_handler_of_a_message() {
    let engine = sources("engine");
    let root = &engine.iter().find(|(path, _)| path.ends_with("engine/mod.rs")).unwrap().1;
    let figure: String = root.lines().take_while(|line| line.starts_with("//!")).collect();
    let sides =
        engine.iter().filter(|(p, _)| p.starts_with("engine/client") || p.starts_with("engine/server"));
    let defined = sides.flat_map(|(_, text)| text.lines()).filter_map(|line| line.split_once(" fn "));
    assert_eq!(handlers(&figure), defined.flat_map(|(_, rest)| handlers(rest)).collect(), "left the figure");
}

/// A cell of a table names files, and after them what is in them: `a/b.rs`, `name`, `name`; ... A group without a file names settings.
fn check_cell(cell: &str, folder: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    for group in cell.split(';') {
        let quoted = group.split('`').skip(1).step_by(2);
        let (paths, names): (Vec<&str>, Vec<&str>) = quoted.partition(|name| name.ends_with(".rs"));
        let text: String =
            paths.iter().map(|path| fs::read_to_string(root.join(path)).expect(path)).collect();
        let words: BTreeSet<&str> = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
        let missing: Vec<&&str> = names.iter().filter(|name| !words.contains(**name)).collect();
        assert!(paths.is_empty() || missing.is_empty(), "{paths:?} have no {missing:?}");
    }
}

#[test]
fn what_stops_an_attack_and_what_tries_it_is_there() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    let table = text.split("| Attack |").nth(1).unwrap().split("\n\n").next().unwrap();
    let rows: Vec<Vec<&str>> = table.lines().skip(2).map(|line| line.split('|').collect()).collect();
    assert!(rows.len() > 20);
    for row in rows {
        let [_, _, stopped, tried, _] = row[..] else { panic!("{row:?}") };
        check_cell(stopped, "src");
        check_cell(tried, "");
        assert!(tried.contains(".rs`") || stopped.contains("**not stopped**"), "{row:?}");
    }
}

/// The lengths of all functions in formatted code, signature to closing brace.
fn function_lengths(text: &str) -> Vec<usize> {
    let lines: Vec<&str> = text.lines().collect();
    let mut lengths = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        let opening = trimmed.split('(').next().unwrap_or_default();
        let is_function = opening.split_whitespace().any(|word| word == "fn") && !opening.starts_with("//");
        if !is_function || trimmed.ends_with(';') || trimmed.ends_with('}') {
            continue;
        }
        let closing = format!("{}}}", &line[..line.len() - trimmed.len()]);
        let end =
            lines[start..].iter().position(|l| *l == closing || (l.ends_with(';') && l.starts_with(")")));
        lengths.extend(end.map(|length| length + 1));
    }
    lengths
}

#[test]
fn functions_are_short() {
    let mut lengths: Vec<usize> = Vec::new();
    for folder in ["crypto", "engine", "agent"] {
        for (_, text) in sources(folder) {
            lengths.extend(function_lengths(&shipped(&text)));
        }
    }
    lengths.sort_unstable();
    let at = |percent: usize| lengths[(lengths.len() - 1) * percent / 100];
    println!(
        "{} functions: median {}, 90th percentile {}, longest {}",
        lengths.len(),
        at(50),
        at(90),
        at(100)
    );
    assert!(
        at(50) <= 10 && at(90) <= 35 && at(100) <= 60,
        "median {}, 90 % {}, longest {}",
        at(50),
        at(90),
        at(100)
    );
}
