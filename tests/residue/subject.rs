//! The process that is searched: it shakes hands with itself, and holds no secret but through the library.

use std::{
    fmt::Write as _,
    io::{self, BufRead},
    sync::{Arc, Mutex},
};

use zeroize::Zeroizing;

use handclasp::{
    crypto::{
        certificate::{CertificateVerifier, Purpose, Rejection, ServerName, UnixTime},
        hash::Hash,
        kx::{KeyExchangeError, KeyShare, NamedGroup, Response, hybrid},
        pem,
        public_key::PublicKey,
        random::{Random, SystemRandom},
        secret::Secret,
        sign::SigningKey,
        suite::CipherSuite,
    },
    engine::{
        AlertDescription, Connection, ExternalPsk, Handshake, Psk, PskOffer, Session, SignRequest, Step,
        config::{ClientAuthentication, ClientConfig, Credential, KeyLog, ServerConfig},
    },
};

use crate::{
    drive::drive,
    private_key::{self, KeyFile},
};

/// What the secrets are told and kept under.
pub(crate) const MASK: u8 = 0xa5;

/// One handshake.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Case {
    /// AES-128, x25519, a server with a P-256 key.
    Certificate,
    /// AES-256 with SHA-384, P-256, Ed25519 at both ends.
    Mutual,
    /// ChaCha20, x25519, an external PSK.
    Psk,
    /// AES-256 with SHA-384, P-384 after a HelloRetryRequest, an imported PSK.
    ImportedPsk,
    /// AES-128, X25519MLKEM768 at once, a server with an RSA key.
    Rsa,
    /// ChaCha20, X25519MLKEM768 after a HelloRetryRequest, P-384 keys at both ends.
    P384,
}

impl Case {
    pub(crate) const ALL: [Self; 6] =
        [Self::Certificate, Self::Mutual, Self::Psk, Self::ImportedPsk, Self::Rsa, Self::P384];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Mutual => "mutual",
            Self::Psk => "psk",
            Self::ImportedPsk => "imported-psk",
            Self::Rsa => "rsa",
            Self::P384 => "p384",
        }
    }

    pub(crate) fn named(name: &str) -> Self {
        Self::ALL.into_iter().find(|case| case.name() == name).expect("a case")
    }

    pub(crate) fn suite(self) -> CipherSuite {
        match self {
            Self::Certificate | Self::Rsa => CipherSuite::Aes128GcmSha256,
            Self::Mutual | Self::ImportedPsk => CipherSuite::Aes256GcmSha384,
            Self::Psk | Self::P384 => CipherSuite::Chacha20Poly1305Sha256,
        }
    }

    pub(crate) fn group(self) -> NamedGroup {
        match self {
            Self::Certificate | Self::Psk => NamedGroup::X25519,
            Self::Mutual => NamedGroup::Secp256r1,
            Self::ImportedPsk => NamedGroup::Secp384r1,
            Self::Rsa | Self::P384 => NamedGroup::X25519MlKem768,
        }
    }

    /// What the client offers, with a share of the first: where that is not the group, the server asks for another.
    fn offered(self) -> Vec<NamedGroup> {
        let mut groups = vec![NamedGroup::X25519, self.group()];
        groups.dedup();
        if self == Self::Rsa {
            groups.reverse();
        }
        groups
    }

    /// Whether the client has a certificate, too.
    fn is_mutual(self) -> bool {
        matches!(self, Self::Mutual | Self::P384)
    }

    fn is_psk(self) -> bool {
        matches!(self, Self::Psk | Self::ImportedPsk)
    }
}

/// Tells a secret, masked; what is written holds no other form of it.
fn tell(label: &str, masked: &[u8]) {
    let hex = masked.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    println!("{label} {hex}");
}

/// Stops until the searcher is done.
fn stop_when(stage: &str) {
    println!("{stage}");
    let _ = io::stdin().lock().read_line(&mut String::new());
}

fn mask(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| byte ^ MASK).collect()
}

/// Bytes that exist in the program only masked, of a PSK or a private key.
fn unmasked(masked: &[u8]) -> Secret {
    let mut secret = Secret::zeroed(masked.len());
    for (byte, masked) in secret.expose_mut().iter_mut().zip(masked) {
        *byte = masked ^ MASK;
    }
    secret
}

/// The secrets that the library names, masked.
#[derive(Debug, Default)]
struct Told(Mutex<Vec<(String, Vec<u8>)>>);

impl Told {
    fn add(&self, label: &str, secret: &[u8]) {
        self.0.lock().expect("one thread").push((label.into(), mask(secret)));
    }
}

impl KeyLog for Told {
    fn log(&self, label: &str, _: &[u8; 32], secret: &[u8]) {
        self.add(label, secret);
    }
}

/// What the secret of an exchange is told under.
pub(crate) fn shared(group: NamedGroup) -> String {
    format!("shared-by-{}", group.name())
}

/// The system's randomness; it tells the secret of each exchange.
struct Telling(Arc<Told>);

impl Random for Telling {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), KeyExchangeError> {
        SystemRandom.fill(bytes)
    }

    fn key_share(&mut self, group: NamedGroup) -> Result<Box<dyn KeyShare>, KeyExchangeError> {
        let share = match group {
            NamedGroup::X25519MlKem768 => hybrid::generate(&mut MlKem("ML-KEM-seed", self))?,
            _ => SystemRandom.key_share(group)?,
        };
        if group == NamedGroup::X25519 {
            self.0.add("x25519-public-key", share.public());
        }
        Ok(Box::new(TellingShare(share, self.0.clone())))
    }

    fn respond(&mut self, group: NamedGroup, peer: &[u8]) -> Result<Response, KeyExchangeError> {
        let response = MlKem("ML-KEM-message", self).respond(group, peer)?;
        if group.is_post_quantum() {
            self.0.add(&shared(group), response.shared_secret.expose());
        }
        Ok(response)
    }
}

/// The same for what ML-KEM asks for, which is told, too.
struct MlKem<'a>(&'static str, &'a mut Telling);

impl Random for MlKem<'_> {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), KeyExchangeError> {
        self.1.fill(bytes)?;
        self.1.0.add(self.0, bytes);
        Ok(())
    }

    fn key_share(&mut self, group: NamedGroup) -> Result<Box<dyn KeyShare>, KeyExchangeError> {
        self.1.key_share(group)
    }
}

struct TellingShare(Box<dyn KeyShare>, Arc<Told>);

impl KeyShare for TellingShare {
    fn group(&self) -> NamedGroup {
        self.0.group()
    }

    fn public(&self) -> &[u8] {
        self.0.public()
    }

    fn agree(self: Box<Self>, peer: &[u8]) -> Result<Secret, KeyExchangeError> {
        let group = self.0.group();
        let secret = self.0.agree(peer)?;
        self.1.add(&shared(group), secret.expose());
        Ok(secret)
    }

    fn part(&self) -> Option<&dyn KeyShare> {
        self.0.part()
    }

    fn into_part(self: Box<Self>) -> Option<Box<dyn KeyShare>> {
        self.0.into_part()
    }
}

/// Trusts one key, whatever the certificate.
#[derive(Debug)]
struct Pinned(PublicKey);

impl CertificateVerifier for Pinned {
    fn verify(&self, _: &[Vec<u8>], _: Purpose<'_>, _: UnixTime) -> Result<PublicKey, Rejection> {
        Ok(self.0.clone())
    }
}

const fn masked<const N: usize>(mut bytes: [u8; N]) -> [u8; N] {
    let mut at = 0;
    while at < N {
        bytes[at] ^= MASK;
        at += 1;
    }
    bytes
}

/// An Ed25519 key (RFC 8032, Section 7.1, test 1).
pub(crate) const MASKED_SEED: [u8; 32] = masked(
    *b"\x9d\x61\xb1\x9d\xef\xfd\x5a\x60\xba\x84\x4a\xf4\x92\xec\x2c\xc4\x44\x49\xc5\x69\x7b\x32\x69\x19\x70\x3b\xac\x03\x1c\xae\x7f\x60",
);
const ED25519_SPKI: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00\xd7\x5a\x98\x01\x82\xb1\x0a\xb7\xd5\x4b\xfe\xd3\xc9\x64\x07\x3a\x0e\xe1\x72\xf3\xda\xa6\x23\x25\xaf\x02\x1a\x68\xf7\x07\x51\x1a";

/// A PSK: RFC 8032, Section 7.1, test 2, has a secret to borrow.
pub(crate) const MASKED_PSK: [u8; 32] = masked(
    *b"\x4c\xcd\x08\x9b\x28\xff\x96\xda\x9d\xb6\xc3\x46\xec\x11\x4e\x0f\x5b\x8a\x31\x9f\x35\xab\xa6\x24\xda\x8c\xf6\xed\x4f\xb8\xa6\xfb",
);
pub(crate) const IDENTITY: &[u8] = b"host and subsystem";

/// One who proves itself.
struct Identity {
    key: Box<SigningKey>,
    pinned: Arc<Pinned>,
}

impl Identity {
    fn of(case: Case) -> Self {
        private_key::file(case).map_or_else(Self::ed25519, Self::from_files)
    }

    /// From the files of a key and of its certificate, as the agent reads them.
    fn from_files(file: KeyFile) -> Self {
        let text = Zeroizing::new(std::fs::read(file.path()).expect("the key file"));
        let key = SigningKey::from_pem(&text).expect("a key");
        let text = std::fs::read(file.path().with_extension("pem")).expect("the certificate");
        let block = pem::Blocks::new(&text).next().expect("a block").expect("PEM");
        let certificate = block.contents.expose();
        let mut windows = certificate.windows(file.spki_length);
        let spki = windows.find(|window| window.starts_with(file.spki_head)).expect("a key");
        let public = PublicKey::from_spki(spki).expect("a key");
        assert!(key.fits(&public));
        Self { key: Box::new(key), pinned: Arc::new(Pinned(public)) }
    }

    fn ed25519() -> Self {
        let head = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
        let mut pkcs8 = Secret::zeroed(48);
        pkcs8.expose_mut()[..16].copy_from_slice(head);
        pkcs8.expose_mut()[16..].copy_from_slice(unmasked(&MASKED_SEED).expose());
        let key = SigningKey::from_der(pkcs8.expose()).expect("a key");
        Self {
            key: Box::new(key),
            pinned: Arc::new(Pinned(PublicKey::from_spki(ED25519_SPKI).expect("a key"))),
        }
    }

    fn credential(&self) -> Credential {
        Credential::new(vec![b"a certificate".to_vec()], self.key.algorithm())
    }
}

fn psk(case: Case) -> Psk {
    let secret = unmasked(&MASKED_PSK);
    if case == Case::Psk {
        return Psk::external(IDENTITY, secret.expose(), Hash::Sha256).expect("a PSK");
    }
    let external =
        ExternalPsk { identity: IDENTITY, secret: secret.expose(), hash: Hash::Sha256, context: b"" };
    Psk::imported(&external, Hash::Sha384).expect("a PSK")
}

/// One end: boxed, as the agent keeps its handshakes.
struct End {
    handshake: Box<Handshake>,
    key: Option<Box<SigningKey>>,
    case: Case,
    told: Arc<Told>,
}

impl End {
    fn run(&mut self, incoming: &mut Vec<u8>, outgoing: &mut Vec<u8>) -> Option<Box<Session>> {
        let sign = |request: &SignRequest<'_>| {
            let signature = self.key.as_ref()?.sign(request.scheme, request.message).ok()?;
            self.told.add("signature", &signature);
            Some(signature)
        };
        let find_psk = |_: &[PskOffer]| Some((0, psk(self.case)));
        let mut rest = &incoming[..];
        let send = |bytes: &[u8]| outgoing.extend_from_slice(bytes);
        let result = drive(&mut self.handshake, &mut rest, send, sign, find_psk);
        incoming.drain(..incoming.len() - rest.len());
        result.map(|result| result.expect("a session"))
    }
}

const NOW: UnixTime = UnixTime(1_800_000_000);

fn ends(case: Case, told: &Arc<Told>) -> (End, End) {
    let mut ours =
        ClientConfig { suites: vec![case.suite()], groups: case.offered(), ..ClientConfig::default() };
    let mut theirs =
        ServerConfig { suites: vec![case.suite()], key_log: Some(told.clone()), ..ServerConfig::default() };
    theirs.groups = vec![case.group()];
    let (mut client_key, mut server_key) = (None, None);
    if case.is_psk() {
        ours.psks = vec![psk(case)];
        theirs.psk = true;
    } else {
        let server = Identity::of(case);
        ours.server_name = ServerName::parse("server.test");
        ours.verifier = Some(server.pinned.clone());
        theirs.credentials = vec![server.credential()];
        server_key = Some(server.key);
    }
    if case.is_mutual() {
        let client = Identity::of(case);
        ours.credentials = vec![client.credential()];
        theirs.client_authentication = ClientAuthentication::Required;
        theirs.verifier = Some(client.pinned.clone());
        client_key = Some(client.key);
    }
    let random = || Box::new(Telling(told.clone()));
    let client = Handshake::client(Arc::new(ours), random(), NOW).expect("a configuration");
    let server = Handshake::server(Arc::new(theirs), random(), NOW).expect("a configuration");
    let end = |handshake, key| End { handshake: Box::new(handshake), key, case, told: told.clone() };
    (end(client, client_key), end(server, server_key))
}

fn shake_hands(case: Case, told: &Arc<Told>) -> ([Box<Session>; 2], [Option<Box<SigningKey>>; 2]) {
    let (mut client, mut server) = ends(case, told);
    let (mut to_client, mut to_server) = (Vec::new(), Vec::new());
    let mut sessions = (None, None);
    while sessions.0.is_none() || sessions.1.is_none() {
        sessions.0 = sessions.0.or_else(|| client.run(&mut to_client, &mut to_server));
        sessions.1 = sessions.1.or_else(|| server.run(&mut to_server, &mut to_client));
    }
    ([sessions.0.expect("done"), sessions.1.expect("done")], [client.key, server.key])
}

/// Two ends that gave up once they had keys, and that nobody has dropped: a handshake that fails forgets by itself.
fn given_up(case: Case, told: &Arc<Told>) -> [Box<Handshake>; 2] {
    let (mut client, mut server) = ends(case, told);
    let (mut to_client, mut to_server) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        client.run(&mut to_client, &mut to_server);
        server.run(&mut to_server, &mut to_client);
        // Not all of the server's Finished; a HelloRetryRequest is shorter.
        if to_client.len() > 150 {
            to_client.pop();
        }
    }
    [client.handshake, server.handshake].map(|mut handshake| {
        handshake.abort(AlertDescription::UserCanceled);
        assert!(matches!(handshake.step(), Step::Send(_)));
        handshake
    })
}

/// Exchanges data and new keys over both sessions, as far as they last.
fn converse(sessions: [Box<Session>; 2]) {
    let [mut client, mut server] = sessions.map(|session| Connection::new(*session));
    client.write(b"data").expect("it writes");
    client.update_keys(true).expect("it updates");
    client.write(b"data").expect("it writes");
    let mut outgoing = client.outgoing().to_vec();
    while !outgoing.is_empty() {
        let record: Vec<u8> = outgoing.drain(..server.wanted()).collect();
        server.receive(&record).expect("it receives");
    }
}

/// Lives through one case.
pub(crate) fn live(case: Case) {
    let told = Arc::new(Told::default());
    let (sessions, keys) = shake_hands(case, &told);
    for (label, masked) in told.0.lock().expect("one thread").iter() {
        tell(label, masked);
    }
    let exported =
        sessions.each_ref().map(|session| session.exporter.export(b"EXPORTER-test", b"", 32).expect("short"));
    tell("exported", &mask(exported[0].expose()));
    let first = told.0.lock().expect("one thread").len();
    let failed = given_up(case, &told);
    for (label, masked) in told.0.lock().expect("one thread").iter().skip(first) {
        tell(&format!("given-up-{label}"), masked);
    }
    let first = told.0.lock().expect("one thread").len();
    let group = if case.group().is_post_quantum() { case.group() } else { NamedGroup::X25519 };
    let unused = Telling(told.clone()).key_share(group).expect("randomness");
    for (label, masked) in told.0.lock().expect("one thread").iter().skip(first) {
        tell(&format!("unused-{label}"), masked);
    }
    stop_when("alive");
    converse(sessions);
    drop((keys, exported, unused));
    stop_when("dropped");
    drop(failed);
}
