//! Handshakes with X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem; RFC 9954).
#![cfg(feature = "pq")]

mod common;

use common::{
    End, LOST, Outcome, client_config, connect, connect_through,
    edit::{CLIENT_HELLO, set, vector16, with_extensions},
    identity, seeded, server_config,
};
use handclasp::{
    crypto::{
        hash::Hash,
        kx::NamedGroup::{self, Secp256r1, X25519, X25519MlKem768},
    },
    engine::{
        AlertDescription, Error, Peer, Psk, Role, Violation,
        config::{ClientConfig, ServerConfig},
    },
};

const KEY_SHARE: u16 = 51;
const SUPPORTED_GROUPS: u16 = 10;

/// A handshake between ends with these groups; empty: the default.
fn shake(ours: &[NamedGroup], theirs: &[NamedGroup]) -> Outcome {
    let alice = identity("server");
    let (mut client, mut server) = (client_config(&alice), server_config(&alice));
    for (groups, wanted) in [(&mut client.groups, ours), (&mut server.groups, theirs)] {
        if !wanted.is_empty() {
            *groups = wanted.into();
        }
    }
    connect(End::client(client, None), End::server(server, Some(&alice.key)))
}

/// The group of a session, and whether there was a HelloRetryRequest; the same at both ends.
fn negotiated(outcome: Outcome) -> (NamedGroup, bool) {
    let (client, server) = (outcome.client.unwrap(), outcome.server.unwrap());
    assert_eq!(client.tx.secret.expose(), server.rx.secret.expose());
    assert_eq!((client.group, client.hello_retry), (server.group, server.hello_retry));
    (client.group, client.hello_retry)
}

/// The plaintext handshake messages that an end sent, each from a record of its own.
fn messages(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while let [content_type, _, _, high, low, rest @ ..] = bytes {
        let (body, after) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        bytes = after;
        if *content_type == 22 {
            messages.push(body.to_vec());
        }
    }
    messages
}

fn extension(message: &[u8], code: u16) -> Vec<u8> {
    let mut found = None;
    let mut copy = message.to_vec();
    with_extensions(&mut copy, |extensions| {
        found = extensions.iter().find(|extension| extension.0 == code).map(|extension| extension.1.clone());
    });
    found.unwrap()
}

/// The key shares of a ClientHello: group and key_exchange.
fn key_shares(client_hello: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let extension = extension(client_hello, KEY_SHARE);
    let (mut rest, mut shares) = (&extension[2..], Vec::new());
    while let [a, b, high, low, after @ ..] = rest {
        let (share, after) = after.split_at(usize::from(u16::from_be_bytes([*high, *low])));
        shares.push((u16::from_be_bytes([*a, *b]), share.to_vec()));
        rest = after;
    }
    shares
}

#[test]
fn it_is_offered_first_with_an_x25519_share_beside_it() {
    let outcome = shake(&[], &[]);
    let hello = &messages(&outcome.sent.0)[0];
    assert_eq!(extension(hello, SUPPORTED_GROUPS)[2..4], [0x11, 0xec]);
    let [(0x11ec, hybrid), (0x001d, x25519)] = &key_shares(hello)[..] else { panic!("two shares") };
    assert_eq!((hybrid.len(), x25519), (1216, &hybrid[1184..].to_vec()));
    assert_eq!(negotiated(outcome), (X25519MlKem768, false));
}

#[test]
fn no_peer_needs_a_retry() {
    assert_eq!(negotiated(shake(&[], &[X25519])), (X25519, false));
    assert_eq!(negotiated(shake(&[], &[X25519, X25519MlKem768])), (X25519, false));
    assert_eq!(negotiated(shake(&[X25519], &[])), (X25519, false));
    assert_eq!(negotiated(shake(&[X25519MlKem768], &[])), (X25519MlKem768, false));
}

#[test]
fn only_groups_of_the_configuration_have_shares() {
    let shares = |groups: &[NamedGroup]| {
        let outcome = shake(groups, &[]);
        let hello = &messages(&outcome.sent.0)[0];
        key_shares(hello).iter().map(|share| share.0).collect::<Vec<_>>()
    };
    assert_eq!(shares(&[X25519MlKem768]), [0x11ec]);
    assert_eq!(shares(&[X25519MlKem768, Secp256r1]), [0x11ec]);
    assert_eq!(shares(&[X25519MlKem768, Secp256r1, X25519]), [0x11ec, 0x1d]);
    let alice = identity("server");
    let groups = vec![X25519MlKem768, Secp256r1, X25519];
    for (wanted, expected) in [
        (groups.clone(), &[0x11ec, 0x17, 0x1d][..]),
        (vec![X25519, X25519MlKem768], &[0x11ec, 0x1d]),
        (vec![Secp256r1], &[0x17]),
    ] {
        let key_shares = Some(wanted);
        let ours = ClientConfig { groups: groups.clone(), key_shares, ..client_config(&alice) };
        let outcome = connect(End::client(ours, None), End::server(server_config(&alice), Some(&alice.key)));
        let shares = self::key_shares(&messages(&outcome.sent.0)[0]);
        let codes: Vec<u16> = shares.iter().map(|share| share.0).collect();
        assert_eq!(codes, expected, "in the order of supported_groups (RFC 8446, Section 4.2.8)");
    }
    assert_eq!(shares(&[X25519, X25519MlKem768]), [0x1d]);
}

#[test]
fn a_retry_leads_to_it_and_away_from_it() {
    let outcome = shake(&[X25519, X25519MlKem768], &[]);
    let second = key_shares(&messages(&outcome.sent.0)[1]);
    assert_eq!((second.len(), second[0].0), (1, 0x11ec));
    assert_eq!(negotiated(outcome), (X25519MlKem768, true));

    let outcome = shake(&[], &[Secp256r1]);
    let second = key_shares(&messages(&outcome.sent.0)[1]);
    assert_eq!((second.len(), second[0].0), (1, 0x17));
    assert_eq!(negotiated(outcome), (Secp256r1, true));
}

/// RFC 8446, Section 4.1.4: both shares of the first ClientHello count as offered.
#[test]
fn a_retry_for_an_offered_share_is_refused() {
    for offered in [[0x11, 0xec], [0, 0x1d]] {
        let alice = identity("server");
        let theirs = ServerConfig { groups: vec![Secp256r1], ..server_config(&alice) };
        let server = End::server(theirs, Some(&alice.key));
        let outcome = connect_through(End::client(client_config(&alice), None), server, |from, bytes| {
            if from == Role::Client || bytes.is_empty() {
                return bytes;
            }
            let mut retry = messages(&bytes).remove(0);
            with_extensions(&mut retry, |extensions| set(extensions, KEY_SHARE, &offered));
            [&bytes[..3], &vector16(&retry)].concat()
        });
        assert_eq!(outcome.client.unwrap_err(), Error::Peer(Violation::RetryChangesNothing));
    }
}

#[test]
fn nothing_in_common_is_refused() {
    for (ours, theirs) in [(&[X25519MlKem768][..], &[X25519][..]), (&[X25519], &[X25519MlKem768])] {
        let outcome = shake(ours, theirs);
        assert_eq!(outcome.server.unwrap_err(), Error::Peer(Violation::NoCommonGroup));
        assert_eq!(outcome.client.unwrap_err(), Error::Alert(AlertDescription::HandshakeFailure));
    }
}

#[test]
fn an_external_psk_goes_with_it() {
    for hash in [Hash::Sha256, Hash::Sha384] {
        for (groups, retried) in [(vec![], false), (vec![Secp256r1, X25519MlKem768], true)] {
            let psk = || Psk::external(b"identity", &[7; 32], hash).unwrap();
            let mut ours = ClientConfig { psks: vec![psk()], ..ClientConfig::default() };
            if retried {
                ours.groups = groups;
            }
            let theirs = ServerConfig { psk: true, ..ServerConfig::default() };
            let outcome =
                connect(End::client(ours, None), End::server(theirs, None).with_psk(|_| Some(psk())));
            let peer = outcome.client.as_ref().unwrap().peer.clone();
            assert_eq!(peer, Peer::Psk { identity: b"identity".to_vec(), index: 0 });
            assert_eq!(negotiated(outcome), (X25519MlKem768, retried));
        }
    }
}

/// ML-KEM takes its randomness from ours; ring does not, so the X25519 half is a stand-in here.
#[test]
fn the_same_randomness_gives_the_same_bytes() {
    let run = || {
        let alice = seeded::identity("server");
        let client = seeded::client(client_config(&alice), None, 1);
        let outcome = connect(client, seeded::server(server_config(&alice), Some(&alice.key), 2));
        let sent = outcome.sent.clone();
        assert_eq!(negotiated(outcome), (X25519MlKem768, false));
        sent
    };
    assert_eq!(run(), run());
}

/// Whether the other end refuses a share of `sender` when it is resized: `None` if nothing came of it.
fn refusal(sender: Role, length: usize) -> Option<Violation> {
    let alice = identity("server");
    let client = End::client(client_config(&alice), None);
    let server = End::server(server_config(&alice), Some(&alice.key));
    let outcome = connect_through(client, server, |from, mut bytes| {
        if from != sender || bytes.first() != Some(&22) {
            return bytes;
        }
        let end = 5 + usize::from(u16::from_be_bytes([bytes[3], bytes[4]]));
        let (mut message, rest) = (bytes[5..end].to_vec(), bytes.split_off(end));
        if message[0] != CLIENT_HELLO && message[0] != 2 {
            return [bytes, rest].concat();
        }
        let skipped = if message[0] == CLIENT_HELLO { 6 } else { 4 };
        let resized = |share: &[u8]| {
            let share = share.iter().copied().chain(core::iter::repeat(9)).take(length).collect::<Vec<_>>();
            [&[0x11, 0xec][..], &vector16(&share)].concat()
        };
        let share = resized(&extension(&message, KEY_SHARE)[skipped..]);
        let content = if message[0] == CLIENT_HELLO { vector16(&share) } else { share };
        with_extensions(&mut message, |extensions| set(extensions, KEY_SHARE, &content));
        [&bytes[..3], &vector16(&message), &rest].concat()
    });
    let (refuses, told) = match sender {
        Role::Client => (outcome.server, outcome.client),
        Role::Server => (outcome.client, outcome.server),
    };
    match refuses.unwrap_err() {
        Error::Peer(violation) => {
            let told = told.unwrap_err();
            assert!(told == Error::Alert(violation.alert()) || told == LOST, "{told:?}");
            Some(violation)
        }
        _ => None,
    }
}

#[test]
fn shares_of_every_length_are_illegal_parameters() {
    assert_eq!(Violation::BadKeyShare.alert(), AlertDescription::IllegalParameter);
    for (sender, right) in [(Role::Client, 1216), (Role::Server, 1120)] {
        for length in (1..1300).filter(|length| *length != right) {
            assert_eq!(refusal(sender, length), Some(Violation::BadKeyShare), "{sender:?} {length}");
        }
    }
}
