//! The quotations in the sources, in duvet's form.

use std::path::Path;

use crate::sources::{before_tests, sources};

/// What a quotation says of the line below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// It obeys.
    Implementation,
    /// It proves.
    Test,
    /// It deviates, and says why.
    Exception,
}

/// One quotation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Citation {
    /// `rfc8446`
    pub(crate) rfc: String,
    pub(crate) section: String,
    pub(crate) kind: Kind,
    pub(crate) quotation: String,
    /// File and line.
    pub(crate) place: String,
}

/// All quotations in src/ and tests/.
pub(crate) fn all() -> Vec<Citation> {
    // What is under these is no part of the crate, or no citation but a talk about them.
    let is_wanted = |folder: &Path| !folder.ends_with("tests/requirements") && !folder.ends_with("target");
    let mut citations = Vec::new();
    for folder in ["src", "tests"] {
        for (path, text) in sources(folder, is_wanted) {
            citations.extend(of_file(&format!("{folder}/{}", path.display()), &text));
        }
    }
    citations.sort_by(|a, b| a.place.cmp(&b.place));
    citations
}

fn of_file(name: &str, text: &str) -> Vec<Citation> {
    let mut lines = text.lines().map(str::trim_start).enumerate().peekable();
    let mut citations = Vec::new();
    while let Some((number, line)) = lines.next() {
        let Some(target) = line.strip_prefix("//= ") else {
            assert!(!line.starts_with("//#"), "{name}:{}: a quotation of nothing", number + 1);
            continue;
        };
        let place = format!("{name}:{}", number + 1);
        let (rfc, section) = target.split_once('#').unwrap_or_else(|| panic!("{place}: {target}"));
        let (mut kind, mut has_reason) = (Kind::Implementation, false);
        while let Some((_, line)) = lines.next_if(|(_, line)| line.starts_with("//= ") && !line.contains('#'))
        {
            match line {
                "//= type=test" => kind = Kind::Test,
                "//= type=exception" => kind = Kind::Exception,
                _ if line.starts_with("//= reason=") => has_reason = true,
                _ => panic!("{place}: {line}"),
            }
        }
        let mut quotation = String::new();
        while let Some((_, line)) = lines.next_if(|(_, line)| line.starts_with("//# ")) {
            quotation += &line[3..];
        }
        assert_eq!(
            has_reason,
            kind == Kind::Exception,
            "{place}: an exception has a reason, and nothing else"
        );
        let is_test = is_test_code(name, text, number);
        assert_eq!(kind == Kind::Test, is_test, "{place}: type=test is for tests, and for tests alone");
        let (rfc, section, quotation) = (rfc.into(), section.into(), quotation.trim().into());
        citations.push(Citation { rfc, section, kind, quotation, place });
    }
    citations
}

/// Whether a line belongs to a test: in tests/, in a module of tests at a file's end, or in a file of nothing else.
fn is_test_code(name: &str, text: &str, line: usize) -> bool {
    let code = before_tests(text);
    let is_test =
        if code.len() < text.len() { line > code.lines().count() } else { text.contains("#[test]") };
    name.starts_with("tests/") || is_test
}

#[test]
fn quotations_are_read() {
    let code = "//= rfc1#section-2\n//# A MUST\n//# b.\nfn f() {}\n";
    let test =
        "#[cfg(test)]\nmod tests {\n    //= rfc1#section-3\n    //= type=test\n    //# C.\n    #[test]\n}\n";
    let citations = of_file("src/a.rs", &[code, test].concat());
    assert_eq!(citations.len(), 2);
    assert_eq!((citations[0].kind, &citations[0].quotation[..]), (Kind::Implementation, "A MUST b."));
    assert_eq!((citations[1].kind, &citations[1].place[..]), (Kind::Test, "src/a.rs:7"));
    for (name, misplaced) in [("src/a.rs", "//= type=test\n"), ("tests/a.rs", "")] {
        let text = format!("//= rfc1#section-2\n{misplaced}//# A MUST\n");
        assert!(std::panic::catch_unwind(|| of_file(name, &text)).is_err());
    }
}
