//! Which requirements of a list are quoted where.

use std::collections::BTreeMap;

use crate::{
    citations::{Citation, Kind},
    list::{List, Sentence, flat},
};

pub(crate) const HEADING: &str = "RFC       required  left out  excepted   traced  missing";

/// One keyword of one sentence: each MUST is traced for itself.
struct Requirement<'a> {
    sentence: &'a Sentence,
    /// Where the keyword stands in the flat text of the section.
    at: usize,
    seen: Vec<Kind>,
}

impl Requirement<'_> {
    fn is_excepted(&self) -> bool {
        self.seen.contains(&Kind::Exception)
    }

    fn is_traced(&self) -> bool {
        self.seen.contains(&Kind::Implementation) && self.seen.contains(&Kind::Test)
    }

    fn is_missing(&self) -> bool {
        self.sentence.left_out.is_none() && !self.is_excepted() && !self.is_traced()
    }
}

/// The requirements of one RFC.
pub(crate) struct Coverage<'a> {
    /// The flat text of the listed sentences of each section.
    texts: BTreeMap<&'a str, String>,
    requirements: Vec<Requirement<'a>>,
}

impl<'a> Coverage<'a> {
    pub(crate) fn new(list: &'a List) -> Self {
        let mut texts = BTreeMap::<&str, String>::new();
        let mut requirements = Vec::new();
        for sentence in &list.sentences {
            let text = texts.entry(&sentence.section).or_default();
            let begin = text.len();
            let keywords = sentence.keywords().into_iter();
            requirements.extend(keywords.map(|at| Requirement {
                sentence,
                at: begin + at,
                seen: Vec::new(),
            }));
            text.push_str(&sentence.flat());
        }
        Self { texts, requirements }
    }

    /// Notes what a citation covers, or says what is wrong with it.
    pub(crate) fn add(&mut self, citation: &Citation) -> Result<(), String> {
        let Citation { section, kind, place, quotation, .. } = citation;
        let quoted = flat(quotation);
        let text = self.texts.get(&section[..]).ok_or(format!("{place}: nothing of {section} is listed"))?;
        let mut found = text.match_indices(&quoted).map(|(at, _)| at..at + quoted.len());
        let span = found.next().filter(|_| !quoted.is_empty());
        let span = span.ok_or(format!("{place}: the list of {section} does not say: {quotation}"))?;
        if found.next().is_some() {
            return Err(format!("{place}: {section} says more than once: {quotation}"));
        }
        for requirement in &mut self.requirements {
            if requirement.sentence.section == *section && span.contains(&requirement.at) {
                requirement.seen.push(*kind);
                if let Some(reason) = &requirement.sentence.left_out {
                    return Err(format!("{place}: quotes what is left out ({reason}): {quotation}"));
                }
            }
        }
        Ok(())
    }

    /// A line for each section.
    pub(crate) fn sections(&self, rfc: &str) -> String {
        let mut lines = vec![format!("{rfc}, by section\n{HEADING}")];
        let mut requirements = &self.requirements[..];
        while let Some(first) = requirements.first() {
            let section = &first.sentence.section;
            let is_other = |requirement: &Requirement<'_>| requirement.sentence.section != *section;
            let end = requirements.iter().position(is_other).unwrap_or(requirements.len());
            let (these, rest) = requirements.split_at(end);
            lines.push(line(section.split_once('-').map_or(section, |(_, number)| number), these));
            requirements = rest;
        }
        lines.join("\n")
    }

    pub(crate) fn total(&self, rfc: &str) -> String {
        line(rfc, &self.requirements)
    }

    /// What has no line that obeys, or no test that proves it.
    pub(crate) fn missing(&self, rfc: &str) -> Vec<String> {
        let missing = self.requirements.iter().filter(|requirement| requirement.is_missing());
        missing
            .map(|requirement| {
                let lacks = |kind, words| if requirement.seen.contains(&kind) { "" } else { words };
                let line = lacks(Kind::Implementation, " no line that obeys;");
                let test = lacks(Kind::Test, " no test that proves;");
                format!("{rfc}:{line}{test} {}\n", requirement.sentence)
            })
            .collect()
    }
}

fn line(name: &str, requirements: &[Requirement<'_>]) -> String {
    let count = |is: &dyn Fn(&Requirement<'_>) -> bool| requirements.iter().filter(|one| is(one)).count();
    format!(
        "{name:9} {:8} {:9} {:9} {:8} {:8}",
        requirements.len(),
        count(&|one| one.sentence.left_out.is_some()),
        count(&|one| one.is_excepted()),
        count(&|one| one.is_traced()),
        count(&|one| one.is_missing())
    )
}

#[test]
fn each_must_is_traced_for_itself() {
    let list = List::read("Head\n\nsection-1\nA MUST b and MUST c.\n\nsection-1\nD MUST c.");
    let mut coverage = Coverage::new(&list);
    let mut cite = |kind, quotation: &str| {
        let (rfc, section, place) = ("rfc1".into(), "section-1".into(), "here".into());
        coverage.add(&Citation { rfc, section, kind, quotation: quotation.into(), place })
    };
    cite(Kind::Implementation, "A MUST b").unwrap();
    cite(Kind::Test, "A\nMUST b").unwrap();
    cite(Kind::Test, "and MUST c. D MUST").unwrap();
    assert!(cite(Kind::Test, "MUST c.").unwrap_err().contains("more than once"));
    assert!(cite(Kind::Test, "MUST d").unwrap_err().contains("does not say"));
    assert_eq!(coverage.total("rfc1").split_whitespace().collect::<Vec<_>>()[1..], ["3", "0", "0", "1", "2"]);
}
