//! The two ends of a handshake: who they are, what they are configured to do, and how an engine is driven.

use std::sync::{Arc, LazyLock};

use crate::{
    drive::drive,
    input::Input,
    keys::Secrets,
    pinned::{Pinned, ed25519},
};
use handclasp::{
    crypto::{
        certificate::{CertificateVerifier, ServerName, UnixTime},
        hash::Hash,
        kx::{self, KeyExchangeError, KeyShare, NamedGroup},
        public_key::PublicKey,
        random::Random,
        secret::Secret,
        sign::SigningKey,
        suite::CipherSuite,
    },
    engine::{
        AlertDescription, Error, Handshake, LocalError, Psk, PskOffer, Role, Session, SignRequest, Step,
        config::{ClientAuthentication, ClientConfig, Credential, ServerConfig},
    },
};

/// The time of every handshake.
pub const NOW: UnixTime = UnixTime(1_800_000_000);

/// The PSK that both ends know.
pub const PSK_IDENTITY: &[u8] = b"NVMe1R01 host subsystem";
/// Its secret.
pub const PSK_SECRET: &[u8] = &[0x5a; 32];

/// Randomness that is the same in every run.
#[derive(Debug)]
pub struct Scripted(pub u64);

impl Scripted {
    /// SplitMix64.
    fn next(&mut self) -> u8 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (z >> 56) as u8
    }
}

impl Random for Scripted {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), KeyExchangeError> {
        bytes.fill_with(|| self.next());
        Ok(())
    }

    fn key_share(&mut self, group: NamedGroup) -> Result<Box<dyn KeyShare>, KeyExchangeError> {
        let length = match group {
            NamedGroup::X25519MlKem768 => return kx::hybrid::generate(self),
            NamedGroup::X25519 => 32,
            NamedGroup::Secp256r1 => 65,
            NamedGroup::Secp384r1 => 97,
        };
        let mut public = vec![0; length];
        self.fill(&mut public)?;
        public[0] = 4;
        Ok(Box::new(Share { group, public }))
    }
}

/// A stand-in for Diffie-Hellman that needs no randomness and costs nothing: the secret is the difference of the publics.
struct Share {
    group: NamedGroup,
    public: Vec<u8>,
}

impl KeyShare for Share {
    fn group(&self) -> NamedGroup {
        self.group
    }

    fn public(&self) -> &[u8] {
        &self.public
    }

    fn agree(self: Box<Self>, peer: &[u8]) -> Result<Secret, KeyExchangeError> {
        if peer.len() != self.public.len() || peer[0] != 4 {
            return Err(KeyExchangeError::PeerShare);
        }
        Ok(Secret::from_slice(&self.public.iter().zip(peer).map(|(a, b)| a ^ b).collect::<Vec<_>>()))
    }
}

/// An Ed25519 key.
pub struct Identity {
    pub key: SigningKey,
    public_key: PublicKey,
    pub certificate: Vec<u8>,
}

impl Identity {
    /// The key of a seed, with a certificate that is only a name: path validation has its own target.
    fn new(seed: u8, name: &str) -> Self {
        let (key, public_key) = ed25519(&[seed; 32]);
        Self { key, public_key, certificate: name.into() }
    }

    /// The identity of an end.
    pub fn of(role: Role) -> &'static Self {
        static SERVER: LazyLock<Identity> = LazyLock::new(|| Identity::new(1, "certificate of the server"));
        static CLIENT: LazyLock<Identity> = LazyLock::new(|| Identity::new(2, "certificate of the client"));
        match role {
            Role::Server => &SERVER,
            Role::Client => &CLIENT,
        }
    }

    fn credential(&self) -> Credential {
        Credential {
            issuers: vec![b"0\x0b an issuer".to_vec()],
            ..Credential::new(vec![self.certificate.clone()], self.key.algorithm())
        }
    }

    fn pinned(&self) -> Arc<dyn CertificateVerifier> {
        Arc::new(Pinned {
            certificate: self.certificate.clone(),
            key: self.public_key.clone(),
            authorities: vec![b"0\x00".to_vec()],
        })
    }
}

/// What both ends are configured to do: sixteen bits of an input.
#[derive(Clone, Copy, Debug)]
pub struct Shape(u16);

impl Shape {
    /// Takes the next two bytes.
    pub fn read(input: &mut Input<'_>) -> Self {
        Self(input.u16())
    }

    fn bit(self, bit: u32) -> bool {
        self.0 >> bit & 1 == 1
    }

    /// The suite that comes first at both ends.
    pub fn suite(self) -> CipherSuite {
        CipherSuite::ALL[usize::from(self.0 & 3) % 3]
    }

    /// Whether the ends have a PSK in common.
    pub fn psk(self) -> bool {
        self.bit(2)
    }

    /// Whether the client takes certificates too, though there is a PSK.
    fn certificates(self) -> bool {
        !self.psk() || self.bit(3)
    }

    fn client_authentication(self) -> ClientAuthentication {
        match self.0 >> 4 & 3 {
            0 => ClientAuthentication::None,
            1 => ClientAuthentication::Optional,
            _ => ClientAuthentication::Required,
        }
    }

    fn client_has_certificate(self) -> bool {
        self.bit(6)
    }

    /// Whether an unchanged handshake succeeds at both ends.
    pub fn succeeds(self) -> bool {
        self.psk()
            || self.client_authentication() != ClientAuthentication::Required
            || self.client_has_certificate()
    }

    fn suites(self) -> Vec<CipherSuite> {
        let first = self.suite();
        let others = CipherSuite::ALL.into_iter().filter(|suite| *suite != first);
        std::iter::once(first).chain(others).collect()
    }

    /// X25519MLKEM768 in a part of the cases: it takes ten times as long as all the rest.
    fn groups(self) -> Vec<NamedGroup> {
        let wanted = |group: &&NamedGroup| self.bit(15) || !group.is_post_quantum();
        NamedGroup::ALL.iter().filter(wanted).copied().collect()
    }

    /// Both ends' secret under an identity, for the first suite's hash.
    fn psk_of(self, identity: &[u8]) -> Psk {
        Psk::external(identity, PSK_SECRET, self.psk_hash()).expect("a good PSK")
    }

    /// The hash of the PSK.
    pub fn psk_hash(self) -> Hash {
        self.suite().hash()
    }

    fn protocols(self) -> Vec<Vec<u8>> {
        if self.bit(9) { vec![b"sunrpc".to_vec(), b"h2".to_vec()] } else { vec![] }
    }

    fn record_size_limit(self) -> Option<u16> {
        self.bit(10).then_some(512)
    }

    fn client(self, secrets: &Arc<Secrets>) -> ClientConfig {
        let mut psks = vec![];
        if self.psk() {
            let another = Psk::external(b"another", b"another secret, of no use", Hash::Sha256);
            psks.push(another.expect("a good PSK"));
            psks.push(self.psk_of(PSK_IDENTITY));
        }
        ClientConfig {
            suites: self.suites(),
            groups: self.groups(),
            key_shares: match (self.bit(7), self.bit(8)) {
                (true, _) => Some(vec![]),
                (_, true) => Some(self.groups().into_iter().take(2).collect()),
                _ => None,
            },
            server_name: ServerName::parse("server.test"),
            verifier: self.certificates().then(|| Identity::of(Role::Server).pinned()),
            credentials: if self.client_has_certificate() {
                vec![Identity::of(Role::Client).credential()]
            } else {
                vec![]
            },
            psks,
            alpn: self.protocols(),
            record_size_limit: self.record_size_limit(),
            middlebox_compatibility: !self.bit(11),
            key_log: Some(secrets.clone()),
            ..ClientConfig::default()
        }
    }

    fn server(self, secrets: &Arc<Secrets>) -> ServerConfig {
        ServerConfig {
            suites: self.suites(),
            groups: self.groups(),
            credentials: if self.certificates() {
                vec![Identity::of(Role::Server).credential()]
            } else {
                vec![]
            },
            psk: self.psk(),
            client_authentication: self.client_authentication(),
            verifier: Some(Identity::of(Role::Client).pinned()),
            alpn: self.protocols(),
            record_size_limit: self.record_size_limit(),
            hello_retry_cookie: self.bit(13),
            key_log: Some(secrets.clone()),
            ..ServerConfig::default()
        }
    }
}

/// How an end answers its engine's questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answers {
    /// The private key does not sign.
    pub refuses_to_sign: bool,
    /// What is signed is not what was asked for.
    pub signs_nonsense: bool,
    /// No PSK is known.
    pub knows_no_psk: bool,
    /// Any identity is taken for the one PSK.
    pub takes_any_identity: bool,
}

impl Answers {
    /// Takes the next byte.
    pub fn read(input: &mut Input<'_>) -> Self {
        let byte = input.u8();
        let bit = |bit: u8| byte >> bit & 1 == 1;
        Self {
            refuses_to_sign: bit(0),
            signs_nonsense: bit(1),
            knows_no_psk: bit(2),
            takes_any_identity: bit(3),
        }
    }

    fn sign(self, identity: &Identity, request: &SignRequest<'_>) -> Option<Vec<u8>> {
        let mut signature = identity.key.sign(request.scheme, request.message).expect("Ed25519 signs");
        if self.signs_nonsense {
            signature.truncate(7);
        }
        (!self.refuses_to_sign).then_some(signature)
    }

    fn find_psk(self, shape: Shape, offers: &[PskOffer]) -> Option<(usize, Psk)> {
        let known = |identity: &[u8]| identity == PSK_IDENTITY || self.takes_any_identity;
        let index = offers.iter().position(|offer| known(&offer.identity))?;
        (!self.knows_no_psk).then(|| (index, shape.psk_of(&offers[index].identity)))
    }
}

/// One end of a connection.
pub struct End {
    pub handshake: Handshake,
    pub secrets: Arc<Secrets>,
    pub identity: &'static Identity,
    pub outcome: Option<Result<Box<Session>, Error>>,
    pub answers: Answers,
    shape: Shape,
}

impl End {
    /// An end of a connection of this shape.
    pub fn new(role: Role, shape: Shape, answers: Answers) -> Self {
        let secrets = Arc::new(Secrets::default());
        let (handshake, identity) = match role {
            Role::Client => {
                let config = Arc::new(shape.client(&secrets));
                (Handshake::client(config, Box::new(Scripted(7)), NOW), Identity::of(Role::Client))
            }
            Role::Server => {
                let config = Arc::new(shape.server(&secrets));
                (Handshake::server(config, Box::new(Scripted(8)), NOW), Identity::of(Role::Server))
            }
        };
        let handshake = handshake.expect("the configuration works");
        Self { handshake, secrets, identity, outcome: None, answers, shape }
    }

    /// A whole handshake of an end with raw bytes for a peer; its questions are answered as the input says.
    pub fn meets(role: Role, bytes: &[u8]) {
        let mut input = Input(bytes);
        let shape = Shape::read(&mut input);
        let answers = Answers::read(&mut input);
        let mut end = Self::new(role, shape, answers);
        end.run(&mut input.0.to_vec());
        if end.outcome.is_none() {
            end.handshake.abort(AlertDescription::UserCanceled);
            end.run(&mut Vec::new());
            assert!(matches!(end.outcome, Some(Err(_))), "an aborted handshake has failed");
        }
    }

    /// Goes on until bytes are missing or it is over, and returns what is to be sent.
    ///
    /// `incoming` is consumed exactly as asked for.
    pub fn run(&mut self, incoming: &mut Vec<u8>) -> Vec<u8> {
        let mut outgoing = Vec::new();
        if self.outcome.is_some() {
            return outgoing;
        }
        let Self { handshake, identity, outcome, answers, shape, .. } = self;
        let sign = |request: &SignRequest<'_>| answers.sign(identity, request);
        let find_psk = |offers: &[PskOffer]| answers.find_psk(*shape, offers);
        let mut rest = &incoming[..];
        let send = |bytes: &[u8]| outgoing.extend_from_slice(bytes);
        *outcome = drive(handshake, &mut rest, send, sign, find_psk);
        incoming.drain(..incoming.len() - rest.len());
        if let Some(outcome) = outcome {
            check_end(handshake, outcome.as_ref().err(), &outgoing);
        }
        outgoing
    }
}

/// What holds at the end of every handshake.
fn check_end(handshake: &mut Handshake, error: Option<&Error>, outgoing: &[u8]) {
    assert!(matches!(handshake.step(), Step::Failed(_)), "nothing comes after the end");
    if let Some(error) = error {
        assert!(!error.to_string().is_empty());
        assert_ne!(
            error.to_string(),
            Error::Local(LocalError::Misuse).to_string(),
            "we answer what is asked"
        );
        if matches!(error, Error::Peer(_) | Error::Certificate(_)) {
            assert!(outgoing.len() >= 7, "the peer is told");
        }
    }
}
