//! Signatures that have been verified before.
//!
//! That a signature is right is a fact about a certificate's bytes and a key; neither time nor purpose, name, CRL or trust store
//! changes it. So nothing else is remembered, everything else is checked each time by the same code, and what is accepted with
//! the cache is what is accepted without it. Only the signatures of a path that was accepted are kept: a stranger cannot crowd
//! out the others.

use core::fmt;
use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use super::{authority::Authority, certificate::Certificate};
use crate::crypto::hash::Hash;

/// Of so many signatures (32 octets each): the peers of a busy host. When it is full, it is emptied.
const CAPACITY: usize = 4096;

/// A certificate's whole DER and its issuer's key, hashed.
pub(super) type Fact = [u8; 32];

pub(super) fn fact(certificate: &Certificate<'_>, issuer: &Authority<'_>) -> Fact {
    let mut hash = Hash::Sha256.start();
    hash.update(certificate.der);
    hash.update(&issuer.spki);
    let mut fact = Fact::default();
    fact.copy_from_slice(hash.finish().as_ref());
    fact
}

/// The signatures that are known to be right.
#[derive(Default)]
pub(super) struct SignatureCache(Mutex<HashSet<Fact>>);

impl SignatureCache {
    pub(super) fn knows(&self, fact: &Fact) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(fact)
    }

    pub(super) fn learn(&self, facts: &[Fact]) {
        if facts.is_empty() {
            return;
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len().saturating_add(facts.len()) > CAPACITY {
            known.clear();
        }
        known.extend(facts);
    }
}

impl fmt::Debug for SignatureCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignatureCache")
    }
}
