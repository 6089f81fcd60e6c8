//! X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem): ML-KEM-768 beside X25519, safe as long as one of them is.
//!
//! Everything is the one after the other, ML-KEM's part first: the client's share is an encapsulation key and a public key, the
//! server's a ciphertext and a public key, and both secrets together take the place of the (EC)DHE shared secret (RFC 9954, Section 3).

use alloc::{boxed::Box, vec::Vec};

use super::{KeyExchangeError, KeyShare, NamedGroup, Response};
use crate::crypto::{
    ml_kem::{self, DecapsulationKey},
    random::Random,
    secret::Secret,
};

/// A client's ephemeral keys.
struct HybridKey {
    public: Vec<u8>,
    decapsulation_key: DecapsulationKey,
    x25519: Box<dyn KeyShare>,
}

/// Makes a client's share, of an X25519 share and of randomness for ML-KEM.
pub fn generate<R: Random + ?Sized>(random: &mut R) -> Result<Box<dyn KeyShare>, KeyExchangeError> {
    let x25519 = random.key_share(NamedGroup::X25519)?;
    let seed = secret(random, ml_kem::SEED_LENGTH)?;
    let (mut public, decapsulation_key) = ml_kem::generate(&seed).ok_or(KeyExchangeError::Random)?;
    public.extend_from_slice(x25519.public());
    Ok(Box::new(HybridKey { public, decapsulation_key, x25519 }))
}

/// Answers a client's share.
// The draft's Section 4.2: "For all groups, the server MUST perform the encapsulation key check described in Section 7.2 of
// [NIST-FIPS-203] on the client's encapsulation key, and abort with an illegal_parameter alert if it fails."
pub(in crate::crypto) fn respond<R: Random + ?Sized>(
    random: &mut R,
    peer: &[u8],
) -> Result<Response, KeyExchangeError> {
    let (key, point) =
        peer.split_at_checked(ml_kem::ENCAPSULATION_KEY_LENGTH).ok_or(KeyExchangeError::PeerShare)?;
    let message = secret(random, ml_kem::MESSAGE_LENGTH)?;
    let (mut public, shared) = ml_kem::encapsulate(key, &message).ok_or(KeyExchangeError::PeerShare)?;
    let x25519 = random.respond(NamedGroup::X25519, point)?;
    public.extend_from_slice(&x25519.public);
    Ok(Response { public, shared_secret: join(&shared, &x25519.shared_secret) })
}

impl KeyShare for HybridKey {
    fn group(&self) -> NamedGroup {
        NamedGroup::X25519MlKem768
    }

    fn public(&self) -> &[u8] {
        &self.public
    }

    // The draft's Section 4.2: "For all groups, the client MUST check if the ciphertext length matches the selected group, and abort
    // with an illegal_parameter alert if it fails."
    fn agree(self: Box<Self>, peer: &[u8]) -> Result<Secret, KeyExchangeError> {
        let (ciphertext, point) =
            peer.split_at_checked(ml_kem::CIPHERTEXT_LENGTH).ok_or(KeyExchangeError::PeerShare)?;
        let shared = self.decapsulation_key.decapsulate(ciphertext).ok_or(KeyExchangeError::PeerShare)?;
        Ok(join(&shared, &self.x25519.agree(point)?))
    }

    fn part(&self) -> Option<&dyn KeyShare> {
        Some(&*self.x25519)
    }

    fn into_part(self: Box<Self>) -> Option<Box<dyn KeyShare>> {
        Some(self.x25519)
    }
}

fn secret<R: Random + ?Sized>(random: &mut R, length: usize) -> Result<Secret, KeyExchangeError> {
    let mut secret = Secret::zeroed(length);
    random.fill(secret.expose_mut())?;
    Ok(secret)
}

fn join(first: &Secret, second: &Secret) -> Secret {
    let (first, second) = (first.expose(), second.expose());
    let mut both = Secret::zeroed(first.len().saturating_add(second.len()));
    for (to, from) in both.expose_mut().iter_mut().zip(first.iter().chain(second)) {
        *to = *from;
    }
    both
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SystemRandom;

    fn respond(peer: &[u8]) -> Result<Response, KeyExchangeError> {
        SystemRandom.respond(NamedGroup::X25519MlKem768, peer)
    }

    #[test]
    fn both_ends_share_a_secret() {
        let share = SystemRandom.key_share(NamedGroup::X25519MlKem768).unwrap();
        let response = respond(share.public()).unwrap();
        assert_eq!((share.public().len(), response.public.len()), (1184 + 32, 1088 + 32));
        let shared = share.agree(&response.public).unwrap();
        assert_eq!(shared.expose(), response.shared_secret.expose());
        assert_eq!(shared.expose().len(), 32 + 32);
    }

    /// Cut, or with bytes too many.
    fn resized(share: &[u8], length: usize) -> Vec<u8> {
        share.iter().copied().chain(core::iter::repeat(9)).take(length).collect()
    }

    #[test]
    fn shares_of_every_other_length_are_refused() {
        let share = SystemRandom.key_share(NamedGroup::X25519MlKem768).unwrap().public().to_vec();
        for length in (0..2500).filter(|length| *length != share.len()) {
            let outcome = respond(&resized(&share, length)).err();
            assert_eq!(outcome, Some(KeyExchangeError::PeerShare), "{length} bytes");
        }
        let response = respond(&share).unwrap().public;
        for length in (0..2500).filter(|length| *length != response.len()) {
            let share = SystemRandom.key_share(NamedGroup::X25519MlKem768).unwrap();
            let outcome = share.agree(&resized(&response, length)).err();
            assert_eq!(outcome, Some(KeyExchangeError::PeerShare), "{length} bytes");
        }
    }

    /// FIPS 203, Section 7.2: each of the 768 coefficients in turn is q; q - 1 is the last that may be. RFC 8446, Section 7.4.2: no zero
    /// secret.
    #[test]
    fn each_half_is_checked() {
        let share = SystemRandom.key_share(NamedGroup::X25519MlKem768).unwrap().public().to_vec();
        for (coefficient, q, expected) in
            (0..768).map(|at| (at, 3329_u16, Err(KeyExchangeError::PeerShare))).chain([(0, 3328, Ok(()))])
        {
            let mut changed = share.clone();
            let (byte, [low, high]) = (coefficient / 2 * 3, q.to_le_bytes());
            if coefficient % 2 == 0 {
                changed[byte] = low;
                changed[byte + 1] = changed[byte + 1] & 0xf0 | high;
            } else {
                changed[byte + 1] = changed[byte + 1] & 0x0f | low << 4;
                changed[byte + 2] = low >> 4 | high << 4;
            }
            assert_eq!(respond(&changed).map(drop), expected, "coefficient {coefficient}");
        }
        let zero = [&share[..1184], &[0; 32]].concat();
        assert_eq!(respond(&zero).map(drop), Err(KeyExchangeError::PeerShare));
    }
}
