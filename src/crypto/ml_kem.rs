//! ML-KEM-768 (FIPS 203), computed by libcrux.
//!
//! libcrux is verified for what it computes, and wipes nothing: keys and intermediate values stay behind on the stack. So each of its
//! functions runs [`without_trace`], and keys go from there to a [`Secret`]. What is left is in registers, until they are used again.

use alloc::vec::Vec;

use libcrux_ml_kem::mlkem768::{self, MlKem768Ciphertext, MlKem768PrivateKey, MlKem768PublicKey};

use super::secret::{Secret, without_trace};

/// How many bytes an encapsulation key is long.
pub(super) const ENCAPSULATION_KEY_LENGTH: usize = 1184;
/// How many bytes a ciphertext is long.
pub(super) const CIPHERTEXT_LENGTH: usize = 1088;
/// How many bytes of randomness a key pair is made from: d, then z.
pub(super) const SEED_LENGTH: usize = 64;
/// How many bytes of randomness an encapsulation takes: m.
pub(super) const MESSAGE_LENGTH: usize = 32;
const DECAPSULATION_KEY_LENGTH: usize = 2400;
const SHARED_SECRET_LENGTH: usize = 32;

/// More than libcrux uses: between 24 and 32 KiB were seen (tests/ml_kem_residue.rs fails with less).
const STACK: usize = 40 << 10;

/// The private half of a key pair.
pub(super) struct DecapsulationKey(Secret);

/// Makes a key pair (Algorithm 16), the encapsulation key first; `None` if the seed has another length.
pub(super) fn generate(seed: &Secret) -> Option<(Vec<u8>, DecapsulationKey)> {
    let mut public = Vec::with_capacity(ENCAPSULATION_KEY_LENGTH);
    let mut private = Secret::zeroed(DECAPSULATION_KEY_LENGTH);
    without_trace::<STACK, _>(|| {
        let pair = mlkem768::generate_key_pair(seed.expose().try_into().ok()?);
        public.extend_from_slice(pair.pk());
        private.expose_mut().copy_from_slice(pair.sk());
        Some(())
    })?;
    Some((public, DecapsulationKey(private)))
}

/// Makes a ciphertext and its shared secret (Algorithm 17) from an encapsulation key that a stranger sent.
///
/// `None` if the key fails one of the two checks of FIPS 203, Section 7.2: its length, and that all its coefficients are below q.
pub(super) fn encapsulate(key: &[u8], message: &Secret) -> Option<(Vec<u8>, Secret)> {
    let key = MlKem768PublicKey::try_from(key).ok()?;
    if !mlkem768::validate_public_key(&key) {
        return None;
    }
    let mut ciphertext = Vec::with_capacity(CIPHERTEXT_LENGTH);
    let mut shared = Secret::zeroed(SHARED_SECRET_LENGTH);
    without_trace::<STACK, _>(|| {
        let (sent, kept) = mlkem768::encapsulate(&key, message.expose().try_into().ok()?);
        ciphertext.extend_from_slice(sent.as_ref());
        shared.expose_mut().copy_from_slice(&kept);
        Some(())
    })?;
    Some((ciphertext, shared))
}

impl DecapsulationKey {
    /// Finds the shared secret of a ciphertext (Algorithm 18); one that nobody made for this key gives a secret that nobody knows.
    ///
    /// `None` if its length is wrong (FIPS 203, Section 7.3). The key is our own: its hash needs no check.
    pub(super) fn decapsulate(&self, ciphertext: &[u8]) -> Option<Secret> {
        let ciphertext = MlKem768Ciphertext::try_from(ciphertext).ok()?;
        let mut shared = Secret::zeroed(SHARED_SECRET_LENGTH);
        without_trace::<STACK, _>(|| {
            let key = MlKem768PrivateKey::try_from(self.0.expose()).ok()?;
            shared.expose_mut().copy_from_slice(&mlkem768::decapsulate(&key, &ciphertext));
            Some(())
        })?;
        Some(shared)
    }
}

#[cfg(test)]
impl DecapsulationKey {
    /// Its bytes, to compare.
    pub(super) fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}
