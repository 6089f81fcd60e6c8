//! Record protection: one AEAD key and its per-record nonce (RFC 8446, Sections 5.2 and 5.3).

use alloc::boxed::Box;
use core::fmt;

use ring::aead::{Aad, Algorithm, LessSafeKey, Nonce, Tag, UnboundKey};

use super::{
    key_schedule::{TrafficSecret, WriteKeys},
    secret::{CIPHER_STACK, Overwritten, Secret, without_trace, words},
};

/// The length of the authentication tag in bytes, the same for all our suites.
//= rfc8446#section-5.2
//# An AEAD algorithm used in TLS 1.3 MUST NOT produce an expansion greater than 255 octets.
pub const TAG_LENGTH: usize = 16;

/// A record did not authenticate, or could not be protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AeadError;

/// ring's key.
type Key = Overwritten<LessSafeKey, { words::<LessSafeKey>() }>;

/// Protects or opens the records of one direction under one traffic secret.
///
/// ring's key is boxed, so that a move does not copy it, and overwritten when it is dropped: ring does not wipe it.
pub struct RecordKey {
    key: Box<Key>,
    iv: Secret,
}

impl RecordKey {
    /// Derives key and IV from a traffic secret (RFC 8446, Section 7.3).
    pub fn new(secret: &TrafficSecret) -> Self {
        without_trace::<CIPHER_STACK, _>(|| {
            let WriteKeys { key, iv } = secret.expand_write_keys();
            Self { key: boxed(secret.suite().aead(), key.expose()), iv }
        })
    }

    /// Takes key and IV as they are, for vectors that have no traffic secret.
    #[cfg(test)]
    pub(crate) fn of(suite: super::suite::CipherSuite, key: &[u8], iv: &[u8]) -> Self {
        Self { key: boxed(suite.aead(), key), iv: Secret::from_slice(iv) }
    }

    /// Encrypts `plaintext` in place, with the record header as additional data, and returns the tag that follows it.
    pub fn seal(&self, sequence: u64, header: &[u8], plaintext: &mut [u8]) -> Result<Tag, AeadError> {
        without_trace::<CIPHER_STACK, _>(|| {
            let key = self.key.get().ok_or(AeadError)?;
            let sealed = key.seal_in_place_separate_tag(self.nonce(sequence), Aad::from(header), plaintext);
            sealed.map_err(|_| AeadError)
        })
    }

    /// Decrypts `ciphertext` (with its tag) in place and returns the plaintext.
    pub fn open<'a>(
        &self,
        sequence: u64,
        header: &[u8],
        ciphertext: &'a mut [u8],
    ) -> Result<&'a mut [u8], AeadError> {
        without_trace::<CIPHER_STACK, _>(|| {
            let key = self.key.get().ok_or(AeadError)?;
            let opened = key.open_in_place(self.nonce(sequence), Aad::from(header), ciphertext);
            opened.map_err(|_| AeadError)
        })
    }

    /// The IV with the sequence number, big-endian and padded on the left, xored in (RFC 8446, Section 5.3).
    fn nonce(&self, sequence: u64) -> Nonce {
        let mut nonce = [0; 12];
        nonce.copy_from_slice(self.iv.expose());
        for (byte, s) in nonce.iter_mut().rev().zip(sequence.to_le_bytes()) {
            *byte ^= s;
        }
        Nonce::assume_unique_for_key(nonce)
    }
}

fn boxed(algorithm: &'static Algorithm, key: &[u8]) -> Box<Key> {
    let key = UnboundKey::new(algorithm, key).expect("the key has its suite's length");
    Box::new(Key::new(LessSafeKey::new(key)))
}

impl fmt::Debug for RecordKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecordKey(..)")
    }
}
