//! What a handshake costs beside the asymmetric primitives that no implementation can do without.
//!
//! Both are measured in one process, round by round in turn, so that what disturbs one disturbs the other; the figure to look at is the
//! ratio. The floor is exactly the calls of ring (and, for X25519MLKEM768, of libcrux) that one side's handshake needs: key generation,
//! agreement, and the CertificateVerify messages made and verified; no hashing, no key schedule, no records. The signature inside the certificate is in neither: the
//! verifier remembers it from the first round on. `make bench` runs it.

use std::{hint::black_box, sync::Arc, time::Instant};

use handclasp::{
    crypto::{
        certificate::{ServerName, UnixTime},
        hash::Hash,
        kx::NamedGroup,
        pem,
        public_key::PublicKey,
        random::{Random, SystemRandom},
        sign::SigningKey,
        x509::{self, TrustStore, Verifier},
    },
    engine::{
        Handshake, Psk, Session, Step,
        config::{ClientAuthentication, ClientConfig, Credential, ServerConfig},
    },
};
use libcrux_ml_kem::mlkem768::{self, MlKem768Ciphertext, MlKem768PublicKey};

const ROUNDS: usize = 400;
const CA: &[u8] = include_bytes!("../tests/vectors/agent/ca.pem");
const SERVER: &[u8] = include_bytes!("../tests/vectors/agent/server.pem");
const SERVER_KEY: &[u8] = include_bytes!("../tests/vectors/agent/server.key");
const CLIENT: &[u8] = include_bytes!("../tests/vectors/agent/client.pem");
const CLIENT_KEY: &[u8] = include_bytes!("../tests/vectors/agent/client.key");

/// A certificate with its key, and the key as its peer sees it.
struct Identity {
    key: SigningKey,
    public: PublicKey,
    credential: Credential,
}

impl Identity {
    fn new(certificate: &[u8], key: &[u8]) -> Self {
        let chain = pem::certificates(certificate).unwrap();
        let key = SigningKey::from_pem(key).unwrap();
        let public = x509::public_key(&chain[0]).unwrap();
        Self { credential: Credential::new(chain, key.algorithm()), key, public }
    }

    fn sign(&self) -> Vec<u8> {
        self.key.sign(self.credential.schemes[0], &[7; 130]).unwrap()
    }

    fn verify(&self, signature: &[u8]) {
        self.public.verify_scheme(self.credential.schemes[0], &[7; 130], signature).unwrap();
    }
}

/// One flow: configurations, keys, and how many signatures each side makes and verifies.
struct Flow {
    name: &'static str,
    client: Box<dyn Fn() -> Arc<ClientConfig>>,
    server: Arc<ServerConfig>,
    client_signs: bool,
    server_signs: bool,
}

fn psk() -> Psk {
    Psk::external(b"bench", &[7; 32], Hash::Sha256).unwrap()
}

fn flows(group: NamedGroup, server: &Identity, client: &Identity) -> Vec<Flow> {
    let verifier =
        || Some(Arc::new(Verifier::new(Arc::new(TrustStore::from_pem(CA, "ca.pem").unwrap()))) as _);
    let base = move || ClientConfig {
        groups: vec![group],
        server_name: ServerName::parse("server.test"),
        verifier: verifier(),
        ..ClientConfig::default()
    };
    let anonymous = Arc::new(base());
    let mutual = Arc::new(ClientConfig { credentials: vec![client.credential.clone()], ..base() });
    let credentials = vec![server.credential.clone()];
    let plain = ServerConfig { credentials: credentials.clone(), ..ServerConfig::default() };
    let asking = ServerConfig {
        credentials,
        client_authentication: ClientAuthentication::Required,
        verifier: verifier(),
        ..ServerConfig::default()
    };
    let offering =
        move || Arc::new(ClientConfig { groups: vec![group], psks: vec![psk()], ..ClientConfig::default() });
    vec![
        Flow {
            name: "x.509",
            client: Box::new(move || anonymous.clone()),
            server: Arc::new(plain),
            client_signs: false,
            server_signs: true,
        },
        Flow {
            name: "mutual x.509",
            client: Box::new(move || mutual.clone()),
            server: Arc::new(asking),
            client_signs: true,
            server_signs: true,
        },
        Flow {
            name: "PSK with (EC)DHE",
            client: Box::new(offering),
            server: Arc::new(ServerConfig { psk: true, ..ServerConfig::default() }),
            client_signs: false,
            server_signs: false,
        },
    ]
}

/// Goes on until bytes are missing or the session is there, and adds the time to `spent`.
fn advance(
    handshake: &mut Handshake,
    key: &SigningKey,
    incoming: &mut Vec<u8>,
    outgoing: &mut Vec<u8>,
    spent: &mut f64,
) -> Option<Session> {
    let start = Instant::now();
    let session = loop {
        match handshake.step() {
            Step::Send(bytes) => {
                outgoing.extend_from_slice(bytes);
                let count = bytes.len();
                handshake.sent(count);
            }
            Step::Receive(count) if incoming.len() < count => break None,
            Step::Receive(count) => {
                let bytes: Vec<u8> = incoming.drain(..count).collect();
                handshake.receive(&bytes);
            }
            Step::Sign(request) => {
                let signature = key.sign(request.scheme, request.message).unwrap();
                handshake.signed(&signature);
            }
            Step::FindPsk(_) => handshake.psk(0, psk()),
            Step::Done(session) => break Some(*session),
            Step::Failed(error) => panic!("{error}"),
        }
    };
    *spent += start.elapsed().as_secs_f64();
    session
}

/// One handshake: the seconds spent by the client, and by the server, and the bytes that each sent.
fn handshake(flow: &Flow, server: &Identity, client: &Identity) -> (f64, f64, (usize, usize)) {
    let now = UnixTime(1_800_000_000);
    let (mut ours, mut theirs) = (0.0, 0.0);
    let start = Instant::now();
    let mut one = Handshake::client((flow.client)(), Box::new(SystemRandom), now).unwrap();
    ours += start.elapsed().as_secs_f64();
    let mut other = Handshake::server(flow.server.clone(), Box::new(SystemRandom), now).unwrap();
    let (mut up, mut down) = (Vec::new(), Vec::new());
    advance(&mut one, &client.key, &mut down, &mut up, &mut ours);
    let hello = up.len();
    advance(&mut other, &server.key, &mut up, &mut down, &mut theirs);
    let sent = down.len();
    advance(&mut one, &client.key, &mut down, &mut up, &mut ours).unwrap();
    let sent = (hello + up.len(), sent);
    advance(&mut other, &server.key, &mut up, &mut down, &mut theirs).unwrap();
    (ours, theirs, sent)
}

/// Which side's primitives.
#[derive(Clone, Copy)]
enum Side {
    Client,
    Server,
}

/// ML-KEM alone, as a side of X25519MLKEM768 needs it: a key pair and a decapsulation, or a check and an encapsulation.
fn ml_kem(side: Side, key: &MlKem768PublicKey, ciphertext: &MlKem768Ciphertext) {
    match side {
        Side::Client => {
            let mut seed = [0; 64];
            SystemRandom.fill(&mut seed).unwrap();
            let pair = mlkem768::generate_key_pair(seed);
            black_box(mlkem768::decapsulate(pair.private_key(), ciphertext));
        }
        Side::Server => {
            let mut message = [0; 32];
            SystemRandom.fill(&mut message).unwrap();
            assert!(mlkem768::validate_public_key(key));
            black_box(mlkem768::encapsulate(key, message));
        }
    }
}

/// What the floor needs of a peer.
struct Other {
    point: Vec<u8>,
    key: MlKem768PublicKey,
    ciphertext: MlKem768Ciphertext,
}

impl Other {
    fn new() -> Self {
        let pair = mlkem768::generate_key_pair([7; 64]);
        let (ciphertext, _) = mlkem768::encapsulate(pair.public_key(), [7; 32]);
        let point = SystemRandom.key_share(NamedGroup::X25519).unwrap().public().to_vec();
        Self { point, key: pair.public_key().clone(), ciphertext }
    }
}

/// The primitives alone: one key exchange, and what is signed and verified.
fn floor(
    group: NamedGroup,
    side: Side,
    signs: Option<&Identity>,
    verifies: Option<(&Identity, &[u8])>,
    other: &Other,
) -> f64 {
    let start = Instant::now();
    SystemRandom.respond(NamedGroup::X25519, &other.point).unwrap();
    if group.is_post_quantum() {
        ml_kem(side, &other.key, &other.ciphertext);
    }
    if let Some(identity) = signs {
        identity.sign();
    }
    if let Some((identity, signature)) = verifies {
        identity.verify(signature);
    }
    start.elapsed().as_secs_f64()
}

/// In microseconds.
fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2] * 1e6
}

/// Of the fastest tenths, which a busy host disturbs least.
fn ratio(spent: &[f64], floor: &[f64]) -> f64 {
    let fast = |samples: &[f64]| {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() / 10]
    };
    fast(spent) / fast(floor)
}

/// Every flow with a group: time and bytes of each side.
fn table(group: NamedGroup, server: &Identity, client: &Identity) {
    let (by_server, by_client, other) = (server.sign(), client.sign(), Other::new());
    println!(
        "{}\nflow               side     handshake us   primitives us   ratio   bytes sent",
        group.name()
    );
    for flow in flows(group, server, client) {
        let (mut ours, mut theirs, mut our_floor, mut their_floor) = (vec![], vec![], vec![], vec![]);
        let mut bytes = (0, 0);
        for _ in 0..ROUNDS {
            let (one, another, sent) = handshake(&flow, server, client);
            ours.push(one);
            theirs.push(another);
            bytes = sent;
            let by_server = flow.server_signs.then_some((server, &by_server[..]));
            let by_client = flow.client_signs.then_some((client, &by_client[..]));
            our_floor.push(floor(
                group,
                Side::Client,
                flow.client_signs.then_some(client),
                by_server,
                &other,
            ));
            their_floor.push(floor(
                group,
                Side::Server,
                flow.server_signs.then_some(server),
                by_client,
                &other,
            ));
        }
        let sides = [("client", ours, our_floor, bytes.0), ("server", theirs, their_floor, bytes.1)];
        for (side, spent, floor, bytes) in sides {
            let (spent, floor, ratio) = (median(&spent), median(&floor), ratio(&spent, &floor));
            println!("{:18} {side:8} {spent:12.1} {floor:15.1} {ratio:7.3} {bytes:12}", flow.name);
        }
    }
}

fn main() {
    let (server, client) = (Identity::new(SERVER, SERVER_KEY), Identity::new(CLIENT, CLIENT_KEY));
    for group in [NamedGroup::X25519, NamedGroup::X25519MlKem768] {
        table(group, &server, &client);
    }
}
