//! Every requirement of an RFC, traced to the line that obeys it and to the test that proves it.
//!
//! `tests/vectors/requirements/rfcNNNN.txt` lists the sentences of an RFC that require something. The sources quote them in
//! duvet's form: `//= rfc8446#section-4.1.4`, then the words behind `//#`; above a test with `//= type=test`; where we deviate
//! with `//= type=exception` and `//= reason=...`. Each MUST (or SHALL, or REQUIRED) that is not left out for a reason needs a
//! quotation at a line that obeys it and one at a test that proves it.
//!
//! `HANDCLASP_RFC=folder` names a folder with the texts, rfcNNNN.txt: then the lists and quotations are compared with them.

mod citations;
mod coverage;
mod list;
mod rfc;
#[path = "../support/sources.rs"]
mod sources;

use std::{
    collections::HashSet,
    env, fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use citations::Citation;
use coverage::Coverage;
use list::{List, Sentence};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The lists, by the names of their RFCs.
fn lists() -> Vec<(String, List)> {
    let folder = root().join("tests/vectors/requirements");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    paths
        .iter()
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().into(), List::read(&read(path))))
        .collect()
}

#[test]
fn every_requirement_is_obeyed_and_proven() {
    let citations = citations::all();
    let mut faults = Vec::new();
    let lists = lists();
    for Citation { rfc, place, .. } in &citations {
        if !lists.iter().any(|(name, _)| name == rfc) {
            faults.push(format!("{place}: there is no list of {rfc}"));
        }
    }
    let mut table = format!("\n{}\n", coverage::HEADING);
    for (rfc, list) in &lists {
        let mut coverage = Coverage::new(list);
        for citation in citations.iter().filter(|citation| citation.rfc == *rfc) {
            faults.extend(coverage.add(citation).err());
        }
        println!("{}", coverage.sections(rfc));
        table += &format!("{}\n", coverage.total(rfc));
        faults.extend(coverage.missing(rfc));
    }
    // Past the test harness, which would swallow it.
    io::stdout().write_all(table.as_bytes()).unwrap();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn the_lists_are_what_the_rfcs_say() {
    let Some(folder) = env::var_os("HANDCLASP_RFC") else {
        return println!(
            "HANDCLASP_RFC does not name a folder of RFC texts: the lists are taken as they are"
        );
    };
    let mut faults = String::new();
    for (rfc, list) in lists() {
        let said = rfc::sentences(&read(&Path::new(&folder).join(format!("{rfc}.txt"))));
        let listed: HashSet<_> = list.sentences.iter().map(Sentence::key).collect();
        let (known, unknown): (Vec<_>, Vec<_>) = said.iter().partition(|said| listed.contains(&said.key()));
        let known: Vec<_> = known.into_iter().map(Sentence::key).collect();
        for sentence in unknown.into_iter().filter(|sentence| sentence.requires()) {
            faults += &format!("the list of {rfc} lacks:\n\n{sentence}\n\n");
        }
        for sentence in list.sentences.iter().filter(|listed| !known.contains(&listed.key())) {
            faults += &format!("{rfc} does not say:\n\n{sentence}\n\n");
        }
        let moved = list.sentences.iter().zip(&known).find(|(listed, said)| listed.key() != **said);
        if let Some((sentence, _)) = moved.filter(|_| known.len() == listed.len()) {
            faults += &format!("{rfc} does not say here:\n\n{sentence}\n\n");
        }
    }
    assert!(faults.is_empty(), "{faults}");
}
