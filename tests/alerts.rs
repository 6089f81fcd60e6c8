//! The table of violations against what it is said to hold: the alert of each row is the one that its RFC sentence names, and no
//! violation is without a row.

use std::{fs, path::Path};

use handclasp::engine::AlertDescription;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The alerts that an RFC sentence names: in quotation marks, or because it defines one (Section 6.2).
fn named(sentence: &str) -> Vec<AlertDescription> {
    let mut names: Vec<&str> = sentence.split('"').skip(1).step_by(2).collect();
    names.extend(sentence.trim_start().split_once(':').map(|(name, _)| name));
    let known = (0..=255).map(AlertDescription::from_code);
    known.filter(|alert| names.contains(&alert.to_string().as_str())).collect()
}

/// A row of the tables, and the citations above it. Those below `All of these:` are for each row up to a blank line.
struct Row {
    citations: Vec<String>,
    text: String,
}

fn rows(source: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    let (mut citations, mut text) = (Vec::<String>::new(), String::new());
    let (mut shared, mut is_shared) = (Vec::new(), false);
    for line in source.lines().map(str::trim) {
        if line.is_empty() {
            shared.clear();
        } else if line == "// All of these:" {
            is_shared = true;
        } else if line.starts_with("//=") && !line.contains("type=") {
            citations.push(String::new());
        } else if let (Some(quoted), Some(citation)) = (line.strip_prefix("//#"), citations.last_mut()) {
            citation.push_str(quoted);
        } else if !line.starts_with("//") && (!text.is_empty() || line.starts_with('(')) {
            text.push_str(line);
        } else if !line.starts_with("//") {
            citations.clear();
        }
        if text.ends_with("),") {
            if std::mem::take(&mut is_shared) {
                shared.append(&mut citations);
            }
            let citations = [&shared[..], &std::mem::take(&mut citations)].concat();
            rows.push(Row { citations, text: std::mem::take(&mut text) });
        }
    }
    rows
}

#[test]
fn each_alert_is_the_one_that_the_rfc_names() {
    let (mut compared, mut uncited) = (0, Vec::new());
    for Row { citations, text } in rows(&read("tests/violations.rs")) {
        let Some((_, alert)) = text.rsplit_once("A::") else { continue };
        let alert = alert.split(',').next().unwrap();
        let mut is_cited = false;
        for citation in &citations {
            let named = named(citation);
            let is_named = named.iter().any(|named| format!("{named:?}") == alert);
            assert!(named.is_empty() || is_named, "{text}\nis under{citation}");
            is_cited |= is_named;
        }
        compared += 1;
        if !is_cited {
            uncited.push(text);
        }
    }
    assert!(compared > 100, "{compared} rows");
    // A limit of our own.
    let is_ours = |row: &String| row.contains("TooManyExtensions");
    assert!(uncited.iter().all(is_ours) && uncited.len() == 1, "no sentence names the alert of {uncited:#?}");
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
