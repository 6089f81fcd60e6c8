//! Every message that we write reads back, whatever its values are, and no prefix of it does.

use alloc::{string::String, vec::Vec};

use proptest::{
    array::uniform32,
    collection::vec as list,
    option,
    prelude::{Strategy, any},
    sample::select,
    test_runner::{Config, TestRunner},
};

use super::{super::*, body, lengths::check_lengths};
use crate::engine::codec::Codes;

/// Tries a property on many values; each costs thousands of readings, for its prefixes.
fn for_all<S: Strategy>(values: S, property: impl Fn(S::Value)) {
    let cases = Config::default().cases / 8;
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let result = runner.run(&values, |value| {
        property(value);
        Ok(())
    });
    result.unwrap_or_else(|failure| panic!("{failure}"));
}

fn bytes(length: core::ops::RangeInclusive<usize>) -> impl Strategy<Value = Vec<u8>> {
    list(any::<u8>(), length)
}

fn codes() -> impl Strategy<Value = Vec<u16>> {
    list(any::<u16>(), 1..8)
}

fn written(handshake_type: HandshakeType, body: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let message = write(handshake_type, body).unwrap();
    check_lengths(&message);
    message
}

/// The values of an [`Offer`], owned.
type Offered = (
    ([u8; 32], Vec<u8>, Vec<u16>, Option<String>, Vec<u16>, Option<(Vec<u16>, Vec<u16>)>),
    (Vec<Vec<u8>>, Option<u16>, Option<Vec<u8>>, Vec<(u16, Vec<u8>)>, bool, Vec<(Vec<u8>, usize)>),
);

fn offered() -> impl Strategy<Value = Offered> {
    let schemes = option::of((codes(), codes()));
    let key_shares = list((any::<u16>(), bytes(1..=70)), 0..4);
    let psks = list((bytes(1..=40), select(&[32_usize, 48][..])), 0..4);
    (
        (uniform32(any::<u8>()), bytes(0..=32), codes(), option::of("[!-~]{1,40}"), codes(), schemes),
        (
            list(bytes(1..=20), 0..4),
            option::of(64..=u16::MAX),
            option::of(bytes(1..=40)),
            key_shares,
            any::<bool>(),
            psks,
        ),
    )
}

#[test]
fn a_client_hello() {
    for_all(offered(), |(first, second)| {
        let (random, session_id, suites, server_name, groups, schemes) = first;
        let (protocols, record_size_limit, cookie, key_shares, psk_modes, psks) = second;
        let (signature_algorithms, signature_algorithms_cert) = schemes.clone().unwrap_or_default();
        let shares: Vec<_> = key_shares
            .iter()
            .map(|(group, key_exchange)| KeyShareEntry { group: *group, key_exchange })
            .collect();
        let identities: Vec<_> = psks.iter().map(|(identity, length)| (&identity[..], *length)).collect();
        let offer = Offer {
            random: &random,
            session_id: &session_id,
            suites: &suites,
            server_name: server_name.as_deref(),
            groups: &groups,
            signature_algorithms: &signature_algorithms,
            signature_algorithms_cert: &signature_algorithms_cert,
            protocols: &protocols,
            record_size_limit,
            cookie: cookie.as_deref(),
            key_shares: &shares,
            psk_modes,
            psks: &identities,
        };
        let bytes = written(HandshakeType::ClientHello, |w| offer.write(w));
        let hello = ClientHello::read(body(&bytes, HandshakeType::ClientHello)).unwrap();
        assert_eq!((hello.random, hello.session_id), (&random, &session_id[..]));
        assert!(hello.cipher_suites.iter().eq(suites));
        assert!(hello.offers_tls13() && hello.compression_methods == [0]);
        let extensions = hello.extensions;
        assert_eq!(extensions.server_name, server_name.as_deref());
        assert!(extensions.supported_groups.unwrap().iter().eq(groups));
        let read = |codes: Option<Codes<'_>>| codes.map(|codes| codes.iter().collect::<Vec<_>>());
        let both = read(extensions.signature_algorithms).zip(read(extensions.signature_algorithms_cert));
        assert_eq!(both, schemes);
        let names = extensions.protocols.map(|names| names.iter().map(<[u8]>::to_vec).collect());
        assert_eq!(names, Some(protocols).filter(|names| !names.is_empty()));
        assert_eq!((extensions.record_size_limit, extensions.cookie), (record_size_limit, cookie.as_deref()));
        let shares = extensions.key_share.unwrap().iter();
        assert!(shares.map(|share| (share.group, share.key_exchange.to_vec())).eq(key_shares));
        assert_eq!(extensions.psk_key_exchange_modes, psk_modes.then_some(&[1][..]));
        assert_eq!(extensions.pre_shared_key.is_some(), !psks.is_empty());
        let Some(offered) = extensions.pre_shared_key else { return };
        assert!(offered.identities().eq(identities.iter().map(|(identity, _)| (*identity, 0))));
        assert!(offered.binders().map(<[u8]>::len).eq(identities.iter().map(|(_, length)| *length)));
    });
}

#[test]
fn a_server_hello() {
    let values = (
        (uniform32(any::<u8>()), bytes(0..=32), any::<u16>()),
        (any::<u16>(), bytes(1..=70)),
        option::of(any::<u16>()),
    );
    for_all(values, |((random, session_id, cipher_suite), (group, key_exchange), selected_identity)| {
        let head = ServerHelloHead { random: &random, session_id_echo: &session_id, cipher_suite };
        let key_share = KeyShareEntry { group, key_exchange: &key_exchange };
        let hello = ServerHello { hello: head, key_share, selected_identity };
        let bytes = written(HandshakeType::ServerHello, |w| hello.write(w));
        let read = ServerHello::read(body(&bytes, HandshakeType::ServerHello)).unwrap();
        assert_eq!((read.hello.random, read.hello.session_id_echo), (&random, &session_id[..]));
        assert_eq!((read.hello.cipher_suite, read.selected_identity), (cipher_suite, selected_identity));
        assert_eq!((read.key_share.group, read.key_share.key_exchange), (group, &key_exchange[..]));
    });
}

#[test]
fn a_hello_retry_request() {
    let values = (bytes(0..=32), any::<u16>(), option::of(any::<u16>()), option::of(bytes(1..=70)));
    for_all(values, |(session_id, cipher_suite, selected_group, cookie)| {
        let request = HelloRetryRequest {
            selected_group,
            cookie: cookie.as_deref(),
            ..HelloRetryRequest::new(&session_id, cipher_suite)
        };
        let bytes = written(HandshakeType::HelloRetryRequest, |w| request.write(w));
        let read = HelloRetryRequest::read(body(&bytes, HandshakeType::HelloRetryRequest)).unwrap();
        assert_eq!((read.selected_group, read.cookie), (selected_group, cookie.as_deref()));
        assert_eq!((read.hello.session_id_echo, read.hello.cipher_suite), (&session_id[..], cipher_suite));
    });
}

#[test]
fn encrypted_extensions() {
    for_all((option::of(bytes(1..=255)), option::of(64..=u16::MAX)), |(protocol, record_size_limit)| {
        let extensions =
            EncryptedExtensions { protocol: protocol.as_deref(), record_size_limit, server_name: false };
        let bytes = written(HandshakeType::EncryptedExtensions, |w| extensions.write(w));
        let read = EncryptedExtensions::read(body(&bytes, HandshakeType::EncryptedExtensions)).unwrap();
        assert_eq!((read.protocol, read.record_size_limit), (protocol.as_deref(), record_size_limit));
        assert!(!read.server_name);
    });
}

#[test]
fn a_certificate_request() {
    for_all((codes(), codes(), list(bytes(1..=40), 0..4)), |(schemes, schemes_cert, authorities)| {
        let bytes = written(HandshakeType::CertificateRequest, |w| {
            CertificateRequest::write(w, &schemes, &schemes_cert, &authorities);
        });
        let read = CertificateRequest::read(body(&bytes, HandshakeType::CertificateRequest)).unwrap();
        assert_eq!(read.context, b"");
        assert!(read.signature_algorithms.iter().eq(schemes));
        let names = read.authorities.map(|names| names.iter().map(<[u8]>::to_vec).collect());
        assert_eq!(names, Some(authorities).filter(|names| !names.is_empty()));
    });
}

//= rfc8446#section-4.4.2
//= type=test
//# The sender's certificate MUST come in the first CertificateEntry in the list.
#[test]
fn a_certificate() {
    for_all((bytes(0..=40), list(bytes(1..=60), 0..=32)), |(context, chain)| {
        let bytes = written(HandshakeType::Certificate, |w| Certificate::write(w, &context, &chain));
        let read = Certificate::read(body(&bytes, HandshakeType::Certificate)).unwrap();
        assert_eq!(read.context, context);
        assert!(read.entries().eq(chain.iter().map(Vec::as_slice)));
    });
}

#[test]
fn a_certificate_verify() {
    for_all((any::<u16>(), bytes(0..=600)), |(algorithm, signature)| {
        let verify = CertificateVerify { algorithm, signature: &signature };
        let bytes = written(HandshakeType::CertificateVerify, |w| verify.write(w));
        let read = CertificateVerify::read(body(&bytes, HandshakeType::CertificateVerify)).unwrap();
        assert_eq!((read.algorithm, read.signature), (algorithm, &signature[..]));
    });
}

#[test]
fn finished_and_key_update() {
    for_all(bytes(0..=64), |verify_data| {
        let bytes = written(HandshakeType::Finished, |w| w.bytes(&verify_data));
        assert_eq!(Finished::read(body(&bytes, HandshakeType::Finished)).verify_data, verify_data);
    });
    for update in [KeyUpdate::NotRequested, KeyUpdate::Requested] {
        let bytes = written(HandshakeType::KeyUpdate, |w| update.write(w));
        assert_eq!(KeyUpdate::read(body(&bytes, HandshakeType::KeyUpdate)).unwrap(), update);
    }
}
