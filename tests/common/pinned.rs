//! What the tests and the fuzz targets have for certificates where path validation is not tried, and keys that are always the same.
#![allow(unreachable_pub, reason = "the fuzz targets use it from another crate")]

use handclasp::crypto::{
    certificate::{CertificateVerifier, Purpose, Reason, Rejection, UnixTime},
    public_key::PublicKey,
    sign::SigningKey,
};
use ring::signature::{Ed25519KeyPair, KeyPair};

/// A certificate is here one byte string that names its key; path validation has tests of its own.
#[derive(Clone, Debug)]
pub struct Pinned {
    pub certificate: Vec<u8>,
    pub key: PublicKey,
    /// Whom it says it trusts.
    pub authorities: Vec<Vec<u8>>,
}

impl CertificateVerifier for Pinned {
    fn verify(
        &self,
        chain: &[Vec<u8>],
        _purpose: Purpose<'_>,
        _now: UnixTime,
    ) -> Result<PublicKey, Rejection> {
        if chain[0] == self.certificate {
            return Ok(self.key.clone());
        }
        Err(Rejection { reason: Reason::UnknownAuthority, detail: "not the pinned certificate".into() })
    }

    fn authorities(&self) -> &[Vec<u8>] {
        &self.authorities
    }
}

/// The Ed25519 key of a seed: its signatures are deterministic.
pub fn ed25519(seed: &[u8; 32]) -> (SigningKey, PublicKey) {
    // OneAsymmetricKey and SubjectPublicKeyInfo (RFC 8410).
    let pkcs8 = [b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20", &seed[..]].concat();
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).expect("32 bytes");
    let spki = [b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00", pair.public_key().as_ref()].concat();
    (SigningKey::from_der(&pkcs8).expect("a key"), PublicKey::from_spki(&spki).expect("its public key"))
}
