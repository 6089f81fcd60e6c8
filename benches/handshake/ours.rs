//! This library, as one end.

use std::{slice, sync::Arc};

use handclasp::{
    crypto::{
        certificate::{ServerName, UnixTime},
        hash::Hash,
        kx::NamedGroup,
        pem,
        random::SystemRandom,
        sign::SigningKey,
        suite::CipherSuite,
        x509::{Policy, TrustStore, Verifier},
    },
    engine::{
        Handshake, Psk, Session, Step,
        config::{ClientAuthentication, ClientConfig, Credential, ServerConfig},
    },
};

use crate::{
    material::{Material, NAME, NOW},
    meter::Meter,
    peer::{Peer, Pipe, Wire, shake_hands},
    scenario::Scenario,
};

/// One end: the handshake, and what answers its questions.
struct End<'a> {
    handshake: Handshake,
    key: &'a SigningKey,
    psk: Option<Psk>,
    session: Option<Box<Session>>,
}

impl Peer for End<'_> {
    fn advance(&mut self, incoming: &mut Pipe, outgoing: &mut Pipe) -> bool {
        loop {
            match self.handshake.step() {
                Step::Send(bytes) => {
                    let count = bytes.len();
                    outgoing.push(bytes);
                    self.handshake.sent(count);
                }
                Step::Receive(count) => {
                    let Some(bytes) = incoming.waiting().get(..count) else { return false };
                    self.handshake.receive(bytes);
                    incoming.consume(count);
                }
                Step::Sign(request) => {
                    let signature = self.key.sign(request.scheme, request.message).expect("our scheme");
                    self.handshake.signed(&signature);
                }
                Step::FindPsk(_) => self.handshake.psk(0, self.psk.take().expect("it is asked for once")),
                Step::Done(session) => {
                    self.session = Some(session);
                    return true;
                }
                Step::Failed(error) => panic!("{error}"),
            }
        }
    }
}

/// How many bytes a handshake is, without its heap.
pub const SIZE: usize = size_of::<Handshake>();

/// Everything that handshakes have in common.
pub struct Ours<'a> {
    scenario: &'a Scenario,
    keys: [SigningKey; 2],
    credentials: [Credential; 2],
    store: Arc<TrustStore>,
    verifier: Arc<Verifier>,
}

impl<'a> Ours<'a> {
    pub fn new(scenario: &'a Scenario) -> Self {
        let both = [&scenario.certificates.client, &scenario.certificates.server];
        let keys = both.map(|material| SigningKey::from_pem(material.key).expect("a key"));
        let credential = |material: &Material, key: &SigningKey| {
            Credential::new(pem::certificates(material.chain).expect("a chain"), key.algorithm())
        };
        let credentials = [credential(both[0], &keys[0]), credential(both[1], &keys[1])];
        let store = Arc::new(TrustStore::from_pem(both[0].ca, "ca.pem").expect("an authority"));
        let verifier = Arc::new(verifier_of(&store));
        Self { scenario, keys, credentials, store, verifier }
    }

    /// One that has seen these certificates, or one that has seen none.
    fn verifier(&self) -> Arc<Verifier> {
        if self.scenario.remembered {
            return Arc::clone(&self.verifier);
        }
        Arc::new(verifier_of(&self.store))
    }

    fn group(&self) -> NamedGroup {
        if self.scenario.hybrid { NamedGroup::X25519MlKem768 } else { NamedGroup::X25519 }
    }

    fn suites(&self) -> Vec<CipherSuite> {
        match self.scenario.psk {
            Some(Hash::Sha384) => vec![CipherSuite::Aes256GcmSha384],
            _ => vec![CipherSuite::Aes128GcmSha256],
        }
    }

    fn client_config(&self) -> ClientConfig {
        let base = ClientConfig { suites: self.suites(), groups: vec![self.group()], ..Default::default() };
        if let Some(hash) = self.scenario.psk {
            return ClientConfig { psks: vec![psk(hash)], ..base };
        }
        let groups = match self.scenario.retry {
            true => vec![NamedGroup::Secp256r1, NamedGroup::X25519],
            false => base.groups,
        };
        let credentials = slice::from_ref(&self.credentials[0]);
        ClientConfig {
            groups,
            server_name: ServerName::parse(NAME),
            verifier: Some(self.verifier()),
            credentials: if self.scenario.mutual { credentials.into() } else { vec![] },
            ..base
        }
    }

    fn server_config(&self) -> ServerConfig {
        let base = ServerConfig { suites: self.suites(), groups: vec![self.group()], ..Default::default() };
        if self.scenario.psk.is_some() {
            return ServerConfig { psk: true, ..base };
        }
        let base = ServerConfig { credentials: vec![self.credentials[1].clone()], ..base };
        if !self.scenario.mutual {
            return base;
        }
        ServerConfig {
            client_authentication: ClientAuthentication::Required,
            verifier: Some(self.verifier()),
            ..base
        }
    }

    pub fn shake_hands(&self, wire: &mut Wire, meter: &mut impl Meter) {
        let (client, server) = (Arc::new(self.client_config()), Arc::new(self.server_config()));
        let (known, now) = (self.scenario.psk.map(psk), UnixTime(NOW));
        let [client_key, server_key] = &self.keys;
        shake_hands(
            || {
                let handshake = Handshake::client(Arc::clone(&client), Box::new(SystemRandom), now);
                End { handshake: handshake.expect("it begins"), key: client_key, psk: None, session: None }
            },
            || {
                let handshake = Handshake::server(Arc::clone(&server), Box::new(SystemRandom), now);
                End { handshake: handshake.expect("it begins"), key: server_key, psk: known, session: None }
            },
            wire,
            meter,
        );
    }
}

/// As in the agent: what is asked of issuers alone is waived.
fn verifier_of(store: &Arc<TrustStore>) -> Verifier {
    Verifier::with_policy(Arc::clone(store), Policy { issuer_profile: false, ..Policy::default() })
}

fn psk(hash: Hash) -> Psk {
    Psk::external(b"bench", &[7; 32], hash).expect("a PSK")
}
