//! Any single-byte change in any flight ends the handshake with an alert: whoever gets it has no session.

mod common;

use common::{
    LOST, Outcome, connect_through,
    flows::{Cast, Flow},
};
use handclasp::engine::{Error, Role, Session};

/// What a byte on the wire is, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// legacy_record_version of a record in the clear: "MUST be ignored for all purposes" (RFC 8446, Section 5.1), so it is
    /// neither checked nor authenticated. The only exception to the property.
    LegacyRecordVersion,
    /// A length in the clear: when it grows, the receiver waits for bytes that never come.
    Length,
    /// Everything else.
    Other,
}

/// The kind of each byte of what one side sent: records, and in those in the clear the header of a handshake message.
fn kinds(mut bytes: &[u8]) -> Vec<Kind> {
    let mut kinds = Vec::new();
    while let Some((header, rest)) = bytes.split_first_chunk::<5>() {
        let version = if header[0] == 23 { Kind::Other } else { Kind::LegacyRecordVersion };
        kinds.extend([Kind::Other, version, version, Kind::Length, Kind::Length]);
        let end = usize::from(u16::from_be_bytes([header[3], header[4]]));
        let is_message_length = |at: usize| header[0] == 22 && (1..4).contains(&at);
        kinds.extend((0..end).map(|at| if is_message_length(at) { Kind::Length } else { Kind::Other }));
        bytes = &rest[end..];
    }
    kinds
}

/// Where a client's last flight begins: after its last ClientHello.
fn last_flight(sent: &[u8]) -> usize {
    let (mut at, mut end) = (0, 0);
    while at < sent.len() {
        let is_hello = sent[at] == 22;
        at += 5 + usize::from(u16::from_be_bytes([sent[at + 3], sent[at + 4]]));
        end = if is_hello { at } else { end };
    }
    end
}

fn run(cast: &Cast, flow: Flow, change: Option<(Role, usize, u8)>) -> Outcome {
    let (client, server) = cast.ends(flow, 1);
    let mut offset = (0, 0);
    connect_through(client, server, |sender, mut bytes| {
        let offset = if sender == Role::Client { &mut offset.0 } else { &mut offset.1 };
        if let Some((side, at, mask)) = change
            && side == sender
            && let Some(byte) = at.checked_sub(*offset).and_then(|at| bytes.get_mut(at))
        {
            *byte ^= mask;
        }
        *offset += bytes.len();
        bytes
    })
}

/// Whether this end found the fault itself, and told the other.
fn complains(result: &Result<Box<Session>, Error>) -> bool {
    result.as_ref().is_err_and(|error| *error != LOST && error.alert().is_some())
}

fn every_byte(flow: Flow) {
    let cast = Cast::new();
    let untouched = run(&cast, flow, None);
    assert!(untouched.client.is_ok() && untouched.server.is_ok());
    for (side, sent) in [(Role::Client, &untouched.sent.0), (Role::Server, &untouched.sent.1)] {
        let kinds = kinds(sent);
        assert_eq!(kinds.len(), sent.len());
        for (at, kind) in kinds.into_iter().enumerate() {
            // One bit, another at each position, and all bits.
            for mask in [1 << (at % 8), 0xff] {
                let outcome = run(&cast, flow, Some((side, at, mask)));
                let (client, server) = (&outcome.client, &outcome.server);
                let context = format!("{side:?} byte {at} ^ {mask:#x} ({kind:?}): {client:?} {server:?}");
                if kind == Kind::LegacyRecordVersion {
                    assert!(client.is_ok() && server.is_ok(), "{context}");
                    continue;
                }
                let receiver = if side == Role::Client { server } else { client };
                assert!(receiver.is_err(), "{context}");
                // A client is done when it has sent its last flight: nobody waits for what becomes of that.
                assert!(client.is_err() || side == Role::Client && at >= last_flight(sent), "{context}");
                let waits = kind == Kind::Length && receiver.as_ref().is_err_and(|error| *error == LOST);
                assert!(complains(client) || complains(server) || waits, "{context}");
            }
        }
    }
}

//= rfc8446#section-5.1
//= type=test
//# This field is deprecated and MUST be ignored for all purposes.
//= rfc8446#appendix-D
//= type=test
//# The value of TLSPlaintext.legacy_record_version MUST be ignored by all implementations.
//= rfc8446#appendix-D.2
//= type=test
//# Servers will receive various TLS 1.x versions in this field, but its value MUST always be ignored.
#[test]
fn with_a_certificate() {
    every_byte(Flow::Certificate);
}

#[test]
fn with_a_client_certificate() {
    every_byte(Flow::ClientCertificate);
}

#[test]
fn after_a_hello_retry_request() {
    every_byte(Flow::HelloRetry);
}

#[test]
fn with_a_psk() {
    every_byte(Flow::Psk);
}

#[test]
fn with_a_psk_after_a_hello_retry_request() {
    every_byte(Flow::PskHelloRetry);
}
