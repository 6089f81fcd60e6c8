//! No strict prefix of a message is one, and what is written reads back.

use alloc::{vec, vec::Vec};

use super::*;
use crate::engine::rfc8448::messages;

/// A message of its type whose header tells the length of this part of its body.
fn with_body(message: &[u8], body: &[u8]) -> Vec<u8> {
    let [.., a, b, c] = body.len().to_be_bytes();
    [&[message[0], a, b, c], body].concat()
}

/// Reads a whole message, body included.
fn read(bytes: &[u8]) -> Result<(), Violation> {
    Message::read(bytes)?.read_body()
}

/// The body of a message, which must be of this type.
fn body(bytes: &[u8], handshake_type: HandshakeType) -> Reader<'_> {
    let message = Message::read(bytes).unwrap();
    assert_eq!(message.handshake_type, handshake_type);
    message.body
}

#[test]
fn no_strict_prefix_of_a_message_is_one() {
    let samples = messages();
    for message in &samples {
        read(message).unwrap();
        let body = &message[4..];
        for length in 0..body.len() {
            assert!(read(&message[..4 + length]).is_err(), "the header tells the length");
            let prefix = with_body(message, &body[..length]);
            let allowed = match HandshakeType::from_code(message[0]).unwrap() {
                // The state knows how long it must be.
                HandshakeType::Finished => true,
                // A ClientHello without extensions is one of TLS 1.2, and refused for that.
                HandshakeType::ClientHello => length == length_without_extensions(body),
                _ => false,
            };
            assert_eq!(read(&prefix).is_ok(), allowed, "{} bytes of {message:02x?}", length);
        }
        let longer = with_body(message, &[body, &[0]].concat());
        let is_finished = message[0] == HandshakeType::Finished.code();
        assert_eq!(read(&longer).is_ok(), is_finished, "{longer:02x?}");
        assert!(read(&[message, &[0][..]].concat()).is_err());
    }
    let seen = |code| samples.iter().any(|message| message[0] == code);
    assert!(HandshakeType::ALL.iter().all(|handshake_type| seen(handshake_type.code())));
}

fn length_without_extensions(body: &[u8]) -> usize {
    let mut r = Reader::new(body, "test");
    r.bytes(34).unwrap();
    r.vector8().unwrap();
    r.vector16().unwrap();
    r.vector8().unwrap();
    body.len() - r.rest().len()
}

//= rfc7301#section-3.1
//= type=test
//# SHALL contain a "ProtocolNameList" value.
//= rfc6066#section-3
//= type=test
//# The "extension_data" field of this extension SHALL contain "ServerNameList" where:
//= rfc9289#section-6
//= type=test
//# Therefore, RPC-with-TLS implementations MUST NOT use 0-RTT data.
#[test]
fn a_client_hello_reads_back() {
    let shares =
        [KeyShareEntry { group: 29, key_exchange: b"x" }, KeyShareEntry { group: 23, key_exchange: b"yz" }];
    let protocols = [b"a".to_vec(), b"bc".to_vec()];
    let offer = Offer {
        random: &[7; 32],
        session_id: b"session",
        suites: &[0x1301, 0x1303],
        server_name: Some("server.test"),
        groups: &[29, 23],
        signature_algorithms: &[0x0403],
        signature_algorithms_cert: &[0x0807, 0x0401],
        protocols: &protocols,
        record_size_limit: Some(64),
        cookie: Some(b"cookie"),
        key_shares: &shares,
        psk_modes: true,
        psks: &[(b"one", 32), (b"two", 48)],
    };
    let bytes = write(HandshakeType::ClientHello, |w| offer.write(w)).unwrap();
    let has = |part: &[u8]| bytes.windows(part.len()).any(|window| window == part);
    assert!(has(b"\0\0\0\x10\0\x0e\0\0\x0bserver.test"), "RFC 6066, Section 3");
    assert!(has(b"\0\x10\0\x07\0\x05\x01a\x02bc"), "RFC 7301, Section 3.1");
    let hello = ClientHello::read(body(&bytes, HandshakeType::ClientHello)).unwrap();
    assert_eq!(
        (hello.legacy_version, hello.random, hello.session_id),
        (0x0303, offer.random, offer.session_id)
    );
    assert!(hello.cipher_suites.iter().eq([0x1301, 0x1303]));
    assert_eq!(hello.compression_methods, [0]);
    assert!(hello.offers_tls13() && hello.offers_psk_dhe_ke());
    let extensions = hello.extensions;
    assert_eq!(extensions.server_name, offer.server_name);
    assert!(extensions.supported_groups.unwrap().iter().eq([29, 23]));
    assert!(extensions.signature_algorithms.unwrap().iter().eq([0x0403]));
    assert!(extensions.signature_algorithms_cert.unwrap().iter().eq([0x0807, 0x0401]));
    assert!(extensions.protocols.unwrap().iter().eq(protocols.iter().map(Vec::as_slice)));
    assert_eq!((extensions.record_size_limit, extensions.cookie), (Some(64), Some(&b"cookie"[..])));
    let read = extensions.key_share.unwrap().iter().map(|share| (share.group, share.key_exchange));
    assert!(read.eq([(29, &b"x"[..]), (23, b"yz")]));
    let psks = extensions.pre_shared_key.unwrap();
    assert!(psks.identities().eq([(&b"one"[..], 0), (b"two", 0)]));
    assert!(psks.binders().eq([&[0; 32][..], &[0; 48]]));
    assert_eq!(psks.binders_length(), 2 + 33 + 49);
    assert!(!extensions.early_data && extensions.certificate_authorities.is_none());
}

#[test]
fn a_server_hello_and_a_hello_retry_request_read_back() {
    let head = ServerHelloHead { random: &[7; 32], session_id_echo: b"echo", cipher_suite: 0x1302 };
    let key_share = KeyShareEntry { group: 29, key_exchange: b"share" };
    for selected_identity in [None, Some(2)] {
        let hello = ServerHello { hello: head, key_share, selected_identity };
        let bytes = write(HandshakeType::ServerHello, |w| hello.write(w)).unwrap();
        let read = ServerHello::read(body(&bytes, HandshakeType::ServerHello)).unwrap();
        assert_eq!((read.hello.random, read.hello.session_id_echo), (head.random, head.session_id_echo));
        assert_eq!((read.hello.cipher_suite, read.selected_identity), (0x1302, selected_identity));
        assert_eq!((read.key_share.group, read.key_share.key_exchange), (29, &b"share"[..]));
    }
    for (selected_group, cookie) in [(Some(23), None), (None, Some(&b"cookie"[..])), (Some(24), Some(b"c"))] {
        let request = HelloRetryRequest { selected_group, cookie, ..HelloRetryRequest::new(b"echo", 0x1301) };
        let bytes = write(HandshakeType::HelloRetryRequest, |w| request.write(w)).unwrap();
        let read = HelloRetryRequest::read(body(&bytes, HandshakeType::HelloRetryRequest)).unwrap();
        assert_eq!((read.selected_group, read.cookie), (selected_group, cookie));
        assert_eq!((read.hello.session_id_echo, read.hello.cipher_suite), (&b"echo"[..], 0x1301));
    }
}

#[test]
fn the_servers_parameters_read_back() {
    for (protocol, record_size_limit) in [(None, None), (Some(&b"sunrpc"[..]), Some(16385))] {
        let extensions = EncryptedExtensions { protocol, record_size_limit, server_name: false };
        let bytes = write(HandshakeType::EncryptedExtensions, |w| extensions.write(w)).unwrap();
        let read = EncryptedExtensions::read(body(&bytes, HandshakeType::EncryptedExtensions)).unwrap();
        assert_eq!((read.protocol, read.record_size_limit), (protocol, record_size_limit));
        assert!(!read.server_name);
    }
    for authorities in [vec![], vec![b"one".to_vec(), b"three".to_vec()]] {
        let bytes = write(HandshakeType::CertificateRequest, |w| {
            CertificateRequest::write(w, &[0x0403, 0x0807], &[0x0401], &authorities);
        });
        let bytes = bytes.unwrap();
        let read = CertificateRequest::read(body(&bytes, HandshakeType::CertificateRequest)).unwrap();
        assert_eq!(read.context, b"");
        assert!(read.signature_algorithms.iter().eq([0x0403, 0x0807]));
        let names = read.authorities.map(|names| names.iter().map(<[u8]>::to_vec).collect());
        assert_eq!(names, if authorities.is_empty() { None } else { Some(authorities) });
    }
}

#[test]
fn what_authenticates_reads_back() {
    for chain in [vec![], vec![b"end entity".to_vec()], vec![b"a".to_vec(), b"b".to_vec()]] {
        let bytes = write(HandshakeType::Certificate, |w| Certificate::write(w, b"context", &chain)).unwrap();
        let read = Certificate::read(body(&bytes, HandshakeType::Certificate)).unwrap();
        assert_eq!(read.context, b"context");
        assert!(read.entries().eq(chain.iter().map(Vec::as_slice)));
    }
    let verify = CertificateVerify { algorithm: 0x0807, signature: b"signature" };
    let bytes = write(HandshakeType::CertificateVerify, |w| verify.write(w)).unwrap();
    let read = CertificateVerify::read(body(&bytes, HandshakeType::CertificateVerify)).unwrap();
    assert_eq!((read.algorithm, read.signature), (0x0807, &b"signature"[..]));
    for update in [KeyUpdate::NotRequested, KeyUpdate::Requested] {
        let bytes = write(HandshakeType::KeyUpdate, |w| update.write(w)).unwrap();
        assert_eq!(KeyUpdate::read(body(&bytes, HandshakeType::KeyUpdate)).unwrap(), update);
    }
}
