//! What a verifier remembers changes no verdict: one that has seen everything beside one that has seen nothing.
//!
//! Trust store, CRLs, time, purpose, name and chain change at random between the questions.
#![cfg(feature = "x509")]
#![allow(unreachable_pub, dead_code, reason = "modules of a test")]

#[path = "support/graph.rs"]
mod graph;
#[path = "support/issue.rs"]
mod issue;

use std::sync::Arc;

use graph::{Dice, Graph};
use handclasp::crypto::{
    certificate::{ServerName, UnixTime},
    x509::{Policy, Request, Revocation, Side, TrustStore, Verifier},
};
use issue::{Crl, Key, Template, revoked, tlv};

const QUESTIONS: usize = 4000;
/// In 2019, 2022, 2030, 2037 and 2041: before, in and after each validity that there is.
const TIMES: [u64; 5] = [1_560_000_000, 1_650_000_000, 1_900_000_000, 2_120_000_000, 2_250_000_000];

/// Sometimes the root, sometimes another key by its name, sometimes both; sometimes an intermediate.
fn store(graph: &Graph, stranger: &[u8], crls: &[Vec<u8>], dice: &mut Dice) -> Arc<TrustStore> {
    let mut store = TrustStore::empty();
    match dice.roll(6) {
        0 => store.add(stranger, "stranger"),
        1 => store.add(&graph.chain[1 + dice.roll(graph.chain.len() as u64 - 1) as usize], "intermediate"),
        2 => {
            store.add(stranger, "stranger");
            store.add(&graph.roots[0], "root");
        }
        _ => store.add(&graph.roots[0], "root"),
    }
    for _ in 0..dice.roll(3) {
        store.add_crl(&crls[dice.roll(crls.len() as u64) as usize], "crl").unwrap();
    }
    Arc::new(store)
}

/// CRLs of each name by each key that bears it, some of which revoke what the graphs hold.
fn crls(keys: &[Key]) -> Vec<Vec<u8>> {
    let issuers =
        [("Root", 0), ("Authority A", 1), ("Authority A", 2), ("Authority B", 2), ("Authority B", 3)];
    let serials: [&[u8]; 3] = [&[], &[1], &[2]];
    let issue = |(name, key): (&str, usize), serial: &[u8]| {
        let entry = if serial.is_empty() { Vec::new() } else { tlv(0x30, &revoked(serial, &[])) };
        Crl { revoked: entry, ..Crl::new(name) }.issue(&keys[key])
    };
    issuers.iter().flat_map(|issuer| serials.map(|serial| issue(*issuer, serial))).collect()
}

fn verifier(store: TrustStore, revocation: Revocation) -> Verifier {
    Verifier::with_policy(Arc::new(store), Policy { issuer_profile: false, revocation, ..Policy::default() })
}

/// Most of them hold a path.
fn graphs(keys: &[Key], dice: &mut Dice) -> Vec<Graph> {
    let mut graphs = Vec::new();
    while graphs.len() < 60 {
        let graph = Graph::random(keys, dice, graphs.len() % 2 == 0);
        let mut store = TrustStore::empty();
        store.add(&graph.roots[0], "root");
        let request = Request { side: Side::Server, names: &[], now: UnixTime(TIMES[2]) };
        if verifier(store, Revocation::WhereKnown).find_path(&graph.chain, &request).is_ok()
            || dice.one_in(20)
        {
            graphs.push(graph);
        }
    }
    graphs
}

#[test]
fn what_is_remembered_changes_no_verdict() {
    let keys: Vec<_> = (0..8).map(|_| Key::generate()).collect();
    let mut dice = Dice(0x5eed_5eed_5eed_5eed);
    let mut stranger = Template::new("Root", &keys[6]);
    stranger.ca = Some(None);
    let (stranger, crls) = (stranger.issue("Root", &keys[6]), crls(&keys));
    let graphs = graphs(&keys, &mut dice);
    const DEMANDS: [Revocation; 3] = [Revocation::WhereKnown, Revocation::EndEntity, Revocation::WholePath];
    let used = DEMANDS.map(|revocation| verifier(TrustStore::empty(), revocation));
    let mut accepted = 0;
    for question in 0..QUESTIONS {
        let graph = &graphs[dice.roll(graphs.len() as u64) as usize];
        let store = store(graph, &stranger, &crls, &mut dice);
        let which = dice.pick(&[0, 0, 1, 2]);
        let names = [ServerName::parse(dice.pick(&["a.test", "b.a.test", "a.example"])).unwrap()];
        let names = if dice.one_in(2) { &names[..] } else { &[] };
        let side = dice.pick(&[Side::Server, Side::Server, Side::Client]);
        let now = UnixTime(if dice.one_in(2) { TIMES[2] } else { dice.pick(&TIMES) });
        let request = Request { side, names, now };
        let fresh = verifier(TrustStore::empty(), DEMANDS[which]).for_store(Arc::clone(&store));
        let expected = fresh.find_path(&graph.chain, &request);
        accepted += usize::from(expected.is_ok());
        assert_eq!(used[which].for_store(store).find_path(&graph.chain, &request), expected, "{question}");
    }
    println!("{QUESTIONS} questions, {accepted} accepted");
    assert!((QUESTIONS / 20..QUESTIONS).contains(&accepted), "they test nothing: {accepted} accepted");
}
