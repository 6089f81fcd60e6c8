//! Graphs made to be searched for ever: the budget ends the search, and changes no other verdict.
#![cfg(feature = "x509")]
#![allow(unreachable_pub, dead_code, reason = "modules of a test")]

#[path = "support/graph.rs"]
mod graph;
#[path = "support/hostile.rs"]
mod hostile;
#[path = "support/issue.rs"]
mod issue;

use std::sync::Arc;

use graph::{Dice, Graph};
use handclasp::crypto::{
    certificate::UnixTime,
    x509::{Budget, Policy, Request, Side, TrustStore, Verifier},
};
use hostile::{deep_name, many_names, ten_ways};
use issue::{AUTHORITY_KEY_IDENTIFIER, Key, SUBJECT_ALT_NAME, Template, name, oid, sequence, tlv};

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
    edited_twins(number, |_| {})
}

fn edited_twins(number: usize, edit: impl Fn(&mut Template<'_>)) -> Vec<Vec<u8>> {
    let keys: Vec<_> = (0..number).map(|_| Key::generate()).collect();
    let edited = |mut template: Template<'_>, issuer, key| {
        edit(&mut template);
        template.issue(issuer, key)
    };
    let leaf = Template { ca: None, ..authority("leaf", &keys[0]) };
    let twins = keys.iter().skip(2).map(|key| edited(authority("Twin", key), "Root", &keys[0]));
    [edited(leaf, "Twin", &keys[1])].into_iter().chain(twins).collect()
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
fn an_issuer_of_another_key_is_paid_for() {
    let chain = edited_twins(12, |template| template.key_identifiers = true);
    let nodes = |nodes| judge(&[], &chain, Budget { nodes, ..Budget::default() }).unwrap_err();
    assert!(nodes(9).contains(GIVEN_UP), "ten twins, ten nodes: {}", nodes(9));
    assert!(!nodes(10).contains(GIVEN_UP), "{}", nodes(10));
}

#[test]
fn the_names_of_an_issuer_are_paid_for_by_the_octet() {
    let names = many_names(6_000, "Root");
    let chain = edited_twins(12, |template| {
        if template.ca.is_none() {
            let identifier = sequence(&[tlv(0xa1, &names), tlv(0x82, &[1])]);
            template.others.push((AUTHORITY_KEY_IDENTIFIER, false, identifier));
        }
    });
    let cost = 10 * (1 + names.len() / 64);
    let judged = |comparisons| judge(&[], &chain, Budget { comparisons, ..Budget::default() }).unwrap_err();
    assert!(judged(cost).ends_with("its signature is wrong"), "{}", judged(cost));
    assert!(judged(cost - 1).contains(GIVEN_UP), "{}", judged(cost - 1));
}

#[test]
fn common_names_are_paid_for_by_the_octet_of_subject_alt_name() {
    let key = Key::generate();
    let names = tlv(0x82, b"a").repeat(1_000);
    let common_name = tlv(0x31, &sequence(&[oid(&[0x55, 4, 3]), tlv(0x0c, b"x")]));
    let mut template = authority("leaf", &key);
    (template.ca, template.key_identifiers) = (None, true);
    template.others.push((SUBJECT_ALT_NAME, false, tlv(0x30, &names)));
    let leaf =
        template.issue_edited("Root", &key, |parts| parts.subject = tlv(0x30, &common_name.repeat(50)));
    let judged = |comparisons| {
        let policy = Policy { budget: Budget { comparisons, ..ENDLESS }, ..Policy::default() };
        let verifier = Verifier::with_policy(Arc::new(TrustStore::empty()), policy);
        verifier.find_path(std::slice::from_ref(&leaf), &REQUEST).map(|_| ()).unwrap_err().detail
    };
    let cost = 50 * (1 + names.len() / 64);
    assert!(judged(cost).contains("is neither sent nor trusted"), "{}", judged(cost));
    assert!(judged(cost - 1).contains(GIVEN_UP), "{}", judged(cost - 1));
}

#[test]
fn name_constraints_are_paid_for_by_the_octet() {
    let excluded = deep_name(2_800);
    let (names, number) = (tlv(0x82, b"a").repeat(9_000), 9_000);
    let chain = ten_ways(&names, &excluded);
    assert!(chain.len() <= 64 && chain.concat().len() < 1 << 16, "{} octets", chain.concat().len());
    // On each of the ten ways two subjects are compared with the long name; which ends at the first level;
    // the dNSNames are told by their tag.
    let long = |subject| 2 + (name(subject).len() + tlv(0xa4, &excluded).len()) / 64;
    let cost = 10 * (number + long("leaf") + long("Middle"));
    let judged = |chain: &[_], comparisons| judge(&[], chain, Budget { comparisons, ..ENDLESS }).unwrap_err();
    assert!(judged(&chain, cost).contains("is neither sent nor trusted"), "{}", judged(&chain, cost));
    assert!(judged(&chain, cost - 1).contains(GIVEN_UP), "{}", judged(&chain, cost - 1));
    let chain = ten_ways(&tlv(0xa4, &name("a")).repeat(1_000), &excluded);
    let detail = judge(&[], &chain, Budget::default()).unwrap_err();
    assert!(detail.contains(GIVEN_UP), "a thousand names, each to be compared: {detail}");
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
