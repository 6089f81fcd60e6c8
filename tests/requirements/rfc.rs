//! The sentences of an RFC, section by section, from its text as it is published.

use std::collections::HashSet;

use crate::list::Sentence;

/// The lines without page headers and footers; a sentence that a page break cuts is whole again.
fn without_page_breaks(rfc: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = Vec::new();
    let mut pages = rfc.split('\x0c');
    lines.extend(pages.next().unwrap_or_default().lines());
    for page in pages {
        while lines.last().is_some_and(|line| line.trim().is_empty() || line.ends_with(']')) {
            let is_footer = !lines.pop().unwrap_or_default().trim().is_empty();
            if is_footer {
                lines.truncate(lines.iter().rposition(|line| !line.trim().is_empty()).map_or(0, |at| at + 1));
                break;
            }
        }
        if lines.last().is_some_and(|line| line.ends_with(['.', ':', ';', '/', '}', '|', '+'])) {
            lines.push("");
        }
        let body = page.lines().skip_while(|line| line.trim().is_empty()).skip(1);
        lines.extend(body.skip_while(|line| line.trim().is_empty()));
    }
    lines
}

/// The name of the section that a heading opens, as in the RFC's HTML form.
fn heading(line: &str) -> Option<String> {
    let numbered = line.strip_prefix("Appendix ").unwrap_or(line);
    let (number, _) = numbered.split_once(' ')?;
    let number = number.strip_suffix('.').unwrap_or(number);
    let (first, rest) = number.split_once('.').map_or((number, None), |(first, rest)| (first, Some(rest)));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let is_letter = first.len() == 1 && first.as_bytes()[0].is_ascii_uppercase();
    if !rest.is_none_or(|rest| rest.split('.').all(is_number)) {
        return None;
    }
    match () {
        () if is_number(first) => Some(format!("section-{number}")),
        () if is_letter && (rest.is_some() || numbered != line) => Some(format!("appendix-{number}")),
        () => None,
    }
}

/// The sentences of one paragraph: they end with a full stop before a capital letter or the like.
fn split(paragraph: &str) -> Vec<String> {
    let words: Vec<&str> = paragraph.split_whitespace().collect();
    let mut sentences = vec![String::new()];
    for (at, word) in words.iter().enumerate() {
        let sentence = sentences.last_mut().expect("never empty");
        // A hyphen at the end of a line joins.
        let joins = sentence.ends_with('-') && !sentence.ends_with(" -") && sentence != "-";
        sentence.push_str(if sentence.is_empty() || joins { "" } else { " " });
        sentence.push_str(word);
        let ends = word.trim_end_matches(['"', ')', '\'']).ends_with(['.', '?', '!']);
        let is_short = ["e.g.", "i.e.", "cf.", "vs."].iter().any(|short| word.ends_with(short));
        let opens = |next: &&str| next.starts_with(|c: char| !c.is_ascii_lowercase());
        if ends && !is_short && words.get(at + 1).is_some_and(opens) {
            sentences.push(String::new());
        }
    }
    sentences
}

/// All sentences, in the RFC's order; what a section says twice, once.
pub(crate) fn sentences(rfc: &str) -> Vec<Sentence> {
    let mut section = String::from("section-0");
    let mut paragraph = String::new();
    let mut sentences = Vec::new();
    let mut known = HashSet::new();
    for line in without_page_breaks(rfc).into_iter().chain([""]) {
        let opened = heading(line);
        if !line.trim().is_empty() && opened.is_none() {
            paragraph += &format!("{line}\n");
            continue;
        }
        for text in split(&std::mem::take(&mut paragraph)).into_iter().filter(|text| !text.is_empty()) {
            if known.insert((section.clone(), text.clone())) {
                let section = section.clone();
                sentences.push(Sentence { section, text, left_out: None, is_required: false });
            }
        }
        section = opened.unwrap_or(section);
    }
    sentences
}

#[test]
fn sentences_and_sections_are_found() {
    let rfc = "1.  One\n\n   A MUST (e.g. so) be non-\n   zero.  B cut\n\n\nMe [Page 1]\n\x0c\nRFC 1   T   May 2018\n\n   by a page.\n\nAppendix D.  X\n\n   End.\n\nD.5.  Y\n\n   Last.\n";
    let found: Vec<String> = sentences(rfc).iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "section-1\nA MUST (e.g. so) be non-zero.",
            "section-1\nB cut by a page.",
            "appendix-D\nEnd.",
            "appendix-D.5\nLast."
        ]
    );
}
