//! The certificates, as each implementation takes them.

use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer, pem::PemObject};

/// When every handshake takes place: in 2030.
pub const NOW: u64 = 1_900_000_000;

/// The name in every server's certificate.
pub const NAME: &str = "server.test";

/// What the keys of a chain are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    P256,
    P384,
    Rsa2048,
    Ed25519,
}

/// A chain and its key, and the authority above it, in PEM.
pub struct Material {
    pub kind: Kind,
    pub ca: &'static [u8],
    pub chain: &'static [u8],
    pub key: &'static [u8],
}

impl Material {
    pub fn certificates(&self) -> Vec<CertificateDer<'static>> {
        certificates(self.chain)
    }

    pub fn authority(&self) -> CertificateDer<'static> {
        certificates(self.ca).remove(0)
    }

    pub fn key(&self) -> PrivatePkcs8KeyDer<'static> {
        PrivatePkcs8KeyDer::from_pem_slice(self.key).expect("a key")
    }
}

fn certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().expect("certificates")
}

/// The certificates of both sides under one authority.
pub struct Pair {
    pub server: Material,
    pub client: Material,
}

impl Pair {
    pub fn of(kind: Kind) -> Self {
        let (ca, [server, client]) = match kind {
            Kind::P256 => (P256_CA, P256),
            Kind::P384 => (P384_CA, P384),
            Kind::Rsa2048 => (RSA_CA, RSA),
            Kind::Ed25519 => (ED25519_CA, ED25519),
        };
        let material = |(chain, key)| Material { kind, ca, chain, key };
        Self { server: material(server), client: material(client) }
    }

    /// A server with an intermediate authority above it.
    pub fn chain() -> Self {
        let [server, client] =
            [CHAIN, P256[1]].map(|(chain, key)| Material { kind: Kind::P256, ca: P256_CA, chain, key });
        Self { server, client }
    }
}

/// A certificate, or a chain, and its key.
type Files = (&'static [u8], &'static [u8]);

const P256_CA: &[u8] = include_bytes!("../certificates/p256-ca.pem");
const P256: [Files; 2] = [
    (include_bytes!("../certificates/p256-server.pem"), include_bytes!("../certificates/p256-server.key")),
    (include_bytes!("../certificates/p256-client.pem"), include_bytes!("../certificates/p256-client.key")),
];
const CHAIN: Files =
    (include_bytes!("../certificates/chain-server.pem"), include_bytes!("../certificates/chain-server.key"));
const P384_CA: &[u8] = include_bytes!("../certificates/p384-ca.pem");
const P384: [Files; 2] = [
    (include_bytes!("../certificates/p384-server.pem"), include_bytes!("../certificates/p384-server.key")),
    (include_bytes!("../certificates/p384-client.pem"), include_bytes!("../certificates/p384-client.key")),
];
const RSA_CA: &[u8] = include_bytes!("../certificates/rsa2048-ca.pem");
const RSA: [Files; 2] = [
    (
        include_bytes!("../certificates/rsa2048-server.pem"),
        include_bytes!("../certificates/rsa2048-server.key"),
    ),
    (
        include_bytes!("../certificates/rsa2048-client.pem"),
        include_bytes!("../certificates/rsa2048-client.key"),
    ),
];
const ED25519_CA: &[u8] = include_bytes!("../certificates/ed25519-ca.pem");
const ED25519: [Files; 2] = [
    (
        include_bytes!("../certificates/ed25519-server.pem"),
        include_bytes!("../certificates/ed25519-server.key"),
    ),
    (
        include_bytes!("../certificates/ed25519-client.pem"),
        include_bytes!("../certificates/ed25519-client.key"),
    ),
];
