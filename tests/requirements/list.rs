//! A list of requirements: sentences of an RFC with their sections, and why some are left out.
//!
//! Blocks with blank lines between them. The first says what the file is. `left out NAME: ...` gives a reason a name.
//! `section-4.1.2` or `appendix-D.5`, perhaps with `, left out: NAME` behind it, stands above a sentence in the RFC's words.
//! A sentence without MUST is there because somebody quotes it; `section-6.1.3, required` makes it a requirement nevertheless,
//! such as a step of an algorithm that an RFC wants done.

use std::{collections::BTreeMap, fmt};

/// A sentence of an RFC.
#[derive(Debug)]
pub(crate) struct Sentence {
    /// `section-4.1.2` or `appendix-D.5`.
    pub(crate) section: String,
    /// With single spaces.
    pub(crate) text: String,
    /// The name of a reason.
    pub(crate) left_out: Option<String>,
    /// It requires something without a word of RFC 2119.
    pub(crate) is_required: bool,
}

/// The text without white space: how quotations are compared, whose lines break elsewhere.
pub(crate) fn flat(text: &str) -> String {
    text.split_whitespace().collect()
}

impl Sentence {
    pub(crate) fn flat(&self) -> String {
        flat(&self.text)
    }

    /// The same for the same words of the same section.
    pub(crate) fn key(&self) -> (&str, String) {
        (&self.section, self.flat())
    }

    pub(crate) fn requires(&self) -> bool {
        !self.keywords().is_empty()
    }

    /// Where in the flat text a keyword of RFC 2119 stands that leaves no choice; `MUST NOT` begins with one.
    pub(crate) fn keywords(&self) -> Vec<usize> {
        // "The key words [...] in this document are to be interpreted as" requires nothing yet.
        if self.text.contains("\"MUST NOT\"") {
            return Vec::new();
        }
        let mut at = 0;
        let mut keywords = Vec::new();
        for word in self.text.split_inclusive(|c: char| !c.is_alphanumeric()) {
            if ["MUST", "SHALL", "REQUIRED"].contains(&word.trim_end_matches(|c: char| !c.is_alphanumeric()))
            {
                keywords.push(at);
            }
            at += flat(word).len();
        }
        if keywords.is_empty() && self.is_required { vec![0] } else { keywords }
    }
}

/// As in a list.
impl fmt::Display for Sentence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.section)?;
        if self.is_required {
            write!(f, ", required")?;
        }
        if let Some(name) = &self.left_out {
            write!(f, ", left out: {name}")?;
        }
        let mut column = usize::MAX;
        for word in self.text.split(' ') {
            let fits = column < 100 - word.len();
            f.write_str(if fits { " " } else { "\n" })?;
            f.write_str(word)?;
            column = word.len() + if fits { column + 1 } else { 0 };
        }
        Ok(())
    }
}

/// What is required by one RFC.
#[derive(Debug, Default)]
pub(crate) struct List {
    /// Why something is left out, by name.
    pub(crate) reasons: BTreeMap<String, String>,
    pub(crate) sentences: Vec<Sentence>,
}

impl List {
    pub(crate) fn read(text: &str) -> Self {
        let mut list = Self::default();
        for block in text.split("\n\n").skip(1) {
            let (head, words) = block.trim().split_once('\n').unwrap_or((block.trim(), ""));
            let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
            if let Some((name, reason)) =
                head.strip_prefix("left out ").and_then(|head| head.split_once(": "))
            {
                list.reasons.insert(name.into(), format!("{reason} {words}"));
            } else {
                assert!(head.starts_with("section-") || head.starts_with("appendix-"), "{block}");
                let (head, name) =
                    head.split_once(", left out: ").map_or((head, None), |(s, n)| (s, Some(n)));
                let left_out = name.map(String::from);
                let required = head.strip_suffix(", required");
                let (section, is_required) = (required.unwrap_or(head).into(), required.is_some());
                list.sentences.push(Sentence { section, text: words, left_out, is_required });
            }
        }
        list.check_reasons();
        list
    }

    /// Each name that is used has a reason, and each reason is used.
    fn check_reasons(&self) {
        let used =
            |name: &String| self.sentences.iter().any(|sentence| sentence.left_out.as_ref() == Some(name));
        for name in self.reasons.keys() {
            assert!(used(name), "nothing is left out for the reason {name}");
        }
        for name in self.sentences.iter().filter_map(|sentence| sentence.left_out.as_ref()) {
            assert!(self.reasons.contains_key(name), "no reason is named {name}");
        }
    }
}

#[test]
fn a_list_reads_back() {
    let text = "A list\n\nleft out old: It is\nold.\n\nsection-1.2, left out: old\nA MUST NOT b.\n\nappendix-D\nShould c.\n\nsection-2, required\nDo d.";
    let list = List::read(text);
    assert_eq!(list.reasons["old"], "It is old.");
    assert_eq!(list.sentences[0].to_string(), "section-1.2, left out: old\nA MUST NOT b.");
    assert_eq!(list.sentences[0].keywords(), [1]);
    assert!(!list.sentences[1].requires());
    assert_eq!(list.sentences[2].to_string(), "section-2, required\nDo d.");
    assert_eq!(list.sentences[2].keywords(), [0]);
}
