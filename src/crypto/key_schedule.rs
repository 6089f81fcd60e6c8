//! The key schedule: RFC 8446, Section 7.1, drawn with the names of our methods on the arrows.
//!
//! ```text
//!              0
//!              |
//!              v
//!    PSK ->  HKDF-Extract = Early Secret             EarlySecret::new
//!              |
//!              +-----> "ext binder" / "imp binder"   EarlySecret::binder
//!              v
//!        Derive-Secret(., "derived", "")
//!              |
//!              v
//!  (EC)DHE -> HKDF-Extract = Handshake Secret        EarlySecret::handshake
//!              |
//!              +-----> "c hs traffic"                HandshakeSecret::client_traffic
//!              +-----> "s hs traffic"                HandshakeSecret::server_traffic
//!              v
//!        Derive-Secret(., "derived", "")
//!              |
//!              v
//!     0 -> HKDF-Extract = Master Secret              HandshakeSecret::master
//!              |
//!              +-----> "c ap traffic"                MasterSecret::client_traffic
//!              +-----> "s ap traffic"                MasterSecret::server_traffic
//!              +-----> "exp master"                  MasterSecret::exporter
//! ```
//!
//! Each secret is a type of its own that offers only what hangs off it, so that the wrong order does not type-check.
//! "c e traffic", "e exp master" and "res master" are missing on purpose: there is no 0-RTT and no resumption.
//!
//! The values of RFC 8448, Section 3 ("Simple 1-RTT Handshake"), one by one:
//! ```
//! use handclasp::crypto::{hash::Hash, key_schedule::EarlySecret, secret::Secret, suite::CipherSuite};
//! # fn hex(s: &str) -> Vec<u8> {
//! #     let digits: Vec<u8> = s.bytes().filter(|b| *b != b' ').map(|b| (b as char).to_digit(16).unwrap() as u8).collect();
//! #     digits.chunks(2).map(|d| d[0] << 4 | d[1]).collect()
//! # }
//! let shared = Secret::from_slice(&hex("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d"));
//! let hello_hash = hex("860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8");
//! let handshake = EarlySecret::new(Hash::Sha256, None).handshake(&shared);
//! let client = handshake.client_traffic(CipherSuite::Aes128GcmSha256, &hello_hash);
//! let server = handshake.server_traffic(CipherSuite::Aes128GcmSha256, &hello_hash);
//! assert_eq!(client.expose(), hex("b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21"));
//! assert_eq!(server.expose(), hex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38"));
//! assert_eq!(server.key().expose(), hex("3fce516009c21727d0f2e4e86ee403bc"));
//! assert_eq!(server.iv().expose(), hex("5d313eb2671276ee13000b30"));
//! ```

use alloc::boxed::Box;
use core::{fmt, hint};

use ring::hmac;

use super::{
    hash::{Digest, Hash},
    hkdf::{expand_label, extract},
    secret::{CIPHER_STACK, Secret, without_trace},
    suite::CipherSuite,
};

/// The zero string of `Hash.length` bytes stands for an absent PSK and for the last input (RFC 8446, Section 7.1).
const ZEROS: [u8; super::hash::MAX_DIGEST_LENGTH] = [0; super::hash::MAX_DIGEST_LENGTH];

/// Derive-Secret(Secret, Label, Messages), with the transcript hash of the messages (RFC 8446, Section 7.1).
fn derive_secret(hash: Hash, secret: &Secret, label: &[u8], transcript_hash: &[u8]) -> Secret {
    expand_label(hash, secret, label, transcript_hash, hash.output_length())
}

/// Derive-Secret(., "derived", ""): the salt of the next extraction.
fn derived(hash: Hash, secret: &Secret) -> Secret {
    derive_secret(hash, secret, b"derived", hash.digest(b"").as_ref())
}

fn zeros(hash: Hash) -> &'static [u8] {
    ZEROS.split_at(hash.length()).0
}

/// Where a PSK came from: it decides the label of its binder key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PskKind {
    /// Provisioned outside TLS: "ext binder" (RFC 8446, Section 7.1).
    External,
    /// Imported: "imp binder" (RFC 9258, Section 5.2).
    Imported,
}

/// The Early Secret: what a handshake keeps of a PSK, or of none.
pub struct EarlySecret {
    hash: Hash,
    secret: Secret,
}

impl EarlySecret {
    /// Extracts the Early Secret from a PSK, or from zeros when there is none.
    pub fn new(hash: Hash, psk: Option<&[u8]>) -> Self {
        Self { hash, secret: extract(hash, zeros(hash), psk.unwrap_or(zeros(hash))) }
    }

    /// Takes one that another process extracted; `None` if it is not as long as the hash.
    #[cfg(feature = "agent")]
    pub(crate) fn from_bytes(hash: Hash, secret: Secret) -> Option<Self> {
        (secret.expose().len() == hash.length()).then_some(Self { hash, secret })
    }

    /// The secret's bytes, for another process of ours.
    #[cfg(feature = "agent")]
    pub(crate) fn expose(&self) -> &[u8] {
        self.secret.expose()
    }

    /// The hash that this secret belongs to.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The key that binds a PSK to a ClientHello (RFC 8446, Section 4.2.11.2).
    pub fn binder(&self, kind: PskKind) -> FinishedKey {
        let label: &[u8] = match kind {
            PskKind::External => b"ext binder",
            PskKind::Imported => b"imp binder",
        };
        let empty = self.hash.digest(b"");
        FinishedKey::new(self.hash, &derive_secret(self.hash, &self.secret, label, empty.as_ref()))
    }

    /// Mixes in the (EC)DHE shared secret.
    pub fn handshake(&self, shared_secret: &Secret) -> HandshakeSecret {
        let salt = derived(self.hash, &self.secret);
        HandshakeSecret { hash: self.hash, secret: extract(self.hash, salt.expose(), shared_secret.expose()) }
    }
}

/// The Handshake Secret.
pub struct HandshakeSecret {
    hash: Hash,
    secret: Secret,
}

impl HandshakeSecret {
    /// client_handshake_traffic_secret, over ClientHello...ServerHello.
    pub fn client_traffic(&self, suite: CipherSuite, transcript_hash: &[u8]) -> TrafficSecret {
        TrafficSecret::derive(suite, &self.secret, b"c hs traffic", transcript_hash)
    }

    /// server_handshake_traffic_secret, over ClientHello...ServerHello.
    pub fn server_traffic(&self, suite: CipherSuite, transcript_hash: &[u8]) -> TrafficSecret {
        TrafficSecret::derive(suite, &self.secret, b"s hs traffic", transcript_hash)
    }

    /// Goes on to the Master Secret.
    pub fn master(self) -> MasterSecret {
        let salt = derived(self.hash, &self.secret);
        MasterSecret { hash: self.hash, secret: extract(self.hash, salt.expose(), zeros(self.hash)) }
    }
}

/// The Master Secret.
pub struct MasterSecret {
    hash: Hash,
    secret: Secret,
}

impl MasterSecret {
    /// client_application_traffic_secret_0, over ClientHello...server Finished.
    pub fn client_traffic(&self, suite: CipherSuite, transcript_hash: &[u8]) -> TrafficSecret {
        TrafficSecret::derive(suite, &self.secret, b"c ap traffic", transcript_hash)
    }

    /// server_application_traffic_secret_0, over ClientHello...server Finished.
    pub fn server_traffic(&self, suite: CipherSuite, transcript_hash: &[u8]) -> TrafficSecret {
        TrafficSecret::derive(suite, &self.secret, b"s ap traffic", transcript_hash)
    }

    /// exporter_master_secret, over ClientHello...server Finished.
    pub fn exporter(&self, transcript_hash: &[u8]) -> ExporterSecret {
        let secret = derive_secret(self.hash, &self.secret, b"exp master", transcript_hash);
        ExporterSecret { hash: self.hash, secret }
    }
}

/// The secret of one direction of traffic: keys, IV and Finished key hang off it (RFC 8446, Section 7.3).
pub struct TrafficSecret {
    suite: CipherSuite,
    secret: Secret,
}

impl TrafficSecret {
    fn derive(suite: CipherSuite, secret: &Secret, label: &[u8], transcript_hash: &[u8]) -> Self {
        Self { suite, secret: derive_secret(suite.hash(), secret, label, transcript_hash) }
    }

    /// Takes one that another process derived; `None` if it is not as long as the suite's hash.
    #[cfg(feature = "agent")]
    pub(crate) fn from_bytes(suite: CipherSuite, secret: Secret) -> Option<Self> {
        (secret.expose().len() == suite.hash().length()).then_some(Self { suite, secret })
    }

    /// The suite whose key lengths apply.
    pub fn suite(&self) -> CipherSuite {
        self.suite
    }

    /// The secret's bytes, for a key log and for known-answer tests.
    pub fn expose(&self) -> &[u8] {
        self.secret.expose()
    }

    /// `[sender]_write_key`, of the suite's key length.
    pub fn key(&self) -> Secret {
        expand_label(self.suite.hash(), &self.secret, b"key", b"", self.suite.key_length())
    }

    /// `[sender]_write_iv`, 12 bytes.
    pub fn iv(&self) -> Secret {
        expand_label(self.suite.hash(), &self.secret, b"iv", b"", 12)
    }

    /// The key of this sender's Finished (RFC 8446, Section 4.4.4).
    pub fn finished(&self) -> FinishedKey {
        FinishedKey::new(self.suite.hash(), &self.secret)
    }

    /// `application_traffic_secret_N+1`, after a KeyUpdate (RFC 8446, Section 7.2).
    pub fn next(&self) -> Self {
        let hash = self.suite.hash();
        Self { suite: self.suite, secret: derive_secret(hash, &self.secret, b"traffic upd", b"") }
    }
}

/// The key of a Finished message or of a PSK binder (RFC 8446, Section 4.4.4).
///
/// ring's key is boxed, so that a move does not copy it, and overwritten when it is dropped: ring does not wipe it.
pub struct FinishedKey(Box<hmac::Key>);

impl FinishedKey {
    pub(crate) fn new(hash: Hash, base: &Secret) -> Self {
        let key = expand_label(hash, base, b"finished", b"", hash.output_length());
        Self(without_trace::<CIPHER_STACK, _>(|| Box::new(hmac::Key::new(hash.hmac(), key.expose()))))
    }

    /// verify_data over a transcript hash; public bytes.
    pub fn verify_data(&self, transcript_hash: &Digest) -> hmac::Tag {
        without_trace::<CIPHER_STACK, _>(|| hmac::sign(&self.0, transcript_hash.as_ref()))
    }

    /// Compares a received verify_data in constant time.
    pub fn verify(&self, transcript_hash: &Digest, verify_data: &[u8]) -> bool {
        without_trace::<CIPHER_STACK, _>(|| {
            hmac::verify(&self.0, transcript_hash.as_ref(), verify_data).is_ok()
        })
    }
}

impl Drop for FinishedKey {
    fn drop(&mut self) {
        *self.0 = hmac::Key::new(self.0.algorithm(), b"");
        hint::black_box(&*self.0);
    }
}

/// exporter_master_secret (RFC 8446, Section 7.5).
pub struct ExporterSecret {
    hash: Hash,
    secret: Secret,
}

impl ExporterSecret {
    /// The secret's bytes, for a key log and for known-answer tests.
    pub fn expose(&self) -> &[u8] {
        self.secret.expose()
    }

    /// Exports `length` bytes of keying material, or `None` beyond the 255 hash lengths that HKDF can give or with a label over
    /// 249 bytes.
    ///
    /// ```text
    /// TLS-Exporter(label, context, length) =
    ///     HKDF-Expand-Label(Derive-Secret(Secret, label, ""), "exporter", Hash(context), length)
    /// ```
    //= rfc8446#section-7.5
    //# Implementations MUST use the exporter_master_secret unless explicitly specified by the application.
    pub fn export(&self, label: &[u8], context: &[u8], length: u16) -> Option<Secret> {
        let longest = self.hash.length().saturating_mul(255);
        if usize::from(length) > longest || label.len() > 249 {
            return None;
        }
        let secret = derive_secret(self.hash, &self.secret, label, self.hash.digest(b"").as_ref());
        Some(expand_label(self.hash, &secret, b"exporter", self.hash.digest(context).as_ref(), length))
    }
}

/// None of the secrets shows its bytes.
macro_rules! redacted_debug {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}
redacted_debug!(EarlySecret, HandshakeSecret, MasterSecret, TrafficSecret, FinishedKey, ExporterSecret);
