//! A trace shows the messages of a handshake, in RFC 8446's order, and alerts.

mod common;

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
