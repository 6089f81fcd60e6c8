//! The limits on what one certificate, one name and one path may hold: each is reached, and the next is refused.
#![cfg(feature = "x509")]
#![allow(unreachable_pub, dead_code, reason = "modules of a test")]

#[path = "support/issue.rs"]
mod issue;

use std::sync::Arc;

use handclasp::crypto::{
    certificate::UnixTime,
    x509::{Policy, Request, Side, TrustStore, Verifier},
};
use issue::{CERTIFICATE_POLICIES, Key, NAME_CONSTRAINTS, SUBJECT_ALT_NAME, Template, oid, sequence, tlv};

fn judge(root: &[u8], chain: &[Vec<u8>], max_intermediates: usize) -> Result<(), String> {
    let mut store = TrustStore::empty();
    store.add(root, "root");
    let policy = Policy { issuer_profile: false, max_intermediates, ..Policy::default() };
    let request = Request { side: Side::Client, names: &[], now: UnixTime(1_900_000_000) };
    let found = Verifier::with_policy(Arc::new(store), policy).find_path(chain, &request);
    found.map(|_| ()).map_err(|refusal| refusal.detail)
}

fn authority<'k>(name: &str, key: &'k Key) -> Template<'k> {
    Template { ca: Some(None), key_identifiers: false, ..Template::new(name, key) }
}

/// The verdict on an end entity with these extensions beside keyUsage, below a root with those.
fn with_extensions(
    leaf: Vec<(&'static [u8], bool, Vec<u8>)>,
    root: Vec<(&'static [u8], bool, Vec<u8>)>,
) -> Result<(), String> {
    let key = Key::generate();
    let root = Template { others: root, ..authority("Root", &key) }.issue("Root", &key);
    let leaf = Template { others: leaf, key_identifiers: false, ..Template::new("leaf", &key) };
    judge(&root, &[leaf.issue("Root", &key)], 10)
}

#[test]
fn forty_extensions() {
    const IDS: [[u8; 2]; 40] = {
        let mut ids = [[0x2a, 0]; 40];
        let mut at = 0;
        while at < ids.len() {
            ids[at][1] = at as u8;
            at += 1;
        }
        ids
    };
    // keyUsage is one of them.
    let others = |number| IDS[..number].iter().map(|id| (&id[..], false, vec![5, 0])).collect();
    assert_eq!(with_extensions(others(39), vec![]), Ok(()));
    let refusal = with_extensions(others(40), vec![]).unwrap_err();
    assert!(refusal.contains("too many extensions"), "{refusal}");
}

#[test]
fn thirty_two_policies() {
    let policies = |number| {
        let policies = (0..number).map(|policy| sequence(&[oid(&[0x2a, policy])])).collect::<Vec<_>>();
        vec![(CERTIFICATE_POLICIES, false, sequence(&policies))]
    };
    assert_eq!(with_extensions(policies(32), vec![]), Ok(()));
    let refusal = with_extensions(policies(33), vec![]).unwrap_err();
    assert!(refusal.contains("too many certificate policies"), "{refusal}");
}

#[test]
fn sixteen_attributes_at_one_level_of_a_name() {
    // The same name in two spellings: only a comparison of the attributes finds out.
    let name = |number, text: &[u8]| {
        let attribute = |kind| sequence(&[oid(&[0x55, 4, kind]), tlv(0x0c, text)]);
        sequence(&[tlv(0x31, &(1..=number).map(attribute).collect::<Vec<_>>().concat())])
    };
    let judged = |number| {
        let names = sequence(&[tlv(0x82, b"leaf.test"), tlv(0xa4, &name(number, b"A"))]);
        let subtree = sequence(&[tlv(0xa4, &name(number, b"a"))]);
        let excluded = sequence(&[tlv(0xa1, &subtree)]);
        with_extensions(vec![(SUBJECT_ALT_NAME, false, names)], vec![(NAME_CONSTRAINTS, true, excluded)])
    };
    let refusal = judged(16).unwrap_err();
    assert!(refusal.contains("excluded"), "compared, and found to be the same: {refusal}");
    let refusal = judged(17).unwrap_err();
    assert!(refusal.contains("too many attributes at one level"), "{refusal}");
}

#[test]
fn twenty_five_links() {
    let key = Key::generate();
    let name = |level| format!("Level {level}");
    let judged = |intermediates: usize, max_intermediates| {
        let root = authority(&name(intermediates), &key).issue(&name(intermediates), &key);
        let leaf = Template { key_identifiers: false, ..Template::new("leaf", &key) };
        let middle = |level| authority(&name(level), &key).issue(&name(level + 1), &key);
        let chain: Vec<_> =
            [leaf.issue(&name(0), &key)].into_iter().chain((0..intermediates).map(middle)).collect();
        judge(&root, &chain, max_intermediates)
    };
    assert_eq!(judged(10, 10), Ok(()));
    let refusal = judged(11, 10).unwrap_err();
    assert!(refusal.ends_with("more than 10 intermediates"), "{refusal}");
    // Whatever the configuration allows: the end entity is one, and one more is tried.
    assert_eq!(judged(23, usize::MAX), Ok(()));
    let refusal = judged(24, usize::MAX).unwrap_err();
    assert!(refusal.ends_with("more than 23 intermediates"), "{refusal}");
}
