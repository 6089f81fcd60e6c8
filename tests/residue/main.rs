//! What a process remembers of a handshake's secrets once it has dropped them: nothing of ours.
//!
//! Each case is a process of its own, so that the bytes looked for are nowhere in it but where the library put them: it tells its
//! secrets masked, stops twice (the sessions alive, and all dropped), and is searched from outside, through every writable mapping:
//! heap, stacks, statics.

#[path = "../common/drive.rs"]
mod drive;
mod image;
mod needles;
mod private_key;
mod subject;

use std::{
    env,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio},
};

use image::Image;
use needles::Needles;
use subject::Case;

/// What stays behind in memory that is ring's to wipe, and how many bytes at most: long-term private keys that were dropped, two or four
/// in a case. Of each on P-256 32 bytes and on P-384 48, of each of Ed25519 64; of each of RSA the numbers of its file, where they were on
/// the way into a key and what was the key, and what the last signature was computed of.
const LEFT_BY_RING: [(&str, usize); 12] = [
    ("private key in ring's form", 192),
    ("prefix of the private key", 128),
    ("p", 512),
    ("q", 512),
    ("d", 512),
    ("dP", 256),
    ("dQ", 256),
    ("R^3 mod p", 256),
    ("R^3 mod q", 256),
    ("qInv in ring's form", 256),
    ("a signature mod p", 128),
    ("a signature mod q", 256),
];

/// The process of a case, and what it told.
struct Subject {
    process: Child,
    orders: ChildStdin,
    words: BufReader<ChildStdout>,
}

impl Subject {
    fn start(case: Case) -> Self {
        let program = env::current_exe().expect("this program");
        let mut process = Command::new(program)
            .args(["--subject", case.name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let orders = process.stdin.take().expect("piped");
        let words = BufReader::new(process.stdout.take().expect("piped"));
        Self { process, orders, words }
    }

    /// Reads what it tells until it stops at this stage.
    fn hear_until(&mut self, stage: &str, needles: &mut Needles) {
        for line in (&mut self.words).lines() {
            let line = line.expect("text");
            match line.split_once(' ') {
                Some((label, masked)) => needles.hear(label, masked),
                None => return assert_eq!(line, stage),
            }
        }
        panic!("it ended before it was {stage}");
    }

    fn image(&self) -> Image {
        Image::of(self.process.id())
    }

    fn go_on(&mut self) {
        self.orders.write_all(b"\n").expect("it listens");
    }
}

/// Searches one case's process at both stages; what is found after all was dropped.
fn examine(case: Case) -> Vec<(String, usize)> {
    let mut subject = Subject::start(case);
    let mut needles = Needles::default();
    subject.hear_until("alive", &mut needles);
    needles.derive(case);
    let image = subject.image();
    let mut alive = needles.search(&image);
    alive.extend(needles.search_ephemeral_keys(&image));
    let expected = [
        "CLIENT_TRAFFIC_SECRET_0",
        "SERVER_TRAFFIC_SECRET_0",
        "EXPORTER_SECRET",
        "exported",
        "ephemeral private key",
    ];
    let keys = ["private key in ring's form", "p", "q", "unused-ML-KEM-decapsulation-key"];
    for secret in expected.into_iter().chain(keys.into_iter().filter(|key| needles.has(key))) {
        let seen = alive.iter().any(|(label, bytes)| label == secret && *bytes >= 32);
        assert!(seen, "{}: {secret} is there, and not seen: {alive:?}", case.name());
    }
    subject.go_on();
    subject.hear_until("dropped", &mut needles);
    let image = subject.image();
    let mut found = needles.search(&image);
    found.extend(needles.search_ephemeral_keys(&image));
    subject.go_on();
    assert!(subject.process.wait().expect("it ends").success());
    println!(
        "{}: {} needles, {} KiB searched, found {found:?}",
        case.name(),
        needles.len(),
        image.size() / 1024
    );
    found
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [option, name] = &arguments[..]
        && option == "--subject"
    {
        subject::live(Case::named(name));
        return ExitCode::SUCCESS;
    }
    if arguments.iter().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    let mut clean = true;
    for case in Case::ALL {
        let found = examine(case);
        let is_rings =
            |(label, bytes): &(String, usize)| LEFT_BY_RING.iter().any(|(l, b)| l == label && bytes <= b);
        clean &= found.iter().all(is_rings);
    }
    if clean { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
