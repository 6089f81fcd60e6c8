//! Handshakes that can be repeated to the byte: randomness, key shares and signatures from a seed.

use handclasp::{
    crypto::{
        kx::{self, KeyExchangeError, KeyShare, NamedGroup},
        random::Random,
        secret::Secret,
        sign::SigningKey,
    },
    engine::{
        Handshake,
        config::{ClientConfig, ServerConfig},
    },
};
use ring::digest::{SHA256, digest};
use std::sync::Arc;

use super::{End, Identity, NOW, pinned::ed25519};

/// Bytes from a seed: SHA-256 of the seed and a counter.
pub(crate) struct Seeded {
    seed: u64,
    counter: u64,
}

impl Seeded {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed, counter: 0 }
    }

    pub(crate) fn block(&mut self) -> [u8; 32] {
        self.counter += 1;
        let input = [self.seed.to_be_bytes(), self.counter.to_be_bytes()].concat();
        digest(&SHA256, &input).as_ref().try_into().unwrap()
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::from(u16::from_be_bytes(*self.block().first_chunk().unwrap())) % limit
    }
}

impl Random for Seeded {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), KeyExchangeError> {
        for chunk in bytes.chunks_mut(32) {
            chunk.copy_from_slice(&self.block()[..chunk.len()]);
        }
        Ok(())
    }

    fn key_share(&mut self, group: NamedGroup) -> Result<Box<dyn KeyShare>, KeyExchangeError> {
        match group {
            #[cfg(feature = "pq")]
            NamedGroup::X25519MlKem768 => kx::hybrid::generate(self),
            curve => Ok(Box::new(ToyShare { group: curve, public: self.block() })),
        }
    }
}

/// No secret at all, where a curve is needed: both ends hash the two public values. ring takes no seed, and what is tested here is not the group.
struct ToyShare {
    group: NamedGroup,
    public: [u8; 32],
}

impl KeyShare for ToyShare {
    fn group(&self) -> NamedGroup {
        self.group
    }

    fn public(&self) -> &[u8] {
        &self.public
    }

    fn agree(self: Box<Self>, peer: &[u8]) -> Result<Secret, KeyExchangeError> {
        let ours = &self.public[..];
        if peer.len() != ours.len() {
            return Err(KeyExchangeError::PeerShare);
        }
        let both = [ours.min(peer), ours.max(peer)].concat();
        Ok(Secret::from_slice(digest(&SHA256, &both).as_ref()))
    }
}

/// An Ed25519 identity, whose signatures are deterministic.
pub(crate) fn identity(name: &str) -> Identity {
    let seed = digest(&SHA256, name.as_bytes());
    let (key, public_key) = ed25519(seed.as_ref().try_into().unwrap());
    Identity::new(name, key, public_key)
}

pub(crate) fn client(config: ClientConfig, key: Option<&SigningKey>, seed: u64) -> End<'_> {
    let handshake = Handshake::client(Arc::new(config), Box::new(Seeded::new(seed)), NOW).unwrap();
    End { handshake, key, find_psk: Box::new(|_| None) }
}

pub(crate) fn server(config: ServerConfig, key: Option<&SigningKey>, seed: u64) -> End<'_> {
    let handshake = Handshake::server(Arc::new(config), Box::new(Seeded::new(seed)), NOW).unwrap();
    End { handshake, key, find_psk: Box::new(|_| None) }
}
