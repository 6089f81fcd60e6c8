//! Nothing that can be printed shows a secret: no `Debug`, no `Display`, no error, nothing that the program says.

mod common;
#[path = "support/sources.rs"]
mod sources;
#[path = "support/tools.rs"]
mod tools;

use std::{fmt::Write as _, fs, path::PathBuf};

use common::{
    End,
    flows::{Cast, Flow},
};
use handclasp::{
    crypto::{
        aead::RecordKey,
        hash::Hash,
        key_schedule::{EarlySecret, PskKind, WriteKeys},
        kx::{KeyExchangeError, KeyShare, NamedGroup, hybrid},
        pem::Blocks,
        random::{Random, SystemRandom},
        secret::Secret,
        sign::SigningKey,
        suite::CipherSuite,
    },
    engine::{
        Connection, ExternalPsk, Psk, Session,
        config::{ClientConfig, ServerConfig},
    },
};

/// So many bytes of a secret in a row are no accident.
const WINDOW: usize = 6;

/// Text that was printed, brought into one form: lower case, and without white space.
struct Printed(String);

impl Printed {
    fn new(text: &str) -> Self {
        Self(text.split_whitespace().collect::<String>().to_ascii_lowercase())
    }

    /// Fails if some bytes of the secret are there, in hexadecimal, as a list of numbers, escaped, or in base64.
    fn hides(&self, secret: &[u8]) {
        for window in secret.windows(WINDOW) {
            let list = |separator: &str, number: fn(&u8) -> String| {
                window.iter().map(number).collect::<Vec<_>>().join(separator)
            };
            let hex = |byte: &u8| format!("{byte:02x}");
            let forms = [
                list("", hex),
                list(":", hex),
                list(",", hex),
                list(",0x", hex),
                list("\\x", hex),
                list(",", |byte| byte.to_string()),
            ];
            for form in forms {
                assert!(!self.0.contains(&form), "{form} is in {}", self.0);
            }
        }
        for form in base64(secret) {
            assert!(!self.0.contains(&form), "{form} is in {}", self.0);
        }
    }
}

/// What base64 shows of nine bytes in a row, whatever stands before them.
fn base64(secret: &[u8]) -> Vec<String> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = |group: &[u8]| {
        let bits = u32::from_be_bytes([0, group[0], group[1], group[2]]);
        [18, 12, 6, 0].map(|shift| char::from(ALPHABET[(bits >> shift & 63) as usize]))
    };
    let encode = |nine: &[u8]| nine.chunks(3).flat_map(digits).collect::<String>().to_ascii_lowercase();
    secret.windows(9).map(encode).collect()
}

/// Whatever has `Debug`, both ways.
macro_rules! show {
    ($text:expr, $($value:expr),+) => {
        $( write!($text, "{0:?} {0:#?} ", $value).unwrap(); )+
    };
}

/// Runs an end on what its peer said, record by record, and shows it after each.
fn run(
    end: &mut End<'_>,
    incoming: &mut Vec<u8>,
    outgoing: &mut Vec<u8>,
    text: &mut String,
) -> Option<Box<Session>> {
    let said = std::mem::take(incoming);
    let mut rest = &said[..];
    let mut first = true;
    while first || !rest.is_empty() {
        first = false;
        let length =
            rest.get(3..5).map_or(0, |length| 5 + usize::from(length[0]) * 256 + usize::from(length[1]));
        let (mut record, after) = rest.split_at(length);
        rest = after;
        let result = end.run_on(&mut record, |bytes| outgoing.extend_from_slice(bytes));
        show!(text, end.handshake);
        match result {
            Some(Ok(session)) => return Some(session),
            Some(Err(error)) => write!(text, "{error:?} {error}").unwrap(),
            None => {}
        }
    }
    None
}

/// Both ends of a flow, and what they look like at every step.
fn sessions(cast: &Cast, flow: Flow, text: &mut String) -> [Box<Session>; 2] {
    let (mut client, mut server) = cast.ends(flow, 1);
    let (mut to_client, mut to_server) = (Vec::new(), Vec::new());
    let mut done = (None, None);
    while done.0.is_none() || done.1.is_none() {
        done.0 = done.0.or_else(|| run(&mut client, &mut to_client, &mut to_server, text));
        done.1 = done.1.or_else(|| run(&mut server, &mut to_server, &mut to_client, text));
    }
    [done.0.unwrap(), done.1.unwrap()]
}

/// Every flow, and the sessions it ends in: all that they print, which hides their secrets.
fn handshakes_and_sessions() -> String {
    let cast = Cast::new();
    let mut all = String::new();
    for flow in Flow::ALL {
        let mut text = String::new();
        let sessions = sessions(&cast, flow, &mut text);
        let mut secrets = vec![vec![7; 32]];
        for label in ["CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET"] {
            secrets.push(cast.log.get(label).expect(label));
        }
        for session in sessions {
            let exported = session.exporter.export(b"EXPORTER-test", b"", 32).unwrap();
            for direction in [&session.tx, &session.rx] {
                let WriteKeys { key, iv } = direction.secret.write_keys();
                show!(text, key, iv, RecordKey::new(&direction.secret), direction.secret.finished());
                secrets.extend([direction.secret.expose(), key.expose(), iv.expose()].map(Vec::from));
            }
            show!(text, exported, session);
            secrets.extend([exported.expose(), session.exporter.expose()].map(Vec::from));
            show!(text, Connection::new(*session));
        }
        assert!(text.len() > 10_000 && text.contains("Secret"), "much was shown");
        let printed = Printed::new(&text);
        secrets.iter().for_each(|secret| printed.hides(secret));
        all += &text;
    }
    all
}

#[test]
fn no_handshake_session_or_connection_shows_a_secret() {
    handshakes_and_sessions();
}

/// Every type that a PSK or a shared secret goes through: all that they print, which hides both.
fn key_schedule() -> String {
    let psk: [u8; 32] = std::array::from_fn(|i| (i * 37 + 11) as u8);
    let mut text = String::new();
    let psks = [Hash::Sha256, Hash::Sha384].map(|hash| {
        let external = ExternalPsk { identity: b"id", secret: &psk, hash, context: b"" };
        show!(text, external, Psk::external(b"id", &psk, hash), Psk::imported(&external, hash));
        let psks = vec![Psk::imported(&external, hash).unwrap()];
        show!(text, ClientConfig { psks, ..ClientConfig::default() }, ServerConfig::default());
        EarlySecret::new(hash, Some(&psk))
    });
    let shared = Secret::from_slice(&psk);
    for early in &psks {
        let suite = CipherSuite::ALL.into_iter().find(|suite| suite.hash() == early.hash()).unwrap();
        let handshake = early.handshake(&shared);
        show!(text, shared, early, early.binder(PskKind::External), handshake);
        let traffic = handshake.traffic(suite, b"");
        show!(text, traffic.server.next(), traffic.client.write_keys(), traffic);
        let master = handshake.master();
        show!(text, master, master.exporter(b""), master.traffic(suite, b""));
    }
    for refused in [&psk[..15], &[0; 16]] {
        let error = Psk::external(b"id", refused, Hash::Sha256).unwrap_err();
        write!(text, "{error:?} {error}").unwrap();
    }
    let share = SystemRandom.key_share(NamedGroup::X25519).unwrap();
    show!(text, share, SystemRandom, &Chosen(psk) as &dyn Random);
    let share = hybrid::generate(&mut Chosen(psk)).unwrap();
    let response = SystemRandom.respond(share.group(), share.public()).unwrap();
    show!(text, share, response.shared_secret);
    let agreed = share.agree(&response.public).unwrap();
    show!(text, agreed);
    let printed = Printed::new(&text);
    [&psk, agreed.expose()].into_iter().for_each(|secret| printed.hides(secret));
    text
}

#[test]
fn no_type_of_the_key_schedule_shows_its_bytes() {
    key_schedule();
}

/// Gives these bytes where ML-KEM asks for randomness.
struct Chosen([u8; 32]);

impl Random for Chosen {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), KeyExchangeError> {
        bytes.iter_mut().zip(self.0.iter().cycle()).for_each(|(to, byte)| *to = *byte);
        Ok(())
    }

    fn key_share(&mut self, group: NamedGroup) -> Result<Box<dyn KeyShare>, KeyExchangeError> {
        SystemRandom.key_share(group)
    }
}

/// What a panic says of a value: `unwrap_err` shows what is there instead of an error.
#[test]
fn no_panic_shows_a_secret() {
    let psk: [u8; 32] = std::array::from_fn(|i| (i * 37 + 11) as u8);
    let pem = fs::read(key_file("server.key")).unwrap();
    let secret = Blocks::new(&pem).next().unwrap().unwrap().contents.expose()[36..68].to_vec();
    let panics: [Box<dyn Fn() + std::panic::RefUnwindSafe>; 4] = [
        Box::new(|| _ = Psk::external(b"id", &psk, Hash::Sha256).unwrap_err()),
        Box::new(|| _ = hybrid::generate(&mut Chosen(psk)).unwrap_err()),
        Box::new(|| _ = SigningKey::from_pem(&pem).unwrap_err()),
        Box::new(|| _ = Blocks::new(&pem).next().unwrap().unwrap_err()),
    ];
    for panic in panics {
        let said = std::panic::catch_unwind(&panic).unwrap_err();
        let printed = Printed::new(said.downcast_ref::<String>().expect("words"));
        assert!(printed.0.contains("unwrap"), "{}", printed.0);
        [&psk[..], &secret].into_iter().for_each(|secret| printed.hides(secret));
    }
}

/// What can hold a secret, and is printed under its name where these tests search for one.
const HOLDERS: &[&str] = &[
    "Block",
    "Blocks",
    "ClientConfig",
    "Connection",
    "Direction",
    "EarlySecret",
    "ExporterSecret",
    "ExternalPsk",
    "FinishedKey",
    "Handshake",
    "HandshakeSecret",
    "MasterSecret",
    "Psk",
    "RecordKey",
    "Secret",
    "ServerConfig",
    "Session",
    "SigningKey",
    "SystemRandom",
    "TrafficSecret",
    "TrafficSecrets",
    "WriteKeys",
];

/// What holds none, or cannot be printed, and why.
const OTHERS: &[(&str, &[&str])] = &[
    (
        "numbers and names of the protocol",
        &[
            "AlertDescription",
            "CipherSuite",
            "ClientAuthentication",
            "ExtensionType",
            "HandshakeType",
            "Hash",
            "NamedGroup",
            "PskKind",
            "Role",
            "SignatureAlgorithm",
            "SignatureHash",
            "SignatureScheme",
            "Way",
        ],
    ),
    (
        "names a kind of failure; what it quotes is of the wire or of a configuration, and the tests above print those that are about keys",
        &[
            "AeadError",
            "BadSignature",
            "ConfigError",
            "Error",
            "KeyError",
            "KeyExchangeError",
            "LocalError",
            "PemError",
            "Reason",
            "Rejection",
            "SigningError",
            "Violation",
        ],
    ),
    (
        "public: it is sent, or stands in a certificate",
        &[
            "AlgorithmIdentifier",
            "Credential",
            "Digest",
            "KeyAlgorithm",
            "Peer",
            "PskOffer",
            "PublicKey",
            "Purpose",
            "ServerName",
            "SignRequest",
            "UnixTime",
        ],
    ),
    ("a transcript's running hash, of what is sent", &["Context"]),
    ("types, lengths and code points of messages alone", &["Glimpse"]),
    ("holds application data, which is its caller's to print", &["Event"]),
    ("has no Debug", &["Response"]),
    ("prints what it holds: what is sent, or a Session", &["Step"]),
];

/// A new public type has to be put on one of the two lists. Those of x509 are of certificates, which are public.
#[test]
fn every_public_type_is_shown_or_holds_no_secret() {
    let mut types = Vec::new();
    for folder in ["src/crypto", "src/engine"] {
        for (_, text) in sources::sources(folder, |folder| !folder.ends_with("x509")) {
            let lines = text.lines().map(str::trim_start);
            let names = lines.filter_map(|l| l.strip_prefix("pub struct ").or(l.strip_prefix("pub enum ")));
            types.extend(names.map(|n| n.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned()));
        }
    }
    let listed = HOLDERS.iter().chain(OTHERS.iter().flat_map(|(_, names)| *names));
    let mut listed: Vec<String> = listed.map(|name| name.to_string()).collect();
    types.sort();
    types.dedup();
    listed.sort();
    assert_eq!(types, listed, "each on one list");
    let text = handshakes_and_sessions() + &key_schedule() + &keys_and_errors();
    for name in HOLDERS {
        assert!(text.split(|c: char| !c.is_alphanumeric()).any(|word| word == *name), "{name} is not shown");
    }
}

fn key_file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/agent").join(name)
}

/// A private key, whole and damaged in every place: all that is printed of it, which hides its bytes.
fn keys_and_errors() -> String {
    let pem = fs::read(key_file("server.key")).unwrap();
    let der = Blocks::new(&pem).next().unwrap().unwrap().contents;
    let secret = &der.expose()[36..68];
    let mut text = String::new();
    let mut blocks = Blocks::new(&pem);
    show!(text, blocks, SigningKey::from_pem(&pem));
    show!(text, blocks.next(), blocks);
    for at in 0..pem.len() {
        let mut damaged = pem.clone();
        damaged[at] ^= 0x10;
        for damaged in [&damaged, &pem[..at], &pem[at..]] {
            show!(text, Blocks::new(damaged).collect::<Vec<_>>());
            if let Err(error) = SigningKey::from_pem(damaged) {
                write!(text, "{error:?} {error}").unwrap();
            }
        }
    }
    for at in 0..der.expose().len() {
        let mut damaged = der.expose().to_vec();
        damaged[at] ^= 0x10;
        show!(text, SigningKey::from_der(&damaged), SigningKey::from_der(&damaged[..at]));
    }
    let printed = Printed::new(&text);
    printed.hides(secret);
    // Neither the file, number by number: characters 48 to 64 of its first line are 12 bytes of the secret.
    printed.hides(&pem.split(|byte| *byte == b'\n').nth(1).unwrap()[48..64]);
    text
}

#[test]
fn no_key_and_no_error_about_one_shows_its_bytes() {
    keys_and_errors();
}

#[test]
fn the_check_finds_what_it_looks_for() {
    let secret: [u8; 12] = std::array::from_fn(|i| (i * 37 + 11) as u8);
    let upper = secret.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
    let shown = [
        format!("{secret:?}"),
        format!("{secret:#?}"),
        format!("{secret:x?}"),
        upper,
        // base64 -w0, with no, one and two other bytes before it.
        "CzBVep/E6Q4zWH2i".into(),
        "eAswVXqfxOkOM1h9og==".into(),
        "eHgLMFV6n8TpDjNYfaI=".into(),
    ];
    for text in shown {
        let found = std::panic::catch_unwind(|| Printed::new(&text).hides(&secret));
        assert!(found.is_err(), "{text}");
    }
}

#[test]
fn the_program_does_not_say_a_psk() {
    let psk: [u8; 32] = std::array::from_fn(|i| (i * 37 + 11) as u8);
    let hex: String = psk.iter().map(|byte| format!("{byte:02x}")).collect();
    let wrong = hex.replace("0b", "ff");
    let (_, server, clients) = tools::converse(
        &["--psk-identity", "id", "--psk", &hex],
        &[
            &["--psk-identity", "id", "--psk", &hex],
            &["--psk-identity", "id", "--psk", &wrong],
            &["--psk-identity", "nobody", "--psk", &hex],
        ],
    );
    let mut text = server + &clients.concat();
    assert!(text.contains("TLS_AES_128_GCM_SHA256") && text.contains("decrypt_error"), "{text}");
    let odd = &hex[1..];
    let not_hex = hex.clone() + "xy";
    for key in [odd, &not_hex, ""] {
        let said = tools::say(&["connect", "--psk-identity", "id", "--psk", key, "127.0.0.1:1"]);
        assert!(said.contains("hex digits"), "{said}");
        text += &said;
    }
    Printed::new(&text).hides(&psk);
}
