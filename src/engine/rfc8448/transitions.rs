//! Each state meets each message, and accepts exactly what the diagrams of RFC 8446, Appendix A, allow; the states are those of the traces.

use alloc::{sync::Arc, vec, vec::Vec};
use core::mem;

use super::{
    CLIENT_AUTHENTICATION, HELLO_RETRY, RESUMED, Trace,
    client::after_client_hello,
    messages,
    peer::{Verifier, step},
    server::{listening, restart, sign},
};
use crate::{
    crypto::{kx::NamedGroup, signature_scheme::SignatureScheme},
    engine::{
        Handshake, State,
        config::{ClientAuthentication, ClientConfig, ServerConfig},
        error::{Error, Violation},
        message::{HandshakeType as T, Message},
    },
};

/// A state's name in the diagram, how to come there, and what it accepts.
type Row = (&'static str, fn() -> Handshake, &'static [T]);

const CLIENT: &[Row] = &[
    ("WAIT_SH", || client(0), &[T::ServerHello, T::HelloRetryRequest]),
    ("WAIT_SH", client_after_retry, &[T::ServerHello]),
    ("WAIT_EE", || client(1), &[T::EncryptedExtensions]),
    ("WAIT_CERT_CR", || client(2), &[T::CertificateRequest, T::Certificate]),
    ("WAIT_CERT", || client(3), &[T::Certificate]),
    ("WAIT_CV", || client(4), &[T::CertificateVerify]),
    ("WAIT_FINISHED", || client(5), &[T::Finished]),
    ("WAIT_FINISHED", || client(6), &[]),
    ("CONNECTED", || client(7), &[]),
];

const SERVER: &[Row] = &[
    ("START", server_listening, &[T::ClientHello]),
    ("START", server_after_retry, &[T::ClientHello]),
    ("RECVD_CH", server_looking_for_a_psk, &[]),
    ("NEGOTIATED", || server(0), &[]),
    ("WAIT_CERT", || server(1), &[T::Certificate]),
    ("WAIT_CV", || server(2), &[T::CertificateVerify]),
    ("WAIT_FINISHED", || server(3), &[T::Finished]),
    ("CONNECTED", || server(4), &[]),
];

/// Gives a message to the state, if only to see whether it can stand there.
fn meets(mut handshake: Handshake, bytes: &[u8]) -> Result<(), Error> {
    let message = Message::read(bytes).unwrap();
    match mem::replace(&mut handshake.state, State::InHand) {
        State::Client(state) => state.step(message, &mut handshake.records).map(|_| ()),
        State::Server(state) => state.step(message, &mut handshake.records).map(|_| ()),
        other => panic!("{other:?}"),
    }
}

fn check(rows: &[Row], diagram: &str) {
    let diagram: Vec<&str> = diagram.lines().filter(|line| line.starts_with("//!")).collect();
    let shows = |word: &str| diagram.iter().any(|line| line.split([' ', '|', ',']).any(|w| w == word));
    for (name, enter, accepted) in rows {
        assert!(shows(name), "{name} is in the diagram");
        for bytes in messages() {
            let handshake_type = Message::read(&bytes).unwrap().handshake_type;
            let result = meets(enter(), &bytes);
            let unexpected =
                Err(Error::Peer(Violation::UnexpectedMessage { message: handshake_type, state: name }));
            let is_accepted = accepted.contains(&handshake_type);
            assert_eq!(result != unexpected, is_accepted, "{name} {handshake_type}: {result:?}");
            // What stands in the message does not matter then: its body is not read. (Without one, a HelloRetryRequest is none.)
            if !is_accepted && handshake_type != T::HelloRetryRequest {
                assert_eq!(meets(enter(), &[bytes[0], 0, 0, 0]), unexpected);
            }
        }
    }
    // And the other way round: whatever a diagram receives is accepted somewhere.
    let all: Vec<T> = rows.iter().flat_map(|row| row.2).copied().collect();
    assert!(all.iter().all(|handshake_type| shows(&alloc::format!("{handshake_type}"))));
    let received = diagram.iter().flat_map(|line| line.split("Recv ").skip(1));
    for name in received.filter_map(|rest| rest.split([' ', ',', '(']).next()) {
        let is_message = name.chars().next().is_some_and(char::is_uppercase);
        assert!(!is_message || all.iter().any(|t| alloc::format!("{t}") == name), "{name}");
    }
}

#[test]
fn a_clients_states() {
    check(CLIENT, include_str!("../client/mod.rs"));
}

#[test]
fn a_servers_states() {
    check(SERVER, include_str!("../server/mod.rs"));
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
