//! The same inputs give the same bytes, however the peer's messages are cut into records and however ours are written.

mod common;

use common::{
    End, Outcome, connect, connect_through,
    flows::{Cast, Flow},
    reframe::{Cut, Reframer},
};
use handclasp::engine::{Error, Role, Session, Step};

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
        let whole = result_of(connect(client, server));
        let (client, server) = cast.ends(flow, SEED);
        assert_eq!(whole, result_of(connect_slowly(client, server)), "{flow:?}");
    }
}

/// Carries bytes as [`connect`] does, one at a time.
fn connect_slowly(mut client: End<'_>, mut server: End<'_>) -> Outcome {
    let mut sent = (Vec::new(), Vec::new());
    let (mut of_client, mut of_server) = (0, 0);
    let (mut client_result, mut server_result) = (None, None);
    // More turns than any flow takes.
    for _ in 0..10 {
        client_result = client_result.or_else(|| go_on(&mut client, &sent.1, &mut of_server, &mut sent.0));
        server_result = server_result.or_else(|| go_on(&mut server, &sent.0, &mut of_client, &mut sent.1));
    }
    Outcome { client: client_result.unwrap(), server: server_result.unwrap(), sent }
}

/// Goes on until bytes are missing or it is over; what is asked for stays the same until it is there.
fn go_on(
    end: &mut End<'_>,
    incoming: &[u8],
    received: &mut usize,
    outgoing: &mut Vec<u8>,
) -> Option<Result<Box<Session>, Error>> {
    loop {
        match end.handshake.step() {
            Step::Send(bytes) => {
                outgoing.push(bytes[0]);
                end.handshake.sent(1);
            }
            Step::Receive(count) => {
                assert!(matches!(end.handshake.step(), Step::Receive(again) if again == count));
                end.handshake.receive(incoming.get(*received..*received + count)?);
                *received += count;
            }
            Step::Sign(_) | Step::FindPsk(_) => end.answer(),
            Step::Done(session) => return Some(Ok(session)),
            Step::Failed(error) => return Some(Err(error)),
        }
    }
}
