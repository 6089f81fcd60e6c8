//! Where a handshake's randomness comes from: an argument, so that a test can repeat a handshake to the byte.

use alloc::boxed::Box;
use core::fmt;

use ring::rand::SecureRandom;

use super::kx::{self, KeyExchangeError, KeyShare, NamedGroup, Response};

/// A source of random bytes and of ephemeral keys.
pub trait Random: Send {
    /// Fills `bytes`.
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), KeyExchangeError>;

    /// Makes a key share to offer.
    fn key_share(&mut self, group: NamedGroup) -> Result<Box<dyn KeyShare>, KeyExchangeError>;

    /// Answers a client's share.
    fn respond(&mut self, group: NamedGroup, peer: &[u8]) -> Result<Response, KeyExchangeError> {
        #[cfg(feature = "pq")]
        if group == NamedGroup::X25519MlKem768 {
            return kx::hybrid::respond(self, peer);
        }
        let share = self.key_share(group)?;
        let public = share.public().into();
        Ok(Response { public, shared_secret: share.agree(peer)? })
    }
}

impl fmt::Debug for dyn Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), KeyExchangeError> {
        ring::rand::SystemRandom::new().fill(bytes).map_err(|_| KeyExchangeError::Random)
    }

    fn key_share(&mut self, group: NamedGroup) -> Result<Box<dyn KeyShare>, KeyExchangeError> {
        kx::generate(group, &ring::rand::SystemRandom::new(), self)
    }
}
