//! Handclasp's client and server against those of OpenSSL and GnuTLS, as Debian packages them; for X25519MLKEM768 with trixie's OpenSSL.
//!
//! `make peers` runs everything, `cargo test --test peers -- --ignored WORD...` the cases whose names contain every word; without
//! `--ignored` they only say that they are there, as they need other programs. With `--control` the same cases run between the peers themselves: they show that the command lines do what they say.
#![allow(unreachable_pub, reason = "a test program exports nothing: `pub` says what other files use")]

mod authentication;
mod conversation;
mod data;
mod ends;
mod lab;
mod negotiation;
mod post_quantum;
mod process;
mod psk;
mod refusal;
mod tools;

use std::{
    env,
    process::ExitCode,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use conversation::Pair;
use ends::Implementation::{GnuTls, Handclasp, OpenSsl};
use lab::Lab;

/// Cases wait for processes and sockets most of their time.
const THREADS: usize = 4;

/// How a case went: `Err` says what was wrong, with what both ends printed.
pub type Outcome = Result<(), String>;

/// Something to try.
pub struct Case {
    name: String,
    run: Box<dyn Fn(&Lab) -> Outcome + Send + Sync>,
}

impl Case {
    /// A case with a name that says who does what.
    pub fn new(name: String, run: impl Fn(&Lab) -> Outcome + Send + Sync + 'static) -> Self {
        Self { name, run: Box::new(run) }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let control = arguments.iter().any(|argument| argument == "--control");
    let words: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with("--")).collect();
    let mut cases = cases(control);
    if !control && !arguments.iter().any(|argument| argument == "--ignored") {
        println!("peers: {} cases, ignored; run them with `make peers`", cases.len());
        return ExitCode::SUCCESS;
    }
    cases.retain(|case| words.iter().all(|word| case.name.contains(word.as_str())));
    match Lab::open() {
        Ok(lab) => run(&lab, &cases),
        Err(problem) => {
            eprintln!("peers: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn cases(control: bool) -> Vec<Case> {
    let pairs = if control {
        [(OpenSsl, OpenSsl), (OpenSsl, GnuTls), (GnuTls, OpenSsl), (GnuTls, GnuTls)]
    } else {
        [(Handclasp, OpenSsl), (Handclasp, GnuTls), (OpenSsl, Handclasp), (GnuTls, Handclasp)]
    };
    let pairs = pairs.map(|(client, server)| Pair { client, server });
    let parts = [negotiation::cases, authentication::cases, psk::cases, data::cases, refusal::cases];
    let mut cases: Vec<Case> =
        pairs.iter().flat_map(|&pair| parts.iter().flat_map(move |part| part(pair))).collect();
    if !control {
        cases.extend(post_quantum::cases());
        cases.extend(tools::cases());
    }
    cases
}

fn run(lab: &Lab, cases: &[Case]) -> ExitCode {
    let (next, failures, start) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Instant::now());
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(problem) = run_one(lab, case) {
                        failures.lock().expect("no case panics with it").push((&case.name, problem));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().expect("no case panics with it");
    for (name, problem) in &failures {
        println!("\nFAILED {name}\n{problem}");
    }
    println!(
        "\npeers: {} passed, {} failed, in {} s",
        cases.len() - failures.len(),
        failures.len(),
        start.elapsed().as_secs()
    );
    if failures.is_empty() && !cases.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run_one(lab: &Lab, case: &Case) -> Outcome {
    let start = Instant::now();
    let outcome = (case.run)(lab);
    let verdict = if outcome.is_ok() { "ok" } else { "FAILED" };
    println!("{verdict:6} {:5} ms  {}", start.elapsed().as_millis(), case.name);
    outcome
}
