//! What is written reads back, and nothing shorter or longer does.

mod lengths;
mod round_trip;

use alloc::vec::Vec;

use super::*;

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

//= rfc7301#section-3.1
//= type=test
//# SHALL contain a "ProtocolNameList" value.
//= rfc6066#section-3
//= type=test
//# The "extension_data" field of this extension SHALL contain "ServerNameList" where:
//= rfc9289#section-6
//= type=test
//# Therefore, RPC-with-TLS implementations MUST NOT use 0-RTT data.
//= rfc8446#section-9.2
//= type=test
//# a TLS-compliant application MUST implement the following TLS extensions:
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
