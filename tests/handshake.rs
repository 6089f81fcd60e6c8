//! Whole handshakes between two engines: every flow, suite and group, and what the sessions agree on.

mod common;

use std::sync::Arc;

use common::{
    End, NOW, Pinned, carry, client_config, connect, connections, edit, identity, keys, server_config,
};
use handclasp::{
    crypto::{
        certificate::{CertificateVerifier, Purpose, Reason, Rejection, ServerName, UnixTime},
        hash::Hash,
        kx::NamedGroup,
        public_key::PublicKey,
        random::SystemRandom,
        signature_scheme::SignatureScheme,
        suite::CipherSuite,
    },
    engine::{
        AlertDescription, ConfigError, Connection, Error, Event, Handshake, LocalError, Peer, Psk, Session,
        Step, Violation,
        config::{ClientAuthentication, ClientConfig, Credential, ServerConfig},
    },
};

fn agree(client: &Session, server: &Session) {
    assert_eq!(client.tx.secret.expose(), server.rx.secret.expose());
    assert_eq!(client.rx.secret.expose(), server.tx.secret.expose());
    assert_ne!(client.tx.secret.expose(), client.rx.secret.expose());
    assert_eq!((client.suite, client.group), (server.suite, server.group));
    assert_eq!(client.alpn, server.alpn);
    let export = |session: &Session| session.exporter.export(b"EXPORTER-test", b"context", 40).unwrap();
    assert_eq!(export(client).expose(), export(server).expose());
}

//= rfc9289#section-5
//= type=test
//# Support for mandatory-to-implement cipher suites for the negotiated TLS version is REQUIRED.
//= rfc8446#section-2
//= type=test
//# the server's share MUST be in the same group as one of the client's shares.
//= rfc8446#section-4.1.1
//= type=test
//# the server MUST respond with a HelloRetryRequest
//= rfc8446#section-9.1
//= type=test
//# A TLS-compliant application MUST implement the TLS_AES_128_GCM_SHA256 [GCM] cipher suite
//= rfc8446#section-9.1
//= type=test
//# MUST support key exchange with secp256r1 (NIST P-256)
//= rfc8446#section-9.2
//= type=test
//# Additionally, all implementations MUST support the use of the "server_name" extension with applications
//# capable of using it.
//= rfc8446#section-9.3
//= type=test
//# A client sending a ClientHello MUST support all parameters advertised in it.
#[test]
fn every_suite_with_every_group_with_and_without_a_retry() {
    let alice = identity("server");
    for suite in CipherSuite::ALL {
        for &group in NamedGroup::ALL {
            for key_shares in [vec![], NamedGroup::ALL.to_vec()] {
                let retries = key_shares.is_empty();
                let mut ours = client_config(&alice);
                (ours.suites, ours.key_shares) = (vec![suite], Some(key_shares));
                let mut theirs = server_config(&alice);
                (theirs.groups, theirs.hello_retry_cookie) = (vec![group], true);
                let outcome = connect(End::client(ours, None), End::server(theirs, Some(&alice.key)));
                let (client, server) = (outcome.client.unwrap(), outcome.server.unwrap());
                agree(&client, &server);
                assert_eq!((client.suite, client.group), (suite, group));
                assert_eq!((client.hello_retry, server.hello_retry), (retries, retries));
                assert_eq!(server.peer, Peer::Anonymous);
                assert_eq!(server.server_name.as_deref(), Some("server.test"));
                assert_eq!(client.peer, Peer::Certificate { chain: vec![b"server".to_vec()] });
            }
        }
    }
}

#[test]
fn client_certificates_none_optional_required() {
    let (alice, bob) = (identity("server"), identity("client"));
    for (authentication, has_certificate) in [
        (ClientAuthentication::None, true),
        (ClientAuthentication::Optional, true),
        (ClientAuthentication::Optional, false),
        (ClientAuthentication::Required, true),
        (ClientAuthentication::Required, false),
    ] {
        let mut ours = client_config(&alice);
        if has_certificate {
            ours.credentials.push(bob.credential.clone());
        }
        let mut theirs = server_config(&alice);
        theirs.client_authentication = authentication;
        theirs.verifier = Some(bob.pinned.clone());
        let outcome = connect(End::client(ours, Some(&bob.key)), End::server(theirs, Some(&alice.key)));
        if authentication == ClientAuthentication::Required && !has_certificate {
            let error = outcome.server.unwrap_err();
            assert_eq!(error, Error::Peer(Violation::NoCertificate));
            assert_eq!(error.alert(), Some(AlertDescription::CertificateRequired));
            continue;
        }
        let (client, server) = (outcome.client.unwrap(), outcome.server.unwrap());
        agree(&client, &server);
        let proved = authentication != ClientAuthentication::None && has_certificate;
        let expected =
            if proved { Peer::Certificate { chain: vec![b"client".to_vec()] } } else { Peer::Anonymous };
        assert_eq!(server.peer, expected);
    }
}

#[test]
fn a_credential_for_named_issuers_alone_is_shown_to_no_other_peer() {
    let (alice, bob) = (identity("server"), identity("client"));
    let (ours, others) = (b"0\x0b our issuer".to_vec(), b"0\x0b no issuer".to_vec());
    for (named, certificate_required, is_shown) in
        [(ours.clone(), false, true), (others.clone(), false, false), (others, true, false)]
    {
        let credential =
            Credential { issuers: vec![ours.clone()], issuer_required: true, ..bob.credential.clone() };
        let client =
            ClientConfig { credentials: vec![credential], certificate_required, ..client_config(&alice) };
        let server = ServerConfig {
            client_authentication: ClientAuthentication::Optional,
            verifier: Some(Arc::new(Pinned { authorities: vec![named], ..(*bob.pinned).clone() })),
            ..server_config(&alice)
        };
        let outcome = connect(End::client(client, Some(&bob.key)), End::server(server, Some(&alice.key)));
        if certificate_required {
            assert_eq!(outcome.client.unwrap_err(), Error::Peer(Violation::NoNamedIssuer));
            assert_eq!(outcome.server.unwrap_err(), Error::Alert(AlertDescription::HandshakeFailure));
        } else {
            assert_eq!(outcome.server.unwrap().peer != Peer::Anonymous, is_shown);
        }
    }
}

#[test]
fn a_client_that_must_prove_itself_does_not_go_on_without_a_scheme_in_common() {
    let (alice, bob) = (identity("server"), identity("client"));
    for certificate_required in [false, true] {
        let client = ClientConfig {
            credentials: vec![bob.credential.clone()],
            certificate_required,
            ..client_config(&alice)
        };
        let server = ServerConfig {
            client_authentication: ClientAuthentication::Optional,
            verifier: Some(bob.pinned.clone()),
            signature_schemes: vec![SignatureScheme::EcdsaSecp384r1Sha384],
            ..server_config(&alice)
        };
        let outcome = connect(End::client(client, Some(&bob.key)), End::server(server, Some(&alice.key)));
        let expected = certificate_required.then_some(Error::Peer(Violation::NoCommonScheme));
        assert_eq!(outcome.client.err(), expected);
        assert_eq!(outcome.server.is_ok(), !certificate_required);
    }
}

//= rfc8446#section-4.4.3
//= type=test
//# RSA signatures MUST use an RSASSA-PSS algorithm
#[test]
fn schemes_for_certificates_alone_sign_no_handshake() {
    let mut alice = identity("server");
    alice.credential.schemes = vec![SignatureScheme::RsaPkcs1Sha256];
    let theirs = server_config(&alice);
    let outcome = connect(End::client(client_config(&alice), None), End::server(theirs, Some(&alice.key)));
    assert_eq!(outcome.server.unwrap_err(), Error::Peer(Violation::NoCommonScheme));
}

/// A single record with one more byte, the type of another handshake message.
fn one_byte_more(record: &[u8], handshake_type: u8) -> Vec<u8> {
    let mut longer = [record, &[handshake_type]].concat();
    let length = u16::try_from(longer.len() - 5).unwrap().to_be_bytes();
    longer[3..5].copy_from_slice(&length);
    longer
}

#[test]
fn nothing_may_follow_what_a_hello_retry_request_answers_or_the_request_itself() {
    const CLIENT_HELLO: u8 = 1;
    const SERVER_HELLO: u8 = 2;
    let alice = identity("server");
    let refused = Some(Err(Error::Peer(Violation::KeyChangeInsideRecord)));
    let ours =
        ClientConfig { key_shares: Some(vec![]), middlebox_compatibility: false, ..client_config(&alice) };
    let mut client = End::client(ours, None);
    let server = || End::server(server_config(&alice), Some(&alice.key));
    let (mut hello, mut request, mut alert) = (Vec::new(), Vec::new(), Vec::new());
    client.run(&mut Vec::new(), &mut hello);
    let too_much = server().run(&mut one_byte_more(&hello, CLIENT_HELLO), &mut alert);
    assert_eq!(too_much.map(|result| result.map(|_| ())), refused);
    server().run(&mut hello, &mut request);
    let too_much = client.run(&mut one_byte_more(&request, SERVER_HELLO), &mut alert);
    assert_eq!(too_much.map(|result| result.map(|_| ())), refused);
}

//= rfc8446#section-4.4.2.2
//= type=test
//# public key (and associated restrictions) MUST be compatible with the selected authentication algorithm
//= rfc8446#section-4.4.3
//= type=test
//# the signature algorithm MUST be one offered in the client's "signature_algorithms" extension
//= rfc8446#section-4.4.3
//= type=test
//# the signature algorithm used in the signature MUST be one of those present in the
//# supported_signature_algorithms field
#[test]
fn the_schemes_for_the_peers_proof_are_configured() {
    let (alice, bob) = (identity("server"), identity("client"));
    let only = |scheme| vec![scheme];
    for (scheme, accepted) in
        [(SignatureScheme::EcdsaSecp256r1Sha256, true), (SignatureScheme::EcdsaSecp384r1Sha384, false)]
    {
        let ours = ClientConfig { signature_schemes: only(scheme), ..client_config(&alice) };
        let outcome = connect(End::client(ours, None), End::server(server_config(&alice), Some(&alice.key)));
        let expected = if accepted { None } else { Some(Error::Peer(Violation::NoCommonScheme)) };
        assert_eq!(outcome.server.err(), expected);
        let mut ours = client_config(&alice);
        ours.credentials.push(bob.credential.clone());
        let theirs = ServerConfig {
            client_authentication: ClientAuthentication::Optional,
            verifier: Some(bob.pinned.clone()),
            signature_schemes: only(scheme),
            ..server_config(&alice)
        };
        let outcome = connect(End::client(ours, Some(&bob.key)), End::server(theirs, Some(&alice.key)));
        assert_eq!(outcome.server.unwrap().peer != Peer::Anonymous, accepted);
    }
    for schemes in [vec![], only(SignatureScheme::RsaPkcs1Sha256)] {
        let ours = ClientConfig { signature_schemes: schemes, ..client_config(&alice) };
        let refused = Handshake::client(Arc::new(ours), Box::new(SystemRandom), NOW);
        assert_eq!(refused.unwrap_err(), Error::Config(ConfigError::SignatureSchemes));
    }
}

/// The content types of the records that an end sent.
fn content_types(mut sent: &[u8]) -> Vec<u8> {
    let mut types = Vec::new();
    while let [content_type, _, _, high, low, rest @ ..] = sent {
        types.push(*content_type);
        sent = &rest[usize::from(u16::from_be_bytes([*high, *low]))..];
    }
    types
}

#[test]
fn a_clients_change_cipher_spec_comes_before_its_first_protected_record() {
    const CHANGE_CIPHER_SPEC: u8 = 20;
    const HANDSHAKE: u8 = 22;
    const PROTECTED: u8 = 23;
    let (alice, bob) = (identity("server"), identity("not the server"));
    for verified in [&alice, &bob] {
        let ours = client_config(verified);
        let outcome = connect(End::client(ours, None), End::server(server_config(&alice), Some(&alice.key)));
        assert_eq!(outcome.client.is_ok(), verified.key.fits(&alice.pinned.key));
        assert_eq!(content_types(&outcome.sent.0), [HANDSHAKE, CHANGE_CIPHER_SPEC, PROTECTED]);
    }
}

fn psk(identity: &[u8], hash: Hash) -> Psk {
    Psk::external(identity, &[7; 48][..hash.length()], hash).unwrap()
}

//= rfc8446#section-2.2
//= type=test
//# When PSKs are provisioned out of band, the PSK identity and the KDF hash algorithm to be used with the PSK
//# MUST also be provisioned.
//= rfc8446#section-4.2.11
//= type=test
//# the Hash algorithm MUST be set when the PSK is established or default to SHA-256 if no such algorithm is
//# defined.
#[test]
fn psks_on_both_hashes_the_servers_choice_reported() {
    for (known, hash, index) in [(&b"first"[..], Hash::Sha384, 0), (b"second", Hash::Sha256, 1)] {
        for key_shares in [Some(vec![]), None] {
            let retries = key_shares.is_some();
            let psks = vec![psk(b"first", Hash::Sha384), psk(b"second", Hash::Sha256)];
            let ours = ClientConfig { psks, key_shares, ..ClientConfig::default() };
            let theirs = ServerConfig { psk: true, ..ServerConfig::default() };
            let server = End::server(theirs, None).with_psk(|id| (id == known).then(|| psk(id, hash)));
            let outcome = connect(End::client(ours, None), server);
            let (client, server) = (outcome.client.unwrap(), outcome.server.unwrap());
            agree(&client, &server);
            assert_eq!(client.suite.hash(), hash);
            assert_eq!(client.peer, Peer::Psk { identity: known.to_vec(), index });
            // After a retry the second offer holds only what goes with the suite.
            let at_server = if retries { 0 } else { index };
            assert_eq!(server.peer, Peer::Psk { identity: known.to_vec(), index: at_server });
        }
    }
}

//= rfc8446#section-4.2.11
//= type=test
//# The server MUST ensure that it selects a compatible PSK
//# (if any) and cipher suite.
#[test]
fn the_psk_that_goes_with_a_suite_in_common_is_asked_for() {
    let psks = || vec![psk(b"for SHA-256", Hash::Sha256), psk(b"for SHA-384", Hash::Sha384)];
    let known = |identity: &[u8]| psks().into_iter().find(|psk| psk.identity() == identity);
    // A second ClientHello offers only the PSKs that go with the suite of the HelloRetryRequest.
    for (groups, index) in [(vec![NamedGroup::X25519], 1), (vec![NamedGroup::Secp384r1], 0)] {
        let client = ClientConfig { psks: psks(), ..ClientConfig::default() };
        let server = ServerConfig {
            suites: vec![CipherSuite::Aes256GcmSha384],
            groups,
            psk: true,
            ..ServerConfig::default()
        };
        let outcome = connect(End::client(client, None), End::server(server, None).with_psk(known));
        let (client, server) = (outcome.client.unwrap(), outcome.server.unwrap());
        agree(&client, &server);
        assert_eq!(server.peer, Peer::Psk { identity: b"for SHA-384".to_vec(), index });
    }
}

#[test]
fn a_psk_nobody_knows_and_a_psk_with_another_key() {
    let ours = || ClientConfig { psks: vec![psk(b"id", Hash::Sha256)], ..ClientConfig::default() };
    let theirs = || ServerConfig { psk: true, ..ServerConfig::default() };
    let outcome = connect(End::client(ours(), None), End::server(theirs(), None));
    assert_eq!(outcome.client.unwrap_err(), Error::Alert(AlertDescription::UnknownPskIdentity));
    let wrong = |id: &[u8]| Psk::external(id, b"another key of 128 bits", Hash::Sha256).ok();
    let outcome = connect(End::client(ours(), None), End::server(theirs(), None).with_psk(wrong));
    assert_eq!(outcome.server.unwrap_err(), Error::Peer(Violation::BadBinder));
    assert_eq!(outcome.client.unwrap_err(), Error::Alert(AlertDescription::DecryptError));
}

#[test]
fn a_psk_client_falls_back_to_certificates_only_if_it_can_verify_them() {
    let alice = identity("server");
    let mut ours = client_config(&alice);
    ours.psks.push(psk(b"id", Hash::Sha256));
    let outcome = connect(End::client(ours, None), End::server(server_config(&alice), Some(&alice.key)));
    agree(&outcome.client.unwrap(), &outcome.server.unwrap());
}

//= rfc8446#section-4.2.11
//= type=test
//# The server MUST ensure that it selects a compatible PSK
//# (if any) and cipher suite.
#[test]
fn a_psk_without_a_suite_in_common_gives_way_to_a_certificate() {
    let alice = identity("server");
    for with_certificate in [true, false] {
        let mut ours = client_config(&alice);
        ours.psks.push(psk(b"id", Hash::Sha384));
        let suites = vec![CipherSuite::Aes128GcmSha256];
        let mut theirs = ServerConfig { suites, psk: true, ..server_config(&alice) };
        if !with_certificate {
            theirs.credentials.clear();
        }
        let server = End::server(theirs, Some(&alice.key)).with_psk(|id| Some(psk(id, Hash::Sha384)));
        let outcome = connect(End::client(ours, None), server);
        if with_certificate {
            assert!(matches!(outcome.client.unwrap().peer, Peer::Certificate { .. }));
            assert_eq!(outcome.server.unwrap().suite, CipherSuite::Aes128GcmSha256);
        } else {
            assert_eq!(outcome.server.unwrap_err(), Error::Peer(Violation::NoCommonSuite));
        }
    }
}

/// What a server makes of a second ClientHello whose extensions were changed, after a HelloRetryRequest under a PSK.
fn retried_under_psk(change: impl FnOnce(&mut edit::Extensions)) -> Option<Error> {
    let psks = vec![psk(b"id", Hash::Sha256)];
    let ours = ClientConfig {
        psks,
        key_shares: Some(vec![]),
        middlebox_compatibility: false,
        ..ClientConfig::default()
    };
    let theirs = ServerConfig { psk: true, ..ServerConfig::default() };
    let mut client = End::client(ours, None);
    let mut server = End::server(theirs, None).with_psk(|id| (id == b"id").then(|| psk(id, Hash::Sha256)));
    let (mut first, mut request, mut second) = (Vec::new(), Vec::new(), Vec::new());
    client.run(&mut Vec::new(), &mut first);
    server.run(&mut first, &mut request);
    client.run(&mut request, &mut second);
    let mut hello = second[5..].to_vec();
    edit::with_extensions(&mut hello, change);
    let mut record = [&[22, 3, 3][..], &edit::vector16(&hello)].concat();
    server.run(&mut record, &mut Vec::new()).map(|result| result.unwrap_err())
}

#[test]
fn a_second_client_hello_still_offers_the_psk_that_decided_the_first() {
    const PRE_SHARED_KEY: u16 = 41;
    assert_eq!(retried_under_psk(|_| {}), None);
    let without = retried_under_psk(|extensions| extensions.retain(|(code, _)| *code != PRE_SHARED_KEY));
    assert!(matches!(without, Some(Error::Peer(Violation::MissingExtension(_)))), "{without:?}");
    let another = retried_under_psk(|extensions| {
        let (code, content) = extensions.last_mut().unwrap();
        assert_eq!((*code, &content[4..6]), (PRE_SHARED_KEY, &b"id"[..]));
        content[4] = b'I';
    });
    assert_eq!(another, Some(Error::Peer(Violation::SecondHelloChanged)));
}

//= rfc8449#section-4
//= type=test
//# When the "record_size_limit" extension is negotiated, an endpoint MUST NOT generate a protected record
//# with plaintext that is larger than the RecordSizeLimit value it receives from its peer.
//= rfc8446#section-4.6.3
//= type=test
//# the sender SHALL send all its traffic using the next generation of keys
//= rfc8446#section-4.6.3
//= type=test
//# Upon receiving a KeyUpdate, the receiver MUST update its receiving keys.
//= rfc8446#section-4.6.3
//= type=test
//# Both sender and receiver MUST encrypt their KeyUpdate messages with the old keys.
//= rfc8446#section-5.1
//= type=test
//# The length MUST NOT exceed 2^14 bytes.
//= rfc8446#section-5.2
//= type=test
//# The length MUST NOT exceed 2^14 + 256 bytes.
#[test]
fn application_data_key_updates_and_small_records() {
    let alice = identity("server");
    for limit in [None, Some(64)] {
        let ours =
            ClientConfig { record_size_limit: limit, alpn: vec![b"sunrpc".into()], ..client_config(&alice) };
        let theirs =
            ServerConfig { record_size_limit: limit, alpn: vec![b"sunrpc".into()], ..server_config(&alice) };
        let outcome = connect(End::client(ours, None), End::server(theirs, Some(&alice.key)));
        let (client, server) = (outcome.client.unwrap(), outcome.server.unwrap());
        assert_eq!((client.peer_record_size_limit, server.peer_record_size_limit), (limit, limit));
        assert_eq!(client.alpn.as_deref(), Some(&b"sunrpc"[..]));
        let (mut client, mut server) = (Connection::new(*client), Connection::new(*server));
        let data: Vec<u8> = (0..100_000).map(|i| (i % 251) as u8).collect();
        for request_peer in [false, true] {
            client.write(&data).unwrap();
            client.update_keys(request_peer).unwrap();
            client.write(b"after").unwrap();
            assert_eq!(carry(&mut client, &mut server).unwrap(), [&data[..], b"after"].concat());
            server.write(&data).unwrap();
            assert_eq!(carry(&mut server, &mut client).unwrap(), data);
        }
        client.close().unwrap();
        carry(&mut client, &mut server).unwrap();
        assert_eq!(server.receive(&[]), Ok(Event::Closed));
    }
}

//= rfc8446#section-4.6.3
//= type=test
//# This mechanism allows either side to force an update to the
//# entire connection, but causes an implementation which receives
//# multiple KeyUpdates while it is silent to respond with a single
//# update.
//= rfc8446#section-4.6.3
//= type=test
//# the receiver MUST send a KeyUpdate of its own with request_update set to "update_not_requested" prior to
//# sending its next Application Data record.
#[test]
fn many_requests_for_a_key_update_have_one_answer_before_the_next_data() {
    let (mut client, mut server) = connections();
    for _ in 0..3 {
        client.update_keys(true).unwrap();
    }
    carry(&mut client, &mut server).unwrap();
    assert_eq!(server.outgoing(), b"");
    for (data, records) in [(b"first", 2), (b"later", 1)] {
        server.write(data).unwrap();
        assert_eq!(content_types(server.outgoing()).len(), records);
        assert_eq!(carry(&mut server, &mut client).unwrap(), data);
    }
}

//= rfc8446#section-2
//= type=test
//# Application Data MUST NOT be sent prior to sending the Finished message, except as specified in Section
//# 2.3.
//= rfc8446#appendix-E.5
//= type=test
//# TLS implementations MUST provide a way for the application to determine if the handshake has completed.
#[test]
fn a_session_comes_only_after_our_finished_was_sent() {
    let alice = identity("server");
    let mut server = End::server(server_config(&alice), Some(&alice.key));
    let mut client = End::client(client_config(&alice), None);
    let (mut up, mut down) = (Vec::new(), Vec::new());
    assert!(client.run(&mut down, &mut up).is_none());
    assert!(server.run(&mut up, &mut down).is_none());
    while !down.is_empty() {
        let Step::Receive(count) = client.handshake.step() else { panic!("a record") };
        client.handshake.receive(&down.drain(..count).collect::<Vec<_>>());
    }
    // Every byte of it, with the client's Finished the last.
    let mut sent = Vec::new();
    while let Step::Send(bytes) = client.handshake.step() {
        sent.push(bytes[0]);
        client.handshake.sent(1);
    }
    assert!(
        matches!(client.handshake.step(), Step::Failed(Error::Local(LocalError::Misuse))),
        "it was handed out"
    );
    assert!(server.run(&mut sent, &mut down).unwrap().is_ok());
}

//= rfc8446#section-7.5
//= type=test
//# Implementations MUST use the exporter_master_secret unless explicitly specified by the application.
#[test]
fn the_exporter_is_the_one_of_the_rfc() {
    let alice = identity("server");
    for suite in CipherSuite::ALL {
        let log = Arc::<keys::Secrets>::default();
        let theirs =
            ServerConfig { suites: vec![suite], key_log: Some(log.clone()), ..server_config(&alice) };
        let outcome =
            connect(End::client(client_config(&alice), None), End::server(theirs, Some(&alice.key)));
        let (hash, length) = (suite.hash(), suite.hash().length());
        // HKDF-Expand-Label(Derive-Secret(exporter_master_secret, label, ""), "exporter", Hash(context), 40)
        let master = log.get("EXPORTER_SECRET").unwrap();
        let derived = keys::expand_label(hash, &master, b"EXPORTER-test", &keys::hash_of(hash, &[]), length);
        let expected =
            keys::expand_label(hash, &derived, b"exporter", &keys::hash_of(hash, &[b"context"]), 40);
        let exported = outcome.client.unwrap().exporter.export(b"EXPORTER-test", b"context", 40).unwrap();
        assert_eq!(exported.expose(), expected);
    }
}

/// A verifier that has found a fault.
#[derive(Debug)]
struct Refusing(Reason);

impl CertificateVerifier for Refusing {
    fn verify(&self, _: &[Vec<u8>], _: Purpose<'_>, _: UnixTime) -> Result<PublicKey, Rejection> {
        Err(Rejection { reason: self.0, detail: "refused".into() })
    }
}

//= rfc8446#section-4.4.2.2
//= type=test
//# then it MUST abort the handshake with an appropriate certificate-related alert
#[test]
fn a_refused_certificate_has_its_alert() {
    let alice = identity("server");
    for (reason, alert) in [
        (Reason::Bad, AlertDescription::BadCertificate),
        (Reason::Unsupported, AlertDescription::UnsupportedCertificate),
        (Reason::Expired, AlertDescription::CertificateExpired),
        (Reason::Revoked, AlertDescription::CertificateRevoked),
        (Reason::UnknownAuthority, AlertDescription::UnknownCa),
        (Reason::WrongName, AlertDescription::BadCertificate),
        (Reason::WrongPurpose, AlertDescription::UnsupportedCertificate),
        (Reason::Denied, AlertDescription::AccessDenied),
        (Reason::StatusUnknown, AlertDescription::CertificateUnknown),
    ] {
        let ours = ClientConfig { verifier: Some(Arc::new(Refusing(reason))), ..client_config(&alice) };
        let outcome = connect(End::client(ours, None), End::server(server_config(&alice), Some(&alice.key)));
        assert!(matches!(outcome.client.unwrap_err(), Error::Certificate(_)));
        assert_eq!(outcome.server.unwrap_err(), Error::Alert(alert), "{reason:?}");
    }
}

//= rfc8446#section-4.2.11
//= type=test
//# For identities established externally, an obfuscated_ticket_age of 0 SHOULD be used, and servers MUST
//# ignore the value.
#[test]
fn the_age_of_an_external_psk_is_ignored() {
    let ours = ClientConfig { psks: vec![psk(b"id", Hash::Sha256)], ..ClientConfig::default() };
    let theirs = ServerConfig { psk: true, ..ServerConfig::default() };
    let mut server = End::server(theirs, None).with_psk(|id| (id == b"id").then(|| psk(id, Hash::Sha256)));
    let mut hello = Vec::new();
    assert!(End::client(ours, None).run(&mut Vec::new(), &mut hello).is_none());
    // Another age, with the binder that goes with it.
    let binders = hello.len() - 35;
    assert_eq!(hello[binders - 6..binders], *b"id\0\0\0\0");
    hello[binders - 4..binders].fill(0x7a);
    let key = keys::binder_key(Hash::Sha256, &[7; 32]);
    let binder = keys::finished(Hash::Sha256, &key, &keys::hash_of(Hash::Sha256, &[&hello[5..binders]]));
    hello[binders + 3..].copy_from_slice(&binder);
    let mut answer = Vec::new();
    assert!(server.run(&mut hello, &mut answer).is_none());
    assert_eq!((answer[0], answer[5]), (22, edit::SERVER_HELLO));
}

#[test]
fn after_the_session_was_handed_out_nothing_is_sent_with_its_keys() {
    let alice = identity("server");
    let mut server = End::server(server_config(&alice), Some(&alice.key));
    let mut client = End::client(client_config(&alice), None);
    let (mut up, mut down) = (Vec::new(), Vec::new());
    assert!(client.run(&mut down, &mut up).is_none());
    assert!(server.run(&mut up, &mut down).is_none());
    let session = client.run(&mut down, &mut up).unwrap().unwrap();
    client.handshake.abort(AlertDescription::InternalError);
    client.handshake.receive(&[21, 3, 3, 0, 2]);
    client.handshake.signed(b"");
    client.handshake.sign_failed();
    client.handshake.no_psk();
    client.handshake.psk(0, psk(b"id", Hash::Sha256));
    assert!(matches!(client.handshake.step(), Step::Failed(Error::Local(LocalError::Misuse))));
    assert_eq!(session.tx.next_sequence, 0);
}

#[test]
fn a_psk_under_another_name_than_offered_is_a_callers_mistake() {
    let ours = ClientConfig { psks: vec![psk(b"guest", Hash::Sha256)], ..ClientConfig::default() };
    let theirs = ServerConfig { psk: true, ..ServerConfig::default() };
    let server = End::server(theirs, None).with_psk(|_| Some(psk(b"admin", Hash::Sha256)));
    let outcome = connect(End::client(ours, None), server);
    assert_eq!(outcome.server.unwrap_err(), Error::Local(LocalError::Misuse));
    assert_eq!(outcome.client.unwrap_err(), Error::Alert(AlertDescription::InternalError));
}

#[test]
fn psks_that_everybody_knows_are_refused() {
    for secret in [&[][..], &[7; 15], &[0; 32]] {
        assert_eq!(Psk::external(b"id", secret, Hash::Sha256).unwrap_err(), ConfigError::PskSecret);
    }
    assert_eq!(Psk::external(b"", &[7; 32], Hash::Sha256).unwrap_err(), ConfigError::PskIdentity);
}

//= rfc7301#section-3.2
//= type=test
//# In the event that the server supports no protocols that the client advertises, then the server SHALL
//# respond with a fatal "no_application_protocol" alert.
#[test]
fn a_server_with_protocols_refuses_a_client_with_others() {
    let alice = identity("server");
    let ours = ClientConfig { alpn: vec![b"h2".into()], ..client_config(&alice) };
    let theirs = ServerConfig { alpn: vec![b"sunrpc".into()], ..server_config(&alice) };
    let outcome = connect(End::client(ours, None), End::server(theirs, Some(&alice.key)));
    assert_eq!(outcome.server.unwrap_err(), Error::Peer(Violation::NoCommonProtocol));
    assert_eq!(outcome.client.unwrap_err(), Error::Alert(AlertDescription::NoApplicationProtocol));
}

#[test]
fn an_application_protocol_can_be_insisted_on() {
    let alice = identity("server");
    let protocols = |offers: bool| if offers { vec![b"sunrpc".to_vec()] } else { vec![] };
    for (client, server) in [(true, true), (true, false), (false, true)] {
        let ours = ClientConfig { alpn: protocols(client), alpn_required: client, ..client_config(&alice) };
        let theirs = ServerConfig { alpn: protocols(server), alpn_required: server, ..server_config(&alice) };
        let outcome = connect(End::client(ours, None), End::server(theirs, Some(&alice.key)));
        let alert = Error::Alert(AlertDescription::NoApplicationProtocol);
        let refusal = Error::Peer(Violation::NoCommonProtocol);
        match (client, server) {
            (true, true) => assert!(outcome.client.is_ok() && outcome.server.is_ok()),
            (true, false) => {
                assert_eq!((outcome.client.unwrap_err(), outcome.server.unwrap_err()), (refusal, alert))
            }
            _ => assert_eq!((outcome.client.unwrap_err(), outcome.server.unwrap_err()), (alert, refusal)),
        }
    }
}

#[test]
fn a_server_takes_the_group_it_prefers() {
    let alice = identity("server");
    let ours =
        ClientConfig { groups: vec![NamedGroup::Secp256r1, NamedGroup::X25519], ..client_config(&alice) };
    let theirs =
        ServerConfig { groups: vec![NamedGroup::X25519, NamedGroup::Secp256r1], ..server_config(&alice) };
    let outcome = connect(End::client(ours, None), End::server(theirs, Some(&alice.key)));
    let session = outcome.client.unwrap();
    assert_eq!((session.group, session.hello_retry), (NamedGroup::X25519, true));
}

//= rfc7301#section-3.1
//= type=test
//# Empty strings MUST NOT be included and byte strings MUST NOT be truncated.
//= rfc8449#section-4
//= type=test
//# an endpoint MUST NOT send a value higher than the protocol-defined maximum record size
//= rfc8449#section-4
//= type=test
//# Endpoints MUST NOT send a "record_size_limit" extension with a value smaller than 64.
//= rfc8446#section-4.2.8
//= type=test
//# Clients MUST NOT offer multiple KeyShareEntry values for the same group.
//= rfc8446#section-4.4.2
//= type=test
//# The server's certificate_list MUST always be non-empty.
#[test]
fn configurations_that_cannot_work_are_refused() {
    let alice = identity("server");
    let refused =
        |config: ClientConfig| Handshake::client(config.into(), Box::new(SystemRandom), NOW).unwrap_err();
    let twice = ClientConfig { groups: vec![NamedGroup::X25519; 2], ..client_config(&alice) };
    assert_eq!(refused(twice), Error::Config(ConfigError::Groups));
    for name in [vec![], vec![b'a'; 256]] {
        let unfit = ClientConfig { alpn: vec![name], ..client_config(&alice) };
        assert_eq!(refused(unfit), Error::Config(ConfigError::Protocols));
    }
    for limit in [63, 16386] {
        let unfit = ClientConfig { record_size_limit: Some(limit), ..client_config(&alice) };
        assert_eq!(refused(unfit), Error::Config(ConfigError::RecordSizeLimit));
    }
    let server_name = Some(ServerName::Dns("192.0.2.1".into()));
    assert_eq!(
        refused(ClientConfig { server_name, ..client_config(&alice) }),
        Error::Config(ConfigError::ServerName)
    );
    let empty = Credential::new(vec![], alice.key.algorithm());
    let chainless = ClientConfig { credentials: vec![empty], ..client_config(&alice) };
    assert_eq!(refused(chainless), Error::Config(ConfigError::EmptyChain));
    let suiteless = ClientConfig { suites: vec![], ..client_config(&alice) };
    assert_eq!(refused(suiteless), Error::Config(ConfigError::NoSuites));
    for unproven in [ClientConfig::default(), ClientConfig { server_name: None, ..client_config(&alice) }] {
        assert_eq!(refused(unproven), Error::Config(ConfigError::NoAuthentication));
    }
    let refused =
        |config: ServerConfig| Handshake::server(config.into(), Box::new(SystemRandom), NOW).unwrap_err();
    assert_eq!(refused(ServerConfig::default()), Error::Config(ConfigError::NoCredentials));
    let trusting =
        ServerConfig { client_authentication: ClientAuthentication::Optional, ..server_config(&alice) };
    assert_eq!(refused(trusting), Error::Config(ConfigError::NoVerifier));
}

#[test]
fn a_connection_ends_with_the_callers_alert() {
    let (mut client, mut server) = connections();
    client.abort(AlertDescription::AccessDenied);
    assert_eq!(carry(&mut client, &mut server), Err(Error::Alert(AlertDescription::AccessDenied)));
    assert!(client.write(b"more").is_err());
    assert_eq!(client.outgoing(), b"");
}
