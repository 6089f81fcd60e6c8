//! Records that cannot stand where they are, and every limit: reached without harm, and refused beyond.

mod common;

use common::{
    carry, connect_reframed, connect_through,
    edit::{CERTIFICATE, message, set, vector16, with_extensions},
    flows::{Cast, Flow},
    keys::Protection,
    reframe::Reframer,
    seeded,
};
use handclasp::{
    crypto::{hash::Hash, suite::CipherSuite},
    engine::{
        AlertDescription as A, Connection, Error, Event, HandshakeType as T, LocalError, Psk, Role, Session,
        Step, Violation as V,
        config::{ClientConfig, ServerConfig},
    },
};

fn record(content_type: u8, content: &[u8]) -> Vec<u8> {
    [&[content_type, 3, 3][..], &vector16(content)].concat()
}

/// What a server makes of these bytes: nothing yet, or a failure, which is told in the clear.
fn server_receives(bytes: &[u8]) -> Option<V> {
    let cast = Cast::new();
    let (_, mut server) = cast.ends(Flow::Certificate, 1);
    let mut outgoing = Vec::new();
    let Err(Error::Peer(violation)) = server.run(&mut bytes.to_vec(), &mut outgoing)? else {
        panic!("a violation")
    };
    assert_eq!(outgoing, record(21, &[2, violation.alert().code()]));
    Some(violation)
}

//= rfc8446#section-6
//= type=test
//# MUST be sent with AlertLevel=fatal
//= rfc8446#section-6.2
//= type=test
//# the implementation MUST send alert X if it sends any alert.
#[test]
fn records_that_cannot_stand_first() {
    let cases = [
        //= rfc8446#section-5
        //= type=test
        //# If a TLS implementation receives an unexpected record type, it MUST terminate the connection with
        //# an "unexpected_message" alert.
        (record(99, &[0]), V::UnexpectedRecord(99), A::UnexpectedMessage),
        (record(23, &[0; 40]), V::UnexpectedRecord(23), A::UnexpectedMessage),
        (record(20, &[1]), V::BadChangeCipherSpec, A::UnexpectedMessage),
        (record(22, &[]), V::EmptyRecord, A::UnexpectedMessage),
        // A ClientHello in the form of SSL 2.0.
        //= rfc8446#appendix-D.5
        //= type=test
        //# for the reasons enumerated in [RFC6176], and it MUST NOT be negotiated for any reason.
        //= rfc8446#appendix-D.5
        //= type=test
        //# Implementations MUST NOT negotiate TLS 1.3 or later using an SSL version 2.0 compatible
        //# CLIENT-HELLO.
        (b"\x80\x2e\x01\x03\x04\0\x15".into(), V::UnexpectedRecord(0x80), A::UnexpectedMessage),
        (record(21, &[2]), V::MalformedAlert, A::DecodeError),
        //= rfc8446#section-5.1
        //= type=test
        //# In other words, a record with an Alert type MUST contain exactly one message.
        (record(21, &[2, 40, 0]), V::MalformedAlert, A::DecodeError),
        //= rfc8446#section-5.1
        //= type=test
        //# Handshake messages MUST NOT be interleaved with other record types.
        ([record(22, &[1, 0]), record(21, &[1, 90])].concat(), V::InterleavedRecord, A::UnexpectedMessage),
    ];
    for (bytes, violation, alert) in cases {
        assert_eq!(server_receives(&bytes), Some(violation));
        assert_eq!(violation.alert(), alert);
    }
}

//= rfc8446#section-6
//= type=test
//# MUST be treated as error alerts when received regardless of the AlertLevel in the message.
//= rfc8446#section-6
//= type=test
//# Unknown Alert types MUST be treated as error alerts.
//= rfc8446#section-6.2
//= type=test
//# Upon transmission or receipt of a fatal alert message, both parties MUST immediately close the connection.
//= rfc8446#section-6.2
//= type=test
//# MUST close the connection without sending or receiving any additional data.
#[test]
fn alerts_end_a_handshake_whatever_their_level() {
    let cases = [
        (1, 40, A::HandshakeFailure),
        (2, 40, A::HandshakeFailure),
        (1, 200, A::Unknown(200)),
        (0, 10, A::UnexpectedMessage),
    ];
    for (level, description, alert) in cases {
        let cast = Cast::new();
        let (mut client, _) = cast.ends(Flow::Certificate, 1);
        let mut outgoing = Vec::new();
        assert!(client.run(&mut Vec::new(), &mut outgoing).is_none());
        outgoing.clear();
        let mut incoming = [record(21, &[level, description]), record(21, &[2, 80])].concat();
        let result = client.run(&mut incoming, &mut outgoing).unwrap();
        assert_eq!(result.unwrap_err(), Error::Alert(alert));
        // It answers nothing, and takes nothing more.
        assert_eq!((outgoing, incoming), (vec![], record(21, &[2, 80])));
    }
}

//= rfc8446#section-5.1
//= type=test
//# An endpoint that receives a record that exceeds this length MUST terminate the connection with a
//# "record_overflow" alert.
//= rfc8446#section-5.2
//= type=test
//# An endpoint that receives a record that exceeds this length MUST terminate the connection with a
//# "record_overflow" alert.
//= rfc8446#section-5.2
//= type=test
//# with TLSCiphertext.length larger than 2^14 + 256 octets MUST terminate the connection with a
//# "record_overflow" alert.
#[test]
fn the_longest_record() {
    assert_eq!(server_receives(&[22, 3, 3, 0x40, 0x00]), None);
    assert_eq!(server_receives(&[22, 3, 3, 0x40, 0x01]), Some(V::RecordTooLong));
    assert_eq!(server_receives(&[23, 3, 3, 0x41, 0x01]), Some(V::RecordTooLong));
    assert_eq!(V::RecordTooLong.alert(), A::RecordOverflow);
}

#[test]
fn the_longest_message() {
    assert_eq!(server_receives(&record(22, &[1, 1, 0, 0])), None);
    assert_eq!(server_receives(&record(22, &[1, 1, 0, 1])), Some(V::MessageTooLong));
}

#[test]
fn warnings_in_a_row() {
    let warnings = |count| record(21, &[1, 90]).repeat(count);
    assert_eq!(server_receives(&warnings(4)), None);
    assert_eq!(server_receives(&warnings(5)), Some(V::TooManyUselessRecords));
    assert_eq!(V::TooManyUselessRecords.alert(), A::UnexpectedMessage);
}

#[test]
fn the_most_extensions() {
    for (count, accepted) in [(128, true), (129, false)] {
        let cast = Cast::new();
        let (client, server) = cast.ends(Flow::Certificate, 1);
        let mut first = true;
        let mut reframer = Reframer::editing(&cast.log, Role::Client, |messages| {
            if std::mem::take(&mut first) {
                with_extensions(&mut messages[0], |extensions| {
                    let more = 0x1000..0x1000 + count - extensions.len() as u16;
                    extensions.extend(more.map(|code| (code, vec![])));
                });
            }
        });
        let outcome = connect_reframed(client, server, Role::Client, &mut reframer);
        // A server that accepts the hello cannot read the client's complaint: their transcripts differ, and so do the keys.
        let expected = if accepted { V::BadRecordMac } else { V::TooManyExtensions };
        assert_eq!(outcome.server.unwrap_err(), Error::Peer(expected));
    }
}

/// What becomes of an end whose peer's Certificate has so many entries, all the same.
fn certificates(side: Role, count: u8) -> Error {
    let cast = Cast::new();
    let (client, server) = cast.ends(Flow::ClientCertificate, 1);
    let mut reframer = Reframer::editing(&cast.log, side, |messages| {
        for whole in messages.iter_mut().filter(|whole| whole[0] == CERTIFICATE) {
            let entries = whole[8..].repeat(count.into());
            let length = u16::try_from(entries.len()).unwrap().to_be_bytes();
            *whole = message(CERTIFICATE, &[&[0, 0], &length[..], &entries].concat());
        }
    });
    let outcome = connect_reframed(client, server, side, &mut reframer);
    if side == Role::Client { outcome.server.unwrap_err() } else { outcome.client.unwrap_err() }
}

#[test]
fn the_longest_certificate_list() {
    for side in [Role::Client, Role::Server] {
        // What is accepted still is not what was signed.
        assert_eq!(certificates(side, 64), Error::Peer(V::BadCertificateVerify));
        assert_eq!(certificates(side, 65), Error::Peer(V::TooManyCertificates));
    }
    assert_eq!(V::TooManyCertificates.alert(), A::IllegalParameter);
}

#[test]
fn the_longest_cookie() {
    for (length, expected) in [(1 << 14, V::CookieNotEchoed), ((1 << 14) + 1, V::CookieTooLong)] {
        let cast = Cast::new();
        let (client, server) = cast.ends(Flow::HelloRetry, 1);
        let mut first = true;
        let mut reframer = Reframer::editing(&cast.log, Role::Server, |messages| {
            if std::mem::take(&mut first) {
                with_extensions(&mut messages[0], |extensions| {
                    set(extensions, 44, &vector16(&vec![0; length]));
                });
            }
        });
        let outcome = connect_reframed(client, server, Role::Server, &mut reframer);
        // A client that accepts it sends it back, and the server knows another one.
        let errors = [outcome.client.unwrap_err(), outcome.server.unwrap_err()];
        assert!(errors.contains(&Error::Peer(expected)), "{errors:?}");
    }
}

//= rfc8446#section-5
//= type=test
//# MUST simply drop it without further processing.
#[test]
fn change_cipher_specs_in_a_row() {
    // The client sends one itself after the HelloRetryRequest.
    for (count, accepted) in [(31, true), (32, false)] {
        let cast = Cast::new();
        let (client, server) = cast.ends(Flow::HelloRetry, 1);
        let mut flights = 0;
        let outcome = connect_through(client, server, |sender, bytes| {
            flights += u32::from(sender == Role::Client);
            if sender == Role::Client && flights == 2 {
                return [record(20, &[1]).repeat(count), bytes].concat();
            }
            bytes
        });
        match outcome.server {
            Ok(_) => assert!(accepted && outcome.client.is_ok()),
            Err(error) => assert_eq!((accepted, error), (false, Error::Peer(V::TooManyUselessRecords))),
        }
    }
}

//= rfc8446#section-5
//= type=test
//# protected change_cipher_spec record MUST abort the handshake with an "unexpected_message" alert.
#[test]
fn change_cipher_specs_that_cannot_stand() {
    for (content, flow) in [(&[2][..], Flow::Certificate), (&[1, 1], Flow::HelloRetry), (&[], Flow::Psk)] {
        let cast = Cast::new();
        let (client, server) = cast.ends(flow, 1);
        let outcome = connect_through(client, server, |sender, bytes| match sender {
            Role::Server => [record(20, content), bytes].concat(),
            Role::Client => bytes,
        });
        assert_eq!(outcome.client.unwrap_err(), Error::Peer(V::BadChangeCipherSpec));
    }
}

/// A server that gets a ClientHello with early_data and then these records.
fn skips(flow: Flow, records: &[u8]) -> Option<Error> {
    let cast = Cast::new();
    let (mut client, mut server) = cast.ends(flow, 1);
    let (mut hello, mut outgoing) = (Vec::new(), Vec::new());
    assert!(client.run(&mut Vec::new(), &mut hello).is_none());
    let mut reframer = Reframer::editing(&cast.log, Role::Client, |messages| {
        with_extensions(&mut messages[0], |extensions| set(extensions, 42, &[]));
    });
    let mut bytes = reframer.reframe(&hello);
    bytes.extend(records);
    server.run(&mut bytes, &mut outgoing).map(|result| result.unwrap_err())
}

//= rfc8446#section-4.2.10
//= type=test
//# A server which receives an "early_data" extension MUST behave in one of three ways:
#[test]
fn early_data_is_passed_over_as_far_as_the_limit() {
    let full = record(23, &[0; 1 << 12]).repeat(4);
    assert_eq!(skips(Flow::HelloRetry, &full), None);
    assert_eq!(skips(Flow::Certificate, &full), None);
    let beyond = [full, record(23, &[0])].concat();
    assert_eq!(skips(Flow::HelloRetry, &beyond), Some(Error::Peer(V::UnexpectedRecord(23))));
    assert_eq!(skips(Flow::Certificate, &beyond), Some(Error::Peer(V::BadRecordMac)));
}

//= rfc8446#section-5.1
//= type=test
//# Handshake messages MUST NOT be interleaved with other record types.
#[test]
fn early_data_within_a_message_is_refused() {
    let records = [record(22, &[1, 0]), record(23, &[0; 40])].concat();
    assert_eq!(skips(Flow::HelloRetry, &records), Some(Error::Peer(V::UnexpectedRecord(23))));
}

#[test]
fn early_data_that_was_not_announced_is_refused() {
    let cast = Cast::new();
    let (mut client, mut server) = cast.ends(Flow::HelloRetry, 1);
    let mut hello = Vec::new();
    assert!(client.run(&mut Vec::new(), &mut hello).is_none());
    let result = server.run(&mut [hello, record(23, &[0; 40])].concat(), &mut Vec::new());
    assert_eq!(result.unwrap().unwrap_err(), Error::Peer(V::UnexpectedRecord(23)));
}

#[test]
fn identities_beyond_the_limit_are_not_looked_for() {
    let psk = |n: u8| Psk::external(&[n], &[7; 32], Hash::Sha256).unwrap();
    let ours = ClientConfig { psks: (0..40).map(psk).collect(), ..ClientConfig::default() };
    let mut client = seeded::client(ours, None, 1);
    let mut server = seeded::server(ServerConfig { psk: true, ..ServerConfig::default() }, None, 2);
    let Step::Send(hello) = client.handshake.step() else { panic!("a ClientHello") };
    for part in [&hello[..5], &hello[5..]] {
        assert!(matches!(server.handshake.step(), Step::Receive(n) if n == part.len()));
        server.handshake.receive(part);
    }
    let Step::FindPsk(offers) = server.handshake.step() else { panic!("a question") };
    assert_eq!(offers.len(), 32);
    assert!(
        offers.iter().zip(0..).all(|(offer, n)| offer.identity == [n] && offer.obfuscated_ticket_age == 0)
    );
}

fn sessions() -> (Session, Session) {
    let cast = Cast::new();
    let (client, server) = cast.ends(Flow::Certificate, 1);
    let outcome = common::connect(client, server);
    (*outcome.client.unwrap(), *outcome.server.unwrap())
}

#[test]
fn tickets_without_end() {
    // They are read and left alone: there is nothing that could run out.
    let (client, server) = sessions();
    let mut sending = Protection::new(server.suite, server.tx.secret.expose());
    let mut client = Connection::new(client);
    let ticket = message(4, b"\0\0\0\0\0\0\0\0\0\0\x01t\0\0");
    for _ in 0..1000 {
        let record = sending.seal(22, &ticket, 0);
        assert_eq!(client.receive(&record[..5]), Ok(Event::Nothing));
        assert_eq!(client.receive(&record[5..]), Ok(Event::Nothing));
    }
    client.write(b"data").unwrap();
    assert_eq!(carry(&mut client, &mut Connection::new(server)).unwrap(), b"data");
}

#[test]
fn key_updates_in_a_row() {
    let (client, server) = sessions();
    let (mut client, mut server) = (Connection::new(client), Connection::new(server));
    for _ in 0..2 {
        (0..32).for_each(|_| client.update_keys(false).unwrap());
        client.write(b"data").unwrap();
        assert_eq!(carry(&mut client, &mut server).unwrap(), b"data");
    }
    (0..33).for_each(|_| client.update_keys(false).unwrap());
    assert_eq!(carry(&mut client, &mut server), Err(Error::Peer(V::TooManyKeyUpdates)));
    assert_eq!(carry(&mut server, &mut client), Err(Error::Alert(A::UnexpectedMessage)));
}

/// A record of this inner content and type, as the client's next.
fn sealed(session: &Session, sequence: u8, content: &[u8]) -> Vec<u8> {
    Protection::new(session.suite, session.tx.secret.expose()).at(sequence.into()).seal_inner(content.into())
}

#[test]
fn protected_records_that_cannot_stand() {
    let longest = [vec![0; 1 << 14], vec![23]].concat();
    let cases: [(&[u8], Result<Event, V>, A); 12] = [
        (b"", Err(V::NoContentType), A::UnexpectedMessage),
        //= rfc8446#section-5.4
        //= type=test
        //# Implementations MUST limit their scanning to the cleartext returned from the AEAD decryption.
        //= rfc8446#section-5.4
        //= type=test
        //# If a receiving implementation does not find a non-zero octet in the cleartext, it MUST terminate
        //# the connection with an "unexpected_message" alert.
        (b"\0\0\0", Err(V::NoContentType), A::UnexpectedMessage),
        //= rfc8446#section-5
        //= type=test
        //# protected change_cipher_spec record MUST abort the handshake with an "unexpected_message" alert.
        (b"\x01\x14", Err(V::BadChangeCipherSpec), A::UnexpectedMessage),
        (b"a\x63", Err(V::UnexpectedRecord(99)), A::UnexpectedMessage),
        //= rfc8446#section-5.4
        //= type=test
        //# Implementations MUST NOT send Handshake and Alert records that have a zero-length
        //# TLSInnerPlaintext.content; if such a message is received, the receiving implementation MUST
        //# terminate the connection with an "unexpected_message" alert.
        (b"\x16", Err(V::EmptyRecord), A::UnexpectedMessage),
        (b"\x02\x15", Err(V::MalformedAlert), A::DecodeError),
        //= rfc8446#section-4.6.3
        //= type=test
        //# If an implementation receives any other value, it MUST terminate the connection with an
        //# "illegal_parameter" alert.
        (b"\x18\0\0\x01\x02\x16", Err(V::KeyUpdateRequest), A::IllegalParameter),
        (b"\x18\0\0\x01\0\x18\0\0\x01\0\x16", Err(V::KeyChangeInsideRecord), A::UnexpectedMessage),
        (b"\x18\0\0\0\x16", Err(V::Malformed("KeyUpdate")), A::DecodeError),
        //= rfc8446#section-5.4
        //= type=test
        //# the full encoded TLSInnerPlaintext MUST NOT exceed 2^14 + 1 octets.
        (&[&[0; 1 << 14][..], &[23, 0]].concat(), Err(V::RecordTooLong), A::RecordOverflow),
        (&longest, Ok(Event::Data(vec![0; 1 << 14])), A::CloseNotify),
        (b"a\x17\0\0\0", Ok(Event::Data(b"a".into())), A::CloseNotify),
    ];
    for (content, expected, alert) in cases {
        let (client, server) = sessions();
        let record = sealed(&client, 0, content);
        let (mut client, mut server) = (Connection::new(client), Connection::new(server));
        server.receive(&record[..5]).unwrap();
        assert_eq!(server.receive(&record[5..]), expected.clone().map_err(Error::Peer));
        if let Err(violation) = expected {
            assert_eq!(violation.alert(), alert);
            assert_eq!(carry(&mut server, &mut client), Err(Error::Alert(alert)));
        }
    }
}

/// What an end makes of a message after the handshake.
fn after_the_handshake(sender: Role, message: &[u8]) -> Result<Event, Error> {
    let (client, server) = sessions();
    let (from, to) = if sender == Role::Client { (client, server) } else { (server, client) };
    let record = sealed(&from, 0, &[message, &[22]].concat());
    let mut to = Connection::new(to);
    to.receive(&record[..5])?;
    to.receive(&record[5..])
}

//= rfc8446#section-4.1.2
//= type=test
//# if a server has negotiated TLS 1.3 and receives a ClientHello at any other time, it MUST terminate the
//# connection with an "unexpected_message" alert.
//= rfc8446#section-4.6.1
//= type=test
//# Clients MUST ignore unrecognized extensions.
//= rfc8446#section-4.6.2
//= type=test
//# without having sent the "post_handshake_auth" extension MUST send an "unexpected_message" fatal alert.
//= rfc8446#section-9.3
//= type=test
//# a client receiving a CertificateRequest or NewSessionTicket MUST also ignore all unrecognized extensions.
#[test]
fn messages_after_the_handshake() {
    let ticket = b"\x04\0\0\x15\0\0\x0e\x10\x01\x02\x03\x04\x01n\0\x02ti\0\x05\xfe\xfe\0\x01x";
    assert_eq!(after_the_handshake(Role::Server, ticket), Ok(Event::Nothing));
    let unexpected = |message| Err(Error::Peer(V::UnexpectedMessage { message, state: "CONNECTED" }));
    let request = b"\x0d\0\0\x0b\0\0\x08\0\x0d\0\x04\0\x02\x08\x07";
    assert_eq!(after_the_handshake(Role::Server, request), unexpected(T::CertificateRequest));
    assert_eq!(after_the_handshake(Role::Client, b"\x01\0\0\0"), unexpected(T::ClientHello));
    assert_eq!(after_the_handshake(Role::Client, ticket), unexpected(T::NewSessionTicket));
    assert_eq!(after_the_handshake(Role::Server, b"\x05\0\0\0"), unexpected(T::EndOfEarlyData));
    let unexpected = V::UnexpectedMessage { message: T::ClientHello, state: "CONNECTED" };
    assert_eq!(unexpected.alert(), A::UnexpectedMessage);
}

//= rfc8446#section-5
//= type=test
//# it MUST be treated as an unexpected record type
#[test]
fn a_change_cipher_spec_after_the_handshake() {
    let (_, server) = sessions();
    let mut server = Connection::new(server);
    let record = record(20, &[1]);
    assert_eq!(server.receive(&record[..5]), Ok(Event::Nothing));
    assert_eq!(server.receive(&record[5..]), Err(Error::Peer(V::BadChangeCipherSpec)));
}

//= rfc8446#section-4.6.3
//= type=test
//# both sides MUST enforce that a KeyUpdate with the old key is received before accepting any messages
//# encrypted with the new key.
//= rfc8446#section-5.2
//= type=test
//# If the decryption fails, the receiver MUST terminate the connection with a "bad_record_mac" alert.
#[test]
fn new_keys_without_their_key_update() {
    let (client, server) = sessions();
    let (mut client, mut server) = (Connection::new(client), Connection::new(server));
    client.update_keys(false).unwrap();
    client.sent(client.outgoing().len());
    client.write(b"data").unwrap();
    assert_eq!(carry(&mut client, &mut server), Err(Error::Peer(V::BadRecordMac)));
    assert_eq!(V::BadRecordMac.alert(), A::BadRecordMac);
}

//= rfc8446#section-5.1
//= type=test
//# Note that Application Data records MUST NOT be written to the wire unprotected (see Section 2 for
//# details).
//= rfc8446#section-6
//= type=test
//# MUST NOT allow any further data to be sent or received on the connection.
//= rfc8446#section-6.1
//= type=test
//# Any data received after a closure alert has been received MUST be ignored.
//= rfc8446#section-6.1
//= type=test
//# Each party MUST send a "close_notify" alert before closing its write side of the connection
//= rfc8446#section-6.1
//= type=test
//# the TLS implementation MUST receive a "close_notify" alert before indicating end-of-data to the
//# application layer.
#[test]
fn nothing_is_sent_or_taken_after_the_end() {
    let (client, server) = sessions();
    let late = sealed(&client, 1, b"late\x17");
    let (mut client, mut server) = (Connection::new(client), Connection::new(server));
    // After a close_notify nothing is taken; the other direction is still open.
    client.close().unwrap();
    assert_eq!(client.write(b"more"), Err(Error::Local(LocalError::Misuse)));
    assert_eq!(carry(&mut client, &mut server), Ok(vec![]));
    assert_eq!(server.receive(&late), Ok(Event::Closed));
    server.write(b"data").unwrap();
    assert!(
        server.outgoing().starts_with(&[23, 3, 3]) && !server.outgoing().windows(4).any(|w| w == b"data")
    );
    assert_eq!(carry(&mut server, &mut client).unwrap(), b"data");
    // After a failure neither.
    client.abort(A::InternalError);
    assert_eq!(client.receive(&late), Err(Error::Local(LocalError::Aborted(A::InternalError))));
    assert_eq!(client.write(b"more"), Err(Error::Local(LocalError::Misuse)));
    let alert = Err(Error::Alert(A::AccessDenied));
    let (client, server) = sessions();
    let (mut client, mut server) = (Connection::new(client), Connection::new(server));
    client.abort(A::AccessDenied);
    assert_eq!(carry(&mut client, &mut server), alert);
    assert_eq!(server.receive(&late), alert.map(|_| Event::Nothing));
    assert_eq!(server.write(b"more"), Err(Error::Local(LocalError::Misuse)));
    assert_eq!(server.outgoing(), b"");
}

//= rfc8446#section-5.1
//= type=test
//# Alert messages (Section 6) MUST NOT be fragmented across records, and multiple alert messages MUST NOT be
//# coalesced into a single TLSPlaintext record.
#[test]
fn alerts_have_records_of_their_own() {
    let cast = Cast::new();
    let (mut client, _) = cast.ends(Flow::Certificate, 1);
    let mut outgoing = Vec::new();
    assert!(client.run(&mut Vec::new(), &mut outgoing).is_none());
    outgoing.clear();
    client.handshake.abort(A::UserCanceled);
    client.run(&mut Vec::new(), &mut outgoing).unwrap().unwrap_err();
    assert_eq!(outgoing, [record(21, &[1, 90]), record(21, &[1, 0])].concat());
}

#[test]
fn useless_protected_records_in_a_row() {
    let (client, server) = sessions();
    let records: Vec<_> =
        (0..34).map(|n| sealed(&client, n, if n == 32 { b"a\x17" } else { b"\x17\0" })).collect();
    let beyond = (33..67).map(|n| sealed(&client, n, b"\x17")).collect::<Vec<_>>();
    let mut server = Connection::new(server);
    let mut receive = |record: &[u8]| server.receive(&record[..5]).and_then(|_| server.receive(&record[5..]));
    for (n, record) in records[..33].iter().enumerate() {
        assert_eq!(receive(record), Ok(if n == 32 { Event::Data(b"a".into()) } else { Event::Nothing }));
    }
    for record in &beyond[..32] {
        assert_eq!(receive(record), Ok(Event::Nothing));
    }
    assert_eq!(receive(&beyond[32]), Err(Error::Peer(V::TooManyUselessRecords)));
}

//= rfc8449#section-4
//= type=test
//# A TLS endpoint that receives a record larger than its advertised limit MUST generate a fatal
//# "record_overflow" alert
#[test]
fn a_peer_that_ignores_our_record_size_limit() {
    let (mut client, mut server) = sessions();
    (server.record_size_limit, client.peer_record_size_limit) = (Some(64), None);
    let (mut client, mut server) = (Connection::new(client), Connection::new(server));
    client.write(&[0; 63]).unwrap();
    assert_eq!(carry(&mut client, &mut server).unwrap(), [0; 63]);
    client.write(&[0; 64]).unwrap();
    assert_eq!(carry(&mut client, &mut server), Err(Error::Peer(V::RecordTooLong)));
    assert_eq!(carry(&mut server, &mut client), Err(Error::Alert(A::RecordOverflow)));
}

//= rfc8449#section-4
//= type=test
//# Even if a larger record size limit is provided by a peer, an endpoint MUST NOT send records larger than
//# the protocol-defined limit
#[test]
fn a_peers_limit_beyond_the_protocols_lengthens_no_record() {
    let (mut client, server) = sessions();
    client.peer_record_size_limit = Some(u16::MAX);
    let (mut client, mut server) = (Connection::new(client), Connection::new(server));
    client.write(&[0; 1 << 15]).unwrap();
    assert_eq!(carry(&mut client, &mut server).unwrap(), [0; 1 << 15]);
}

#[test]
fn a_key_that_is_used_up_is_replaced() {
    let (mut client, mut server) = sessions();
    let limit = client.suite.record_limit();
    assert_eq!((client.suite, limit), (CipherSuite::Aes128GcmSha256, 1 << 24));
    (client.tx.next_sequence, server.rx.next_sequence) = (limit - 1, limit - 1);
    let (mut client, mut server) = (Connection::new(client), Connection::new(server));
    client.write(b"last").unwrap();
    let one_record = client.outgoing().len();
    assert_eq!(carry(&mut client, &mut server).unwrap(), b"last");
    client.write(b"next").unwrap();
    assert!(client.outgoing().len() > one_record, "a KeyUpdate goes before");
    assert_eq!(carry(&mut client, &mut server).unwrap(), b"next");
}

//= rfc8446#section-5.3
//= type=test
//# If a TLS implementation would need to wrap a sequence number, it MUST either rekey (Section 4.6.3) or
//# terminate the connection.
#[test]
fn sequence_numbers_do_not_wrap() {
    let (mut client, _) = sessions();
    client.tx.next_sequence = u64::MAX;
    let mut client = Connection::new(client);
    assert_eq!(client.write(b"data"), Err(Error::Local(LocalError::Protection)));
    assert_eq!(client.outgoing(), b"");
}

#[test]
fn answers_out_of_turn() {
    let cast = Cast::new();
    let (mut client, mut server) = cast.ends(Flow::Certificate, 1);
    client.handshake.signed(b"");
    server.handshake.receive(&[0; 4]);
    for end in [&mut client, &mut server] {
        let result = end.run(&mut Vec::new(), &mut Vec::new()).unwrap();
        assert_eq!(result.unwrap_err(), Error::Local(LocalError::Misuse));
    }
}

//= rfc8446#section-5.1
//= type=test
//# That is, if a handshake message is split over two or more records, there MUST NOT be any other records
//# between them.
#[test]
fn bytes_that_were_not_handed_out_are_not_sent() {
    let cast = Cast::new();
    let (mut client, mut server) = cast.ends(Flow::Certificate, 1);
    let Step::Send(hello) = client.handshake.step() else { panic!("a ClientHello") };
    for part in [&hello[..5], &hello[5..]] {
        server.handshake.receive(part);
    }
    // A ServerHello waits behind the question.
    assert!(matches!(server.handshake.step(), Step::Sign(_)));
    server.handshake.sent(1);
    let length = hello.len();
    client.handshake.sent(length + 1);
    for end in [&mut client, &mut server] {
        let result = end.run(&mut Vec::new(), &mut Vec::new()).unwrap();
        assert_eq!(result.unwrap_err(), Error::Local(LocalError::Misuse));
    }
}

#[test]
fn data_in_the_middle_of_a_message() {
    let (client, server) = sessions();
    let mut server = Connection::new(server);
    let records = [sealed(&client, 0, b"\x18\x16"), sealed(&client, 1, b"a\x17")];
    let mut receive = |record: &[u8]| server.receive(&record[..5]).and_then(|_| server.receive(&record[5..]));
    assert_eq!(receive(&records[0]), Ok(Event::Nothing));
    assert_eq!(receive(&records[1]), Err(Error::Peer(V::InterleavedRecord)));
}
