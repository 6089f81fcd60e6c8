//! Record protection: one AEAD key and its per-record nonce (RFC 8446, Sections 5.2 and 5.3).

use alloc::boxed::Box;
use core::fmt;

use ring::aead::{Aad, Algorithm, LessSafeKey, Nonce, Tag, UnboundKey};

use super::{
    key_schedule::TrafficSecret,
    secret::{CIPHER_STACK, Overwritten, without_trace, words},
};

/// The length of the authentication tag in bytes, the same for all our suites.
//= rfc8446#section-5.2
//# An AEAD algorithm used in TLS 1.3 MUST NOT produce an expansion greater than 255 octets.
pub const TAG_LENGTH: usize = 16;

/// A record did not authenticate, or could not be protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AeadError;

/// The length of every suite's IV in bytes (RFC 8446, Section 5.3).
pub(super) const IV_LENGTH: u16 = 12;

/// Protects or opens the records of one direction under one traffic secret.
///
/// Boxed, so that a move copies nothing, and overwritten when it is dropped: ring does not wipe its key.
pub struct RecordKey(Box<Overwritten<Keys, { words::<Keys>() }>>);

/// ring's key, and the IV.
struct Keys {
    key: LessSafeKey,
    iv: [u8; 12],
}

impl RecordKey {
    /// Derives key and IV from a traffic secret (RFC 8446, Section 7.3).
    pub fn new(secret: &TrafficSecret) -> Self {
        secret.with_write_keys(|key, iv| Self::made_of(secret.suite().aead(), key, iv))
    }

    /// Takes key and IV as they are, for vectors that have no traffic secret.
    #[cfg(test)]
    pub(crate) fn of(suite: super::suite::CipherSuite, key: &[u8], iv: &[u8]) -> Self {
        Self::made_of(suite.aead(), key, iv)
    }

    fn made_of(algorithm: &'static Algorithm, key: &[u8], iv: &[u8]) -> Self {
        let key = UnboundKey::new(algorithm, key).expect("the key has its suite's length");
        let iv = *iv.first_chunk().expect("the IV has an IV's length");
        Self(Box::new(Overwritten::new(Keys { key: LessSafeKey::new(key), iv })))
    }

    /// Encrypts `plaintext` in place, with the record header as additional data, and returns the tag that follows it.
    pub fn seal(&self, sequence: u64, header: &[u8], plaintext: &mut [u8]) -> Result<Tag, AeadError> {
        without_trace::<CIPHER_STACK, _>(|| {
            let Keys { key, iv } = self.0.get();
            key.seal_in_place_separate_tag(nonce(iv, sequence), Aad::from(header), plaintext)
        })
        .map_err(|_| AeadError)
    }

    /// Decrypts `ciphertext` (with its tag) in place and returns the plaintext.
    pub fn open<'a>(
        &self,
        sequence: u64,
        header: &[u8],
        ciphertext: &'a mut [u8],
    ) -> Result<&'a mut [u8], AeadError> {
        without_trace::<CIPHER_STACK, _>(|| {
            let Keys { key, iv } = self.0.get();
            key.open_in_place(nonce(iv, sequence), Aad::from(header), ciphertext)
        })
        .map_err(|_| AeadError)
    }
}

/// The IV with the sequence number, big-endian and padded on the left, xored in (RFC 8446, Section 5.3).
fn nonce(iv: &[u8; 12], sequence: u64) -> Nonce {
    let mut nonce = *iv;
    for (byte, s) in nonce.iter_mut().rev().zip(sequence.to_le_bytes()) {
        *byte ^= s;
    }
    Nonce::assume_unique_for_key(nonce)
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordKey(..)")
    }
}
