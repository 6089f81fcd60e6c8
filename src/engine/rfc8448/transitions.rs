//! Each state meets each message, and accepts exactly what the diagrams of RFC 8446, Appendix A, allow; the states are those of the traces.

use alloc::{boxed::Box, format, string::String, sync::Arc, vec, vec::Vec};
use core::mem;

use super::{
    CLIENT_AUTHENTICATION, HELLO_RETRY, RESUMED, Trace,
    client::after_client_hello,
    drawing::{Arrow, arrows},
    messages,
    peer::{Verifier, receive, sent, step},
    server::{listening, restart, sign},
};
use crate::{
    crypto::{
        certificate::UnixTime, hash::Hash, kx::NamedGroup, random::SystemRandom,
        signature_scheme::SignatureScheme,
    },
    engine::{
        Handshake, Psk, State,
        config::{ClientAuthentication, ClientConfig, ServerConfig},
        error::{Error, Violation},
        message::{HandshakeType as T, Message},
    },
};

/// A state's name, whether it is that of the RFC's drawing (and not on the way along an arrow from there), and how to come there.
type Row = (&'static str, bool, fn() -> Handshake);

const CLIENT: &[Row] = &[
    ("WAIT_SH", true, || client(0)),
    ("WAIT_SH", true, client_after_retry),
    ("WAIT_EE", true, || client(1)),
    ("WAIT_CERT_CR", true, || client(2)),
    ("WAIT_CERT", true, || client(3)),
    ("WAIT_CV", true, || client(4)),
    ("WAIT_FINISHED", true, || client(5)),
    ("WAIT_FINISHED", false, || client(6)),
    ("CONNECTED", true, || client(7)),
    ("WAIT_SH", true, || client_with_psk(0)),
    ("WAIT_EE", true, || client_with_psk(1)),
    ("WAIT_FINISHED", true, || client_with_psk(2)),
    ("CONNECTED", true, || client_with_psk(3)),
];

const SERVER: &[Row] = &[
    ("START", true, server_listening),
    ("START", true, server_after_retry),
    ("RECVD_CH", true, server_looking_for_a_psk),
    ("NEGOTIATED", true, || server(0)),
    ("WAIT_CERT", true, || server(1)),
    ("WAIT_CV", true, || server(2)),
    ("WAIT_FINISHED", true, || server(3)),
    ("CONNECTED", true, || server(4)),
];

/// What the drawing lets a state receive. It does not say that a HelloRetryRequest comes once: Section 4.1.4 does.
fn received(arrows: &[Arrow], (name, is_drawn, enter): &Row) -> Vec<String> {
    let is_after_retry = *enter as *const () == client_after_retry as *const ();
    let from = arrows.iter().filter(|arrow| *is_drawn && arrow.from == *name);
    let names = from.filter_map(Arrow::receives).map(String::from);
    names.filter(|name| !(is_after_retry && name == "HelloRetryRequest")).collect()
}

/// Gives a message to the state, if only to see whether it can stand there.
fn meets(mut handshake: Handshake, bytes: &[u8]) -> Result<(), Error> {
    let message = Message::read(bytes).unwrap();
    match mem::replace(&mut handshake.state, State::InHand) {
        State::Client(state) => state.step(message, &mut handshake.records).map(|_| ()),
        State::Server(state) => state.step(message, &mut handshake.records).map(|_| ()),
        other => panic!("{other:?}"),
    }
}

fn check(rows: &[Row], heading: &str, diagram: &str) {
    let arrows = arrows(heading);
    let diagram: Vec<&str> = diagram.lines().filter(|line| line.starts_with("//!")).collect();
    let shows = |word: &str| diagram.iter().any(|line| line.split([' ', '|', ',']).any(|w| w == word));
    for row @ (name, _, enter) in rows {
        assert!(shows(name), "{name} is in the diagram");
        let accepted = received(&arrows, row);
        for bytes in messages() {
            let handshake_type = Message::read(&bytes).unwrap().handshake_type;
            let result = meets(enter(), &bytes);
            let unexpected =
                Err(Error::Peer(Violation::UnexpectedMessage { message: handshake_type, state: name }));
            let is_accepted = accepted.contains(&format!("{handshake_type}"));
            assert_eq!(result != unexpected, is_accepted, "{name} {handshake_type}: {result:?}");
            // What stands in the message does not matter then: its body is not read. (Without one, a HelloRetryRequest is none.)
            if !is_accepted && handshake_type != T::HelloRetryRequest {
                assert_eq!(meets(enter(), &[bytes[0], 0, 0, 0]), unexpected);
            }
        }
    }
    // And the other way round: our diagram and the RFC's receive the same.
    let all: Vec<String> = rows.iter().flat_map(|row| received(&arrows, row)).collect();
    assert!(all.iter().all(|name| shows(name)));
    let received = diagram.iter().flat_map(|line| line.split("Recv ").skip(1));
    for name in received.filter_map(|rest| rest.split([' ', ',', '(']).next()) {
        let is_message = name.chars().next().is_some_and(char::is_uppercase);
        assert!(!is_message || all.iter().any(|known| known == name), "{name}");
    }
}

#[test]
fn a_clients_states() {
    check(CLIENT, "A.1.  Client", include_str!("../client/mod.rs"));
}

#[test]
fn a_servers_states() {
    check(SERVER, "A.2.  Server", include_str!("../server/mod.rs"));
}

/// Goes from row to row by what is received: the RFC has an arrow of this kind for each step.
fn walk(heading: &str, rows: &[&Row], taken: &[&str]) {
    let arrows = arrows(heading);
    assert_eq!(rows.len(), taken.len() + 1);
    for (step, taken) in rows.windows(2).zip(taken) {
        let [(from, true, _), (to, true, _)] = step else { panic!("drawn states") };
        let is_drawn = arrows.iter().any(|a| a.from == *from && a.to == *to && a.receives() == Some(*taken));
        assert!(is_drawn, "{from} to {to} with {taken}");
    }
}

#[test]
fn each_message_leads_where_the_drawing_says() {
    let path = |rows: &'static [Row], of: &[usize]| of.iter().map(|row| &rows[*row]).collect::<Vec<_>>();
    let hello = ["ServerHello", "EncryptedExtensions"];
    let rest = ["CertificateRequest", "Certificate", "CertificateVerify", "Finished"];
    walk("A.1.  Client", &path(CLIENT, &[0, 2, 3, 4, 5, 6, 8]), &[&hello[..], &rest].concat());
    walk("A.1.  Client", &path(CLIENT, &[9, 10, 11, 12]), &[&hello[..], &["Finished"]].concat());
    walk("A.2.  Server", &path(SERVER, &[1, 2]), &["ClientHello"]);
    walk("A.2.  Server", &path(SERVER, &[4, 5, 6, 7]), &rest[1..]);
}

/// A client that asked for a certificate answers with one, after so many steps.
fn client(steps: usize) -> Handshake {
    let trace = Trace::read(CLIENT_AUTHENTICATION);
    let certificate = trace.message("{client}", "Certificate");
    let credentials = vec![super::client::credential(certificate, SignatureScheme::RsaPssRsaeSha256)];
    let config = ClientConfig { middlebox_compatibility: false, credentials, ..ClientConfig::default() };
    let mut handshake = after_client_hello(&trace, &Arc::default(), config);
    let names = [
        "ServerHello",
        "EncryptedExtensions",
        "CertificateRequest",
        "Certificate",
        "CertificateVerify",
        "Finished",
    ];
    names.iter().take(steps).for_each(|name| step(&mut handshake, trace.message("{server}", name)));
    if steps > names.len() {
        sign(&mut handshake, &trace, "{client}");
    }
    handshake
}

/// A client whose PSK the server takes, after so many messages; of the server's flight only what is in the clear is its own.
fn client_with_psk(steps: usize) -> Handshake {
    let psk = || Psk::external(b"id", &[7; 32], Hash::Sha256).unwrap();
    let ours = ClientConfig { psks: vec![psk()], middlebox_compatibility: false, ..ClientConfig::default() };
    let theirs = ServerConfig { psk: true, ..ServerConfig::default() };
    let (now, random) = (UnixTime(0), || Box::new(SystemRandom));
    let mut client = Handshake::client(Arc::new(ours), random(), now).unwrap();
    let mut server = Handshake::server(Arc::new(theirs), random(), now).unwrap();
    receive(&mut server, &sent(&mut client));
    server.psk(0, psk());
    let flight = sent(&mut server);
    let mut records = Vec::new();
    let mut rest = &flight[..];
    while let [_, _, _, high, low, ..] = rest {
        let (record, after) = rest.split_at(5 + usize::from(u16::from_be_bytes([*high, *low])));
        records.push(record);
        rest = after;
    }
    let is_whole = steps > 2;
    records
        .iter()
        .take(if is_whole { records.len() } else { steps.min(1) })
        .for_each(|r| receive(&mut client, r));
    if steps == 2 {
        step(&mut client, &[8, 0, 0, 2, 0, 0]);
    }
    client
}

fn client_after_retry() -> Handshake {
    let trace = Trace::read(HELLO_RETRY);
    let mut handshake = after_client_hello(&trace, &Arc::default(), ClientConfig::default());
    step(&mut handshake, trace.message("{server}", "ServerHello"));
    handshake
}

fn server_config() -> ServerConfig {
    ServerConfig {
        client_authentication: ClientAuthentication::Required,
        verifier: Some(Arc::new(Verifier)),
        psk: true,
        groups: vec![NamedGroup::X25519],
        ..ServerConfig::default()
    }
}

fn server_listening() -> Handshake {
    let trace = Trace::read(CLIENT_AUTHENTICATION);
    listening(&trace, &Arc::default(), SignatureScheme::EcdsaSecp256r1Sha256, server_config())
}

fn server_after_retry() -> Handshake {
    let trace = Trace::read(HELLO_RETRY);
    let config = ServerConfig { groups: vec![NamedGroup::Secp256r1], ..server_config() };
    let mut handshake = listening(&trace, &Arc::default(), SignatureScheme::RsaPssRsaeSha256, config);
    step(&mut handshake, trace.message("{client}", "ClientHello"));
    handshake
}

fn server_looking_for_a_psk() -> Handshake {
    let mut handshake = server_listening();
    let trace = Trace::read(RESUMED);
    step(&mut handshake, &trace.records("{client}")[0][5..]);
    handshake
}

/// A server that asks for a certificate, after so many steps.
fn server(steps: usize) -> Handshake {
    let trace = Trace::read(CLIENT_AUTHENTICATION);
    let mut handshake = server_listening();
    step(&mut handshake, trace.message("{client}", "ClientHello"));
    if steps == 0 {
        return handshake;
    }
    let messages = ["EncryptedExtensions", "CertificateRequest"];
    restart(&mut handshake, &trace, super::server::hellos(&trace), &messages);
    sign(&mut handshake, &trace, "{server}");
    let names = ["Certificate", "CertificateVerify", "Finished"];
    names.iter().take(steps - 1).for_each(|name| step(&mut handshake, trace.message("{client}", name)));
    handshake
}
