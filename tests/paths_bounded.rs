//! Graphs made to be searched for ever: the budget ends the search, and changes no other verdict.
#![cfg(feature = "x509")]
#![allow(unreachable_pub, dead_code, reason = "modules of a test")]

#[path = "support/graph.rs"]
mod graph;
#[path = "support/issue.rs"]
mod issue;

use std::sync::Arc;

use graph::{Dice, Graph};
use handclasp::crypto::{
    certificate::UnixTime,
    x509::{Budget, Policy, Request, Side, TrustStore, Verifier},
};
use issue::{Key, Template};

const REQUEST: Request<'_> = Request { side: Side::Server, names: &[], now: UnixTime(1_900_000_000) };
const GIVEN_UP: &str = "path search given up";
const ENDLESS: Budget = Budget { signatures: usize::MAX, nodes: usize::MAX, comparisons: usize::MAX };

fn judge(roots: &[Vec<u8>], chain: &[Vec<u8>], budget: Budget) -> Result<Vec<String>, String> {
    let mut store = TrustStore::empty();
    roots.iter().for_each(|root| store.add(root, "root"));
    let policy = Policy { issuer_profile: false, budget, ..Policy::default() };
    let found = Verifier::with_policy(Arc::new(store), policy).find_path(chain, &REQUEST);
    found.map(|path| path.subjects).map_err(|refusal| refusal.detail)
}

fn authority<'k>(name: &str, key: &'k Key) -> Template<'k> {
    let mut template = Template::new(name, key);
    template.ca = Some(None);
    template.key_identifiers = false;
    template
}

/// An end entity below authorities each of which was certified by each other, and no anchor above them.
fn tangle(authorities: usize) -> Vec<Vec<u8>> {
    let keys: Vec<_> = (0..=authorities).map(|_| Key::generate()).collect();
    let name = |number: usize| format!("Authority {number}");
    let mut leaf = authority("leaf", &keys[authorities]);
    leaf.ca = None;
    let mut chain = vec![leaf.issue(&name(0), &keys[0])];
    for subject in 0..authorities {
        for issuer in (0..authorities).filter(|issuer| *issuer != subject) {
            chain.push(authority(&name(subject), &keys[subject]).issue(&name(issuer), &keys[issuer]));
        }
    }
    chain
}

/// An end entity whose issuer's name many keys bear, none of which signed it.
fn twins(number: usize) -> Vec<Vec<u8>> {
    let keys: Vec<_> = (0..number).map(|_| Key::generate()).collect();
    let mut leaf = authority("leaf", &keys[0]);
    leaf.ca = None;
    let twins = keys.iter().skip(2).map(|key| authority("Twin", key).issue("Root", &keys[0]));
    [leaf.issue("Twin", &keys[1])].into_iter().chain(twins).collect()
}

#[test]
fn tangles_are_given_up() {
    let detail = judge(&[], &tangle(6), Budget::default()).unwrap_err();
    assert!(detail.contains(GIVEN_UP), "{detail}");
    // Three authorities have but a few ways round: the search ends by itself, and says what is missing.
    let detail = judge(&[], &tangle(3), Budget::default()).unwrap_err();
    assert!(detail.contains("is neither sent nor trusted"), "{detail}");
}

#[test]
fn each_signature_is_paid_for() {
    let budget = |signatures| Budget { signatures, ..Budget::default() };
    let chain = twins(12);
    assert!(judge(&[], &chain, budget(9)).unwrap_err().contains(GIVEN_UP), "ten twins, ten signatures");
    assert!(judge(&[], &chain, budget(10)).unwrap_err().ends_with("its signature is wrong"));
    let nodes = |nodes| Budget { nodes, ..Budget::default() };
    assert!(judge(&[], &chain, nodes(9)).unwrap_err().contains(GIVEN_UP), "ten twins, ten nodes");
    assert!(judge(&[], &chain, nodes(10)).unwrap_err().ends_with("its signature is wrong"));
}

#[test]
fn a_budget_changes_no_verdict_but_to_giving_up() {
    let keys: Vec<_> = (0..8).map(|_| Key::generate()).collect();
    let mut dice = Dice(0x0b5e_55ed_0b5e_55ed);
    let (mut given_up, mut kept) = (0, 0);
    for number in 0..300 {
        let graph = Graph::random(&keys, &mut dice, number % 2 == 0);
        let verdict = judge(&graph.roots, &graph.chain, ENDLESS);
        for spared in 0..8 {
            let budget = Budget { signatures: spared, nodes: 2 * spared, comparisons: 4 * spared };
            match judge(&graph.roots, &graph.chain, budget) {
                Err(detail) if detail.contains(GIVEN_UP) => given_up += 1,
                same => {
                    kept += 1;
                    assert_eq!(same, verdict, "{number} with {budget:?}");
                }
            }
        }
    }
    assert!(given_up > 100 && kept > 100, "they test nothing: {given_up} given up, {kept} kept");
}
