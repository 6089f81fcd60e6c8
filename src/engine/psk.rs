//! External PSKs (RFC 8446, Section 4.2.11; RFC 9257): provisioned outside TLS, each bound to one hash.

use alloc::vec::Vec;
use core::fmt;

use crate::crypto::{
    hash::Hash,
    key_schedule::{EarlySecret, PskKind},
};

/// A PSK as a handshake needs it: not the key itself but the Early Secret extracted from it.
pub struct Psk {
    identity: Vec<u8>,
    kind: PskKind,
    early_secret: EarlySecret,
}

impl Psk {
    /// Takes an external PSK for handshakes with `hash`; the caller wipes `secret`.
    pub fn external(identity: &[u8], secret: &[u8], hash: Hash) -> Self {
        let early_secret = EarlySecret::new(hash, Some(secret));
        Self { identity: identity.into(), kind: PskKind::External, early_secret }
    }

    /// The identity that is sent in the clear.
    pub fn identity(&self) -> &[u8] {
        &self.identity
    }

    /// The hash it is bound to.
    pub fn hash(&self) -> Hash {
        self.early_secret.hash()
    }

    pub(crate) fn kind(&self) -> PskKind {
        self.kind
    }

    pub(crate) fn early_secret(&self) -> &EarlySecret {
        &self.early_secret
    }
}

impl fmt::Debug for Psk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Psk({:?}, {:?})", alloc::string::String::from_utf8_lossy(&self.identity), self.hash())
    }
}

/// An identity that a client offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PskOffer {
    /// The identity's bytes.
    pub identity: Vec<u8>,
    /// 0 for an external PSK (RFC 8446, Section 4.2.11); left to the caller to judge.
    pub obfuscated_ticket_age: u32,
}
