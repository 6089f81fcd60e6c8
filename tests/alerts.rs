//! The table of violations against what it is said to hold: the alert of each row is the one that its RFC sentence names, and no
//! violation is without a row.

use std::{fs, path::Path};

use handclasp::engine::AlertDescription;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The alerts that an RFC sentence names.
fn named(sentence: &str) -> Vec<AlertDescription> {
    let quoted: Vec<&str> = sentence.split('"').skip(1).step_by(2).collect();
    let known = (0..=255).map(AlertDescription::from_code);
    known.filter(|alert| quoted.contains(&alert.to_string().as_str())).collect()
}

/// A row of the tables, and the citations above it.
struct Row {
    citations: Vec<String>,
    text: String,
}

fn rows(source: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let (mut citations, mut text) = (Vec::<String>::new(), String::new());
    for line in source.lines().map(str::trim) {
        if line.starts_with("//=") && !line.contains("type=") {
            citations.push(String::new());
        } else if let (Some(quoted), Some(citation)) = (line.strip_prefix("//#"), citations.last_mut()) {
            citation.push_str(quoted);
        } else if !line.starts_with("//") && (!text.is_empty() || line.starts_with('(')) {
            text.push_str(line);
        } else if !line.starts_with("//") {
            citations.clear();
        }
        if text.ends_with("),") {
            rows.push(Row { citations: std::mem::take(&mut citations), text: std::mem::take(&mut text) });
        }
    }
    rows
}

#[test]
fn each_alert_is_the_one_that_the_rfc_names() {
    let mut compared = 0;
    for Row { citations, text } in rows(&read("tests/violations.rs")) {
        let Some((_, alert)) = text.rsplit_once("A::") else { continue };
        let alert = alert.split(',').next().unwrap();
        for citation in &citations {
            let named = named(citation);
            let is_named = named.iter().any(|named| format!("{named:?}") == alert);
            assert!(named.is_empty() || is_named, "{text}\nis under{citation}");
            compared += usize::from(is_named);
        }
    }
    assert!(compared >= 25, "{compared} alerts were compared with an RFC sentence");
}

#[test]
fn every_violation_is_in_a_test() {
    let errors = read("src/engine/error.rs");
    let (_, table) = errors.split_once("\nviolations! {").unwrap();
    let (table, _) = table.split_once("\n}").unwrap();
    let rows = table.lines().filter(|line| line.contains("=>"));
    let names: Vec<&str> = rows.map(|row| row.trim().split([' ', '(']).next().unwrap()).collect();
    assert!(names.len() > 50);
    let tests: String =
        ["violations", "limits", "handshake"].map(|name| read(&format!("tests/{name}.rs"))).concat();
    let words: Vec<&str> = tests.split(|c: char| !c.is_alphanumeric()).collect();
    let missing: Vec<&&str> = names.iter().filter(|name| !words.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
