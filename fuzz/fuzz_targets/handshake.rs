//! Both ends, and between them somebody who has their keys: what is changed in flight never becomes a session.
#![no_main]

use handclasp::engine::{Peer, Session};
use handclasp_fuzz::{
    ends::Shape,
    input::Input,
    mutation::Change,
    wire::{Forgeries, Station, Wire},
};
use libfuzzer_sys::fuzz_target;

const MOST_CHANGES: usize = 16;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let shape = Shape::read(&mut input);
    let bits = input.u8();
    let forgeries =
        Forgeries { binders: bits & 1 > 0, certificate_verify: bits & 2 > 0, finished: bits & 4 > 0 };
    let mut changes = Vec::new();
    while !input.is_empty() && changes.len() < MOST_CHANGES {
        changes.push((input.u8() % 16, Change::read(&mut input)));
    }
    let mut wire = Wire::new(shape, changes, forgeries);
    wire.run();
    let Wire { client, server, meddled, .. } = &wire;
    if !meddled && forgeries == Forgeries::default() {
        let both = session(client).is_some() && session(server).is_some();
        assert_eq!(both, shape.succeeds(), "{:?} {:?}", client.end.outcome, server.end.outcome);
    }
    if !forgeries.finished {
        check_histories(client, server);
        check_histories(server, client);
    }
    if !forgeries.certificate_verify
        && !forgeries.finished
        && let (Some(client), Some(server)) = (session(client), session(server))
    {
        check_agreement(client, server);
    }
    if !forgeries.certificate_verify {
        check_proof(client, server);
        check_proof(server, client);
    }
});

fn session(station: &Station) -> Option<&Session> {
    station.end.outcome.as_ref()?.as_deref().ok()
}

/// An end with a session has seen what the other has seen: nothing in a handshake is unauthenticated.
fn check_histories(one: &Station, other: &Station) {
    if session(one).is_some() {
        let history = one.history_when_done();
        let theirs: Vec<u8> = other.history.iter().flatten().copied().collect();
        assert!(theirs.starts_with(&history), "a changed flight became a session: {one:?} {other:?}");
    }
}

fn check_agreement(client: &Session, server: &Session) {
    assert_eq!(client.tx.secret.expose(), server.rx.secret.expose());
    assert_eq!(client.rx.secret.expose(), server.tx.secret.expose());
    assert_eq!(client.exporter.expose(), server.exporter.expose());
    assert_eq!((client.suite, client.group, &client.alpn), (server.suite, server.group, &server.alpn));
    assert_eq!(client.hello_retry, server.hello_retry);
    assert_eq!(
        (client.record_size_limit, client.peer_record_size_limit),
        (server.peer_record_size_limit, server.record_size_limit)
    );
}

/// Whoever holds all secrets, but not the private key, is not taken for its owner: up to the CertificateVerify nothing differs.
fn check_proof(one: &Station, other: &Station) {
    if session(one).is_some_and(|session| matches!(session.peer, Peer::Certificate { .. })) {
        let proved = one.history_up_to_proof();
        let theirs: Vec<u8> = other.history.iter().flatten().copied().collect();
        assert!(theirs.starts_with(&proved), "a certificate without its key was accepted");
    }
}
