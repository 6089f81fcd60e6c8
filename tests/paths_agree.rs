//! Our path validation beside rustls-webpki's, on random graphs of authorities with random faults, and on mutated chains.
//!
//! The two agree on each graph, or the difference is one of those that `explained` knows.
#![cfg(feature = "x509")]
#![allow(unreachable_pub, reason = "modules of a test")]

#[path = "support/graph.rs"]
mod graph;
#[path = "support/issue.rs"]
mod issue;

use std::{sync::Arc, time::Duration};

use graph::{Dice, Graph};
use handclasp::crypto::{
    certificate::{Rejection, ServerName, UnixTime},
    x509::{Request, Side, TrustStore, Verifier},
};
use issue::Key;
use rustls_pki_types::{CertificateDer, UnixTime as TheirTime};

const NOW: u64 = 1_900_000_000; // in 2030
const GRAPHS: u64 = 2000;

/// Asks a fresh verifier, and `used` twice: what it remembers changes nothing.
fn ours(graph: &Graph, used: &Verifier) -> Result<(), Rejection> {
    let mut store = TrustStore::empty();
    graph.roots.iter().for_each(|root| store.add(root, "root"));
    assert!(store.set_aside().is_empty(), "{:?}", store.set_aside());
    let names = [ServerName::parse(graph.asked).unwrap()];
    let request = Request { side: Side::Server, names: &names, now: UnixTime(NOW) };
    let store = Arc::new(store);
    let judge = |verifier: Verifier| verifier.find_path(&graph.chain, &request).map(drop);
    let outcome = judge(Verifier::new(Arc::clone(&store)));
    for _ in 0..2 {
        assert_eq!(judge(used.for_store(Arc::clone(&store))), outcome, "with remembered signatures");
    }
    outcome
}

fn theirs(graph: &Graph) -> Result<(), webpki::Error> {
    let ders: Vec<_> = graph.chain.iter().map(|der| CertificateDer::from_slice(der)).collect();
    let roots: Vec<_> = graph.roots.iter().map(|der| CertificateDer::from_slice(der)).collect();
    let anchors: Vec<_> = roots.iter().map(|der| webpki::anchor_from_trusted_cert(der).unwrap()).collect();
    let leaf = webpki::EndEntityCert::try_from(&ders[0])?;
    let now = TheirTime::since_unix_epoch(Duration::from_secs(NOW));
    let usage = webpki::KeyUsage::server_auth();
    leaf.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &anchors, &ders[1..], now, usage, None, None)?;
    leaf.verify_is_valid_for_subject_name(&graph.asked.try_into().unwrap())
}

/// Where we refuse what they accept: a part of our words, and why.
const STRICTER: [(&str, &str); 10] = [
    ("a CA must have a keyUsage", "they do not ask for it"),
    ("authorityKeyIdentifier", "they never look at key identifiers"),
    ("subjectKeyIdentifier", "they never look at key identifiers"),
    ("is known with another key", "they never look at key identifiers"),
    ("is not DER", "they never look into key identifiers"),
    ("stands twice", "they notice only the doubles of extensions that they act upon"),
    ("serial number", "they take any number"),
    ("keyUsage is empty or ends in zero bits", "they read one bit of it, not whether it is DER"),
    ("the key is malformed", "they look at the end entity's key only when a signature is verified with it"),
    ("the key's algorithm is not supported", "they look at the end entity's key only then, too"),
];

/// Whether a difference is one of those that there may be.
fn explained(graph: &Graph, ours: &Result<(), Rejection>, theirs: &Result<(), webpki::Error>) -> bool {
    match (ours, theirs) {
        // It matches nothing for us, and is malformed for them.
        (Ok(()), Err(_)) => graph.names.iter().any(|name| name == "*.test"),
        (Err(refusal), Ok(())) => STRICTER.iter().any(|(words, _)| refusal.detail.contains(words)),
        _ => true,
    }
}

//= rfc5280#section-6
//= type=test
//# MUST provide functionality equivalent to the external behavior resulting from this procedure.
//= rfc5280#section-6.1
//= type=test
//# A conforming implementation MUST include an X.509 path processing procedure that is functionally
//# equivalent to the external behavior of this algorithm.
//= rfc5280#section-6.1.3
//= type=test
//# The certificate MUST satisfy each of the following:
//= rfc5280#section-4.2.1.10
//= type=test
//# within which all subject names in subsequent certificates in a certification path MUST be located.
//= rfc5280#section-6.1.4
//= type=test
//# (1) If permittedSubtrees is present in the certificate, set the permitted_subtrees state variable to the
//# intersection of its previous value and the value indicated in the extension field.
//= rfc5280#section-6.1.4
//= type=test
//# (2) If excludedSubtrees is present in the certificate, set the excluded_subtrees state variable to the
//# union of its previous value and the value indicated in the extension field.
#[test]
fn random_graphs_are_judged_alike() {
    let keys: Vec<_> = (0..8).map(|_| Key::generate()).collect();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    compare(GRAPHS, &mut dice, |dice| Graph::random(&keys, dice, true));
}

#[test]
fn mutated_chains_are_judged_alike() {
    let keys: Vec<_> = (0..8).map(|_| Key::generate()).collect();
    let mut dice = Dice(0x0123_4567_89ab_cdef);
    compare(GRAPHS, &mut dice, |dice| graph::mutated(&keys, dice));
}

fn compare(count: u64, dice: &mut Dice, generate: impl Fn(&mut Dice) -> Graph) {
    let used = Verifier::new(Arc::new(TrustStore::empty()));
    let (mut accepted, mut differences) = (0, Vec::new());
    for number in 0..count {
        let graph = generate(dice);
        let (ours, theirs) = (ours(&graph, &used), theirs(&graph));
        accepted += u64::from(ours.is_ok());
        if !explained(&graph, &ours, &theirs) {
            differences.push(format!("{number} {}: ours {ours:?}, theirs {theirs:?}", graph.asked));
        }
    }
    println!("{count} graphs, {accepted} accepted, {} unexplained differences", differences.len());
    assert!((count / 20..count).contains(&accepted), "the graphs test nothing: {accepted} accepted");
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
