//! The same inputs give the same bytes, however the peer's messages are cut into records and however ours are written.

mod common;

use common::{
    End, Outcome, connect, connect_through,
    flows::{Cast, Flow},
    reframe::{Cut, Reframer},
};
use handclasp::engine::{Role, Session, Step};

const SEED: u64 = 7;

/// What both sides sent, and what they agreed on.
fn result_of(outcome: Outcome) -> (Vec<u8>, Vec<u8>, String) {
    let (client, server) = (outcome.client.unwrap(), outcome.server.unwrap());
    let facts = |session: &Session| {
        let secrets = [&session.tx.secret, &session.rx.secret].map(|secret| secret.expose().to_vec());
        format!("{session:?} {secrets:?} {:?}", session.exporter.expose())
    };
    (outcome.sent.0, outcome.sent.1, facts(&client) + &facts(&server))
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let cast = Cast::new();
    for flow in Flow::ALL {
        let run = |seed| {
            let (client, server) = cast.ends(flow, seed);
            result_of(connect(client, server))
        };
        assert_eq!(run(SEED), run(SEED), "{flow:?}");
        assert_ne!(run(SEED).0, run(SEED + 1).0, "{flow:?}");
    }
}

#[test]
fn any_cut_of_the_peers_messages_gives_the_same_bytes() {
    let cast = Cast::new();
    let cuts =
        [1, 2, 3, 5, 50].map(Cut::Every).into_iter().chain([Cut::Messages]).chain((0..20).map(Cut::Random));
    for (flow, cut) in cuts.flat_map(|cut| Flow::ALL.map(|flow| (flow, cut))) {
        let (client, server) = cast.ends(flow, SEED);
        let whole = result_of(connect(client, server));
        let mut reframers = [Role::Client, Role::Server].map(|side| Reframer::new(&cast.log, side, cut));
        let (client, server) = cast.ends(flow, SEED);
        let mut changed = false;
        let cut_anew = result_of(connect_through(client, server, |sender, bytes| {
            let reframed = reframers[usize::from(sender == Role::Server)].reframe(&bytes);
            changed |= reframed != bytes;
            reframed
        }));
        assert!(changed, "{flow:?} {cut:?}");
        assert_eq!(whole, cut_anew, "{flow:?} {cut:?}");
    }
}

#[test]
fn writing_a_byte_at_a_time_changes_nothing() {
    let cast = Cast::new();
    for flow in Flow::ALL {
        let (client, server) = cast.ends(flow, SEED);
        let whole = connect(client, server).sent;
        let (mut client, _server) = cast.ends(flow, SEED);
        assert_eq!(first_flight(&mut client), whole.0[..first_flight_length(&whole.0)], "{flow:?}");
    }
}

/// The first record.
fn first_flight_length(sent: &[u8]) -> usize {
    5 + usize::from(u16::from_be_bytes([sent[3], sent[4]]))
}

/// What a client sends until it waits, one byte at a time; the question stays the same until it is answered.
fn first_flight(client: &mut End<'_>) -> Vec<u8> {
    let mut sent = Vec::new();
    while let Step::Send(bytes) = client.handshake.step() {
        sent.push(bytes[0]);
        client.handshake.sent(1);
    }
    assert!(matches!(client.handshake.step(), Step::Receive(5)));
    assert!(matches!(client.handshake.step(), Step::Receive(5)));
    sent
}
