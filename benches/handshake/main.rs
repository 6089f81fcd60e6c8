//! What a handshake costs beside the primitives that no implementation can do without, and beside rustls.
//!
//! All are measured in one process, round by round in turn, so that what disturbs one disturbs the others. The figures to look at are
//! the ratios; they are of the fastest tenths, which a busy host disturbs least. `make bench` runs it.

#[path = "../counting.rs"]
mod counting;
mod floor;
mod lengths;
mod material;
mod meter;
#[cfg(feature = "post-quantum")]
mod openssl;
mod ours;
mod peer;
mod scenario;
mod signatures;
mod statistics;
mod steps;
mod theirs;

use handclasp::crypto::hash::Hash;

use floor::Floor;
use lengths::Lengths;
use material::{Kind, Pair};
use meter::{Clock, Heap, Side, Sides};
use ours::Ours;
use peer::Wire;
use scenario::Scenario;
use statistics::{Samples, ratio};
use theirs::Theirs;

const ROUNDS: usize = 600;

fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::p256("P-256"),
        Scenario::mutual(),
        Scenario { remembered: true, ..Scenario::p256("P-256, remembered") },
        Scenario { remembered: true, name: "P-256, mutual, remembered", ..Scenario::mutual() },
        Scenario::of("P-256, chain of 2", Pair::chain()),
        Scenario { retry: true, ..Scenario::p256("P-256, HelloRetryRequest") },
        Scenario::of("P-384", Pair::of(Kind::P384)),
        Scenario::of("RSA-2048", Pair::of(Kind::Rsa2048)),
        Scenario::of("Ed25519", Pair::of(Kind::Ed25519)),
        Scenario::psk("PSK, SHA-256", Hash::Sha256),
        Scenario::psk("PSK, SHA-384", Hash::Sha384),
    ]
}

/// Everything that can play a scenario.
struct Contest<'a> {
    ours: Ours<'a>,
    floor: Floor<'a>,
    /// rustls knows no external PSKs, and with ring no hybrid group.
    theirs: Option<Theirs>,
    wire: Wire,
}

impl<'a> Contest<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        let (ours, mut wire) = (Ours::new(scenario), Wire::default());
        ours.shake_hands(&mut wire, &mut Clock::default());
        let floor = Floor::new(scenario, Lengths::of(&wire));
        let theirs = (scenario.psk.is_none() && !scenario.hybrid).then(|| Theirs::new(scenario));
        Self { ours, floor, theirs, wire }
    }

    /// One handshake each, in an order that turns with the rounds.
    fn round(&mut self, number: usize, ours: &mut Samples, floor: &mut Samples, theirs: &mut Samples) {
        for turn in 0..3 {
            let mut clock = Clock::default();
            match (number + turn) % 3 {
                0 => {
                    self.ours.shake_hands(&mut self.wire, &mut clock);
                    ours.add(clock.0);
                }
                1 => {
                    self.floor.run(&mut clock);
                    floor.add(clock.0);
                }
                _ => {
                    let Some(them) = &self.theirs else { continue };
                    them.shake_hands(&mut self.wire, &mut clock);
                    theirs.add(clock.0);
                }
            }
        }
    }
}

/// Times: microseconds, and their ratios.
fn times() {
    println!(
        "{:26} {:6} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}",
        "time in us", "side", "floor", "median", "ours", "median", "rustls", "median", "o/floor", "o/rustls"
    );
    for scenario in scenarios() {
        let mut contest = Contest::new(&scenario);
        let (mut ours, mut floor, mut theirs) = <(Samples, Samples, Samples)>::default();
        (0..ROUNDS).for_each(|number| contest.round(number, &mut ours, &mut floor, &mut theirs));
        for side in [Side::Client, Side::Server] {
            let [floor, ours, theirs] = [&floor, &ours, &theirs].map(|samples| samples.times(side));
            println!(
                "{:26} {:6} {} {} {} {} {}",
                scenario.name,
                side.name(),
                floor.map_or_else(String::new, |times| times.to_string()),
                ours.map_or_else(String::new, |times| times.to_string()),
                theirs.map_or_else(|| " ".repeat(17), |times| times.to_string()),
                ratio(ours, floor),
                ratio(ours, theirs),
            );
        }
    }
}

/// Allocations, bytes and instructions of the flows that targets are set for.
fn resources() {
    println!(
        "\n{:16} {:7} {:6} {:>11} {:>11} {:>11} {:>13} {:>12}",
        "resources", "who", "side", "allocations", "waiting B", "peak B", "instructions", "above floor"
    );
    for scenario in [Scenario::p256("P-256"), Scenario::mutual(), Scenario::psk("PSK, SHA-256", Hash::Sha256)]
    {
        let mut contest = Contest::new(&scenario);
        let floor = steps::count(|marks| contest.floor.run(marks));
        let Contest { ours, theirs, wire, .. } = &mut contest;
        let mut heap = Heap::default();
        ours.shake_hands(wire, &mut heap);
        let instructions = steps::count(|marks| ours.shake_hands(wire, marks));
        resources_of(&scenario, "ours", ours::SIZE, heap, instructions, floor);
        let Some(theirs) = theirs else { continue };
        theirs.shake_hands(wire, &mut Heap::default());
        let mut heap = Heap::default();
        theirs.shake_hands(wire, &mut heap);
        let instructions = steps::count(|marks| theirs.shake_hands(wire, marks));
        resources_of(&scenario, "rustls", theirs::SIZE, heap, instructions, floor);
    }
}

fn resources_of(
    scenario: &Scenario,
    who: &str,
    size: usize,
    heap: Heap,
    instructions: Sides<u64>,
    floor: Sides<u64>,
) {
    for side in [Side::Client, Side::Server] {
        let (account, count) = (heap.0.get(side), *instructions.get(side));
        let above = i64::try_from(count).unwrap_or(i64::MAX) - i64::try_from(*floor.get(side)).unwrap_or(0);
        println!(
            "{:16} {who:7} {:6} {:>11} {:>11} {:>11} {count:>13} {above:>12}",
            scenario.name,
            side.name(),
            account.allocations,
            account.waiting + size,
            account.peak + size,
        );
    }
}

/// X25519MLKEM768: time and bytes of each side, beside the sum of the parts (the floor).
fn post_quantum() {
    let scenario = Scenario::hybrid();
    let mut contest = Contest::new(&scenario);
    let mut rivals = rivals(&scenario);
    let mut samples: Vec<Samples> = rivals.iter().map(|_| Samples::default()).collect();
    let (mut ours, mut floor) = <(Samples, Samples)>::default();
    for number in 0..ROUNDS {
        contest.round(number, &mut ours, &mut floor, &mut Samples::default());
        for ((_, rival, bytes), samples) in rivals.iter_mut().zip(&mut samples) {
            let mut clock = Clock::default();
            rival(&mut contest.wire, &mut clock);
            samples.add(clock.0);
            *bytes = contest.wire.sent();
        }
    }
    contest.ours.shake_hands(&mut contest.wire, &mut Clock::default());
    println!(
        "\n{:26} {:6} {:>8} {:>8} {:>8} {:>8}",
        "X25519MLKEM768, P-256", "side", "us", "median", "/parts", "bytes"
    );
    let none = Sides::default();
    let mut all = vec![("the sum of the parts", floor, none), ("ours", ours, contest.wire.sent())];
    all.extend(rivals.into_iter().zip(samples).map(|((name, _, bytes), samples)| (name, samples, bytes)));
    for side in [Side::Client, Side::Server] {
        let parts = all[0].1.times(side);
        for (name, samples, bytes) in &all {
            let times = samples.times(side);
            let shown = times.map_or_else(String::new, |times| times.to_string());
            let (side, ratio, bytes) = (side.name(), ratio(times, parts), bytes.get(side));
            println!("{name:26} {side:6} {shown} {ratio} {bytes:>8}");
        }
    }
}

/// Who else can do it: a name, a handshake, and the bytes that each side sends.
type Rival = (&'static str, Box<dyn FnMut(&mut Wire, &mut Clock)>, Sides<usize>);

#[cfg(feature = "post-quantum")]
fn rivals(scenario: &Scenario) -> Vec<Rival> {
    let (theirs, openssl) = (Theirs::post_quantum(scenario), openssl::OpenSsl::new(scenario));
    vec![
        ("rustls, aws-lc-rs", Box::new(move |w, c| theirs.shake_hands(w, c)), Sides::default()),
        (openssl::version(), Box::new(move |w, c| openssl.shake_hands(w, c)), Sides::default()),
    ]
}

#[cfg(not(feature = "post-quantum"))]
fn rivals(_: &Scenario) -> Vec<Rival> {
    vec![]
}

/// Every table, or those whose names are given.
fn main() {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    let tables: [(&str, fn()); 3] =
        [("times", times), ("post-quantum", post_quantum), ("resources", resources)];
    for (name, table) in tables {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            table();
        }
    }
}
