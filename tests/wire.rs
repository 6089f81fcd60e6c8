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

//= rfc8446#section-4.1.2
//= type=test
//# When a client first connects to a server, it is REQUIRED to send the ClientHello as its first TLS message.
//= rfc8446#section-4.1.2
//= type=test
//# the legacy_version field MUST be set to 0x0303, which is the version number for TLS 1.2.
//= rfc8446#section-4.1.2
//= type=test
//# this vector MUST contain exactly one byte, set to zero
//= rfc8446#section-4.2.1
//= type=test
//# Implementations of this specification MUST send this extension in the ClientHello containing all versions
//# of TLS which they are prepared to negotiate (for this specification, that means minimally 0x0304, but if
//# previous versions of TLS are allowed to be negotiated, they MUST be present as well).
//= rfc8446#section-9.2
//= type=test
//# All implementations MUST send and use these extensions when offering applicable features:
//= rfc8446#appendix-B.3.1.4
//= type=test
//# Values within "obsolete_RESERVED" ranges are used in previous versions of TLS and MUST NOT be offered or
//# negotiated by TLS 1.3 implementations.
//= rfc8446#appendix-D.5
//= type=test
//# Implementations MUST NOT offer or negotiate RC4 cipher suites for any version of TLS for any reason.
//= rfc8446#appendix-D.5
//= type=test
//# Ciphers with a strength less than 112 bits MUST NOT be offered or negotiated for any version of TLS for
//# any reason.
//= rfc8446#appendix-D.5
//= type=test
//# Implementations MUST NOT send an SSL version 2.0 compatible CLIENT-HELLO.
//= rfc8446#appendix-D.5
//= type=test
//# Implementations MUST NOT send a ClientHello.legacy_version or ServerHello.legacy_version set to 0x0300 or
//# less.
//= rfc8446#appendix-D.5
//= type=test
//# Implementations MUST NOT use the Truncated HMAC extension, defined in Section 7 of [RFC6066]
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
        Some(&b"\0\x08\x11\xec\0\x1d\0\x17\0\x18"[..]),
        "X25519MLKEM768, x25519, secp256r1, secp384r1"
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

//= rfc8446#section-4.2.3
//= type=test
//# Clients which desire the server to authenticate itself via a certificate MUST send the
//# "signature_algorithms" extension.
//= rfc8446#section-4.2.3
//= type=test
//# They MUST NOT be offered or negotiated by any implementation.
//= rfc8446#section-4.2.3
//= type=test
//# In particular, MD5 [SLOTH], SHA-224, and DSA MUST NOT be used.
//= rfc8446#section-9.2
//= type=test
//# "signature_algorithms" is REQUIRED for certificate authentication.
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

//= rfc8446#section-4.1.2
//= type=test
//# In compatibility mode (see Appendix D.4), this field MUST be non-empty, so a client not offering a pre-TLS
//# 1.3 session MUST generate a new 32-byte value.
//= rfc8446#section-4.1.2
//= type=test
//# Otherwise, it MUST be set as a zero-length vector (i.e., a zero-valued single byte length field).
#[test]
fn a_session_id_in_compatibility_mode_alone() {
    let alice = identity("server");
    let session_id = |middlebox_compatibility| {
        first_hello(ClientConfig { middlebox_compatibility, ..client_config(&alice) }).1.session_id
    };
    assert_eq!((session_id(true).len(), session_id(false).len()), (32, 0));
    assert_ne!(session_id(true), session_id(true));
}

//= rfc8446#section-4.2.8
//= type=test
//# Each KeyShareEntry value MUST correspond to a group offered in the "supported_groups" extension and MUST
//# appear in the same order.
//= rfc8446#section-4.2.8
//= type=test
//# The key_exchange values for each KeyShareEntry MUST be generated independently.
//= rfc8446#section-4.2.8
//= type=test
//# Clients MUST NOT offer any KeyShareEntry values for groups not listed in the client's "supported_groups"
//# extension.
//= rfc8446#section-9.2
//= type=test
//# "supported_groups" is REQUIRED for ClientHello messages using DHE or ECDHE key exchange.
//= rfc8446#section-9.2
//= type=test
//# "key_share" is REQUIRED for DHE or ECDHE key exchange.
#[test]
fn key_shares_are_new_in_the_order_of_the_groups() {
    let alice = identity("server");
    let groups = vec![NamedGroup::Secp384r1, NamedGroup::X25519, NamedGroup::Secp256r1];
    let mut seen = Vec::new();
    for count in [3, 1, 0, 2] {
        // In whatever order they are asked for.
        let key_shares = Some(groups[..count].iter().rev().copied().collect());
        let (_, hello) =
            first_hello(ClientConfig { groups: groups.clone(), key_shares, ..client_config(&alice) });
        assert_eq!(hello.extension(SUPPORTED_GROUPS), Some(&b"\0\x06\0\x18\0\x1d\0\x17"[..]));
        let shares = hello.key_shares();
        let expected = [0x18, 0x1d, 0x17].into_iter().take(count);
        assert!(shares.iter().map(|(group, _)| *group).eq(expected));
        seen.extend(shares.into_iter().map(|(_, share)| share));
    }
    let count = seen.len();
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), count, "no share is used twice");
}

//= rfc8446#section-4.2
//= type=test
//# which MUST be the last extension in the ClientHello (but can appear anywhere in the ServerHello extensions
//# block).
//= rfc8446#section-4.2.11
//= type=test
//# The "pre_shared_key" extension MUST be the last extension in the ClientHello (this facilitates
//# implementation as described below).
//= rfc8446#section-4.2.9
//= type=test
//# In order to use PSKs, clients MUST also send a "psk_key_exchange_modes" extension.
//= rfc8446#section-4.2.9
//= type=test
//# A client MUST provide a "psk_key_exchange_modes" extension if it offers a "pre_shared_key" extension.
//= rfc8446#section-9.2
//= type=test
//# "pre_shared_key" is REQUIRED for PSK key agreement.
//= rfc8446#section-9.2
//= type=test
//# "psk_key_exchange_modes" is REQUIRED for PSK key agreement.
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
        // Of X25519MLKEM768 and x25519: a PSK is used with (EC)DHE alone.
        assert_eq!(hello.key_shares().len(), 2);
    }
}

//= rfc8446#section-4.1.2
//= type=test
//# In that case, the client MUST send the same ClientHello without modification, except as follows:
//= rfc8446#section-4.1.4
//= type=test
//# Otherwise, the client MUST process all extensions in the HelloRetryRequest and send a second updated
//# ClientHello.
//= rfc8446#section-4.2.2
//= type=test
//# the client MUST copy the contents of the extension received in the HelloRetryRequest into a "cookie"
//# extension in the new ClientHello.
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

//= rfc8446#section-4.2.2
//= type=test
//# Clients MUST NOT use cookies in their initial ClientHello in subsequent connections.
//= rfc8446#section-4.2.8
//= type=test
//# the client MUST replace the original "key_share" extension with one containing only a new KeyShareEntry
#[test]
fn a_new_share_takes_the_place_of_all_others() {
    let alice = identity("server");
    let ours = client_config(&alice);
    let log = Arc::<Secrets>::default();
    let theirs = ServerConfig {
        groups: vec![NamedGroup::Secp384r1],
        key_log: Some(log.clone()),
        ..server_config(&alice)
    };
    let said = listen(End::client(ours, None), End::server(theirs, Some(&alice.key)), &log);
    let groups =
        |at: usize| Hello::read(&said.client[at]).key_shares().iter().map(|s| s.0).collect::<Vec<_>>();
    assert_eq!((groups(0), groups(1)), (vec![0x11ec, 0x1d], vec![0x18]));
    // The first ClientHello of the next connection knows nothing of it.
    let (_, next) = first_hello(client_config(&alice));
    assert_eq!((next.extension(COOKIE), next.key_shares().len()), (None, 2));
}

//= rfc8446#section-4.1.3
//= type=test
//# the legacy_version field MUST be set to 0x0303, which is the version number for TLS 1.2.
//= rfc8446#section-4.1.3
//= type=test
//# legacy_compression_method: A single byte which MUST have the value 0.
//= rfc8446#section-4.1.3
//= type=test
//# The ServerHello MUST only include extensions which are required to establish the cryptographic context and
//# negotiate the protocol version.
//= rfc8446#section-4.1.3
//= type=test
//# All TLS 1.3 ServerHello messages MUST contain the "supported_versions" extension.
//= rfc8446#section-4.1.4
//= type=test
//# The server's extensions MUST contain "supported_versions".
//= rfc8446#section-4.1.4
//= type=test
//# a HelloRetryRequest MUST NOT contain any extensions that were not first offered by the client in its
//# ClientHello
//= rfc8446#section-4.1.4
//= type=test
//# The value of selected_version in the HelloRetryRequest "supported_versions" extension MUST be retained in
//# the ServerHello
//= rfc8446#section-4.2.1
//= type=test
//# A server which negotiates TLS 1.3 MUST respond by sending a "supported_versions" extension containing the
//# selected version value (0x0304).
//= rfc8446#section-4.2.1
//= type=test
//# It MUST set the ServerHello.legacy_version field to 0x0303 (TLS 1.2).
//= rfc8446#section-4.2.9
//= type=test
//# In this mode, the client and server MUST supply "key_share" values as described in Section 4.2.8.
//= rfc8446#section-9.2
//= type=test
//# "supported_versions" is REQUIRED for all ClientHello, ServerHello, and HelloRetryRequest messages.
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

//= rfc8446#section-4.1.3
//= type=test
//# the remaining bytes MUST be random.
//= rfc8446#section-4.1.3
//= type=test
//# This structure is generated by the server and MUST be generated independently of the ClientHello.random.
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

//= rfc8446#section-4
//= type=test
//# Protocol messages MUST be sent in the order defined in Section 4.4.1 and shown in the diagrams in Section
//# 2.
//= rfc8446#appendix-B
//= type=test
//# TLS 1.3 implementations MUST NOT send them but might receive them from older TLS implementations.
//= rfc8446#section-4.3.1
//= type=test
//# In all handshakes, the server MUST send the EncryptedExtensions message immediately after the ServerHello
//# message.
//= rfc8446#section-4.3.2
//= type=test
//# This message, if sent, MUST follow EncryptedExtensions.
//= rfc8446#section-4.4.2
//= type=test
//# The server MUST send a Certificate message whenever the agreed-upon key exchange method uses certificates
//# for authentication
//= rfc8446#section-4.4.2
//= type=test
//# The client MUST send a Certificate message if and only if the server has requested client authentication
//# via a CertificateRequest message
//= rfc8446#section-4.4.3
//= type=test
//# Servers MUST send this message when authenticating via a certificate.
//= rfc8446#section-4.4.3
//= type=test
//# Clients MUST send this message whenever authenticating via a certificate (i.e., when the Certificate
//# message is non-empty).
//= rfc8446#section-4.4.3
//= type=test
//# When sent, this message MUST appear immediately after the Certificate message and immediately prior to the
//# Finished message.
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

//= rfc8446#section-4.3.2
//= type=test
//# The certificate_request_context MUST be unique within the scope of this connection
//= rfc8446#section-4.3.2
//= type=test
//# The "signature_algorithms" extension MUST be specified, and other extensions may optionally be included if
//# defined for this message.
//= rfc8446#section-4.4.2
//= type=test
//# the client MUST send a Certificate message containing no certificates
//= rfc8446#section-4.4.2
//= type=test
//# A Finished message MUST be sent regardless of whether the Certificate message is empty.
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

//= rfc8446#section-4.3.2
//= type=test
//# Servers which are authenticating with a PSK MUST NOT send the CertificateRequest message in the main
//# handshake
//= rfc8446#appendix-E.1
//= type=test
//# Implementations MUST NOT combine external PSKs with certificate-based authentication of either the client
//# or the server
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

//= rfc8446#section-4.2
//= type=test
//# Implementations MUST NOT send extension responses if the remote endpoint did not send the corresponding
//# extension requests
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

//= rfc8446#section-5
//= type=test
//# Implementations MUST NOT send record types not defined in this document unless negotiated by some
//# extension.
//= rfc8446#section-5.1
//= type=test
//# implementations MUST send these messages in alignment with a record boundary.
//= rfc8446#section-5.1
//= type=test
//# Implementations MUST NOT send zero-length fragments of Handshake types, even if those fragments contain
//# padding.
//= rfc8446#section-5.1
//= type=test
//# legacy_record_version: MUST be set to 0x0303 for all records generated by a TLS 1.3 implementation other
//# than an initial ClientHello
//= rfc8446#section-5.1
//= type=test
//# a record containing a second ClientHello or a ServerHello MUST have version 0x0303
//= rfc8446#appendix-D.4
//= type=test
//# the server MUST send the change_cipher_spec as described in this appendix.
//= rfc8446#appendix-D.5
//= type=test
//# Implementations MUST NOT send any records with a version less than 0x0300.
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

//= rfc8446#section-4.1.4
//= type=test
//# Servers MUST ensure that they negotiate the same cipher suite when receiving a conformant updated
//# ClientHello
#[test]
fn the_suite_of_a_hello_retry_request_stays() {
    let alice = identity("server");
    for preferred in 0..CipherSuite::ALL.len() {
        let mut suites = CipherSuite::ALL;
        suites.rotate_left(preferred);
        let log = Arc::<Secrets>::default();
        let ours = ClientConfig { key_shares: Some(vec![]), ..client_config(&alice) };
        let theirs =
            ServerConfig { suites: suites.into(), key_log: Some(log.clone()), ..server_config(&alice) };
        let said = listen(End::client(ours, None), End::server(theirs, Some(&alice.key)), &log);
        let choices = [0, 1].map(|at| Hello::read(&said.server[at]).choices);
        assert_eq!(choices[0], choices[1]);
        assert_eq!(choices[0], [&suites[0].code().to_be_bytes()[..], &[0]].concat());
    }
}
