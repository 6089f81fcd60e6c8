//! What both ends put on the wire: the hellos to the byte, the order of the messages, the records they travel in.

mod common;

use common::{
    End, client_config, connect_through, edit,
    flows::{Cast, Flow},
    identity,
    keys::Secrets,
    server_config,
    tap::{Item, Tap},
};
use handclasp::{
    crypto::{hash::Hash, kx::NamedGroup, suite::CipherSuite},
    engine::{
        Psk, Role,
        config::{ClientAuthentication, ClientConfig, ServerConfig},
    },
};
use std::sync::Arc;

const SERVER_NAME: u16 = 0;
const SUPPORTED_GROUPS: u16 = 10;
const SIGNATURE_ALGORITHMS: u16 = 13;
const PRE_SHARED_KEY: u16 = 41;
const SUPPORTED_VERSIONS: u16 = 43;
const COOKIE: u16 = 44;
const PSK_KEY_EXCHANGE_MODES: u16 = 45;
const SIGNATURE_ALGORITHMS_CERT: u16 = 50;
const KEY_SHARE: u16 = 51;

/// What both sides said in a handshake that succeeded.
struct Said {
    client: Vec<Vec<u8>>,
    server: Vec<Vec<u8>>,
    /// As it went over the wire.
    sent: (Vec<u8>, Vec<u8>),
}

/// Listens to two ends whose server logs its secrets to `log`.
fn listen(client: End<'_>, server: End<'_>, log: &Arc<Secrets>) -> Said {
    let mut taps = [Role::Client, Role::Server].map(|role| Tap::new(role, log.clone()));
    let mut said = [Vec::new(), Vec::new()];
    let outcome = connect_through(client, server, |sender, bytes| {
        let side = usize::from(sender == Role::Server);
        let messages = taps[side].open(&bytes).into_iter().filter_map(|item| match item {
            Item::Message(message) => Some(message),
            Item::Record(..) => None,
        });
        said[side].extend(messages);
        bytes
    });
    assert!(outcome.client.is_ok() && outcome.server.is_ok(), "{:?} {:?}", outcome.client, outcome.server);
    let [client, server] = said;
    Said { client, server, sent: outcome.sent }
}

fn listen_to(flow: Flow) -> Said {
    let cast = Cast::new();
    let (client, server) = cast.ends(flow, 1);
    listen(client, server, &cast.log)
}

fn types(messages: &[Vec<u8>]) -> Vec<u8> {
    messages.iter().map(|message| message[0]).collect()
}

/// A hello, taken apart.
struct Hello {
    version: [u8; 2],
    random: Vec<u8>,
    session_id: Vec<u8>,
    /// Between legacy_session_id and the extensions: suites and compression methods, or the one of each.
    choices: Vec<u8>,
    extensions: edit::Extensions,
}

impl Hello {
    fn read(message: &[u8]) -> Self {
        let session_id = 38 + 1..38 + 1 + usize::from(message[38]);
        let mut extensions = Vec::new();
        edit::with_extensions(&mut message.to_vec(), |found| extensions.clone_from(found));
        let block: usize = extensions.iter().map(|(_, content)| 4 + content.len()).sum();
        Self {
            version: [message[4], message[5]],
            random: message[6..38].into(),
            session_id: message[session_id.clone()].into(),
            choices: message[session_id.end..message.len() - block - 2].into(),
            extensions,
        }
    }

    fn codes(&self) -> Vec<u16> {
        self.extensions.iter().map(|(code, _)| *code).collect()
    }

    fn extension(&self, wanted: u16) -> Option<&[u8]> {
        self.extensions.iter().find(|(code, _)| *code == wanted).map(|(_, content)| &content[..])
    }

    /// Group and key_exchange of each entry in a client's key_share.
    fn key_shares(&self) -> Vec<(u16, Vec<u8>)> {
        let mut rest = &self.extension(KEY_SHARE).unwrap()[2..];
        let mut shares = Vec::new();
        while let Some((header, after)) = rest.split_first_chunk::<4>() {
            let (share, after) = after.split_at(u16::from_be_bytes([header[2], header[3]]).into());
            shares.push((u16::from_be_bytes([header[0], header[1]]), share.to_vec()));
            rest = after;
        }
        shares
    }
}

/// The first record of a client: its header, and the hello in it.
fn first_hello(config: ClientConfig) -> ([u8; 3], Hello) {
    let mut sent = Vec::new();
    assert!(End::client(config, None).run(&mut Vec::new(), &mut sent).is_none());
    let (header, message) = sent.split_at(5);
    assert_eq!(message[0], edit::CLIENT_HELLO);
    (header[..3].try_into().unwrap(), Hello::read(message))
}

fn psk(identity: &[u8], hash: Hash) -> Psk {
    Psk::external(identity, &[7; 48], hash).unwrap()
}

#[test]
fn a_first_client_hello() {
    let alice = identity("server");
    let (header, hello) = first_hello(client_config(&alice));
    assert_eq!(header, [22, 3, 1]);
    assert_eq!(hello.version, [3, 3]);
    // TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384, TLS_CHACHA20_POLY1305_SHA256; null compression.
    assert_eq!(hello.choices, b"\0\x06\x13\x01\x13\x02\x13\x03\x01\0");
    assert_eq!(hello.extension(SUPPORTED_VERSIONS), Some(&b"\x02\x03\x04"[..]));
    assert_eq!(hello.extension(SERVER_NAME), Some(&b"\0\x0e\0\0\x0bserver.test"[..]));
    assert_eq!(
        hello.extension(SUPPORTED_GROUPS),
        Some(&b"\0\x06\0\x1d\0\x17\0\x18"[..]),
        "x25519, secp256r1, secp384r1"
    );
    // Nothing of other versions, of 0-RTT, of post-handshake authentication; no cookie, no PSK.
    let mut codes = hello.codes();
    codes.sort_unstable();
    let expected = [
        SERVER_NAME,
        SUPPORTED_GROUPS,
        SIGNATURE_ALGORITHMS,
        SUPPORTED_VERSIONS,
        SIGNATURE_ALGORITHMS_CERT,
        KEY_SHARE,
    ];
    assert_eq!(codes, expected);
}

#[test]
fn the_signature_algorithms_on_offer() {
    let (_, hello) = first_hello(client_config(&identity("server")));
    // RFC 8446, Section 4.2.3: ECDSA, EdDSA and RSASSA-PSS; and RSASSA-PKCS1-v1_5, for certificates alone.
    let for_messages =
        [0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b];
    let for_certificates = [&for_messages[..], &[0x0401, 0x0501, 0x0601]].concat();
    for (extension, known) in
        [(SIGNATURE_ALGORITHMS, &for_messages[..]), (SIGNATURE_ALGORITHMS_CERT, &for_certificates)]
    {
        let codes = &hello.extension(extension).unwrap()[2..];
        let codes: Vec<u16> = codes.chunks(2).map(|code| u16::from_be_bytes([code[0], code[1]])).collect();
        assert!(codes.iter().all(|code| known.contains(code)), "{codes:04x?}");
        // Section 9.1: what everybody must have.
        assert!(codes.contains(&0x0403) && codes.contains(&0x0804));
        assert_eq!(codes.contains(&0x0401), extension == SIGNATURE_ALGORITHMS_CERT);
    }
}

#[test]
fn a_session_id_in_compatibility_mode_alone() {
    let alice = identity("server");
    let session_id = |middlebox_compatibility| {
        first_hello(ClientConfig { middlebox_compatibility, ..client_config(&alice) }).1.session_id
    };
    assert_eq!((session_id(true).len(), session_id(false).len()), (32, 0));
    assert_ne!(session_id(true), session_id(true));
}

#[test]
fn key_shares_are_new_in_the_order_of_the_groups() {
    let alice = identity("server");
    let groups = vec![NamedGroup::Secp384r1, NamedGroup::X25519, NamedGroup::Secp256r1];
    let mut seen = Vec::new();
    for key_shares in [3, 1, 0, 2] {
        let (_, hello) =
            first_hello(ClientConfig { groups: groups.clone(), key_shares, ..client_config(&alice) });
        assert_eq!(hello.extension(SUPPORTED_GROUPS), Some(&b"\0\x06\0\x18\0\x1d\0\x17"[..]));
        let shares = hello.key_shares();
        let expected = [0x18, 0x1d, 0x17].into_iter().take(key_shares);
        assert!(shares.iter().map(|(group, _)| *group).eq(expected));
        seen.extend(shares.into_iter().map(|(_, share)| share));
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count, "no share is used twice");
}

#[test]
fn psks_stand_last_and_with_their_mode() {
    let psks = [psk(b"one", Hash::Sha256), psk(b"two", Hash::Sha384)];
    let alice = identity("server");
    for config in [ClientConfig::default(), client_config(&alice)] {
        let psks = psks.iter().map(|known| psk(known.identity(), known.hash())).collect();
        let (_, hello) = first_hello(ClientConfig { psks, ..config });
        assert_eq!(hello.extension(PSK_KEY_EXCHANGE_MODES), Some(&b"\x01\x01"[..]), "psk_dhe_ke");
        assert_eq!(hello.codes().last(), Some(&PRE_SHARED_KEY));
        // Each identity, with an age of zero.
        let offered = hello.extension(PRE_SHARED_KEY).unwrap();
        assert!(offered.starts_with(b"\0\x12\0\x03one\0\0\0\0\0\x03two\0\0\0\0"));
        assert_eq!(hello.key_shares().len(), 1);
    }
}

#[test]
fn a_second_client_hello() {
    for (flow, changed) in [
        (Flow::HelloRetry, &[KEY_SHARE, COOKIE][..]),
        (Flow::PskHelloRetry, &[KEY_SHARE, COOKIE, PRE_SHARED_KEY]),
    ] {
        let said = listen_to(flow);
        let [first, second] = [0, 1].map(|at| Hello::read(&said.client[at]));
        let request = Hello::read(&said.server[0]);
        let same = |hello: &Hello| {
            let Hello { version, random, session_id, choices, extensions } = hello;
            let kept = extensions.iter().filter(|(code, _)| !changed.contains(code)).cloned();
            (*version, random.clone(), session_id.clone(), choices.clone(), kept.collect::<Vec<_>>())
        };
        assert_eq!(same(&first), same(&second));
        assert_eq!(first.key_shares(), []);
        let [(group, _)] = &second.key_shares()[..] else { panic!("one share") };
        assert_eq!(request.extension(KEY_SHARE), Some(&group.to_be_bytes()[..]));
        assert_eq!(request.extension(COOKIE), second.extension(COOKIE));
        assert!(first.extension(COOKIE).is_none() && second.extension(COOKIE).is_some());
    }
}

#[test]
fn a_new_share_takes_the_place_of_all_others() {
    let alice = identity("server");
    let ours = ClientConfig { key_shares: 2, ..client_config(&alice) };
    let log = Arc::<Secrets>::default();
    let theirs = ServerConfig {
        groups: vec![NamedGroup::Secp384r1],
        key_log: Some(log.clone()),
        ..server_config(&alice)
    };
    let said = listen(End::client(ours, None), End::server(theirs, Some(&alice.key)), &log);
    let groups =
        |at: usize| Hello::read(&said.client[at]).key_shares().iter().map(|s| s.0).collect::<Vec<_>>();
    assert_eq!((groups(0), groups(1)), (vec![0x1d, 0x17], vec![0x18]));
    // The first ClientHello of the next connection knows nothing of it.
    let (_, next) = first_hello(ClientConfig { key_shares: 2, ..client_config(&alice) });
    assert_eq!((next.extension(COOKIE), next.key_shares().len()), (None, 2));
}

#[test]
fn a_servers_hellos() {
    for (flow, extensions) in [
        (Flow::Certificate, &[&[KEY_SHARE, SUPPORTED_VERSIONS][..]][..]),
        (Flow::Psk, &[&[PRE_SHARED_KEY, KEY_SHARE, SUPPORTED_VERSIONS]]),
        (Flow::HelloRetry, &[&[KEY_SHARE, SUPPORTED_VERSIONS, COOKIE], &[KEY_SHARE, SUPPORTED_VERSIONS]]),
    ] {
        let said = listen_to(flow);
        let client = Hello::read(&said.client[0]);
        for (message, extensions) in said.server.iter().zip(extensions) {
            let hello = Hello::read(message);
            assert_eq!((message[0], hello.version), (edit::SERVER_HELLO, [3, 3]));
            assert_eq!(hello.session_id, client.session_id);
            assert_eq!(hello.choices, b"\x13\x01\0", "the suite, and null compression");
            assert_eq!(hello.extension(SUPPORTED_VERSIONS), Some(&b"\x03\x04"[..]));
            assert_eq!(hello.codes(), *extensions);
        }
    }
}

#[test]
fn a_servers_random_is_its_own() {
    let alice = identity("server");
    let (_, hello) = first_hello(client_config(&alice));
    let randoms = [1, 2].map(|_| {
        let log = Arc::<Secrets>::default();
        let theirs = ServerConfig { key_log: Some(log.clone()), ..server_config(&alice) };
        let server = End::server(theirs, Some(&alice.key));
        let said = listen(End::client(client_config(&alice), None), server, &log);
        [&said.client, &said.server].map(|messages| Hello::read(&messages[0]).random)
    });
    let mut all = [&randoms.concat()[..], &[hello.random]].concat();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 5, "no two are the same");
}

#[test]
fn the_messages_in_their_order() {
    for (flow, client, server) in [
        (Flow::Certificate, &[1, 20][..], &[2, 8, 11, 15, 20][..]),
        (Flow::ClientCertificate, &[1, 11, 15, 20], &[2, 8, 13, 11, 15, 20]),
        (Flow::HelloRetry, &[1, 1, 20], &[2, 2, 8, 11, 15, 20]),
        (Flow::Psk, &[1, 20], &[2, 8, 20]),
        (Flow::PskHelloRetry, &[1, 1, 20], &[2, 2, 8, 20]),
    ] {
        let said = listen_to(flow);
        assert_eq!((types(&said.client), types(&said.server)), (client.into(), server.into()), "{flow:?}");
    }
}

#[test]
fn a_client_without_a_certificate_says_so_and_finishes() {
    let (alice, bob) = (identity("server"), identity("client"));
    let log = Arc::<Secrets>::default();
    let theirs = ServerConfig {
        client_authentication: ClientAuthentication::Optional,
        verifier: Some(bob.pinned.clone()),
        key_log: Some(log.clone()),
        ..server_config(&alice)
    };
    let server = End::server(theirs, Some(&alice.key));
    let said = listen(End::client(client_config(&alice), None), server, &log);
    assert_eq!(types(&said.client), [1, 11, 20]);
    assert_eq!(said.client[1], edit::message(edit::CERTIFICATE, &[0, 0, 0, 0]));
    // CertificateRequest: no context, and signature_algorithms.
    let request = &said.server[2];
    assert_eq!((request[0], request[4]), (edit::CERTIFICATE_REQUEST, 0));
    let mut codes = Vec::new();
    edit::with_extensions(&mut request.clone(), |found| codes.extend(found.iter().map(|(code, _)| *code)));
    assert_eq!(codes, [SIGNATURE_ALGORITHMS, SIGNATURE_ALGORITHMS_CERT]);
}

#[test]
fn nobody_is_asked_for_a_certificate_under_a_psk() {
    let bob = identity("client");
    let log = Arc::<Secrets>::default();
    let theirs = ServerConfig {
        psk: true,
        client_authentication: ClientAuthentication::Required,
        verifier: Some(bob.pinned.clone()),
        key_log: Some(log.clone()),
        ..server_config(&bob)
    };
    let ours = ClientConfig { psks: vec![psk(b"id", Hash::Sha256)], ..client_config(&bob) };
    let server = End::server(theirs, Some(&bob.key)).with_psk(|id| Some(psk(id, Hash::Sha256)));
    let said = listen(End::client(ours, None), server, &log);
    assert_eq!((types(&said.client), types(&said.server)), (vec![1, 20], vec![2, 8, 20]));
}

#[test]
fn a_server_answers_only_what_was_asked() {
    let alice = identity("server");
    let log = Arc::<Secrets>::default();
    let theirs = ServerConfig {
        alpn: vec![b"sunrpc".into()],
        record_size_limit: Some(64),
        key_log: Some(log.clone()),
        ..server_config(&alice)
    };
    let server = End::server(theirs, Some(&alice.key));
    let said = listen(End::client(client_config(&alice), None), server, &log);
    assert_eq!(said.server[1], edit::message(edit::ENCRYPTED_EXTENSIONS, &[0, 0]));
}

/// The records of what was sent: type, version, content.
fn records(mut sent: &[u8]) -> Vec<(u8, [u8; 2], &[u8])> {
    let mut records = Vec::new();
    while let Some((header, rest)) = sent.split_first_chunk::<5>() {
        let (content, rest) = rest.split_at(u16::from_be_bytes([header[3], header[4]]).into());
        records.push((header[0], [header[1], header[2]], content));
        sent = rest;
    }
    records
}

#[test]
fn the_records_in_their_order() {
    const CHANGE_CIPHER_SPEC: u8 = 20;
    const HANDSHAKE: u8 = 22;
    const PROTECTED: u8 = 23;
    for (flow, expected) in [
        (Flow::Certificate, &[22, 20, 23][..]),
        (Flow::HelloRetry, &[22, 20, 22, 23]),
        (Flow::Psk, &[22, 20, 23]),
    ] {
        let said = listen_to(flow);
        for (sender, sent) in [(Role::Client, &said.sent.0), (Role::Server, &said.sent.1)] {
            let records = records(sent);
            assert!(records.iter().map(|record| record.0).eq(expected.iter().copied()), "{flow:?}");
            for (at, (content_type, version, content)) in records.into_iter().enumerate() {
                let is_first_hello = at == 0 && sender == Role::Client;
                assert_eq!(version, if is_first_hello { [3, 1] } else { [3, 3] });
                match content_type {
                    CHANGE_CIPHER_SPEC => assert_eq!(content, [1]),
                    // One message, and all of it.
                    HANDSHAKE => assert_eq!(
                        content.len(),
                        4 + usize::from(u16::from_be_bytes([content[2], content[3]]))
                    ),
                    _ => assert_eq!(content_type, PROTECTED),
                }
            }
        }
    }
}

#[test]
fn no_change_cipher_spec_without_compatibility_mode() {
    let alice = identity("server");
    let log = Arc::<Secrets>::default();
    let ours = ClientConfig { middlebox_compatibility: false, ..client_config(&alice) };
    let theirs = ServerConfig { key_log: Some(log.clone()), ..server_config(&alice) };
    let said = listen(End::client(ours, None), End::server(theirs, Some(&alice.key)), &log);
    for sent in [&said.sent.0, &said.sent.1] {
        assert!(records(sent).iter().map(|record| record.0).eq([22, 23]));
    }
}

#[test]
fn the_suite_of_a_hello_retry_request_stays() {
    let alice = identity("server");
    for preferred in 0..CipherSuite::ALL.len() {
        let mut suites = CipherSuite::ALL;
        suites.rotate_left(preferred);
        let log = Arc::<Secrets>::default();
        let ours = ClientConfig { key_shares: 0, ..client_config(&alice) };
        let theirs =
            ServerConfig { suites: suites.into(), key_log: Some(log.clone()), ..server_config(&alice) };
        let said = listen(End::client(ours, None), End::server(theirs, Some(&alice.key)), &log);
        let choices = [0, 1].map(|at| Hello::read(&said.server[at]).choices);
        assert_eq!(choices[0], choices[1]);
        assert_eq!(choices[0], [&suites[0].code().to_be_bytes()[..], &[0]].concat());
    }
}
