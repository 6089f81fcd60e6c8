//! No branch and no address depends on a secret, but for the verdicts that are no secret any more.
//!
//! Under valgrind's memcheck each secret is declared undefined, and every conditional jump and every address that depends on something
//! undefined is counted. What a handshake computes with PSKs and shared secrets counts none; a comparison counts its verdict, and
//! equally many wherever the first difference is.

use std::{
    arch::asm,
    env,
    process::{Command, ExitCode},
    sync::Arc,
};

use handclasp::{
    crypto::{
        certificate::UnixTime,
        hash::Hash,
        key_schedule::{EarlySecret, PskKind, TrafficSecrets, WriteKeys},
        kx::{KeyExchangeError, KeyShare, NamedGroup},
        random::{Random, SystemRandom},
        secret::Secret,
        suite::CipherSuite,
    },
    engine::{
        Connection, Event, ExternalPsk, Handshake, Psk, Role, Session, Step,
        config::{ClientConfig, ServerConfig},
    },
};

/// The client requests of valgrind.h and memcheck.h that are used here.
#[derive(Clone, Copy)]
#[repr(usize)]
enum Request {
    RunningOnValgrind = 0x1001,
    CountErrors = 0x1201,
    MakeUndefined = 0x4d43_0001,
    MakeDefined = 0x4d43_0002,
}

/// Asks valgrind, or gets 0 without it: the sequence rotates a register by 128 bits in all, and means something to valgrind alone.
#[cfg(target_arch = "x86_64")]
fn ask(request: Request, address: usize, length: usize) -> usize {
    let arguments = [request as usize, address, length, 0, 0, 0];
    let mut result = 0;
    // SAFETY: the instructions leave all registers and flags as they are but those named; valgrind reads the six words, and
    // marks bytes that the caller owns.
    unsafe {
        asm!(
            "rol rdi, 3", "rol rdi, 13", "rol rdi, 61", "rol rdi, 51", "xchg rbx, rbx",
            in("rax") arguments.as_ptr(), inout("rdx") result, options(nostack),
        );
    }
    result
}

/// The same for AArch64.
#[cfg(target_arch = "aarch64")]
fn ask(request: Request, address: usize, length: usize) -> usize {
    let arguments = [request as usize, address, length, 0, 0, 0];
    let mut result = 0;
    // SAFETY: as on x86-64.
    unsafe {
        asm!(
            "ror x12, x12, #3", "ror x12, x12, #13", "ror x12, x12, #51", "ror x12, x12, #61", "orr x10, x10, x10",
            in("x4") arguments.as_ptr(), inout("x3") result, options(nostack),
        );
    }
    result
}

/// Declares the bytes secret, and gives them back.
fn secret(bytes: &[u8]) -> &[u8] {
    ask(Request::MakeUndefined, bytes.as_ptr() as usize, bytes.len());
    bytes
}

/// Declares the bytes public: they went over the wire.
fn public(bytes: &[u8]) -> &[u8] {
    ask(Request::MakeDefined, bytes.as_ptr() as usize, bytes.len());
    bytes
}

/// How many branches and addresses depended on secrets.
fn count<T>(compute: impl FnOnce() -> T) -> (usize, T) {
    let before = ask(Request::CountErrors, 0, 0);
    let result = compute();
    (ask(Request::CountErrors, 0, 0) - before, result)
}

/// Nothing depends on a secret.
fn none<T>(what: &str, compute: impl FnOnce() -> T) -> T {
    let (count, result) = count(compute);
    assert_eq!(count, 0, "{what}");
    result
}

const KEY: [u8; 48] = [0x5c; 48];

fn key_schedule() {
    for suite in CipherSuite::ALL {
        let hash = suite.hash();
        let (psk, shared) = (KEY, Secret::from_slice(&KEY[..32]));
        secret(&psk);
        secret(shared.expose());
        none("key schedule", || {
            let early = EarlySecret::new(hash, Some(&psk));
            let transcript = hash.digest(b"a transcript");
            let binder = early.binder(PskKind::Imported).verify_data(&transcript);
            let handshake = early.handshake(&shared);
            let TrafficSecrets { server, .. } = handshake.traffic(suite, transcript.as_ref());
            let finished = server.finished().verify_data(&transcript);
            let master = handshake.master();
            let exported = master.exporter(transcript.as_ref()).export(b"label", b"", 255);
            let client = master.traffic(suite, transcript.as_ref()).client.next();
            (binder, finished, exported, client.write_keys())
        });
    }
}

/// Finished and binder are compared by one function.
fn comparison_of_verify_data() {
    for hash in [Hash::Sha256, Hash::Sha384] {
        let transcript = hash.digest(b"a transcript");
        let counts = [None, Some(0), Some(1), Some(hash.length() - 1)].map(|difference| {
            let psk = KEY;
            let early = EarlySecret::new(hash, Some(secret(&psk)));
            let key = early.binder(PskKind::External);
            let mut verify_data = public(key.verify_data(&transcript).as_ref()).to_vec();
            if let Some(at) = difference {
                verify_data[at] ^= 1;
            }
            let (count, verdict) =
                count(|| if key.verify(&transcript, &verify_data) { "equal" } else { "not" });
            assert_eq!(verdict == "equal", difference.is_none());
            count
        });
        println!("comparison of verify_data, {hash:?}: {counts:?}");
        // Optimised code asks for the verdict only later, where nothing is counted.
        assert_eq!(counts, [usize::from(cfg!(debug_assertions)); 4], "the verdict alone");
    }
}

/// Whether a PSK is all zero is asked, and nothing else.
fn psks() {
    let counts = [0, 1, 31].map(|zeros| {
        let mut psk = KEY;
        psk[..zeros].fill(0);
        secret(&psk);
        let (count, psk) = count(|| Psk::external(b"id", &psk, Hash::Sha256));
        psk.expect("a PSK");
        count
    });
    println!("external PSKs: {counts:?}");
    assert_eq!(counts, [1; 3]);
    let psk = KEY;
    let external = ExternalPsk { identity: b"id", secret: secret(&psk), hash: Hash::Sha256, context: b"" };
    let (count, psk) = count(|| Psk::imported(&external, Hash::Sha384));
    psk.expect("a PSK");
    assert_eq!(count, 1, "imported PSK");
}

/// The system's randomness, whose shared secrets are declared secret.
struct Secretive;

impl Random for Secretive {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), KeyExchangeError> {
        SystemRandom.fill(bytes)
    }

    fn key_share(&mut self, group: NamedGroup) -> Result<Box<dyn KeyShare>, KeyExchangeError> {
        Ok(Box::new(SecretiveShare(SystemRandom.key_share(group)?)))
    }
}

struct SecretiveShare(Box<dyn KeyShare>);

impl KeyShare for SecretiveShare {
    fn group(&self) -> NamedGroup {
        self.0.group()
    }

    fn public(&self) -> &[u8] {
        self.0.public()
    }

    fn agree(self: Box<Self>, peer: &[u8]) -> Result<Secret, KeyExchangeError> {
        let shared = self.0.agree(peer)?;
        secret(shared.expose());
        Ok(shared)
    }
}

const NOW: UnixTime = UnixTime(1_800_000_000);

fn psk(identity: &[u8]) -> Psk {
    let key = KEY;
    Psk::external(identity, secret(&key), Hash::Sha256).expect("a PSK")
}

/// What an end sends now; it went over the wire.
fn sent(end: &mut Handshake) -> Vec<u8> {
    let Step::Send(bytes) = end.step() else { panic!("it sends") };
    let bytes = public(bytes).to_vec();
    end.sent(bytes.len());
    bytes
}

/// Gives records to an end, and counts.
fn receive(end: &mut Handshake, mut records: &[u8]) -> usize {
    let mut total = 0;
    while !records.is_empty() {
        let Step::Receive(length) = end.step() else { panic!("it receives") };
        let (now, rest) = records.split_at(length);
        records = rest;
        total += count(|| end.receive(now)).0;
    }
    total
}

/// A client offers two PSKs, a server looks one up and answers; the client reads the ServerHello.
fn handshake() {
    let ours = ClientConfig { psks: vec![psk(b"another"), psk(b"known")], ..ClientConfig::default() };
    let theirs = ServerConfig { psk: true, ..ServerConfig::default() };
    let (ours, theirs) = (Arc::new(ours), Arc::new(theirs));
    let mut client =
        none("ClientHello", || Handshake::client(ours, Box::new(Secretive), NOW)).expect("a client");
    let mut server = Handshake::server(theirs, Box::new(Secretive), NOW).expect("a server");
    let hello = sent(&mut client);
    assert_eq!(receive(&mut server, &hello), 0, "the server before it knows the PSK");
    assert!(matches!(server.step(), Step::FindPsk(offers) if offers[1].identity == b"known"));
    let known = psk(b"known");
    let (verdict, ()) = count(|| server.psk(1, known));
    println!("the server's answer: {verdict}");
    assert_eq!(verdict, 1, "the binder's verdict, and nothing in the server's flight");
    let flight = sent(&mut server);
    let length = 5 + usize::from(u16::from_be_bytes([flight[3], flight[4]]));
    assert_eq!(receive(&mut client, &flight[..length]), 0, "the client's ServerHello");
}

/// Two sessions under a PSK that nobody called secret.
fn sessions() -> [Session; 2] {
    let psk = || Psk::external(b"id", &KEY, Hash::Sha256).expect("a PSK");
    let ours = ClientConfig { psks: vec![psk()], ..ClientConfig::default() };
    let theirs = ServerConfig { psk: true, ..ServerConfig::default() };
    let mut client = Handshake::client(Arc::new(ours), Box::new(SystemRandom), NOW).expect("a client");
    let mut server = Handshake::server(Arc::new(theirs), Box::new(SystemRandom), NOW).expect("a server");
    let hello = sent(&mut client);
    receive(&mut server, &hello);
    server.psk(0, psk());
    let flight = sent(&mut server);
    receive(&mut client, &flight);
    let finished = sent(&mut client);
    receive(&mut server, &finished);
    [client, server].map(|mut end| match end.step() {
        Step::Done(session) => *session,
        step => panic!("{step:?}"),
    })
}

/// Records of one length, with more or less of it padding, take the same branches once they are secret.
fn padding() {
    use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
    let counts = [0, 1, 100, 199].map(|padding| {
        let [client, server] = sessions();
        let algorithm = match client.suite {
            CipherSuite::Aes128GcmSha256 => &AES_128_GCM,
            CipherSuite::Aes256GcmSha384 => &AES_256_GCM,
            CipherSuite::Chacha20Poly1305Sha256 => &CHACHA20_POLY1305,
        };
        let WriteKeys { key, iv } = client.tx.secret.write_keys();
        let key = UnboundKey::new(algorithm, key.expose()).expect("its length");
        let nonce = Nonce::try_assume_unique_for_key(iv.expose()).expect("12 bytes");
        let mut inner = vec![b'a'; 200 - padding];
        inner.push(23);
        inner.resize(201, 0);
        let header = [23, 3, 3, 0, 201 + 16];
        LessSafeKey::new(key)
            .seal_in_place_append_tag(nonce, Aad::from(&header), &mut inner)
            .expect("it seals");
        assert_eq!(server.role, Role::Server);
        let mut connection = Connection::new(server);
        connection.receive(&header).expect("a header");
        let (count, event) = count(|| connection.receive(secret(&inner)));
        let Ok(Event::Data(data)) = event else { panic!("data") };
        assert_eq!(data.len(), 200 - padding);
        count
    });
    println!("padding: {counts:?}");
    assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
}

/// Runs this program again, under valgrind; its reports, among which are the expected verdicts, are of interest only after a failure.
fn under_valgrind() -> ExitCode {
    let mut valgrind = Command::new("valgrind");
    match valgrind.arg("--quiet").arg(env::current_exe().expect("this program")).output() {
        Ok(output) => {
            print!("{}", String::from_utf8_lossy(&output.stdout));
            if output.status.success() {
                return ExitCode::SUCCESS;
            }
            eprint!("{}", String::from_utf8_lossy(&output.stderr));
            ExitCode::FAILURE
        }
        Err(error) => {
            println!("constant_time: not run, for there is no valgrind ({error}); `make unit` installs it");
            // `make unit` says so: there it must run.
            if env::var_os("HANDCLASP_VALGRIND").is_some() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
    }
}

fn main() -> ExitCode {
    if env::args().any(|argument| argument == "--list") {
        return ExitCode::SUCCESS;
    }
    if ask(Request::RunningOnValgrind, 0, 0) == 0 {
        return under_valgrind();
    }
    key_schedule();
    comparison_of_verify_data();
    psks();
    handshake();
    padding();
    ExitCode::SUCCESS
}
