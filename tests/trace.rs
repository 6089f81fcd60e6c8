//! A trace shows the messages of a handshake, in RFC 8446's order, and alerts; `--trace` of connect and serve writes them down.

mod common;
#[cfg(feature = "tools")]
#[path = "support/tools.rs"]
mod tools;

use std::sync::{Arc, Mutex};

use common::{End, client_config, connect, identity, server_config};
use handclasp::engine::{
    AlertDescription, Glimpse,
    config::{ClientConfig, Trace, Way},
};

/// Writes down what passes: ">" what is sent, "<" what is received.
#[derive(Debug, Default)]
struct Notes(Mutex<Vec<(String, usize)>>);

impl Notes {
    fn add(&self, way: Way, what: &str, length: usize) {
        let mark = if way == Way::Sent { ">" } else { "<" };
        self.0.lock().unwrap().push((format!("{mark}{what}"), length));
    }

    fn names(&self) -> Vec<String> {
        self.0.lock().unwrap().iter().map(|(name, _)| name.clone()).collect()
    }

    fn lengths(&self) -> Vec<usize> {
        self.0.lock().unwrap().iter().map(|(_, length)| *length).collect()
    }
}

impl Trace for Notes {
    fn message(&self, way: Way, message: &Glimpse<'_>) {
        assert_eq!(format!("{message:?}"), message.to_string(), "no byte of the message");
        self.add(way, &message.handshake_type.to_string(), message.length);
    }

    fn alert(&self, way: Way, alert: AlertDescription) {
        self.add(way, &alert.to_string(), 0);
    }
}

/// What both ends see of a handshake with this client.
fn traced(change: impl FnOnce(&mut ClientConfig)) -> [Arc<Notes>; 2] {
    let notes = [Arc::new(Notes::default()), Arc::new(Notes::default())];
    let server = identity("server");
    let (mut ours, mut theirs) = (client_config(&server), server_config(&server));
    change(&mut ours);
    ours.trace = Some(notes[0].clone());
    theirs.trace = Some(notes[1].clone());
    let outcome = connect(End::client(ours, None), End::server(theirs, Some(&server.key)));
    // RFC 8446, Section 4: a header of four bytes, here in a record with one of five.
    if let Some(hello) = notes[0].lengths().first() {
        let record = u16::from_be_bytes([outcome.sent.0[3], outcome.sent.0[4]]);
        assert_eq!(*hello, usize::from(record));
    }
    notes
}

/// RFC 8446, Figure 1 and Figure 2.
#[test]
fn messages_are_shown_in_the_order_of_the_figure() {
    let [client, server] = traced(|client| client.key_shares = Some(vec![]));
    let order = [
        ">ClientHello",
        "<HelloRetryRequest",
        ">ClientHello",
        "<ServerHello",
        "<EncryptedExtensions",
        "<Certificate",
        "<CertificateVerify",
        "<Finished",
        ">Finished",
    ];
    assert_eq!(client.names(), order);
    let mirrored = order.map(|name| {
        let (mark, name) = name.split_at(1);
        [if mark == ">" { "<" } else { ">" }, name].concat()
    });
    assert_eq!(server.names(), mirrored);
    assert_eq!(client.lengths(), server.lengths());
}

#[test]
fn alerts_are_shown() {
    let [client, server] = traced(|client| client.verifier = Some(identity("stranger").pinned));
    assert_eq!(client.names().last().map(String::as_str), Some(">unknown_ca"));
    assert_eq!(server.names().last().map(String::as_str), Some("<unknown_ca"));
}

/// What was traced, without whose it is.
#[cfg(feature = "tools")]
fn traced_lines(said: &str, subject: &str) -> Vec<String> {
    said.lines().filter_map(|line| Some(line.split_once(subject)?.1.into())).collect()
}

/// RFC 8446, Figure 1 with a PSK: in braces what is protected by a handshake traffic secret.
#[cfg(feature = "tools")]
#[test]
fn connect_and_serve_show_the_same_messages() {
    const PSK: &str = "00112233445566778899aabbccddeeff";
    let shared = ["--trace", "--psk-identity", "an identity", "--psk", PSK, "--groups", "x25519"];
    let (status, server, clients) = tools::converse(&shared, &[&shared]);
    assert!(status.success());
    let client = &clients[0];
    let ours = traced_lines(client, "handclasp: client ");
    // After "bytes" stands what is in the message, before it a length that depends on the record layer's options.
    let parts: Vec<(&str, &str)> = ours.iter().map(|line| line.split_once(" bytes").unwrap()).collect();
    let names: Vec<&str> = parts.iter().map(|(start, _)| start.split_once(',').unwrap().0).collect();
    let order = [
        "sends ClientHello",
        "receives ServerHello",
        "receives {EncryptedExtensions}",
        "receives {Finished}",
        "sends {Finished}",
    ];
    assert_eq!(names, order, "{client}");
    assert!(parts[0].1.ends_with("; key_share x25519; pre_shared_key 1"), "{}", parts[0].1);
    assert_eq!(parts[1].1, ": TLS_AES_128_GCM_SHA256; key_share x25519; pre_shared_key [0]");
    let theirs = traced_lines(&server, ": server ");
    let mirrored: Vec<String> = ours
        .iter()
        .map(|line| match line.strip_prefix("sends ") {
            Some(rest) => format!("receives {rest}"),
            None => line.replacen("receives ", "sends ", 1),
        })
        .collect();
    assert_eq!(theirs, mirrored);
    // The summary of a session names the identity; what is traced names nobody.
    assert!(!ours.concat().contains("an identity") && !client.contains(PSK));
}
