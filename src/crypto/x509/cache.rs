//! Signatures that have been verified before.
//!
//! That a signature is right is a fact about a certificate's bytes and a key; neither time nor purpose, name, CRL or trust store
//! changes it. So nothing else is remembered, everything else is checked each time by the same code, and what is accepted with
//! the cache is what is accepted without it. Only the signatures of a path that was accepted are kept: a stranger cannot crowd
//! out the others.

use alloc::boxed::Box;
use core::fmt;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use crate::crypto::public_key::PublicKey;

/// Of so many certificates: the peers of a busy host. When it is full, it is emptied before the next path.
const CAPACITY: usize = 1024;
/// A longer certificate is not kept: the whole takes a few megabytes at worst.
const MAX_CERTIFICATE: usize = 4096;

/// A certificate (DER), and the key under which its signature is right.
pub(super) type Fact<'p> = (&'p [u8], &'p PublicKey);

/// Certificates, and the key of each one's issuer.
type Known = BTreeMap<Box<[u8]>, Box<PublicKey>>;

/// The signatures that are known to be right.
#[derive(Default)]
pub(super) struct SignatureCache(Mutex<Known>);

impl SignatureCache {
    pub(super) fn knows(&self, (certificate, key): Fact<'_>) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(certificate).is_some_and(|known| **known == *key)
    }

    pub(super) fn learn<'p>(&self, facts: impl Iterator<Item = Fact<'p>>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= CAPACITY {
            known.clear();
        }
        let short = facts.filter(|(certificate, _)| certificate.len() <= MAX_CERTIFICATE);
        known.extend(short.map(|(certificate, key)| (Box::from(certificate), Box::new(key.clone()))));
    }
}

impl fmt::Debug for SignatureCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignatureCache")
    }
}
