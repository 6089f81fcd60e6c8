//! Every extension in every message that can carry one, in both roles: it is taken, ignored or refused as RFC 8446, Section 4.2, says.

mod common;

use common::{
    LOST, connect, connect_reframed,
    edit::{
        CERTIFICATE, CERTIFICATE_REQUEST, CLIENT_HELLO, ENCRYPTED_EXTENSIONS, Extensions, SERVER_HELLO,
        extensions_of, message, vector16, with_extensions,
    },
    flows::{Cast, Flow},
    keys::Protection,
    reframe::Reframer,
};
use handclasp::engine::{AlertDescription, Connection, Error, Event, Role, Violation};

/// The RFC's table, and the code points that stand before it.
const RFC: &str = include_str!("vectors/rfc8446/section-4.2.txt");

/// An extension, and the messages where it may stand, by their abbreviations.
struct Row {
    name: &'static str,
    code: u16,
    places: Vec<&'static str>,
}

/// The RFC's table, record_size_limit (RFC 8449, Section 4), and one that nobody knows and that so may stand anywhere.
fn table() -> Vec<Row> {
    let code_of = |name| {
        let mut codes = RFC.lines().filter_map(|line| line.trim().split_once('('));
        let (_, rest) = codes.find(|(known, _)| *known == name).expect("a code point");
        rest.split_once(')').unwrap().0.parse().unwrap()
    };
    let cells = RFC.lines().filter_map(|line| line.trim().strip_prefix("| ")?.split_once('|'));
    let row = |(extension, places): (&'static str, &'static str)| {
        let name = extension.split_whitespace().next().unwrap();
        Row { name, code: code_of(name), places: places.trim_matches([' ', '|']).split(", ").collect() }
    };
    let mut rows: Vec<Row> =
        cells.filter(|(extension, _)| !extension.starts_with("Extension ")).map(row).collect();
    assert_eq!(rows.len(), 22);
    rows.push(Row { name: "record_size_limit", code: 28, places: vec!["CH", "EE"] });
    let anywhere = vec!["CH", "SH", "HRR", "EE", "CT", "CR", "NST"];
    rows.push(Row { name: "an unknown one", code: 0xfefe, places: anywhere });
    rows
}

/// Where extensions stand: the sender, the flow, and the message by its abbreviation.
const PLACES: [(Role, Flow, &str); 12] = [
    (Role::Client, Flow::Certificate, "CH"),
    (Role::Client, Flow::Psk, "CH"),
    (Role::Server, Flow::HelloRetry, "HRR"),
    (Role::Server, Flow::PskHelloRetry, "HRR"),
    (Role::Server, Flow::HelloRetry, "SH"),
    (Role::Server, Flow::Certificate, "SH"),
    (Role::Server, Flow::Psk, "SH"),
    (Role::Server, Flow::Certificate, "EE"),
    (Role::Server, Flow::Psk, "EE"),
    (Role::Server, Flow::ClientCertificate, "CR"),
    (Role::Server, Flow::Certificate, "CT"),
    (Role::Client, Flow::ClientCertificate, "CT"),
];

/// The abbreviation of a message, if it carries extensions.
fn abbreviation(message: &[u8]) -> &'static str {
    match message[0] {
        CLIENT_HELLO => "CH",
        SERVER_HELLO if message[6..9] == [0xcf, 0x21, 0xad] => "HRR",
        SERVER_HELLO => "SH",
        ENCRYPTED_EXTENSIONS => "EE",
        CERTIFICATE => "CT",
        CERTIFICATE_REQUEST => "CR",
        _ => "",
    }
}

/// A well-formed content of an extension.
fn content(code: u16, place: &str) -> Vec<u8> {
    match (code, place) {
        (0, "CH") => vector16(b"\0\0\x01a"),
        (5, "CH") => b"\x01\0\0\0\0".into(),
        (1 | 15, _) => vec![1],
        (10, _) => vector16(&[0, 29]),
        (13 | 50, _) => vector16(&[8, 7]),
        (14, _) => b"\0\x02\0\x01\0".into(),
        (16, _) => b"\0\x07\x06sunrpc".into(),
        (19 | 20, _) => vec![1, 0],
        (28, _) => vec![0x40, 1],
        (41, "CH") => {
            let binder = [&[32][..], &[0; 32]].concat();
            [vector16(b"\0\x01i\0\0\0\0"), vector16(&binder)].concat()
        }
        (41, _) => vec![0, 0],
        (43, "CH") => b"\x02\x03\x04".into(),
        (43, _) => vec![3, 4],
        (44, _) => vector16(b"c"),
        (45, _) => vec![1, 1],
        (47, _) => vector16(b"\0\x020\0"),
        (48, _) => vec![0, 0],
        (51, "CH") => vector16(b"\0\x1d\0\x01a"),
        (51, "HRR") => vec![0, 29],
        (51, _) => b"\0\x1d\0\x01a".into(),
        (42, "NST") => vec![0; 4],
        _ => vec![],
    }
}

/// Adds an extension where it is not.
fn add(extensions: &mut Extensions, code: u16, place: &str) {
    if extensions.iter().any(|extension| extension.0 == code) {
        return;
    }
    let new = (code, content(code, place));
    // pre_shared_key stands last in a ClientHello, and needs psk_key_exchange_modes.
    if (code, place) == (41, "CH") {
        extensions.push((45, content(45, place)));
        extensions.push(new);
    } else {
        extensions.insert(0, new);
    }
}

/// What the receiver is to make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Taken,
    Refused(AlertDescription),
}

/// What Section 4.2 says.
//= rfc8446#section-4.2
//= type=test
//# Implementations MUST NOT send extension responses if the remote
//# endpoint did not send the corresponding extension requests, with the
//# exception of the "cookie" extension in the HelloRetryRequest.  Upon
//# receiving such an extension, an endpoint MUST abort the handshake
//# with an "unsupported_extension" alert.
//= rfc8446#section-4.2
//= type=test
//# If an implementation receives an extension
//# which it recognizes and which is not specified for the message in
//# which it appears, it MUST abort the handshake with an
//# "illegal_parameter" alert.
//= rfc8446#section-4.2.5
//= type=test
//# This extension, if provided by the server, MUST only be sent in the CertificateRequest message.
//= rfc8446#section-4.2.9
//= type=test
//# The server MUST NOT send a "psk_key_exchange_modes" extension.
fn verdict(row: &Row, place: &str, requested: &[u16]) -> Verdict {
    let is_response = matches!(place, "SH" | "HRR" | "EE" | "CT");
    if !row.places.contains(&place) {
        Verdict::Refused(AlertDescription::IllegalParameter)
    } else if !is_response || requested.contains(&row.code) || (row.name, place) == ("cookie", "HRR") {
        Verdict::Taken
    } else {
        Verdict::Refused(AlertDescription::UnsupportedExtension)
    }
}

/// What an end made of a message: once it is taken, the peers still disagree about what was said.
fn verdict_of(found: Option<&Error>) -> Verdict {
    use Violation::{BadBinder, BadCertificateVerify, BadFinished, BadRecordMac};
    match found {
        Some(error @ Error::Peer(violation)) => match violation {
            BadBinder | BadCertificateVerify | BadFinished | BadRecordMac => Verdict::Taken,
            _ => Verdict::Refused(error.alert().unwrap()),
        },
        None | Some(Error::Alert(_)) => Verdict::Taken,
        Some(lost) if *lost == LOST => Verdict::Taken,
        other => panic!("{other:?}"),
    }
}

/// The extensions that the message which this one answers has.
fn requested_by(cast: &Cast, flow: Flow, (sender, place): (Role, &str)) -> Vec<u16> {
    let question = if (sender, place) == (Role::Client, "CT") { "CR" } else { "CH" };
    let mut codes = None;
    for side in [Role::Client, Role::Server] {
        let (client, server) = cast.ends(flow, 1);
        let mut reframer = Reframer::editing(&cast.log, side, |messages| {
            for message in messages.iter().filter(|message| abbreviation(message) == question) {
                codes.get_or_insert(extensions_of(message).iter().map(|extension| extension.0).collect());
            }
        });
        connect_reframed(client, server, side, &mut reframer);
    }
    codes.expect("the question was asked")
}

#[test]
fn every_extension_in_every_message_of_a_handshake() {
    let cast = Cast::new();
    for (sender, flow, place) in PLACES {
        let requested = requested_by(&cast, flow, (sender, place));
        for row in table() {
            let mut edited = false;
            let mut reframer = Reframer::editing(&cast.log, sender, |messages| {
                for message in messages.iter_mut().filter(|message| abbreviation(message) == place) {
                    with_extensions(message, |extensions| add(extensions, row.code, place));
                    edited = true;
                }
            });
            let (client, server) = cast.ends(flow, 1);
            let outcome = connect_reframed(client, server, sender, &mut reframer);
            drop(reframer);
            let (client, server) = (outcome.client.err(), outcome.server.err());
            let (found, told) = if sender == Role::Client { (server, client) } else { (client, server) };
            let context = format!("{} in the {sender:?}'s {place}, {flow:?}: {found:?}", row.name);
            assert!(edited, "{context}");
            let expected = verdict(&row, place, &requested);
            assert_eq!(verdict_of(found.as_ref()), expected, "{context}");
            if let Verdict::Refused(alert) = expected {
                // A client may be done already.
                assert!(told.is_none_or(|told| told == Error::Alert(alert)), "{context}");
            }
        }
    }
}

#[test]
fn every_extension_in_a_ticket() {
    for row in table() {
        let cast = Cast::new();
        let (client, server) = cast.ends(Flow::Certificate, 1);
        let outcome = connect(client, server);
        let server = outcome.server.unwrap();
        let extension = [&row.code.to_be_bytes()[..], &vector16(&content(row.code, "NST"))].concat();
        let ticket = message(4, &[&[0; 9][..], &vector16(b"t"), &vector16(&extension)].concat());
        let record = Protection::new(server.suite, server.tx.secret.expose()).seal(22, &ticket, 0);
        let mut client = Connection::new(*outcome.client.unwrap());
        assert_eq!(client.receive(&record[..5]), Ok(Event::Nothing));
        let found = client.receive(&record[5..]).err();
        assert_eq!(verdict_of(found.as_ref()), verdict(&row, "NST", &[]), "{}: {found:?}", row.name);
    }
}
