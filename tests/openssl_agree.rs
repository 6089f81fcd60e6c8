//! Our path validation beside `openssl verify`, on the graphs and mutated chains of `paths_agree`.
//!
//! It needs the command: `make peers` runs it. The two agree, or the difference is one of those that `explained` knows.
#![cfg(feature = "x509")]
#![allow(unreachable_pub, dead_code, reason = "modules of a test")]

#[path = "support/graph.rs"]
mod graph;
#[path = "support/issue.rs"]
mod issue;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use graph::{Dice, Graph};
use handclasp::crypto::{
    certificate::{ServerName, UnixTime},
    x509::{Request, Side, TrustStore, Verifier},
};
use issue::Key;

const NOW: u64 = 1_900_000_000; // in 2030
const GRAPHS: u64 = 250;

fn ours(graph: &Graph) -> Result<(), String> {
    let mut store = TrustStore::empty();
    graph.roots.iter().for_each(|root| store.add(root, "root"));
    let names = [ServerName::parse(graph.asked).unwrap()];
    let request = Request { side: Side::Server, names: &names, now: UnixTime(NOW) };
    Verifier::new(Arc::new(store))
        .find_path(&graph.chain, &request)
        .map(drop)
        .map_err(|refusal| refusal.detail)
}

/// A directory of its own, removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("handclasp-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, certificates: &[&[u8]]) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, certificates.iter().map(|der| pem(der)).collect::<String>()).unwrap();
        path
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn pem(der: &[u8]) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in der.chunks(48) {
        for group in line.chunks(3) {
            let bits =
                (0..3).fold(0_u32, |bits, index| bits << 8 | u32::from(*group.get(index).unwrap_or(&0)));
            for place in 0..4 {
                let digit = ALPHABET[(bits >> (18 - 6 * place) & 0x3f) as usize];
                text.push(if place <= group.len() { char::from(digit) } else { '=' });
            }
        }
        text.push('\n');
    }
    text + "-----END CERTIFICATE-----\n"
}

/// Asks OpenSSL, with its checks of RFC 5280's profile, about the end entity and some of the certificates beside it.
fn theirs(graph: &Graph, intermediates: &[&[u8]], directory: &Directory) -> Result<(), String> {
    let roots: Vec<_> = graph.roots.iter().map(Vec::as_slice).collect();
    let run = |untrusted: Option<&Path>| {
        let mut command = Command::new("openssl");
        command.args([
            "verify",
            "-x509_strict",
            "-purpose",
            "sslserver",
            "-no-CApath",
            "-no-CAstore",
            "-attime",
        ]);
        command.arg(NOW.to_string()).args(["-verify_hostname", graph.asked, "-CAfile"]);
        command.arg(directory.write("roots.pem", &roots));
        if let Some(path) = untrusted {
            command.arg("-untrusted").arg(path);
        }
        let output = command.arg(directory.write("leaf.pem", &[&graph.chain[0]])).output().expect("openssl");
        let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        if output.status.success() { Ok(()) } else { Err(words) }
    };
    match intermediates {
        [] => run(None),
        some => run(Some(&directory.write("untrusted.pem", some))),
    }
}

/// Whether OpenSSL accepts the end entity with some of the intermediates.
fn some_path_is_theirs(graph: &Graph, directory: &Directory) -> bool {
    let others = &graph.chain[1..];
    (0..1_u32 << others.len()).any(|subset| {
        let chosen = others.iter().enumerate().filter(|(index, _)| subset >> index & 1 == 1);
        theirs(graph, &chosen.map(|(_, der)| der.as_slice()).collect::<Vec<_>>(), directory).is_ok()
    })
}

/// Where we refuse what they accept: a part of our words, and why.
const STRICTER: [(&str, &str); 3] = [
    ("is not DER", "they read key identifiers, times and BOOLEANs as BER here and there"),
    ("is not an IA5String", "they take any octets in a dNSName"),
    ("serial number", "they take any number"),
];

/// Where we accept what they refuse: a part of their words, and why.
const LAXER: [(&str, &str); 1] = [(
    "X509_PUBKEY_get0:decode error",
    "we look whether the end entity's key is a point of the curve when CertificateVerify is verified with it",
)];

/// Whether a difference is one of those that there may be.
fn explained(
    graph: &Graph,
    ours: &Result<(), String>,
    theirs: &Result<(), String>,
    directory: &Directory,
) -> bool {
    match (ours, theirs) {
        (Ok(()), Err(theirs)) => {
            // They take the first issuer that looks right and never go back, as RFC 4158 would have it.
            LAXER.iter().any(|(words, _)| theirs.contains(words)) || some_path_is_theirs(graph, directory)
        }
        (Err(ours), Ok(())) => STRICTER.iter().any(|(words, _)| ours.contains(words)),
        _ => true,
    }
}

fn compare(name: &str, dice: &mut Dice, generate: impl Fn(&mut Dice) -> Graph) {
    let directory = Directory::new(name);
    let (mut accepted, mut differences) = (0, Vec::new());
    for number in 0..GRAPHS {
        let graph = generate(dice);
        let others: Vec<_> = graph.chain[1..].iter().map(Vec::as_slice).collect();
        let (ours, theirs) = (ours(&graph), theirs(&graph, &others, &directory));
        accepted += u64::from(ours.is_ok());
        if !explained(&graph, &ours, &theirs, &directory) {
            differences.push(format!("{number} {}: ours {ours:?}, theirs {theirs:?}", graph.asked));
        }
    }
    println!("{name}: {GRAPHS}, {accepted} accepted, {} unexplained differences", differences.len());
    assert!((GRAPHS / 20..GRAPHS).contains(&accepted), "they test nothing: {accepted} accepted");
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

fn keys() -> Vec<Key> {
    (0..8).map(|_| Key::generate()).collect()
}

#[test]
#[ignore = "it needs the openssl command: make peers"]
fn random_graphs_are_judged_alike() {
    let keys = keys();
    compare("graphs", &mut Dice(0x9e37_79b9_7f4a_7c15), |dice| Graph::random(&keys, dice, true));
}

#[test]
#[ignore = "it needs the openssl command: make peers"]
fn mutated_chains_are_judged_alike() {
    let keys = keys();
    compare("mutations", &mut Dice(0x0123_4567_89ab_cdef), |dice| graph::mutated(&keys, dice));
}
