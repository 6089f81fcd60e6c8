//! For each rule that a peer can break: the violation found, and the alert that the RFC names.

mod common;

use common::{
    connect_reframed,
    edit::{
        CERTIFICATE as CT, CERTIFICATE_REQUEST as CR, CERTIFICATE_VERIFY as CV, CLIENT_HELLO as CH,
        ENCRYPTED_EXTENSIONS as EE, Extensions, FINISHED as FIN, SERVER_HELLO as SH, message, remove, set,
        suites_at, vector16, with_extensions as ext,
    },
    flows::{
        Cast,
        Flow::{self, Certificate as Cert, ClientCertificate as Mutual, HelloRetry as Retry, Psk},
    },
    reframe::Reframer,
};
use handclasp::engine::{AlertDescription as A, Error, Role};

/// One case on a line: in which flow which message is changed how; what is found; the alert; the section that asks for it, of RFC 8446 unless named.
type Case = (Flow, u8, fn(&mut Vec<u8>), &'static str, A, &'static str);

/// Runs a flow in which one side's messages are changed, and returns what the other found and what the first was told.
fn run(side: Role, flow: Flow, edit: impl FnMut(&mut Vec<Vec<u8>>)) -> (Error, Option<Error>) {
    let cast = Cast::new();
    let (client, server) = cast.ends(flow, 3);
    let mut reframer = Reframer::editing(&cast.log, side, edit);
    let outcome = connect_reframed(client, server, side, &mut reframer);
    let (client, server) = (outcome.client.err(), outcome.server.err());
    let (found, told) = if side == Role::Client { (server, client) } else { (client, server) };
    (found.expect("the rule was broken"), told)
}

fn check(side: Role, cases: &[Case]) {
    for (flow, handshake_type, edit, violation, alert, section) in cases {
        let mut edited = false;
        let (found, _) = run(side, *flow, |messages| {
            for message in messages.iter_mut().filter(|message| message[0] == *handshake_type) {
                edit(message);
                edited = true;
            }
        });
        let context = format!("{side:?} {flow:?} {handshake_type} {violation} ({section}): {found:?}");
        let Error::Peer(found) = found else { panic!("{context}") };
        assert!(edited, "{context}");
        assert_eq!(format!("{found:?}"), *violation, "{context}");
        assert_eq!(found.alert(), *alert, "{context}");
    }
}

fn is_retry(extensions: &Extensions) -> bool {
    extensions.iter().any(|extension| extension.0 == 44)
}

/// The random value of a HelloRetryRequest (RFC 8446, Section 4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

#[rustfmt::skip]
const CLIENT_HELLOS: &[Case] = &[
    //= rfc8446#appendix-D.5
    //= type=test
    //# for the reasons enumerated in [RFC7568], and it MUST NOT be negotiated for any reason.
    //= rfc8446#appendix-D.5
    //= type=test
    //# set to 0x0300 MUST abort the handshake with a "protocol_version" alert.
    (Cert, CH, |m| m[4..6].copy_from_slice(&[3, 0]), "LegacyVersion", A::ProtocolVersion, "D.5"),
    //= rfc8446#appendix-D.2
    //= type=test
    //# the server MUST abort the handshake with a "protocol_version" alert.
    (Cert, CH, |m| ext(m, |e| remove(e, 43)), "NotTls13", A::ProtocolVersion, "D.2"),
    //= rfc8446#section-4.1.2
    //= type=test
    //# the server MUST abort the handshake with an "illegal_parameter" alert.
    (Cert, CH, |m| { let at = suites_at(m) + 9; m[at] = 1; }, "Compression", A::IllegalParameter, "4.1.2"),
    //= rfc8446#section-4.2.3
    //= type=test
    //# the server MUST abort the handshake with a "missing_extension" alert
    //= rfc8446#section-9.2
    //= type=test
    //# If not containing a "pre_shared_key" extension, it MUST contain both a "signature_algorithms"
    //# extension and a "supported_groups" extension.
    (Cert, CH, |m| ext(m, |e| remove(e, 13)), "MissingExtension(signature_algorithms)", A::MissingExtension, "9.2"),
    //= rfc8446#section-9.2
    //= type=test
    //# Such a ClientHello message MUST meet the following requirements:
    //= rfc8446#section-9.2
    //= type=test
    //# If containing a "supported_groups" extension, it MUST also contain a "key_share" extension, and vice
    //# versa.
    //= rfc8446#section-9.2
    //= type=test
    //# Servers receiving a ClientHello which does not conform to these requirements MUST abort the handshake
    //# with a "missing_extension" alert.
    (Cert, CH, |m| ext(m, |e| remove(e, 51)), "MissingExtension(key_share)", A::MissingExtension, "9.2"),
    //= rfc8446#section-4.2
    //= type=test
    //# If an implementation receives an extension which it recognizes and which is not specified for the
    //# message in which it appears, it MUST abort the handshake with an "illegal_parameter" alert.
    (Cert, CH, |m| ext(m, |e| set(e, 48, &[0, 0])), "MisplacedExtension(oid_filters)", A::IllegalParameter, "4.2"),
    (Cert, CH, |m| ext(m, |e| e.extend((0x1000..0x1080).map(|c| (c, vec![])))), "TooManyExtensions", A::DecodeError, "6.2"),
    //= rfc8446#section-6
    //= type=test
    //# contain an out-of-range length) MUST terminate the connection with a "decode_error" alert.
    (Cert, CH, |m| { m.pop(); *m = message(1, &m[4..]) }, "Malformed(\"ClientHello\")", A::DecodeError, "6.2"),
    //= rfc8446#section-2.1
    //= type=test
    //# If no common cryptographic parameters can be negotiated, the server MUST abort the handshake with an
    //# appropriate alert.
    //= rfc8446#section-4.1.1
    //= type=test
    //# it MUST abort the handshake with either a "handshake_failure" or "insufficient_security" fatal alert
    (Cert, CH, |m| { let at = suites_at(m); m[at + 2..at + 8].fill(0x77); }, "NoCommonSuite", A::HandshakeFailure, "4.1.1"),
    //= rfc8446#section-4.1.1
    //= type=test
    //# the server MUST abort the handshake with a "handshake_failure" or an "insufficient_security" alert.
    //= rfc8446#section-4.2.8
    //= type=test
    //# Servers MUST NOT send a KeyShareEntry for any group not indicated in the client's "supported_groups"
    //# extension
    (Cert, CH, |m| ext(m, |e| { set(e, 10, &[0, 2, 1, 0]); set(e, 51, &[0, 0]) }), "NoCommonGroup", A::HandshakeFailure, "4.1.1"),
    //= rfc8446#section-6
    //= type=test
    //# semantically invalid (e.g., a DHE share of p - 1, or an invalid enum) MUST terminate the connection
    //# with an "illegal_parameter" alert.
    (Cert, CH, |m| ext(m, |e| set(e, 51, &vector16(b"\x11\xec\0\x01a"))), "BadKeyShare", A::IllegalParameter, "draft-ietf-tls-ecdhe-mlkem, 4.2"),
    //= rfc8449#section-4
    //= type=test
    //# An endpoint MUST treat receipt of a smaller value as a fatal error and generate an "illegal_parameter"
    //# alert.
    (Cert, CH, |m| ext(m, |e| set(e, 28, &[0, 63])), "RecordSizeLimit", A::IllegalParameter, "RFC 8449, 4"),
    //= rfc8446#section-4.2.11
    //= type=test
    //# Servers MUST check that it is the last extension and otherwise fail the handshake with an
    //# "illegal_parameter" alert.
    (Psk, CH, |m| ext(m, |e| e.push((21, vec![]))), "PskNotLast", A::IllegalParameter, "4.2.11"),

    //= rfc8446#section-6.2
    //= type=test
    //# protocol_version: The protocol version the peer has attempted to negotiate is recognized but not
    //# supported (see Appendix D).
    //= rfc9289#section-5
    //= type=test
    //# Implementations MUST NOT negotiate TLS versions prior to 1.3 (for TLS [RFC8446]
    //= rfc8446#section-4.2.1
    //= type=test
    //# Servers MUST be prepared to receive ClientHellos that include this extension but do not include 0x0304
    //# in the list of versions.
    (Cert, CH, |m| ext(m, |e| set(e, 43, &[2, 3, 3])), "NotTls13", A::ProtocolVersion, "4.2.1"),

    // All of these:
    //= rfc8446#section-6.2
    //= type=test
    //# missing_extension: Sent by endpoints that receive a handshake message not containing an extension
    //# that is mandatory to send for the offered TLS version or other negotiated parameters.
    (Cert, CH, |m| ext(m, |e| remove(e, 10)), "MissingExtension(supported_groups)", A::MissingExtension, "9.2"),
    //= rfc8446#section-4.2.9
    //= type=test
    //# If clients offer "pre_shared_key" without a "psk_key_exchange_modes" extension, servers MUST abort the
    //# handshake.
    (Psk, CH, |m| ext(m, |e| remove(e, 45)), "MissingExtension(psk_key_exchange_modes)", A::MissingExtension, "4.2.9"),

    // All of these:
    //= rfc8446#section-6.2
    //= type=test
    //# handshake_failure: Receipt of a "handshake_failure" alert message indicates that the sender was
    //# unable to negotiate an acceptable set of security parameters given the options available.
    (Cert, CH, |m| ext(m, |e| set(e, 13, &[0, 2, 4, 3])), "NoCommonScheme", A::HandshakeFailure, "4.4.2.2"),
    (Psk, CH, |m| ext(m, |e| { remove(e, 41); remove(e, 45); set(e, 13, &[0, 2, 4, 3]) }), "NoPskOffered", A::HandshakeFailure, "4.1.1"),
    //= rfc8446#section-4.1.1
    //= type=test
    //# then it MUST also select a key establishment mode from the set indicated by the client's
    //# "psk_key_exchange_modes" extension
    //= rfc8446#section-4.2.8
    //= type=test
    //# MUST NOT send a KeyShareEntry when using the "psk_ke" PskKeyExchangeMode.
    //= rfc8446#section-4.2.9
    //= type=test
    //# Servers MUST NOT select a key exchange mode that is not listed by the client.
    (Psk, CH, |m| ext(m, |e| set(e, 45, &[1, 0])), "NoPskOffered", A::HandshakeFailure, "4.2.9"),
    //= rfc9289#section-5
    //= type=test
    //# Negotiation of a cipher suite providing confidentiality as well as integrity protection is REQUIRED.
    (Cert, CH, |m| { let at = suites_at(m); m[at + 2..at + 8].copy_from_slice(&[0xc0, 0xb4, 0xc0, 0xb5, 0xc0, 0xb4]) }, "NoCommonSuite", A::HandshakeFailure, "RFC 9289, 5"),

    // All of these:
    //= rfc8446#section-6
    //= type=test
    //# Peers which receive a message which is syntactically correct but semantically invalid (e.g., a DHE
    //# share of p - 1, or an invalid enum) MUST terminate the connection with an "illegal_parameter" alert.
    (Cert, CH, |m| ext(m, |e| e.extend([(0xfefe, vec![]), (0xfefe, vec![])])), "DuplicateExtension(extension 65278)", A::IllegalParameter, "4.2"),
    (Cert, CH, |m| ext(m, |e| set(e, 10, &[0, 2, 0, 23])), "KeyShareOutsideGroups", A::IllegalParameter, "4.2.8"),
    (Cert, CH, |m| ext(m, |e| set(e, 51, &vector16(b"\0\x1d\0\x01a\0\x1d\0\x01a"))), "DuplicateKeyShare", A::IllegalParameter, "4.2.8"),
    (Cert, CH, |m| ext(m, |e| { set(e, 10, &[0, 2, 0, 29]); set(e, 51, &vector16(b"\0\x1d\0\x01a")) }), "BadKeyShare", A::IllegalParameter, "4.2.8.2"),
    (Retry, CH, |m| ext(m, |e| if is_retry(e) { set(e, 44, b"\0\x01a") }), "CookieNotEchoed", A::IllegalParameter, "4.2.2"),
    (Retry, CH, |m| ext(m, |e| if is_retry(e) { set(e, 51, &[0, 0]) }), "RetryGroupChanged", A::IllegalParameter, "4.2.8"),
    (Retry, CH, |m| if m.windows(4).any(|w| w == [0, 44, 0, 34]) { m[5] ^= 7 }, "SecondHelloChanged", A::IllegalParameter, "4.1.2"),
    (Retry, CH, |m| if m.windows(4).any(|w| w == [0, 44, 0, 34]) { m[6] ^= 1 }, "SecondHelloChanged", A::IllegalParameter, "4.1.2"),
    (Psk, CH, |m| ext(m, drop_a_binder), "BinderCount", A::IllegalParameter, "4.2.11"),
    //= rfc8446#section-4.2
    //= type=test
    //# There MUST NOT be more than one extension of the same type in a given extension block.
    (Cert, CH, |m| ext(m, |e| e.push(e[0].clone())), "DuplicateExtension(server_name)", A::IllegalParameter, "4.2"),
    //= rfc6066#section-3
    //= type=test
    //# The ServerNameList MUST NOT contain more than one name of the same name_type.
    (Cert, CH, |m| ext(m, |e| set(e, 0, b"\0\x08\0\0\x01a\0\0\x01b")), "ServerNameType", A::IllegalParameter, "RFC 6066, 3"),

    // All of these:
    //= rfc8446#section-6
    //= type=test
    //# Peers which receive a message which cannot be parsed according to the syntax (e.g., have a length
    //# extending beyond the message boundary or contain an out-of-range length) MUST terminate the
    //# connection with a "decode_error" alert.
    (Cert, CH, |m| ext(m, |e| set(e, 10, &[0, 3, 0, 29, 0])), "Malformed(\"supported_groups\")", A::DecodeError, "6.2"),
    (Cert, CH, |m| ext(m, |e| set(e, 44, &[0, 0])), "Malformed(\"cookie\")", A::DecodeError, "4.2.2"),
    (Cert, CH, |m| ext(m, |e| set(e, 51, &vector16(b"\0\x1d\0\0"))), "Malformed(\"key_share\")", A::DecodeError, "4.2.8"),
    //= rfc7301#section-3.1
    //= type=test
    //# Empty strings MUST NOT be included
    (Cert, CH, |m| ext(m, |e| set(e, 16, b"\0\x01\0")), "Malformed(\"application_layer_protocol_negotiation\")", A::DecodeError, "RFC 7301, 3.1"),
    //= rfc6066#section-11.1
    //= type=test
    //# Implementations MUST ensure that a buffer overflow does not occur, whatever the values of the length
    //# fields in server_name.
    (Cert, CH, |m| ext(m, |e| set(e, 0, b"\0\x04\0\0\xffa")), "Malformed(\"server_name\")", A::DecodeError, "RFC 6066, 11.1"),

    //= rfc7301#section-3.2
    //= type=test
    //# In the event that the server supports no protocols that the client advertises, then the server SHALL
    //# respond with a fatal "no_application_protocol" alert.
    (Cert, CH, |m| ext(m, |e| set(e, 16, b"\0\x02\x01a")), "NoCommonProtocol", A::NoApplicationProtocol, "RFC 7301, 3.2"),

    //= rfc8446#section-6.2
    //= type=test
    //# decrypt_error: A handshake (not record layer) cryptographic operation failed, including being unable
    //# to correctly verify a signature or validate a Finished message or a PSK binder.
    //= rfc8446#section-4.2.11
    //= type=test
    //# Prior to accepting PSK key establishment, the server MUST validate the corresponding binder value (see
    //# Section 4.2.11.2 below).
    //= rfc8446#section-4.2.11
    //= type=test
    //# If this value is not present or does not validate, the server MUST abort the handshake.
    (Psk, CH, |m| *m.last_mut().unwrap() ^= 1, "BadBinder", A::DecryptError, "4.2.11"),

    //= rfc8446#section-6.2
    //= type=test
    //# unknown_psk_identity: Sent by servers when PSK key establishment is desired but no acceptable PSK
    //# identity is provided by the client.
    (Psk, CH, |m| { let at = m.windows(5).position(|w| w == b"known").unwrap(); m[at] ^= 1 }, "UnknownPskIdentity", A::UnknownPskIdentity, "6.2"),
];

/// Leaves the first of two binders, of 48 and 32 bytes.
fn drop_a_binder(extensions: &mut Extensions) {
    let (_, content) = extensions.last_mut().unwrap();
    let binders = content.len() - 82;
    content.truncate(binders + 49);
    content[binders - 1] = 49;
}

#[rustfmt::skip]
const SERVER_HELLOS: &[Case] = &[
    //= rfc8446#appendix-D.5
    //= type=test
    //# set to 0x0300 MUST abort the handshake with a "protocol_version" alert.
    (Cert, SH, |m| m[4..6].copy_from_slice(&[3, 0]), "LegacyVersion", A::ProtocolVersion, "D.5"),
    //= rfc8446#section-4.2.1
    //= type=test
    //# Clients MUST check for this extension prior to processing the rest of the ServerHello
    //= rfc8446#appendix-D.1
    //= type=test
    //# the client MUST abort the handshake with a "protocol_version" alert.
    (Cert, SH, |m| { ext(m, |e| { remove(e, 43); e.push(e[0].clone()) }); let at = suites_at(m); m[at + 2] = 1 }, "NotTls13", A::ProtocolVersion, "4.2.1"),
    //= rfc8446#section-4.2.1
    //= type=test
    //# the client MUST abort the handshake with an "illegal_parameter" alert.
    (Cert, SH, |m| ext(m, |e| set(e, 43, &[3, 3])), "SelectedVersion", A::IllegalParameter, "4.2.1"),
    //= rfc8446#section-4.1.3
    //= type=test
    //# A client which receives a legacy_session_id_echo field that does not match what it sent in the
    //# ClientHello MUST abort the handshake with an "illegal_parameter" alert.
    (Cert, SH, |m| m[40] ^= 1, "SessionIdNotEchoed", A::IllegalParameter, "4.1.3"),
    //= rfc8446#section-4.1.3
    //= type=test
    //# A client which receives a cipher suite that was not offered MUST abort the handshake with an
    //# "illegal_parameter" alert.
    (Cert, SH, |m| { let at = suites_at(m); m[at + 1] = 4 }, "UnofferedSuite", A::IllegalParameter, "4.1.3"),
    //= rfc8446#section-4.2.11
    //= type=test
    //# If these values are not consistent, the client MUST abort the handshake with an "illegal_parameter"
    //# alert.
    (Psk, SH, |m| { let at = suites_at(m); m[at + 1] = 2 }, "PskHash", A::IllegalParameter, "4.2.11"),
    //= rfc8446#section-4.1.4
    //= type=test
    //# Clients MUST abort the handshake with an "illegal_parameter" alert if the HelloRetryRequest would not
    //# result in any change
    (Retry, SH, |m| ext(m, |e| if is_retry(e) { remove(e, 51); remove(e, 44) }), "RetryChangesNothing", A::IllegalParameter, "4.1.4"),
    //= rfc8446#section-4.2.8
    //= type=test
    //# the client MUST verify that (1) the selected_group field corresponds to a group which was provided in
    //# the "supported_groups" extension in the original ClientHello and (2) the selected_group field does not
    //# correspond to a group which was provided in the "key_share" extension in the original ClientHello.
    //= rfc8446#section-4.2.8
    //= type=test
    //# If either of these checks fails, then the client MUST abort the handshake with an "illegal_parameter"
    //# alert.
    (Cert, SH, |m| { m[6..38].copy_from_slice(&RETRY); ext(m, |e| set(e, 51, &[0, 29])) }, "RetryChangesNothing", A::IllegalParameter, "4.2.8"),
    //= rfc8446#section-4.1.4
    //= type=test
    //# a client MUST abort the handshake with an "illegal_parameter" alert if the value changes.
    (Retry, SH, |m| if m[6..38] != RETRY { ext(m, |e| set(e, 43, &[3, 5])) }, "SelectedVersion", A::IllegalParameter, "4.1.4"),
    //= rfc8446#section-4.2.8
    //= type=test
    //# the client MUST verify that the selected NamedGroup in the ServerHello is the same as that in the
    //# HelloRetryRequest.
    //= rfc8446#section-4.2.8
    //= type=test
    //# If this check fails, the client MUST abort the handshake with an "illegal_parameter" alert.
    (Retry, SH, |m| if m[6..38] != RETRY { ext(m, |e| set(e, 51, b"\0\x17\0\x01a")) }, "UnofferedGroup", A::IllegalParameter, "4.2.8"),
    //= rfc8446#section-4.1.3
    //= type=test
    //# implementations MUST first examine the Random value and, if it matches this value, process it as
    //# described in Section 4.1.4).
    //= rfc8446#section-4.1.4
    //= type=test
    //# it MUST abort the handshake with an "unexpected_message" alert.
    (Retry, SH, |m| if m[6..38] != RETRY { m[6..38].copy_from_slice(&RETRY); ext(m, |e| set(e, 51, &[0, 23])) },
        "UnexpectedMessage { message: HelloRetryRequest, state: \"WAIT_SH\" }", A::UnexpectedMessage, "4.1.4"),

    // All of these:
    //= rfc8446#section-6.2
    //= type=test
    //# protocol_version: The protocol version the peer has attempted to negotiate is recognized but not
    //# supported (see Appendix D).
    (Cert, SH, |m| ext(m, |e| remove(e, 43)), "NotTls13", A::ProtocolVersion, "4.2.1"),
    (Cert, SH, |m| { let at = suites_at(m) + 3; *m = message(2, &m[4..at]) }, "NotTls13", A::ProtocolVersion, "4.2.1"),
    (Retry, SH, |m| m[4..6].copy_from_slice(&[3, 0]), "LegacyVersion", A::ProtocolVersion, "4.1.4"),
    (Retry, SH, |m| ext(m, |e| remove(e, 43)), "NotTls13", A::ProtocolVersion, "4.1.4"),

    // All of these:
    //= rfc8446#section-6
    //= type=test
    //# Peers which receive a message which cannot be parsed according to the syntax (e.g., have a length
    //# extending beyond the message boundary or contain an out-of-range length) MUST terminate the
    //# connection with a "decode_error" alert.
    (Cert, SH, |m| { m.pop(); *m = message(2, &m[4..]) }, "Malformed(\"ServerHello\")", A::DecodeError, "6.2"),
    (Retry, SH, |m| { m.pop(); *m = message(2, &m[4..]) }, "Malformed(\"HelloRetryRequest\")", A::DecodeError, "6.2"),

    // All of these:
    //= rfc8446#section-6
    //= type=test
    //# Peers which receive a message which is syntactically correct but semantically invalid (e.g., a DHE
    //# share of p - 1, or an invalid enum) MUST terminate the connection with an "illegal_parameter" alert.
    (Cert, SH, |m| { let at = suites_at(m); m[at + 2] = 1 }, "Compression", A::IllegalParameter, "4.1.3"),
    (Cert, SH, |m| ext(m, |e| set(e, 51, b"\0\x1d\0\x01a")), "BadKeyShare", A::IllegalParameter, "4.2.8.2"),
    (Cert, SH, |m| ext(m, |e| set(e, 51, b"\x11\xec\0\x01a")), "BadKeyShare", A::IllegalParameter, "draft-ietf-tls-ecdhe-mlkem, 4.2"),
    (Cert, SH, |m| ext(m, |e| set(e, 16, &[])), "MisplacedExtension(application_layer_protocol_negotiation)", A::IllegalParameter, "4.2"),
    (Cert, SH, |m| ext(m, |e| e.push(e[0].clone())), "DuplicateExtension(key_share)", A::IllegalParameter, "4.2"),
    (Psk, SH, |m| ext(m, |e| remove(e, 51)), "PskWithoutKeyShare", A::IllegalParameter, "4.2.11"),
    (Retry, SH, |m| m[40] ^= 1, "SessionIdNotEchoed", A::IllegalParameter, "4.1.4"),
    (Retry, SH, |m| { let at = suites_at(m); m[at + 2] = 1 }, "Compression", A::IllegalParameter, "4.1.4"),
    (Retry, SH, |m| ext(m, |e| if is_retry(e) { set(e, 51, &[1, 0]) }), "UnofferedGroup", A::IllegalParameter, "4.2.8"),
    //= rfc8446#section-4.2.8
    //= type=test
    //# This value MUST be in the same group as the KeyShareEntry value offered by the client
    (Cert, SH, |m| ext(m, |e| set(e, 51, b"\0\x17\0\x01a")), "UnofferedGroup", A::IllegalParameter, "4.2.8"),
    //= rfc8446#section-4.2.11
    //= type=test
    //# Clients MUST verify that the server's selected_identity is within the range supplied by the client
    (Psk, SH, |m| ext(m, |e| set(e, 41, &[0, 2])), "UnofferedPsk", A::IllegalParameter, "4.2.11"),
    //= rfc8446#section-4.1.4
    //= type=test
    //# the client MUST check the legacy_version, legacy_session_id_echo, cipher_suite, and
    //# legacy_compression_method as specified in Section 4.1.3
    (Retry, SH, |m| m[4..6].copy_from_slice(&[3, 4]), "RetryLegacyVersion", A::IllegalParameter, "4.1.4"),
    //= rfc8446#section-4.1.4
    //= type=test
    //# A client which receives a cipher suite that was not offered MUST abort the handshake.
    (Retry, SH, |m| { let at = suites_at(m); m[at + 1] = 4 }, "UnofferedSuite", A::IllegalParameter, "4.1.4"),
    //= rfc8446#section-4.1.4
    //= type=test
    //# clients MUST check that the cipher suite supplied in the ServerHello is the same as that in the
    //# HelloRetryRequest
    (Retry, SH, |m| if m[6..38] != RETRY { let at = suites_at(m); m[at + 1] = 3 }, "RetrySuiteChanged", A::IllegalParameter, "4.1.4"),

    //= rfc8446#section-6.2
    //= type=test
    //# missing_extension: Sent by endpoints that receive a handshake message not containing an extension
    //# that is mandatory to send for the offered TLS version or other negotiated parameters.
    (Cert, SH, |m| ext(m, |e| remove(e, 51)), "MissingExtension(key_share)", A::MissingExtension, "9.2"),

    // All of these:
    //= rfc8446#section-4.2
    //= type=test
    //# Upon receiving such an extension, an endpoint MUST abort the handshake with an
    //# "unsupported_extension" alert.
    (Cert, SH, |m| ext(m, |e| set(e, 41, &[0, 0])), "UnsolicitedExtension(pre_shared_key)", A::UnsupportedExtension, "4.2"),
    (Cert, SH, |m| ext(m, |e| set(e, 0xfefe, &[])), "UnsolicitedExtension(extension 65278)", A::UnsupportedExtension, "4.2"),
    (Retry, SH, |m| ext(m, |e| set(e, 0xfefe, &[])), "UnsolicitedExtension(extension 65278)", A::UnsupportedExtension, "4.2"),

    //= rfc8446#section-6.2
    //= type=test
    //# handshake_failure: Receipt of a "handshake_failure" alert message indicates that the sender was
    //# unable to negotiate an acceptable set of security parameters given the options available.
    (Psk, SH, |m| ext(m, |e| remove(e, 41)), "PskNotAccepted", A::HandshakeFailure, "4.1.1"),
];

#[rustfmt::skip]
const SERVERS_PROTECTED: &[Case] = &[
    //= rfc8446#section-4.2
    //= type=test
    //# Upon receiving such an extension, an endpoint MUST abort the handshake with an "unsupported_extension"
    //# alert.
    (Cert, EE, |m| ext(m, |e| set(e, 1, &[1])), "UnsolicitedExtension(max_fragment_length)", A::UnsupportedExtension, "4.2"),
    //= rfc8446#section-4.3.1
    //= type=test
    //# The client MUST check EncryptedExtensions for the presence of any forbidden extensions and if any are
    //# found MUST abort the handshake with an "illegal_parameter" alert.
    (Cert, EE, |m| ext(m, |e| set(e, 51, &[])), "MisplacedExtension(key_share)", A::IllegalParameter, "4.3.1"),
    //= rfc8446#section-4.4.2.4
    //= type=test
    //# If the server supplies an empty Certificate message, the client MUST abort the handshake with a
    //# "decode_error" alert.
    (Cert, CT, |m| *m = message(11, &[0, 0, 0, 0]), "EmptyCertificate", A::DecodeError, "4.4.2.4"),
    //= rfc8446#section-4.4.3
    //= type=test
    //# The receiver of a CertificateVerify message MUST verify the signature field.
    //= rfc8446#section-4.4.3
    //= type=test
    //# If the verification fails, the receiver MUST terminate the handshake with a "decrypt_error" alert.
    (Cert, CV, |m| *m.last_mut().unwrap() ^= 1, "BadCertificateVerify", A::DecryptError, "4.4.3"),
    //= rfc8446#section-4.4.4
    //= type=test
    //# Recipients of Finished messages MUST verify that the contents are correct and if incorrect MUST
    //# terminate the connection with a "decrypt_error" alert.
    (Cert, FIN, |m| *m.last_mut().unwrap() ^= 1, "BadFinished", A::DecryptError, "4.4.4"),

    // All of these:
    //= rfc8446#section-6
    //= type=test
    //# Peers which receive a message which is syntactically correct but semantically invalid (e.g., a DHE
    //# share of p - 1, or an invalid enum) MUST terminate the connection with an "illegal_parameter" alert.
    (Cert, EE, |m| ext(m, |e| set(e, 16, b"\0\x02\x01a")), "UnofferedProtocol", A::IllegalParameter, "RFC 7301, 3.1"),
    (Cert, EE, |m| ext(m, |e| set(e, 28, &[0x40, 2])), "RecordSizeLimit", A::IllegalParameter, "RFC 8449, 4"),
    (Cert, CV, |m| m[4..6].copy_from_slice(&[4, 1]), "UnofferedScheme", A::IllegalParameter, "4.4.3"),
    //= rfc8446#section-4.3.2
    //= type=test
    //# This field SHALL be zero length unless used for the post-handshake authentication exchanges described
    //# in Section 4.6.2.
    (Mutual, CR, |m| *m = message(13, &[&[1, 7], &m[5..]].concat()), "RequestContext", A::IllegalParameter, "4.3.2"),
    //= rfc8446#section-4.4.2
    //= type=test
    //# Otherwise (in the case of server authentication), this field SHALL be zero length.
    (Cert, CT, |m| *m = message(11, &[&[1, 7], &m[5..]].concat()), "RequestContext", A::IllegalParameter, "4.4.2"),
    //= rfc8446#section-4.2.3
    //= type=test
    //# The keys found in certificates MUST also be of appropriate type for the signature algorithms they are
    //# used with.
    //= rfc8446#section-4.4.3
    //= type=test
    //# In addition, the signature algorithm MUST be compatible with the key in the sender's end-entity
    //# certificate.
    (Cert, CV, |m| m[4..6].copy_from_slice(&[4, 3]), "UnofferedScheme", A::IllegalParameter, "4.4.3"),
    //= rfc8446#section-4.4.3
    //= type=test
    //# The SHA-1 algorithm MUST NOT be used in any signatures of CertificateVerify messages.
    (Cert, CV, |m| m[4..6].copy_from_slice(&[2, 1]), "UnofferedScheme", A::IllegalParameter, "4.4.3"),

    // All of these:
    //= rfc8446#section-6
    //= type=test
    //# Peers which receive a message which cannot be parsed according to the syntax (e.g., have a length
    //# extending beyond the message boundary or contain an out-of-range length) MUST terminate the
    //# connection with a "decode_error" alert.
    (Cert, CT, |m| *m = message(11, b"\0\0\0\x05\0\0\0\0\0"), "Malformed(\"Certificate\")", A::DecodeError, "4.4.2"),
    //= rfc7301#section-3.1
    //= type=test
    //# that the "ProtocolNameList" MUST contain exactly one "ProtocolName".
    (Cert, EE, |m| ext(m, |e| set(e, 16, b"\0\x04\x01a\x01b")), "Malformed(\"application_layer_protocol_negotiation\")", A::DecodeError, "RFC 7301, 3.1"),
    //= rfc6066#section-3
    //= type=test
    //# this extension SHALL be empty.
    (Cert, EE, |m| ext(m, |e| set(e, 0, &[0])), "Malformed(\"server_name\")", A::DecodeError, "RFC 6066, 3"),

    // All of these:
    //= rfc8446#section-4.2
    //= type=test
    //# Upon receiving such an extension, an endpoint MUST abort the handshake with an
    //# "unsupported_extension" alert.
    (Cert, EE, |m| ext(m, |e| set(e, 0xfefe, &[])), "UnsolicitedExtension(extension 65278)", A::UnsupportedExtension, "4.2"),
    (Psk, EE, |m| ext(m, |e| set(e, 0, &[])), "UnsolicitedExtension(server_name)", A::UnsupportedExtension, "4.2"),
    //= rfc8449#section-5
    //= type=test
    //# A client MUST treat receipt of both "max_fragment_length" and "record_size_limit" as a fatal error
    (Cert, EE, |m| ext(m, |e| { set(e, 28, &[1, 0]); set(e, 1, &[1]) }), "UnsolicitedExtension(max_fragment_length)", A::UnsupportedExtension, "RFC 8449, 5"),
    //= rfc8446#section-4.4.2
    //= type=test
    //# Extensions in the Certificate message from the server MUST correspond to ones from the ClientHello
    //# message.
    (Cert, CT, |m| *m = message(11, b"\0\0\0\x0a\0\0\x01a\0\x04\0\x05\0\0"), "UnsolicitedExtension(status_request)", A::UnsupportedExtension, "4.4.2"),

    //= rfc8446#section-6.2
    //= type=test
    //# missing_extension: Sent by endpoints that receive a handshake message not containing an extension
    //# that is mandatory to send for the offered TLS version or other negotiated parameters.
    (Mutual, CR, |m| ext(m, |e| remove(e, 13)), "MissingExtension(signature_algorithms)", A::MissingExtension, "4.3.2"),

    //= rfc8446#section-6.2
    //= type=test
    //# decrypt_error: A handshake (not record layer) cryptographic operation failed, including being unable
    //# to correctly verify a signature or validate a Finished message or a PSK binder.
    (Cert, FIN, |m| *m = message(20, &m[4..35]), "BadFinished", A::DecryptError, "4.4.4"),

    // All of these:
    //= rfc8446#section-6.2
    //= type=test
    //# unexpected_message: An inappropriate message (e.g., the wrong handshake message, premature
    //# Application Data, etc.) was received.
    (Psk, FIN, |m| *m = message(99, &m[4..]), "UnknownMessage(99)", A::UnexpectedMessage, "6.2"),
    (Psk, FIN, |m| *m = message(11, &[0, 0, 0, 0]), "UnexpectedMessage { message: Certificate, state: \"WAIT_FINISHED\" }", A::UnexpectedMessage, "A.1"),
];

#[rustfmt::skip]
const CLIENTS_PROTECTED: &[Case] = &[
    //= rfc8446#section-4.4.2.4
    //= type=test
    //# If the client does not send any certificates (i.e., it sends an empty Certificate message), the
    //# server MAY at its discretion either continue the handshake without client authentication or abort
    //# the handshake with a "certificate_required" alert.
    (Mutual, CT, |m| *m = message(11, &[0, 0, 0, 0]), "NoCertificate", A::CertificateRequired, "4.4.2.4"),

    // All of these:
    //= rfc8446#section-6
    //= type=test
    //# Peers which receive a message which is syntactically correct but semantically invalid (e.g., a DHE
    //# share of p - 1, or an invalid enum) MUST terminate the connection with an "illegal_parameter" alert.
    (Mutual, CT, |m| *m = message(11, &[&[1, 7], &m[5..]].concat()), "RequestContext", A::IllegalParameter, "4.4.2"),
    (Mutual, CV, |m| m[4..6].copy_from_slice(&[4, 3]), "UnofferedScheme", A::IllegalParameter, "4.4.3"),

    //= rfc8446#section-4.2
    //= type=test
    //# Upon receiving such an extension, an endpoint MUST abort the handshake with an
    //# "unsupported_extension" alert.
    //= rfc8446#section-4.4.2
    //= type=test
    //# Extensions in the Certificate message from the client MUST correspond to extensions in the
    //# CertificateRequest message from the server.
    (Mutual, CT, |m| *m = message(11, b"\0\0\0\x0a\0\0\x01a\0\x04\0\x05\0\0"), "UnsolicitedExtension(status_request)", A::UnsupportedExtension, "4.4.2"),

    // All of these:
    //= rfc8446#section-6.2
    //= type=test
    //# decrypt_error: A handshake (not record layer) cryptographic operation failed, including being unable
    //# to correctly verify a signature or validate a Finished message or a PSK binder.
    (Mutual, CV, |m| *m.last_mut().unwrap() ^= 1, "BadCertificateVerify", A::DecryptError, "4.4.3"),
    (Mutual, FIN, |m| *m.last_mut().unwrap() ^= 1, "BadFinished", A::DecryptError, "4.4.4"),
];

/// What a receiver must pass over. The change is noticed all the same, but only because the transcripts differ, and with them the keys.
#[rustfmt::skip]
const IGNORED_BY_SERVERS: &[Case] = &[
    // All of these:
    //= rfc8446#section-5.2
    //= type=test
    //# If the decryption fails, the receiver MUST terminate the connection with a "bad_record_mac" alert.
    (Cert, CH, |m| ext(m, |e| set(e, 13, &[0, 6, 0x2a, 0x2a, 8, 7, 2, 1])), "BadRecordMac", A::BadRecordMac, "9.3"),
    //= rfc8446#section-4.2.1
    //= type=test
    //# servers MUST NOT use the ClientHello.legacy_version value for version negotiation and MUST use only
    //# the "supported_versions" extension to determine client preferences.
    (Cert, CH, |m| m[4..6].copy_from_slice(&[3, 5]), "BadRecordMac", A::BadRecordMac, "4.2.1"),
    //= rfc8446#section-4.2.1
    //= type=test
    //# Servers MUST only select a version of TLS present in that extension and MUST ignore any unknown
    //# versions that are present in that extension.
    //= rfc8446#appendix-D.2
    //= type=test
    //# If the "supported_versions" extension is present, the server MUST negotiate using that extension as
    //# described in Section 4.2.1.
    (Cert, CH, |m| ext(m, |e| set(e, 43, &[6, 0x7f, 0x1c, 3, 4, 0xfa, 0xfa])), "BadRecordMac", A::BadRecordMac, "4.2.1"),
    //= rfc8446#section-4.1.2
    //= type=test
    //# the server MUST ignore those cipher suites and process the remaining ones as usual.
    (Cert, CH, |m| { let at = suites_at(m); m[at + 4..at + 8].copy_from_slice(&[0x0a, 0x0a, 0, 5]) }, "BadRecordMac", A::BadRecordMac, "4.1.2"),
    //= rfc8446#section-4.1.2
    //= type=test
    //# Servers MUST ignore unrecognized extensions.
    //= rfc8446#section-9.3
    //= type=test
    //# A server receiving a ClientHello MUST correctly ignore all unrecognized cipher suites, extensions, and
    //# other parameters.
    (Cert, CH, |m| ext(m, |e| e.push((0xfefe, vec![7]))), "BadRecordMac", A::BadRecordMac, "4.1.2"),
    //= rfc8446#section-4.4.2.1
    //= type=test
    //# TLS 1.3 servers MUST NOT act upon its presence or information in it when processing ClientHello
    //# messages; in particular, they MUST NOT send the status_request_v2 extension
    //= rfc8446#section-4.4.2.1
    //= type=test
    //# TLS 1.3 servers MUST be able to process ClientHello messages that include it
    (Cert, CH, |m| ext(m, |e| e.push((17, vec![7]))), "BadRecordMac", A::BadRecordMac, "4.4.2.1"),
    //= rfc8446#section-9.3
    //= type=test
    //# For this to work, implementations MUST correctly handle extensible fields:
    (Cert, CH, |m| ext(m, |e| set(e, 10, &[0, 8, 0x2a, 0x2a, 1, 0, 0x11, 0xec, 0, 29])), "BadRecordMac", A::BadRecordMac, "9.3"),
    //= rfc8449#section-4
    //= type=test
    //# A server MUST NOT enforce this restriction
    (Cert, CH, |m| ext(m, |e| set(e, 28, &[0x40, 2])), "BadRecordMac", A::BadRecordMac, "RFC 8449, 4"),
    //= rfc8449#section-5
    //= type=test
    //# A server that supports the "record_size_limit" extension MUST ignore a "max_fragment_length" that
    //# appears in a ClientHello if both extensions appear.
    (Cert, CH, |m| ext(m, |e| { set(e, 28, &[0xff, 0xff]); set(e, 1, &[9]) }), "BadRecordMac", A::BadRecordMac, "RFC 8449, 5"),
];

#[rustfmt::skip]
const IGNORED_BY_CLIENTS: &[Case] = &[
    //= rfc8446#section-5.2
    //= type=test
    //# If the decryption fails, the receiver MUST terminate the connection with a "bad_record_mac" alert.
    //= rfc8446#section-4.2.1
    //= type=test
    //# clients MUST ignore the ServerHello.legacy_version value and MUST use only the "supported_versions"
    //# extension to determine the selected version.
    (Cert, SH, |m| m[4..6].copy_from_slice(&[3, 1]), "BadRecordMac", A::BadRecordMac, "4.2.1"),

    // All of these:
    //= rfc8446#section-6.2
    //= type=test
    //# decrypt_error: A handshake (not record layer) cryptographic operation failed, including being unable
    //# to correctly verify a signature or validate a Finished message or a PSK binder.
    //= rfc8446#section-4.2.7
    //= type=test
    //# Clients MUST NOT act upon any information found in "supported_groups" prior to successful completion
    //# of the handshake
    (Cert, EE, |m| ext(m, |e| set(e, 10, &[0, 2, 0, 24])), "BadCertificateVerify", A::DecryptError, "4.2.7"),
    //= rfc8446#section-4.3.2
    //= type=test
    //# Clients MUST ignore unrecognized extensions.
    (Mutual, CR, |m| ext(m, |e| e.push((0xfefe, vec![7]))), "BadCertificateVerify", A::DecryptError, "4.3.2"),
    //= rfc8446#section-4.2.5
    //= type=test
    //# However, the client MUST ignore and skip any unrecognized certificate extension OIDs.
    (Mutual, CR, |m| ext(m, |e| e.push((48, vec![0, 6, 3, 0x55, 0x1d, 0x0f, 0, 0]))), "BadCertificateVerify", A::DecryptError, "4.2.5"),
];

/// Who leaves out, repeats or adds a message in which flow; what is found.
type Order = (Role, Flow, fn(&mut Vec<Vec<u8>>), &'static str);

#[rustfmt::skip]
const ORDERS: &[Order] = &[
    (Role::Server, Cert, |m| m.retain(|m| m[0] != CT), "UnexpectedMessage { message: CertificateVerify, state: \"WAIT_CERT_CR\" }"),
    (Role::Server, Cert, |m| m.retain(|m| m[0] != CV), "UnexpectedMessage { message: Finished, state: \"WAIT_CV\" }"),
    (Role::Server, Cert, |m| m.retain(|m| m[0] != EE), "UnexpectedMessage { message: Certificate, state: \"WAIT_EE\" }"),
    (Role::Server, Cert, |m| m.retain(|m| m[0] != CT && m[0] != CV), "UnexpectedMessage { message: Finished, state: \"WAIT_CERT_CR\" }"),
    (Role::Server, Mutual, |m| if m.len() > 2 { m.insert(1, m[1].clone()) }, "UnexpectedMessage { message: CertificateRequest, state: \"WAIT_CERT\" }"),
    //= rfc8446#section-5.1
    //= type=test
    //# Handshake messages MUST NOT span key changes.
    //= rfc8446#section-5.1
    //= type=test
    //# Implementations MUST verify that all messages immediately preceding a key change align with a record
    //# boundary; if not, then they MUST terminate the connection with an "unexpected_message" alert.
    (Role::Server, Cert, |m| if m[0][0] == SH { m.push(message(8, &[0, 0])) }, "KeyChangeInsideRecord"),
    (Role::Server, Cert, |m| if m[0][0] != SH { m.push(message(24, &[0])) }, "KeyChangeInsideRecord"),
    //= rfc8446#section-4.5
    //= type=test
    //# Servers MUST NOT send this message, and clients receiving it MUST terminate the connection with an
    //# "unexpected_message" alert.
    (Role::Server, Cert, |m| if m[0][0] != SH { m.insert(0, message(5, &[])) }, "UnexpectedMessage { message: EndOfEarlyData, state: \"WAIT_EE\" }"),
    //= rfc8446#section-4.6.3
    //= type=test
    //# Implementations that receive a KeyUpdate message prior to receiving a Finished message MUST terminate
    //# the connection with an "unexpected_message" alert.
    (Role::Server, Cert, |m| if m[0][0] != SH { m.insert(0, message(24, &[0])) }, "UnexpectedMessage { message: KeyUpdate, state: \"WAIT_EE\" }"),
    (Role::Server, Cert, |m| if m[0][0] != SH { m.swap(1, 2) }, "UnexpectedMessage { message: CertificateVerify, state: \"WAIT_CERT_CR\" }"),
    (Role::Server, Psk, |m| if m[0][0] != SH { m.insert(1, message(13, &[0, 0, 0])) }, "UnexpectedMessage { message: CertificateRequest, state: \"WAIT_FINISHED\" }"),
    (Role::Client, Cert, |m| if m[0][0] != CH { m.insert(0, message(1, &[])) }, "UnexpectedMessage { message: ClientHello, state: \"WAIT_FINISHED\" }"),
    (Role::Client, Cert, |m| if m[0][0] != CH { m.insert(0, message(24, &[0])) }, "UnexpectedMessage { message: KeyUpdate, state: \"WAIT_FINISHED\" }"),
    (Role::Client, Mutual, |m| m.retain(|m| m[0] != CT), "UnexpectedMessage { message: CertificateVerify, state: \"WAIT_CERT\" }"),
    (Role::Client, Mutual, |m| m.retain(|m| m[0] != CV), "UnexpectedMessage { message: Finished, state: \"WAIT_CV\" }"),
    (Role::Client, Cert, |m| if m[0][0] == CH { m.push(message(5, &[])) }, "KeyChangeInsideRecord"),
];

#[test]
fn a_clients_hello() {
    check(Role::Client, CLIENT_HELLOS);
}

#[test]
fn a_servers_hello() {
    check(Role::Server, SERVER_HELLOS);
}

#[test]
fn what_is_sent_protected() {
    check(Role::Server, SERVERS_PROTECTED);
    check(Role::Client, CLIENTS_PROTECTED);
}

//= rfc8446#section-9.3
//= type=test
//# This section describes invariants that TLS endpoints and middleboxes MUST follow.
#[test]
fn what_must_be_ignored() {
    check(Role::Client, IGNORED_BY_SERVERS);
    check(Role::Server, IGNORED_BY_CLIENTS);
}

//= rfc8446#section-4
//= type=test
//# A peer which receives a handshake message in an unexpected order MUST abort the handshake with an
//# "unexpected_message" alert.
#[test]
fn messages_left_out_repeated_or_added() {
    for (side, flow, edit, expected) in ORDERS {
        let (found, told) = run(*side, *flow, edit);
        let Error::Peer(violation) = found else { panic!("{expected}: {found:?}") };
        assert_eq!(format!("{violation:?}"), *expected);
        assert_eq!(violation.alert(), A::UnexpectedMessage, "{expected}");
        // A client is done when it has sent its last flight: it learns of its fault only from the connection.
        assert!(told.is_none_or(|told| told == Error::Alert(A::UnexpectedMessage)), "{expected}");
    }
}
