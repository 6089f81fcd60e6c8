//! What a hostile peer can make one handshake, or one connection, keep in memory: never more than the engine says.

mod common;
#[path = "support/hostile.rs"]
#[allow(unreachable_pub, dead_code, reason = "other tests use the rest")]
mod hostile;
#[path = "support/issue.rs"]
#[allow(unreachable_pub, reason = "a module of several tests")]
mod issue;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::Arc,
};

use common::{
    End, connect_through,
    edit::{
        CERTIFICATE, CERTIFICATE_REQUEST, CERTIFICATE_VERIFY, CLIENT_HELLO, ENCRYPTED_EXTENSIONS, FINISHED,
        SERVER_HELLO, message, set, vector16, with_extensions,
    },
    flows::{Cast, Flow},
    keys::Protection,
    reframe::{Cut, Reframer},
    tap::plain_record,
};
use handclasp::{
    crypto::x509::{Policy, TrustStore, Verifier},
    engine::{Connection, Error, HANDSHAKE_MEMORY, Role, Session},
};
use hostile::{deep_name, many_names, ten_ways};
use issue::{CLIENT_AUTH, EXTENDED_KEY_USAGE, Key, Parts, SUBJECT_ALT_NAME, Template, oid, tlv};

/// Counts the heap of each thread.
struct Counting;

thread_local! {
    static LIVE: Cell<usize> = const { Cell::new(0) };
    static PEAK: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: every call goes on to the system's allocator unchanged; the counters neither allocate nor have destructors.
// `realloc` is the provided one, which holds both blocks for a moment: the worst that a real one can do.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let live = LIVE.get() + layout.size();
        LIVE.set(live);
        PEAK.set(PEAK.get().max(live));
        // SAFETY: the caller's promise is the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get().saturating_sub(layout.size()));
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that was on the heap at once while `what` ran, beyond what was there before.
fn peak<T>(what: impl FnOnce() -> T) -> (usize, T) {
    let before = LIVE.get();
    PEAK.set(before);
    let result = what();
    (PEAK.get() - before, result)
}

type Edit = fn(&mut Vec<Vec<u8>>);

/// A peer that changes its messages, and how it cuts them.
struct Attack {
    side: Role,
    flow: Flow,
    edit: Edit,
    cut: Cut,
}

const SEED: u64 = 5;

impl Attack {
    /// What the victim receives; everything is from seeds, so it will be asked the same again.
    fn bytes(&self, cast: &Cast) -> Vec<u8> {
        self.changed_bytes(cast, self.edit)
    }

    fn changed_bytes(&self, cast: &Cast, edit: impl FnMut(&mut Vec<Vec<u8>>)) -> Vec<u8> {
        let (client, server) = cast.ends(self.flow, SEED);
        let mut reframer = Reframer::editing(&cast.log, self.side, edit).cutting(self.cut);
        let mut received = Vec::new();
        connect_through(client, server, |sender, bytes| {
            if sender != self.side {
                return bytes;
            }
            let bytes = reframer.reframe(&bytes);
            received.extend_from_slice(&bytes);
            bytes
        });
        received
    }

    fn victim<'a>(&self, cast: &'a Cast) -> End<'a> {
        let (client, server) = cast.ends(self.flow, SEED);
        if self.side == Role::Client { server } else { client }
    }

    /// The most memory of the victim, from its start to its end.
    fn run(&self) -> (usize, Option<Result<Box<Session>, Error>>) {
        let cast = Cast::new();
        let bytes = self.bytes(&cast);
        replay(&bytes, || self.victim(&cast))
    }
}

fn replay<'a>(
    mut bytes: &[u8],
    victim: impl FnOnce() -> End<'a>,
) -> (usize, Option<Result<Box<Session>, Error>>) {
    peak(|| victim().run_on(&mut bytes, |_| {}))
}

/// The longest body of a message that is not refused by its header.
const LONGEST: usize = 1 << 16;

/// Changes each message of this type.
fn each(messages: &mut [Vec<u8>], handshake_type: u8, change: impl Fn(&mut Vec<u8>)) {
    messages.iter_mut().filter(|message| message[0] == handshake_type).for_each(change);
}

/// Gives each message of this type this body.
fn replace(messages: &mut [Vec<u8>], handshake_type: u8, body: &[u8]) {
    each(messages, handshake_type, |whole| *whole = message(handshake_type, body));
}

/// Gives the messages of this type an extension that fills them.
fn extend(messages: &mut [Vec<u8>], handshake_type: u8, code: u16, content: impl Fn(usize) -> Vec<u8>) {
    each(messages, handshake_type, |whole| {
        let mut others = 0;
        with_extensions(whole, |extensions| {
            others = extensions.iter().filter(|e| e.0 != code).map(|e| 4 + e.1.len()).sum();
            let content = content(usize::from(u16::MAX) - others - 4 - 100);
            set(extensions, code, &content);
        });
    });
}

/// A list with a length of two bytes, of as many copies as there is room for.
fn list(room: usize, entry: &[u8]) -> Vec<u8> {
    vector16(&entry.repeat((room - 2) / entry.len()))
}

/// A certificate list of one byte in every certificate, or of one certificate.
fn certificates(length: usize) -> Vec<u8> {
    let [.., a, b, c] = length.to_be_bytes();
    let entry = [&[a, b, c][..], &vec![0x30; length], &[0, 0]].concat();
    let entries = entry.repeat((LONGEST - 4) / entry.len());
    let [.., a, b, c] = entries.len().to_be_bytes();
    [&[0, a, b, c], &entries[..]].concat()
}

/// identities, and as many binders.
fn psks(room: usize, identity: usize) -> Vec<u8> {
    let count = (room - 4) / (identity + 6 + 33);
    let one = [vector16(&vec![b'i'; identity]), vec![0; 4]].concat();
    let binder = [&[32][..], &[0; 32]].concat();
    [vector16(&one.repeat(count)), vector16(&binder.repeat(count))].concat()
}

/// The certificates of a Certificate, and behind them one that fills it.
fn add_certificate(messages: &mut [Vec<u8>]) {
    each(messages, CERTIFICATE, |whole| {
        let ours = whole[8..].to_vec();
        let theirs = certificates(LONGEST - 9 - ours.len());
        let entries = [&ours[..], &theirs[4..]].concat();
        let [.., a, b, c] = entries.len().to_be_bytes();
        *whole = message(CERTIFICATE, &[&[0, a, b, c], &entries[..]].concat());
    });
}

const CLIENTS: &[(&str, Flow, Edit)] = &[
    ("an unknown extension", Flow::Certificate, |m| extend(m, CLIENT_HELLO, 0xfefe, |room| vec![0; room])),
    ("a server_name", Flow::Certificate, |m| {
        extend(m, CLIENT_HELLO, 0, |room| vector16(&[&[0][..], &vector16(&vec![b'a'; room - 5])].concat()));
    }),
    ("an unknown extension in both hellos", Flow::HelloRetry, |m| {
        extend(m, CLIENT_HELLO, 0xfefe, |room| vec![0; room]);
    }),
    ("small extensions", Flow::Certificate, |m| {
        each(m, CLIENT_HELLO, |whole| {
            with_extensions(whole, |extensions| {
                extensions.extend((0x1000..0x4000).map(|code| (code, vec![])))
            });
        });
    }),
    ("groups", Flow::Certificate, |m| extend(m, CLIENT_HELLO, 10, |room| list(room, &[0, 29]))),
    ("protocols", Flow::Certificate, |m| extend(m, CLIENT_HELLO, 16, |room| list(room, b"\x01a"))),
    ("key shares", Flow::HelloRetry, |m| extend(m, CLIENT_HELLO, 51, |room| list(room, b"\xfe\xfe\0\x01a"))),
    ("long identities", Flow::Psk, |m| extend(m, CLIENT_HELLO, 41, |room| psks(room, 1900))),
    ("one identity", Flow::Psk, |m| extend(m, CLIENT_HELLO, 41, |room| psks(room, room - 100))),
    ("short identities", Flow::PskHelloRetry, |m| extend(m, CLIENT_HELLO, 41, |room| psks(room, 1))),
    ("a session id", Flow::Certificate, |m| replace(m, CLIENT_HELLO, &[0xff; LONGEST])),
    ("one certificate", Flow::ClientCertificate, |m| replace(m, CERTIFICATE, &certificates(LONGEST - 9))),
    ("certificates", Flow::ClientCertificate, |m| replace(m, CERTIFICATE, &certificates(1))),
    ("a signature", Flow::ClientCertificate, |m| replace(m, CERTIFICATE_VERIFY, &signature())),
    ("a certificate that verifies, and a signature", Flow::ClientCertificate, |m| {
        add_certificate(m);
        replace(m, CERTIFICATE_VERIFY, &signature());
    }),
    ("a Finished", Flow::ClientCertificate, |m| replace(m, FINISHED, &[0; LONGEST])),
];

const SERVERS: &[(&str, Flow, Edit)] = &[
    ("a cookie", Flow::HelloRetry, |m| {
        each(m, SERVER_HELLO, |whole| {
            with_extensions(whole, |e| {
                if e.iter().any(|extension| extension.0 == 44) {
                    set(e, 44, &vector16(&[0; 1 << 14]));
                }
            })
        });
    }),
    ("an unknown extension", Flow::Certificate, |m| extend(m, SERVER_HELLO, 0xfefe, |room| vec![0; room])),
    ("groups", Flow::Psk, |m| extend(m, ENCRYPTED_EXTENSIONS, 10, |room| list(room, &[0, 29]))),
    ("a protocol", Flow::Psk, |m| extend(m, ENCRYPTED_EXTENSIONS, 16, |room| list(room, b"\x01a"))),
    ("authorities", Flow::ClientCertificate, |m| {
        extend(m, CERTIFICATE_REQUEST, 47, |room| list(room, b"\0\x01a"));
    }),
    ("one certificate", Flow::ClientCertificate, |m| replace(m, CERTIFICATE, &certificates(LONGEST - 9))),
    ("certificates", Flow::ClientCertificate, |m| replace(m, CERTIFICATE, &certificates(1))),
    ("a signature", Flow::Certificate, |m| replace(m, CERTIFICATE_VERIFY, &signature())),
    ("a Finished", Flow::Certificate, |m| replace(m, FINISHED, &[0; LONGEST])),
    ("all of them", Flow::ClientCertificate, |m| {
        extend(m, ENCRYPTED_EXTENSIONS, 10, |room| list(room, &[0, 29]));
        extend(m, CERTIFICATE_REQUEST, 47, |room| list(room, b"\0\x01a"));
        add_certificate(m);
        replace(m, CERTIFICATE_VERIFY, &signature());
    }),
];

fn signature() -> Vec<u8> {
    [&[8, 7][..], &vector16(&vec![0; LONGEST - 4 - 2])].concat()
}

#[test]
fn an_honest_peer_takes_much_less() {
    for (side, flow) in
        [Role::Client, Role::Server].into_iter().flat_map(|side| Flow::ALL.map(|flow| (side, flow)))
    {
        let (memory, result) = Attack { side, flow, edit: |_| {}, cut: Cut::Whole }.run();
        assert!(result.unwrap().is_ok(), "{side:?} {flow:?}");
        assert!(memory < HANDSHAKE_MEMORY / 10, "{side:?} {flow:?}: {memory}");
    }
}

#[test]
fn a_handshake_stays_within_its_memory() {
    let mut most = 0;
    let sides = [(Role::Client, CLIENTS), (Role::Server, SERVERS)];
    for (side, (name, flow, edit)) in
        sides.iter().flat_map(|(side, rows)| rows.iter().map(|row| (*side, *row)))
    {
        for cut in [Cut::Whole, Cut::Every(1), Cut::Random(1)] {
            // A record for each byte once in the clear and once protected, for they are slow.
            let is_slow =
                !matches!((side, name), (Role::Client, "a server_name") | (Role::Server, "one certificate"));
            if matches!(cut, Cut::Every(_)) && is_slow {
                continue;
            }
            let (memory, result) = Attack { side, flow, edit, cut }.run();
            let found = result.map(|result| result.unwrap_err());
            println!("{memory:>8} {side:?} {name}, {cut:?}: {found:?}");
            assert!(memory < HANDSHAKE_MEMORY, "{side:?} {name}, {cut:?}: {memory}");
            most = most.max(memory);
        }
    }
    assert!(most > HANDSHAKE_MEMORY / 2, "the bound says something: {most}");
}

/// Sends whole messages and data as an end that never reads what is sent back; the records, ready to be received.
struct Flood {
    sending: Protection,
    records: Vec<Vec<u8>>,
}

impl Flood {
    fn send(&mut self, content_type: u8, content: &[u8], cut: usize) {
        self.records.extend(content.chunks(cut).map(|piece| self.sending.seal(content_type, piece, 0)));
    }

    /// A KeyUpdate that asks for one.
    fn update_keys(&mut self) {
        self.send(22, &message(24, &[1]), 5);
        self.sending = self.sending.next();
    }
}

/// A NewSessionTicket with an extension that fills it.
fn ticket(room: usize) -> Vec<u8> {
    let extension = [&[0xfe, 0xfe][..], &vector16(&vec![0; room])].concat();
    message(4, &[&[0; 9][..], &vector16(b"t"), &vector16(&extension)].concat())
}

#[test]
fn small_records_take_no_memory() {
    let cast = Cast::new();
    for (content_type, content) in [(20, &[1][..]), (21, &[1, 90]), (22, &[]), (22, &[1]), (23, &[])] {
        let records = plain_record(content_type, content).repeat(1000);
        for side in [Role::Client, Role::Server] {
            let attack = Attack { side, flow: Flow::Certificate, edit: |_| {}, cut: Cut::Whole };
            let (memory, _) = replay(&records, || attack.victim(&cast));
            assert!(memory < HANDSHAKE_MEMORY / 10, "{content_type} {content:?} from {side:?}: {memory}");
        }
    }
}

#[test]
fn a_connection_stays_within_its_memory() {
    for victim_is_client in [true, false] {
        let cast = Cast::new();
        let (client, server) = cast.ends(Flow::Certificate, SEED);
        let outcome = common::connect(client, server);
        let victim = if victim_is_client { outcome.client } else { outcome.server }.unwrap();
        let sending = Protection::new(victim.suite, victim.rx.secret.expose());
        let mut flood = Flood { sending, records: vec![] };
        for _ in 0..1000 {
            flood.update_keys();
            flood.records.extend((0..32).map(|_| flood.sending.seal(23, &[], 0)));
            flood.send(23, b"a", 1);
        }
        flood.send(23, &[0; 1 << 14], 1 << 14);
        if victim_is_client {
            flood.send(22, &ticket(60_000), 1);
            flood.send(22, &ticket(1).repeat(10_000), 1 << 14);
        }
        flood.send(22, &ticket(60_000)[..60_000], 1);
        let (memory, ()) = peak(|| {
            let mut connection = Connection::new(*victim);
            for record in &flood.records {
                for part in [&record[..5], &record[5..]] {
                    assert_eq!(connection.wanted(), part.len());
                    connection.receive(part).unwrap();
                }
            }
        });
        println!("{memory:>8} client: {victim_is_client}");
        assert!(memory < HANDSHAKE_MEMORY, "{memory}");
    }
}

/// A Certificate's body with this chain.
fn certificate_list(chain: &[Vec<u8>]) -> Vec<u8> {
    let entry = |certificate: &Vec<u8>| {
        let [.., a, b, c] = certificate.len().to_be_bytes();
        [&[a, b, c][..], certificate, &[0, 0]].concat()
    };
    let entries = chain.iter().map(entry).collect::<Vec<_>>().concat();
    let [.., a, b, c] = entries.len().to_be_bytes();
    [&[0, a, b, c], &entries[..]].concat()
}

/// Chains that make their reader remember much, each nearly as long as a message may be; nobody trusts them.
fn hostile_chains() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let key = Key::generate();
    let named = |names: Vec<u8>| [tlv(0x82, b"server.test"), names].concat();
    let leaf = |id: &'static [u8], contents: Vec<u8>| {
        let mut template = Template::new("leaf", &key);
        if id != SUBJECT_ALT_NAME {
            template.names = vec!["server.test".into()];
        }
        template.others.push((id, false, contents));
        template.issue("Leaf", &key)
    };
    let mut critical = Template::new("leaf", &key);
    critical.names = vec!["server.test".into()];
    critical.others.push((&[0x7f; 60_000], true, vec![]));
    let critical = critical.issue("Leaf", &key);
    let ways = |count, last| ten_ways(&named(many_names(count, last)), &deep_name(2_800));
    let alone = |names| vec![leaf(SUBJECT_ALT_NAME, tlv(0x30, &named(names)))];
    let deep = |of: fn(&mut Parts) -> &mut Vec<u8>| {
        let template = Template { names: vec!["server.test".into()], ..Template::new("leaf", &key) };
        template.issue_edited("Leaf", &key, |parts| *of(parts) = deep_name(6_000))
    };
    // Each above the other, and no end of them.
    let authority = |level: usize| {
        let mut template = Template::new(&format!("Level {level}"), &key);
        (template.ca, template.others) = (Some(None), vec![(&[0x2a, 3][..], false, vec![0; 600])]);
        template.issue(&format!("Level {}", level + 1), &key)
    };
    let mut first = Template::new("leaf", &key);
    first.names = vec!["server.test".into()];
    let path = [first.issue("Level 0", &key)].into_iter().chain((0..60).map(authority));
    vec![
        ("ten ways and many names", ways(9_000, "a")),
        ("names", alone(tlv(0x82, b"a").repeat(21_000))),
        ("a name of many levels", alone(tlv(0xa4, &deep_name(6_000)))),
        ("a subject of many levels", vec![deep(|parts| &mut parts.subject)]),
        ("an issuer of many levels", vec![deep(|parts| &mut parts.issuer)]),
        ("purposes", vec![leaf(EXTENDED_KEY_USAGE, tlv(0x30, &oid(CLIENT_AUTH).repeat(6_000)))]),
        ("an unknown extension", vec![leaf(&[0x2a, 3], vec![0; 60_000])]),
        ("a critical extension", vec![critical]),
        ("certificates", path.collect()),
    ]
}

#[test]
fn path_validation_is_within_a_handshakes_memory() {
    let policy = Policy { issuer_profile: false, ..Policy::default() };
    let verifier = Verifier::with_policy(Arc::new(TrustStore::empty()), policy);
    let mut cast = Cast::new();
    cast.verifier = Some(Arc::new(verifier));
    for (name, chain) in hostile_chains() {
        for side in [Role::Client, Role::Server] {
            let attack = Attack { side, flow: Flow::ClientCertificate, edit: |_| {}, cut: Cut::Whole };
            let body = certificate_list(&chain);
            let bytes = attack.changed_bytes(&Cast::new(), |m| {
                extend(m, ENCRYPTED_EXTENSIONS, 10, |room| list(room, &[0, 29]));
                extend(m, CERTIFICATE_REQUEST, 47, |room| list(room, b"\0\x01a"));
                replace(m, CERTIFICATE, &body);
            });
            let (memory, result) = replay(&bytes, || attack.victim(&cast));
            let found = result.map(|result| result.unwrap_err());
            println!("{memory:>8} {side:?} {name}: {found:?}");
            assert!(matches!(found, Some(Error::Certificate(_))), "{side:?} {name}: {found:?}");
            assert!(memory < HANDSHAKE_MEMORY, "{side:?} {name}: {memory}");
        }
    }
}
