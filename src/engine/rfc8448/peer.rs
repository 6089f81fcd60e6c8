//! What a handshake is given instead of chance and of path validation, and how it is driven and compared.

#[cfg(not(feature = "x509"))]
extern crate std;

use alloc::{boxed::Box, format, string::String, vec::Vec};
use core::mem;
use std::sync::Mutex;

use super::{Trace, rsa_pss};
use crate::{
    crypto::{
        certificate::{CertificateVerifier, Purpose, Rejection, UnixTime},
        kx::{KeyExchangeError, KeyShare, NamedGroup},
        public_key::PublicKey,
        random::Random,
        secret::Secret,
        signature_scheme::SignatureScheme,
    },
    engine::{
        Connection, Event, Handshake, Session, State, Step, client,
        config::KeyLog,
        message::{CertificateVerify, HandshakeType, Message},
        server,
    },
};

/// The printed key shares and random values of one side, in the order of their use.
pub(super) struct Printed {
    pub(super) random: Vec<Vec<u8>>,
    pub(super) shares: Vec<Share>,
}

impl Random for Printed {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), KeyExchangeError> {
        bytes.copy_from_slice(&self.random.remove(0));
        Ok(())
    }

    fn key_share(&mut self, group: NamedGroup) -> Result<Box<dyn KeyShare>, KeyExchangeError> {
        let share = self.shares.iter().position(|share| share.group == group);
        Ok(Box::new(self.shares.remove(share.ok_or(KeyExchangeError::Random)?)))
    }
}

/// A key share whose exchange with one peer is printed.
#[derive(Clone)]
pub(super) struct Share {
    pub(super) group: NamedGroup,
    pub(super) ours: Vec<u8>,
    pub(super) peers: Vec<u8>,
    pub(super) secret: Vec<u8>,
}

impl Share {
    /// The exchange that `side` takes part in.
    pub(super) fn of(trace: &Trace, side: &str) -> Self {
        let public = |side| {
            trace.steps.iter().rev().find(|s| s.heading.starts_with(&format!("{side}  create"))).unwrap()
        };
        let is_p256 = public(side).heading.contains("P-256");
        let peer = if side == "{client}" { "{server}" } else { "{client}" };
        Self {
            group: if is_p256 { NamedGroup::Secp256r1 } else { NamedGroup::X25519 },
            ours: public(side).value("public key").unwrap().into(),
            peers: public(peer).value("public key").unwrap().into(),
            secret: trace.value("{server}  extract secret \"handshake\"", "IKM").into(),
        }
    }
}

impl KeyShare for Share {
    fn group(&self) -> NamedGroup {
        self.group
    }

    fn public(&self) -> &[u8] {
        &self.ours
    }

    fn agree(self: Box<Self>, peer: &[u8]) -> Result<Secret, KeyExchangeError> {
        assert_eq!(peer, self.peers);
        Ok(Secret::from_slice(&self.secret))
    }
}

/// Returns the key of a P-256 certificate; for an RSA certificate of 1024 bits a key that verifies nothing.
#[derive(Debug)]
pub(super) struct Verifier;

impl CertificateVerifier for Verifier {
    fn verify(&self, chain: &[Vec<u8>], _: Purpose<'_>, _: UnixTime) -> Result<PublicKey, Rejection> {
        const P256: [u8; 26] = [
            0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
            0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
        ];
        const ED25519: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
        let spki = match chain[0].windows(P256.len()).position(|window| window == P256) {
            Some(at) => chain[0][at..at + 91].to_vec(),
            None => [&ED25519[..], &[0; 32]].concat(),
        };
        Ok(PublicKey::from_spki(&spki).unwrap())
    }
}

/// Keeps what is logged.
#[derive(Debug, Default)]
pub(super) struct Log(Mutex<Vec<(String, Vec<u8>)>>);

impl KeyLog for Log {
    fn log(&self, label: &str, _: &[u8; 32], secret: &[u8]) {
        self.0.lock().unwrap().push((label.into(), secret.into()));
    }
}

impl Log {
    /// Compares every secret of the handshake with the trace's.
    pub(super) fn check(&self, trace: &Trace) {
        let logged = self.0.lock().unwrap();
        assert_eq!(logged.len(), 5);
        for (label, secret) in logged.iter() {
            let derived = match label.as_str() {
                "CLIENT_HANDSHAKE_TRAFFIC_SECRET" => "c hs traffic",
                "SERVER_HANDSHAKE_TRAFFIC_SECRET" => "s hs traffic",
                "CLIENT_TRAFFIC_SECRET_0" => "c ap traffic",
                "SERVER_TRAFFIC_SECRET_0" => "s ap traffic",
                "EXPORTER_SECRET" => "exp master",
                other => panic!("{other}"),
            };
            let heading = format!("{{server}}  derive secret \"tls13 {derived}\"");
            assert_eq!(secret, trace.value(&heading, "expanded"), "{label}");
        }
    }
}

/// Gives a record to a handshake as [`Handshake::receive`] does, but checks a CertificateVerify in RSA itself.
pub(super) fn receive(handshake: &mut Handshake, record: &[u8]) {
    let (header, body) = record.split_at(5);
    assert_eq!(handshake.records.wanted(), header.len());
    handshake.records.receive(header).unwrap();
    assert_eq!(handshake.records.wanted(), body.len());
    handshake.records.receive(body).unwrap();
    let received = handshake.records.take_received();
    let mut rest = &received[..];
    while let Some(bytes) = handshake.records.next_message(&mut rest).unwrap() {
        step(handshake, bytes);
    }
    handshake.records.put_back(received);
}

/// Gives a message to the state.
pub(super) fn step(handshake: &mut Handshake, bytes: &[u8]) {
    let message = Message::read(bytes).unwrap();
    let records = &mut handshake.records;
    handshake.state = match (mem::replace(&mut handshake.state, State::InHand), rsa_signature(message)) {
        (State::Client(client::State::WaitCertificateVerify(s)), Some(signature)) => {
            State::Client(client::State::WaitFinished(
                s.trust(bytes, |certificate, content| rsa_pss::verifies(certificate, content, signature)),
            ))
        }
        (State::Server(server::State::WaitCertificateVerify(s)), Some(signature)) => {
            State::Server(server::State::WaitFinished(
                s.trust(bytes, |certificate, content| rsa_pss::verifies(certificate, content, signature)),
            ))
        }
        (State::Client(state), _) => State::Client(state.step(message, records).unwrap()),
        (State::Server(state), _) => State::Server(state.step(message, records).unwrap()),
        (state, _) => panic!("{state:?}"),
    };
}

/// The signature of a CertificateVerify in RSA.
fn rsa_signature(message: Message<'_>) -> Option<&[u8]> {
    if message.handshake_type != HandshakeType::CertificateVerify {
        return None;
    }
    let verify = CertificateVerify::read(message.body).unwrap();
    (verify.algorithm == SignatureScheme::RsaPssRsaeSha256.code()).then_some(verify.signature)
}

/// Everything that waits to be sent.
pub(super) fn sent(handshake: &mut Handshake) -> Vec<u8> {
    let bytes = handshake.records.outgoing().to_vec();
    // Past the public door: what a trace sends before a question is compared before the question is answered.
    handshake.records.sent(bytes.len());
    bytes
}

/// Compares a session with the trace, and carries the trace's records after the handshake.
pub(super) fn check_session(mut session: Session, trace: &Trace, us: &str, peer: &str) {
    let keys = format!("{us}  derive write traffic keys for application data");
    assert_eq!(session.tx.secret.write_keys().key.expose(), trace.value(&keys, "key expanded"));
    assert_eq!(session.tx.secret.write_keys().iv.expose(), trace.value(&keys, "iv expanded"));
    let keys = format!("{peer}  derive write traffic keys for application data");
    assert_eq!(session.rx.secret.write_keys().key.expose(), trace.value(&keys, "key expanded"));
    assert_eq!(session.rx.secret.write_keys().iv.expose(), trace.value(&keys, "iv expanded"));
    assert_eq!((session.tx.next_sequence, session.rx.next_sequence), (0, 0));
    assert_eq!((session.record_size_limit, session.peer_record_size_limit), (Some(16385), Some(16385)));
    // A server's NewSessionTicket is not ours to send: as if it had been.
    let tickets =
        trace.steps.iter().filter(|s| s.heading.starts_with(us) && s.value("NewSessionTicket").is_some());
    session.tx.next_sequence = u64::try_from(tickets.count()).unwrap();
    let mut connection = Connection::new(session);
    exchange(&mut connection, trace, us, peer);
}

/// Sends what `us` sends after the handshake, and receives what `peer` does.
fn exchange(connection: &mut Connection, trace: &Trace, us: &str, peer: &str) {
    let mut closed = (false, false);
    for step in &trace.steps {
        let (Some(payload), Some(record)) = (step.value("payload"), step.value("complete record")) else {
            continue;
        };
        let (is_data, is_alert) =
            (step.heading.ends_with("application_data record:"), step.heading.ends_with("alert record:"));
        let is_ticket = payload.first() == Some(&4) && step.heading.ends_with("handshake record:");
        if step.heading.starts_with(us) && (is_data || is_alert) {
            if is_data {
                connection.write(payload).unwrap()
            } else {
                connection.close().unwrap()
            }
            assert_eq!(connection.outgoing(), record);
            connection.sent(record.len());
            closed.0 |= is_alert;
        } else if step.heading.starts_with(peer) && (is_data || is_alert || is_ticket) {
            assert_eq!(connection.receive(&record[..5]), Ok(Event::Nothing));
            let expected = match (is_data, is_alert) {
                (true, _) => Event::Data(payload.into()),
                (_, true) => Event::Closed,
                _ => Event::Nothing,
            };
            assert_eq!(connection.receive(&record[5..]), Ok(expected));
            closed.1 |= is_alert;
        }
    }
    assert_eq!(closed, (true, true));
}

/// The session that a handshake ended in.
pub(super) fn done(handshake: &mut Handshake) -> Session {
    match handshake.step() {
        Step::Done(session) => *session,
        other => panic!("{other:?}"),
    }
}
