//! What path validation costs, beside rustls-webpki in the same run.
#![allow(missing_docs, unreachable_pub, dead_code, reason = "a benchmark")]

mod counting;
#[path = "../tests/support/hostile.rs"]
mod hostile;
#[path = "../tests/support/issue.rs"]
mod issue;

use std::{
    hint::black_box,
    sync::{Arc, LazyLock, atomic::Ordering},
    time::{Duration, Instant},
};

use counting::{ALLOCATIONS, HELD};
use handclasp::crypto::{
    certificate::{CertificateVerifier, Purpose, ServerName, UnixTime},
    x509::{Policy, TrustStore, Verifier},
};
use hostile::{deep_name, ten_ways};
use issue::{Crl, Key, SERVER_AUTH, Template, revoked, tlv};
use rustls_pki_types::{CertificateDer, UnixTime as TheirTime};

const NOW: u64 = 1_900_000_000;

/// Times two things in turns, and returns the median of each in microseconds.
fn race(mut ours: impl FnMut(), mut theirs: impl FnMut()) -> (f64, f64) {
    let mut times = (Vec::new(), Vec::new());
    for _ in 0..200 {
        times.0.push(time(&mut ours));
        times.1.push(time(&mut theirs));
    }
    (median(times.0), median(times.1))
}

fn time(run: &mut impl FnMut()) -> Duration {
    let start = Instant::now();
    for _ in 0..5 {
        run();
    }
    start.elapsed() / 5
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e6
}

fn allocations(run: impl FnOnce()) -> usize {
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    run();
    ALLOCATIONS.load(Ordering::Relaxed) - before
}

/// A root, and a chain of `length` certificates below it.
fn chain(length: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
    let keys: Vec<_> = (0..=length).map(|_| Key::generate()).collect();
    let subject = |index: usize| format!("Authority {index}");
    let mut root = Template::new(&subject(length), &keys[length]);
    root.ca = Some(None);
    let mut chain = Vec::new();
    for (index, key) in keys.iter().take(length).enumerate() {
        let mut template = Template::new(&subject(index), key);
        if index == 0 {
            template.names = vec!["server.test".into(), "www.server.test".into()];
            template.purposes = vec![SERVER_AUTH];
        } else {
            template.ca = Some(None);
        }
        chain.push(template.issue(&subject(index + 1), &keys[index + 1]));
    }
    (root.issue(&subject(length), &keys[length]), chain)
}

fn store(roots: &[Vec<u8>]) -> Arc<TrustStore> {
    let mut store = TrustStore::empty();
    roots.iter().for_each(|root| store.add(root, "root"));
    assert!(store.set_aside().is_empty());
    Arc::new(store)
}

static NAME: LazyLock<ServerName> = LazyLock::new(|| ServerName::parse("server.test").unwrap());

fn verify(verifier: &Verifier, chain: &[Vec<u8>]) -> bool {
    black_box(verifier.verify(black_box(chain), Purpose::Server(&NAME), UnixTime(NOW)).is_ok())
}

fn compare(length: usize) {
    let (root, chain) = chain(length);
    let store = store(std::slice::from_ref(&root));
    let fresh = || assert!(verify(&Verifier::new(Arc::clone(&store)), &chain));
    let used = Verifier::new(Arc::clone(&store));
    let root = CertificateDer::from_slice(&root);
    let anchors = [webpki::anchor_from_trusted_cert(&root).unwrap()];
    let ders: Vec<_> = chain.iter().map(|der| CertificateDer::from_slice(der)).collect();
    let now = TheirTime::since_unix_epoch(Duration::from_secs(NOW));
    let their_name = "server.test".try_into().unwrap();
    let theirs = || {
        let leaf = webpki::EndEntityCert::try_from(black_box(&ders[0])).unwrap();
        let usage = webpki::KeyUsage::server_auth();
        leaf.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &anchors, &ders[1..], now, usage, None, None)
            .unwrap();
        leaf.verify_is_valid_for_subject_name(&their_name).unwrap();
        black_box(leaf.subject_public_key_info());
    };
    let (ours, webpki) = race(fresh, theirs);
    let (again, _) = race(|| assert!(verify(&used, &chain)), || ());
    let new = Verifier::new(Arc::clone(&store));
    println!(
        "chain of {length}: {ours:.1} us, webpki {webpki:.1} us, ratio {:.3}; again {again:.1} us; {} allocations to remember it, {} again",
        ours / webpki,
        allocations(|| assert!(verify(&new, &chain))),
        allocations(|| assert!(verify(&used, &chain))),
    );
}

/// A thousand roots: what they cost at start, and in each handshake.
fn many_roots() {
    let key = Key::generate();
    let (root, chain) = chain(2);
    let mut roots: Vec<_> = (0..999)
        .map(|number| {
            let subject = format!("Root {number}");
            let mut template = Template::new(&subject, &key);
            template.ca = Some(None);
            template.issue(&subject, &key)
        })
        .collect();
    roots.push(root);
    let start = Instant::now();
    let store = store(&roots);
    let load = start.elapsed();
    let (each, _) = race(|| assert!(verify(&Verifier::new(Arc::clone(&store)), &chain)), || ());
    println!("1000 roots: read in {:.1} ms, then a chain of 2 takes {each:.1} us", load.as_secs_f64() * 1e3);
}

/// A CRL of a hundred thousand entries: what it costs at start, in the first handshake, and in each after it.
fn long_crl() {
    let (root_key, key) = (Key::generate(), Key::generate());
    let mut root = Template::new("Root", &root_key);
    root.ca = Some(None);
    let mut leaf = Template::new("leaf", &key);
    leaf.names = vec!["server.test".into()];
    let serial =
        |number: u32| [&[0x40][..], &number.wrapping_mul(2_654_435_761).to_be_bytes(), &[7; 11]].concat();
    let entries: Vec<_> = (0..100_000).flat_map(|number| revoked(&serial(number), &[])).collect();
    let crl = Crl { revoked: tlv(0x30, &entries), ..Crl::new("Root") }.issue(&root_key);
    let mut store = TrustStore::empty();
    store.add(&root.issue("Root", &root_key), "root");
    let (before, start) = (HELD.load(Ordering::Relaxed), Instant::now());
    store.add_crl(&crl, "crl").unwrap();
    let (load, held) = (start.elapsed(), HELD.load(Ordering::Relaxed) - before);
    let plain = {
        let mut store = TrustStore::empty();
        store.add(&root.issue("Root", &root_key), "root");
        Verifier::new(Arc::new(store))
    };
    let chain = [leaf.issue("Root", &root_key)];
    let verifier = Verifier::new(Arc::new(store));
    assert!(verify(&plain, &chain));
    let start = Instant::now();
    assert!(verify(&verifier, &chain));
    let first = start.elapsed();
    let (with, without) = race(|| assert!(verify(&verifier, &chain)), || assert!(verify(&plain, &chain)));
    println!(
        "CRL of 100,000 ({:.1} MB): read in {:.1} ms, {:.1} MB held; the first path takes {:.1} ms; then {with:.1} us, without it {without:.1} us",
        crl.len() as f64 / 1e6,
        load.as_secs_f64() * 1e3,
        held as f64 / 1e6,
        first.as_secs_f64() * 1e3,
    );
}

/// A hundred authorities of one name, each of which may have issued each other: no path, and a bounded search.
fn many_authorities() {
    let (root, _) = chain(1);
    let keys: Vec<_> = (0..101).map(|_| Key::generate()).collect();
    let authority = |key| {
        let mut template = Template::new("Authority", key);
        template.ca = Some(None);
        template.key_identifiers = false;
        template
    };
    let mut leaf = authority(&keys[0]);
    leaf.ca = None;
    leaf.names = vec!["server.test".into()];
    let mut chain = vec![leaf.issue("Authority", &keys[1])];
    chain.extend(keys.windows(2).skip(1).map(|pair| authority(&pair[0]).issue("Authority", &pair[1])));
    let verifier =
        Verifier::with_policy(store(&[root]), Policy { issuer_profile: false, ..Policy::default() });
    let (each, _) = race(|| assert!(!verify(&verifier, &chain)), || ());
    println!("a hundred authorities of one name: given up after {:.2} ms", each / 1e3);
}

/// Ten ways upward, under an excluded directoryName of thousands of levels.
fn long_names() {
    let verifier = Verifier::with_policy(store(&[]), Policy { issuer_profile: false, ..Policy::default() });
    for (kind, names) in [
        ("9000 dNSNames", tlv(0x82, b"a").repeat(9_000)),
        ("1000 directoryNames", tlv(0xa4, &issue::name("a")).repeat(1_000)),
    ] {
        let chain = ten_ways(&names, &deep_name(2_800));
        let start = Instant::now();
        let refusal = verifier.verify(&chain, Purpose::Client, UnixTime(NOW)).unwrap_err();
        let taken = start.elapsed().as_secs_f64() * 1e3;
        println!("{kind}, ten ways, a long name excluded: {taken:.2} ms ({refusal})");
    }
}

fn main() {
    compare(1);
    compare(2);
    compare(4);
    many_roots();
    long_crl();
    many_authorities();
    long_names();
}
