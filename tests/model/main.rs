//! A model of the protocol beside the real thing: whatever the schedule, legal or not, both ends do what Appendix A of RFC 8446 says.
//!
//! A schedule delivers, cuts, joins, drops, repeats, swaps and injects messages (under the right keys: nothing here fails for want of
//! them), answers questions well or ill, misuses the interface and gives up. After every action each end is where the model says, has
//! said what the model says, and has failed with the alert that the model says. `PROPTEST_CASES=100000` makes it a longer search.

#[path = "../common/mod.rs"]
mod common;
mod protocol;
mod side;
mod world;

use std::env;

use common::flows::{Cast, Flow};
use handclasp::{
    crypto::hash::Hash,
    engine::{AlertDescription, Peer, Psk, Role, Session},
};
use proptest::{
    prelude::{Just, Strategy, any, prop_oneof},
    sample::select,
    test_runner::{Config, TestCaseError, TestRunner},
};
use protocol::State;
use world::{Action, World, strangers};

/// A few seconds.
const CASES: u32 = 1000;

/// One that nobody offers.
fn a_psk() -> Psk {
    Psk::external(b"nobody's", &[9; 32], Hash::Sha256).unwrap()
}

fn action() -> impl Strategy<Value = Action> {
    let to = || select(vec![Role::Client, Role::Server]);
    let alerts = vec![
        AlertDescription::HandshakeFailure,
        AlertDescription::InternalError,
        AlertDescription::UserCanceled,
        AlertDescription::Unknown(200),
    ];
    let records = vec![
        (20, vec![1]),
        (20, vec![2]),
        (21, vec![1, 0]),
        (21, vec![1, 90]),
        (21, vec![2, 40]),
        (21, vec![1, 112]),
        (22, vec![]),
        (23, b"data".to_vec()),
        (23, vec![]),
        (24, vec![1]),
    ];
    prop_oneof![
        40 => Just(Action::Proceed),
        6 => to().prop_map(Action::Deliver),
        6 => (to(), 1..40usize).prop_map(|(to, length)| Action::Fragment(to, length)),
        3 => to().prop_map(Action::Begin),
        4 => to().prop_map(Action::Join),
        1 => to().prop_map(Action::Drop),
        1 => to().prop_map(Action::Duplicate),
        1 => to().prop_map(Action::Swap),
        1 => to().prop_map(Action::Cut),
        1 => to().prop_map(Action::Spoil),
        1 => (to(), any::<usize>()).prop_map(|(to, which)| Action::Inject(to, which)),
        1 => (to(), any::<usize>()).prop_map(|(to, which)| Action::Append(to, which)),
        2 => (to(), select(records)).prop_map(|(to, (kind, content))| Action::Record(to, kind, content)),
        3 => to().prop_map(|to| Action::Record(to, 20, vec![1])),
        1 => to().prop_map(Action::Forge),
        2 => to().prop_map(Action::Answer),
        1 => to().prop_map(Action::Refuse),
        1 => (to(), any::<u8>()).prop_map(|(of, how)| Action::Misanswer(of, how)),
        1 => (to(), select(alerts)).prop_map(|(of, alert)| Action::Abort(of, alert)),
    ]
}

/// Plays a schedule, then goes on as Appendix A would have it; how both ends came out.
fn play(cast: &Cast, flow: Flow, strangers: &[Vec<u8>], schedule: &[Action]) -> (bool, bool) {
    let mut world = World::new(cast, flow, 11, strangers);
    schedule.iter().for_each(|action| world.act(action));
    while world.proceed() {}
    let World { client, server, .. } = world;
    if let (Some(Ok(ours)), Some(Ok(theirs))) = (&client.result, &server.result) {
        assert_eq!(client.model.seen, server.model.seen);
        check_agreement(flow, ours, theirs);
    }
    (client.model.state == State::Done, server.model.state == State::Done)
}

fn check_agreement(flow: Flow, client: &Session, server: &Session) {
    assert_eq!(client.tx.secret.expose(), server.rx.secret.expose());
    assert_eq!(client.rx.secret.expose(), server.tx.secret.expose());
    assert_eq!(client.exporter.expose(), server.exporter.expose());
    assert_eq!((client.suite, client.group, &client.alpn), (server.suite, server.group, &server.alpn));
    assert_eq!((client.hello_retry, server.hello_retry), (flow.retries(), flow.retries()));
    let known = |index| Peer::Psk { identity: b"known".into(), index };
    let named = |name: &str| Peer::Certificate { chain: vec![name.into()] };
    let (servers, clients) = match flow {
        Flow::Psk => (known(1), known(1)),
        // The other one does not go with the suite of the HelloRetryRequest, and the second ClientHello is without it.
        Flow::PskHelloRetry => (known(1), known(0)),
        Flow::ClientCertificate => (named("server"), named("client")),
        Flow::Certificate | Flow::HelloRetry => (named("server"), Peer::Anonymous),
    };
    assert_eq!((&client.peer, &server.peer), (&servers, &clients));
}

#[test]
fn without_interference_both_ends_are_done() {
    let cast = Cast::new();
    for flow in Flow::ALL {
        assert_eq!(play(&cast, flow, &strangers(&cast, flow), &[]), (true, true), "{flow:?}");
    }
}

#[test]
fn whatever_the_schedule_both_ends_do_what_the_model_does() {
    let cast = Cast::new();
    let strangers = Flow::ALL.map(|flow| strangers(&cast, flow));
    let schedules = (0..Flow::ALL.len(), proptest::collection::vec(action(), 0..40));
    let cases = if env::var("PROPTEST_CASES").is_ok() { Config::default().cases } else { CASES };
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let mut outcomes = [0; 4];
    let counted = std::cell::RefCell::new(&mut outcomes);
    let result = runner.run(&schedules, |(flow, schedule)| {
        let (client, server) = play(&cast, Flow::ALL[flow], &strangers[flow], &schedule);
        counted.borrow_mut()[usize::from(client) + 2 * usize::from(server)] += 1;
        Ok::<(), TestCaseError>(())
    });
    println!("neither, client, server, both done: {outcomes:?}");
    result.unwrap_or_else(|failure| panic!("{failure}"));
    assert!(outcomes[0] > 0 && outcomes[3] > 0, "it saw successes and failures: {outcomes:?}");
}
