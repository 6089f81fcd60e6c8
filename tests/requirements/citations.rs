//! The quotations in the sources, in duvet's form.

use std::{fs, path::Path};

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
pub(crate) fn all(root: &Path) -> Vec<Citation> {
    let mut folders = vec![root.join("src"), root.join("tests")];
    let mut citations = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            // What is under these is no part of the crate, or no citation but a talk about them.
            if path.is_dir() && !path.ends_with("tests/requirements") && !path.ends_with("target") {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().display().to_string();
                citations.extend(of_file(&name, &fs::read_to_string(&path).unwrap()));
            }
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
        assert!(kind != Kind::Implementation || name.starts_with("src/"), "{place}: lacks type=test");
        let (rfc, section, quotation) = (rfc.into(), section.into(), quotation.trim().into());
        citations.push(Citation { rfc, section, kind, quotation, place });
    }
    citations
}

#[test]
fn quotations_are_read() {
    let text =
        "//= rfc1#section-2\n//= type=test\n//# A MUST\n//# b.\n//= rfc1#section-3\n//# C.\nfn f() {}\n";
    let citations = of_file("src/a.rs", text);
    assert_eq!(citations.len(), 2);
    assert_eq!((citations[0].kind, &citations[0].quotation[..]), (Kind::Test, "A MUST b."));
    assert_eq!((citations[1].kind, &citations[1].place[..]), (Kind::Implementation, "src/a.rs:5"));
}
