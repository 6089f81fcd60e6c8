//! External PSKs (RFC 8446, Section 4.2.11; RFC 9257): provisioned outside TLS, each bound to one hash, directly or by an import
//! (RFC 9258).

use alloc::{string::String, vec::Vec};
use core::fmt;

use super::{
    codec::Writer,
    error::{ConfigError, Error},
    message::TLS13,
};
use crate::crypto::{
    hash::Hash,
    key_schedule::{EarlySecret, PskKind},
    psk_importer::import_psk,
};

/// A PSK as a handshake needs it: not the key itself but the Early Secret extracted from it.
pub struct Psk {
    identity: Vec<u8>,
    kind: PskKind,
    early_secret: EarlySecret,
}

impl Psk {
    /// Takes an external PSK for handshakes with `hash`; the caller wipes `secret`.
    ///
    /// It is for one client and one server: where one node uses it in both roles, whoever is between can make that node talk to itself
    /// (Selfie), and neither end can tell. An import whose context names client and server prevents that (RFC 9258, Appendix A).
    ///
    /// Errors: an identity that is empty or longer than 65535 bytes; a secret shorter than 16 bytes or all zero, which everybody
    /// knows (RFC 9257, Section 6).
    //= rfc8446#section-2.2
    //# When PSKs are provisioned out of band, the PSK identity and the KDF hash algorithm to be used with the
    //# PSK MUST also be provisioned.
    //= rfc8446#section-4.2.11
    //# the Hash algorithm MUST be set when the PSK is established or default to SHA-256 if no such algorithm
    //# is defined.
    pub fn external(identity: &[u8], secret: &[u8], hash: Hash) -> Result<Self, ConfigError> {
        if !(1..=usize::from(u16::MAX)).contains(&identity.len()) {
            return Err(ConfigError::PskIdentity);
        }
        check_secret(secret)?;
        let early_secret = EarlySecret::new(hash, Some(secret));
        Ok(Self { identity: identity.into(), kind: PskKind::External, early_secret })
    }

    /// Imports an external PSK for handshakes with `target` (RFC 9258); both sides must import it.
    ///
    /// Errors: an identity that is empty, or too long together with the context.
    pub fn imported(external: &ExternalPsk<'_>, target: Hash) -> Result<Self, Error> {
        let identity = external.imported_identity(target)?;
        check_secret(external.secret)?;
        let secret = import_psk(external.hash, external.secret, &identity, target);
        let early_secret = EarlySecret::new(target, Some(secret.expose()));
        Ok(Self { identity, kind: PskKind::Imported, early_secret })
    }

    /// Takes a PSK whose Early Secret another process extracted, and checked.
    #[cfg(feature = "agent")]
    pub(crate) fn from_early_secret(identity: Vec<u8>, kind: PskKind, early_secret: EarlySecret) -> Self {
        Self { identity, kind, early_secret }
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
        write!(f, "Psk({:?}, {:?})", String::from_utf8_lossy(&self.identity), self.hash())
    }
}

/// The least entropy that can be told from a secret's bytes: 128 bits of room for it, and not the zeros of "no PSK".
fn check_secret(secret: &[u8]) -> Result<(), ConfigError> {
    // No branch tells where the first byte is that is not zero.
    let all = secret.iter().fold(0, |all, byte| all | byte);
    if secret.len() < 16 || all == 0 { Err(ConfigError::PskSecret) } else { Ok(()) }
}

/// An external PSK that may be imported for more than one hash (RFC 9258, Section 3); the caller wipes the secret.
#[derive(Clone, Copy)]
pub struct ExternalPsk<'a> {
    /// External Identity
    pub identity: &'a [u8],
    /// Base Key
    pub secret: &'a [u8],
    /// The hash the PSK is associated with; SHA-256 if it has none.
    //= rfc9258#section-4
    //# each external PSK fed to the importer process MUST be associated with one hash function at most.
    pub hash: Hash,
    /// What the PSK was derived for, if anything, and for which client and server (RFC 9257, Section 6); it is sent in the clear.
    pub context: &'a [u8],
}

impl ExternalPsk<'_> {
    /// ```text
    /// struct {
    ///     opaque external_identity<1...2^16-1>;
    ///     opaque context<0..2^16-1>;
    ///     uint16 target_protocol;
    ///     uint16 target_kdf;
    /// } ImportedIdentity;
    /// ```
    //= rfc9258#section-5.1
    //# Therefore, the PSK importer interface SHOULD reject
    //# any ImportedIdentity that exceeds this size.
    fn imported_identity(&self, target: Hash) -> Result<Vec<u8>, Error> {
        let target_kdf = match target {
            Hash::Sha256 => 1,
            Hash::Sha384 => 2,
        };
        let mut w = Writer::default();
        w.vector16(|w| w.bytes(self.identity));
        w.vector16(|w| w.bytes(self.context));
        //= rfc9258#section-5.1
        //# External PSKs MUST NOT be imported for (D)TLS 1.2 or prior versions.
        //= rfc9258#section-5.1
        //# ImportedIdentity.target_protocol MUST be the (D)TLS protocol version for which the PSK is being
        //# imported.
        w.u16(TLS13);
        w.u16(target_kdf);
        let identity = w.finish()?;
        if self.identity.is_empty() || identity.len() > usize::from(u16::MAX) {
            return Err(Error::Config(ConfigError::PskIdentity));
        }
        Ok(identity)
    }
}

impl fmt::Debug for ExternalPsk<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExternalPsk({:?}, {:?})", String::from_utf8_lossy(self.identity), self.hash)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| alloc::format!("{byte:02x}")).collect()
    }

    /// Computed with Python's hmac from the formulas of RFC 9258, Section 5.1; the RFC has no vectors.
    //= rfc9258#section-4
    //= type=test
    //# each external PSK fed to the importer process MUST be associated with one hash function at most.
    //= rfc9258#section-5.1
    //= type=test
    //# External PSKs MUST NOT be imported for (D)TLS 1.2 or prior versions.
    //= rfc9258#section-5.1
    //= type=test
    //# ImportedIdentity.target_protocol MUST be the (D)TLS protocol version for which the PSK is being
    //# imported.
    #[test]
    fn an_import_is_bound_to_identity_context_and_both_hashes() {
        let key: Vec<u8> = (0..32).collect();
        for (hash, context, target, identity, secret) in [
            (
                Hash::Sha256,
                &b"ctx"[..],
                Hash::Sha256,
                "00026964000363747803040001",
                "5cf609fafa3adb07ff42ed989565d9b01d969d7c0479537c30466e5fa535cae9",
            ),
            (
                Hash::Sha256,
                b"ctx",
                Hash::Sha384,
                "00026964000363747803040002",
                "fc189b49f3fccedcdbc57cc2fef2fcad1553bbc478f55ca934f5ab1bc3916b49cd59ef5b31cfc509f5355a8ba40d07bf",
            ),
            (
                Hash::Sha384,
                b"",
                Hash::Sha256,
                "00026964000003040001",
                "9173903386df23c594f1bed9bfc7b247c1aafbb663e4d7a92b3e4a02a0aa9c05",
            ),
        ] {
            let external = ExternalPsk { identity: b"id", secret: &key, hash, context };
            let psk = Psk::imported(&external, target).unwrap();
            assert_eq!((hex(psk.identity()).as_str(), psk.hash()), (identity, target));
            assert_eq!(hex(import_psk(hash, &key, psk.identity(), target).expose()), secret);
        }
    }

    #[test]
    fn an_identity_that_cannot_be_sent_is_refused() {
        for (identity, context) in [(0, 0), (0x1_0000, 0), (1, 0x1_0000), (0x8000, 0x8000)] {
            let (identity, context) = (alloc::vec![b'i'; identity], alloc::vec![b'c'; context]);
            let external =
                ExternalPsk { identity: &identity, secret: &[7; 16], hash: Hash::Sha256, context: &context };
            let refused = Psk::imported(&external, Hash::Sha256).map(|_| ());
            assert!(matches!(refused, Err(Error::Config(ConfigError::PskIdentity | ConfigError::TooLong))));
        }
    }
}
