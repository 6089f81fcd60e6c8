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
//!              +-----> "c hs traffic"                HandshakeSecret::traffic
//!              +-----> "s hs traffic"                HandshakeSecret::traffic
//!              v
//!        Derive-Secret(., "derived", "")
//!              |
//!              v
//!     0 -> HKDF-Extract = Master Secret              HandshakeSecret::master
//!              |
//!              +-----> "c ap traffic"                MasterSecret::traffic
//!              +-----> "s ap traffic"                MasterSecret::traffic
//!              +-----> "exp master"                  MasterSecret::exporter, and from that ExporterSecret::export
//!
//!    a traffic secret
//!              |
//!              +-----> "key", "iv"                   TrafficSecret::write_keys (Section 7.3)
//!              +-----> "finished"                    TrafficSecret::finished (Section 4.4.4; below the handshake's two)
//!              +-----> "traffic upd"                 TrafficSecret::next (Section 7.2; below the application's two)
//! ```
//!
//! Each secret is a type of its own that offers only what hangs off it, so that the wrong order does not type-check.
//! "res binder", "c e traffic", "e exp master" and "res master" are missing on purpose: there is no resumption and no 0-RTT.
//!
//! The values of RFC 8448, Section 3 ("Simple 1-RTT Handshake"), one by one:
//! ```
//! use handclasp::crypto::{hash::Hash, key_schedule::{EarlySecret, TrafficSecrets, WriteKeys}, secret::Secret, suite::CipherSuite};
//! # let hex = |s: &str| (0..s.len()).step_by(2).map(|i| u8::from_str_radix(&s[i..i + 2], 16).unwrap()).collect::<Vec<u8>>();
//! let shared = Secret::from_slice(&hex("8bd4054fb55b9d63fdfbacf9f04b9f0d35e6d63f537563efd46272900f89492d"));
//! let hello_hash = hex("860c06edc07858ee8e78f0e7428c58edd6b43f2ca3e6e95f02ed063cf0e1cad8");
//! let handshake = EarlySecret::new(Hash::Sha256, None).handshake(&shared);
//! let TrafficSecrets { client, server } = handshake.traffic(CipherSuite::Aes128GcmSha256, &hello_hash);
//! assert_eq!(client.expose(), hex("b3eddb126e067f35a780b3abf45e2d8f3b1a950738f52e9600746a0e27a55a21"));
//! assert_eq!(server.expose(), hex("b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38"));
//! let WriteKeys { key, iv } = server.write_keys();
//! assert_eq!(key.expose(), hex("3fce516009c21727d0f2e4e86ee403bc"));
//! assert_eq!(iv.expose(), hex("5d313eb2671276ee13000b30"));
//! ```

use core::fmt;

use ring::hmac;

use super::{
    aead::IV_LENGTH,
    hash::{Digest, Hash},
    hkdf::{BoxedExpander, Expander, extract},
    secret::{CIPHER_STACK, Secret, without_trace},
    suite::CipherSuite,
};

/// The zero string of `Hash.length` bytes stands for an absent PSK and for the last input (RFC 8446, Section 7.1).
const ZEROS: [u8; super::hash::MAX_DIGEST_LENGTH] = [0; super::hash::MAX_DIGEST_LENGTH];

impl Expander {
    /// Derive-Secret(Secret, Label, Messages), with the transcript hash of the messages (RFC 8446, Section 7.1).
    fn derive_secret(&self, label: &[u8], transcript_hash: &[u8]) -> hmac::Tag {
        self.short_label(label, transcript_hash, self.hash().output_length())
    }

    /// Derive-Secret(., "derived", ""), which salts the next extraction.
    fn extract_next(&self, input: &[u8]) -> Self {
        let hash = self.hash();
        let salt = self.derive_secret(b"derived", hash.of_nothing());
        Self::extract(hash, salt.as_ref(), input)
    }
}

/// Derive-Secret(., "derived", "") of the Early Secret of no PSK, with SHA-256: nothing in it is secret.
const DERIVED_OF_NO_PSK_SHA256: [u8; 32] = [
    0x6f, 0x26, 0x15, 0xa1, 0x08, 0xc7, 0x02, 0xc5, 0x67, 0x8f, 0x54, 0xfc, 0x9d, 0xba, 0xb6, 0x97, 0x16,
    0xc0, 0x76, 0x18, 0x9c, 0x48, 0x25, 0x0c, 0xeb, 0xea, 0xc3, 0x57, 0x6c, 0x36, 0x11, 0xba,
];

/// The same with SHA-384.
const DERIVED_OF_NO_PSK_SHA384: [u8; 48] = [
    0x15, 0x91, 0xda, 0xc5, 0xcb, 0xbf, 0x03, 0x30, 0xa4, 0xa8, 0x4d, 0xe9, 0xc7, 0x53, 0x33, 0x0e, 0x92,
    0xd0, 0x1f, 0x0a, 0x88, 0x21, 0x4b, 0x44, 0x64, 0x97, 0x2f, 0xd6, 0x68, 0x04, 0x9e, 0x93, 0xe5, 0x2f,
    0x2b, 0x16, 0xfa, 0xd9, 0x22, 0xfd, 0xc0, 0x58, 0x44, 0x78, 0x42, 0x8f, 0x28, 0x2b,
];

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
    secret: Secret,
    /// The same, for the binder and for what comes next.
    expander: BoxedExpander,
}

impl EarlySecret {
    /// Extracts the Early Secret from a PSK, or from zeros when there is none.
    pub fn new(hash: Hash, psk: Option<&[u8]>) -> Self {
        without_trace::<CIPHER_STACK, _>(|| {
            let secret = extract(hash, zeros(hash), psk.unwrap_or(zeros(hash)));
            Self::of(hash, Secret::from_slice(secret.as_ref()))
        })
    }

    fn of(hash: Hash, secret: Secret) -> Self {
        Self { expander: Expander::new(hash, secret.expose()).boxed(), secret }
    }

    /// Takes one that another process extracted; `None` if it is not as long as the hash.
    #[cfg(feature = "agent")]
    pub(crate) fn from_bytes(hash: Hash, secret: Secret) -> Option<Self> {
        (secret.expose().len() == hash.length())
            .then(|| without_trace::<CIPHER_STACK, _>(|| Self::of(hash, secret)))
    }

    /// The secret's bytes, for another process and for known-answer tests.
    pub fn expose(&self) -> &[u8] {
        self.secret.expose()
    }

    /// The hash that this secret belongs to.
    pub fn hash(&self) -> Hash {
        self.expander.get().hash()
    }

    /// The key that binds a PSK to a ClientHello (RFC 8446, Section 4.2.11.2).
    pub fn binder(&self, kind: PskKind) -> FinishedKey<'_> {
        let label = match kind {
            PskKind::External => b"ext binder",
            PskKind::Imported => b"imp binder",
        };
        FinishedKey(Base::Early(self.expander.get(), label))
    }

    /// Mixes in the (EC)DHE shared secret.
    pub fn handshake(&self, shared_secret: &Secret) -> HandshakeSecret {
        HandshakeSecret(without_trace::<CIPHER_STACK, _>(|| {
            self.expander.get().extract_next(shared_secret.expose()).boxed()
        }))
    }
}

/// The Handshake Secret.
pub struct HandshakeSecret(BoxedExpander);

impl HandshakeSecret {
    /// What [`EarlySecret::handshake`] gives where there is no PSK; up to here it is a constant.
    pub fn without_psk(hash: Hash, shared_secret: &Secret) -> Self {
        let salt: &[u8] = match hash {
            Hash::Sha256 => &DERIVED_OF_NO_PSK_SHA256,
            Hash::Sha384 => &DERIVED_OF_NO_PSK_SHA384,
        };
        Self(without_trace::<CIPHER_STACK, _>(|| {
            Expander::extract(hash, salt, shared_secret.expose()).boxed()
        }))
    }

    /// client_handshake_traffic_secret and server_handshake_traffic_secret, over ClientHello...ServerHello.
    pub fn traffic(&self, suite: CipherSuite, transcript_hash: &[u8]) -> TrafficSecrets {
        TrafficSecrets::derive(suite, self.0.get(), [b"c hs traffic", b"s hs traffic"], transcript_hash)
    }

    /// Goes on to the Master Secret.
    pub fn master(self) -> MasterSecret {
        let Self(secret) = self;
        MasterSecret(without_trace::<CIPHER_STACK, _>(|| {
            let secret = secret.get();
            secret.extract_next(zeros(secret.hash())).boxed()
        }))
    }
}

/// The Master Secret.
pub struct MasterSecret(BoxedExpander);

impl MasterSecret {
    /// client_application_traffic_secret_0 and server_application_traffic_secret_0, over ClientHello...server Finished.
    pub fn traffic(&self, suite: CipherSuite, transcript_hash: &[u8]) -> TrafficSecrets {
        TrafficSecrets::derive(suite, self.0.get(), [b"c ap traffic", b"s ap traffic"], transcript_hash)
    }

    /// exporter_master_secret, over ClientHello...server Finished.
    pub fn exporter(&self, transcript_hash: &[u8]) -> ExporterSecret {
        let Self(secret) = self;
        let hash = secret.get().hash();
        let secret = without_trace::<CIPHER_STACK, _>(|| {
            Secret::from_slice(secret.get().derive_secret(b"exp master", transcript_hash).as_ref())
        });
        ExporterSecret { hash, secret }
    }
}

/// The secrets of both directions.
#[derive(Debug)]
pub struct TrafficSecrets {
    /// What the client sends under.
    pub client: TrafficSecret,
    /// What the server sends under.
    pub server: TrafficSecret,
}

impl TrafficSecrets {
    fn derive(suite: CipherSuite, secret: &Expander, labels: [&[u8; 12]; 2], transcript_hash: &[u8]) -> Self {
        without_trace::<CIPHER_STACK, _>(|| {
            let derive = |label: &[u8; 12]| {
                let secret = secret.derive_secret(label, transcript_hash);
                TrafficSecret { suite, secret: Secret::from_slice(secret.as_ref()) }
            };
            let [client, server] = labels.map(derive);
            Self { client, server }
        })
    }
}

/// The secret of one direction of traffic: keys, IV and Finished key hang off it (RFC 8446, Section 7.3).
pub struct TrafficSecret {
    suite: CipherSuite,
    secret: Secret,
}

impl TrafficSecret {
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

    /// What protects this sender's records (RFC 8446, Section 7.3).
    pub fn write_keys(&self) -> WriteKeys {
        self.with_write_keys(|key, iv| WriteKeys { key: Secret::from_slice(key), iv: Secret::from_slice(iv) })
    }

    /// `[sender]_write_key` and `[sender]_write_iv`, which leave no other trace than what is made of them.
    pub(super) fn with_write_keys<T>(&self, make: impl FnOnce(&[u8], &[u8]) -> T) -> T {
        without_trace::<CIPHER_STACK, _>(|| {
            let (secret, length) = (self.expander(), self.suite.key_length());
            let key = secret.short_label(b"key", b"", length);
            let iv = secret.short_label(b"iv", b"", IV_LENGTH);
            make(key.as_ref().split_at(length.into()).0, iv.as_ref().split_at(IV_LENGTH.into()).0)
        })
    }

    fn expander(&self) -> Expander {
        Expander::new(self.suite.hash(), self.secret.expose())
    }

    /// A copy, for record keys that may never be needed.
    pub(crate) fn for_later(&self) -> Self {
        Self { suite: self.suite, secret: Secret::from_slice(self.secret.expose()) }
    }

    /// The key of this sender's Finished (RFC 8446, Section 4.4.4).
    pub fn finished(&self) -> FinishedKey<'_> {
        FinishedKey(Base::Traffic(self.suite.hash(), &self.secret))
    }

    /// `application_traffic_secret_N+1`, after a KeyUpdate (RFC 8446, Section 7.2).
    pub fn next(&self) -> Self {
        let secret = without_trace::<CIPHER_STACK, _>(|| {
            Secret::from_slice(self.expander().derive_secret(b"traffic upd", b"").as_ref())
        });
        Self { suite: self.suite, secret }
    }
}

/// `[sender]_write_key` and `[sender]_write_iv`.
#[derive(Debug)]
pub struct WriteKeys {
    /// Of the suite's key length.
    pub key: Secret,
    /// 12 bytes.
    pub iv: Secret,
}

/// The key of a Finished message or of a PSK binder, derived where it is used (RFC 8446, Section 4.4.4).
pub struct FinishedKey<'a>(Base<'a>);

/// What it is derived from.
enum Base<'a> {
    Traffic(Hash, &'a Secret),
    /// With the label of the binder key, which comes in between.
    Early(&'a Expander, &'static [u8; 10]),
}

#[cfg(test)]
impl<'a> FinishedKey<'a> {
    /// Takes a vector's binder key.
    pub(crate) fn of_base(hash: Hash, secret: &'a Secret) -> Self {
        Self(Base::Traffic(hash, secret))
    }
}

impl FinishedKey<'_> {
    /// verify_data over a transcript hash; public bytes.
    pub fn verify_data(&self, transcript_hash: &Digest) -> hmac::Tag {
        without_trace::<CIPHER_STACK, _>(|| hmac::sign(&self.hmac(), transcript_hash.as_ref()))
    }

    /// Compares a received verify_data in constant time.
    pub fn verify(&self, transcript_hash: &Digest, verify_data: &[u8]) -> bool {
        without_trace::<CIPHER_STACK, _>(|| {
            hmac::verify(&self.hmac(), transcript_hash.as_ref(), verify_data).is_ok()
        })
    }

    fn hmac(&self) -> hmac::Key {
        let base = match self.0 {
            Base::Traffic(hash, secret) => Expander::new(hash, secret.expose()),
            Base::Early(early, label) => {
                let binder_key = early.derive_secret(label, early.hash().of_nothing());
                Expander::new(early.hash(), binder_key.as_ref())
            }
        };
        hmac::Key::new(base.hash().hmac(), base.derive_secret(b"finished", b"").as_ref())
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
        let context = self.hash.digest(context);
        Some(without_trace::<CIPHER_STACK, _>(|| {
            let master = Expander::new(self.hash, self.secret.expose());
            let secret = master.label(label, self.hash.of_nothing(), self.hash.output_length());
            Expander::new(self.hash, secret.expose()).label(b"exporter", context.as_ref(), length)
        }))
    }
}

/// None of the secrets shows its bytes.
macro_rules! redacted_debug {
    ($($name:ty),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}
redacted_debug!(EarlySecret, HandshakeSecret, MasterSecret, TrafficSecret, FinishedKey<'_>, ExporterSecret);

#[cfg(test)]
mod tests {
    use super::*;

    /// The formulas of RFC 8446, Section 7.1, against the constants.
    #[test]
    fn the_early_secret_of_no_psk_is_a_constant() {
        let shared = Secret::from_slice(&[7; 32]);
        for suite in [CipherSuite::Aes128GcmSha256, CipherSuite::Aes256GcmSha384] {
            let hash = suite.hash();
            let computed = EarlySecret::new(hash, None).handshake(&shared);
            let constant = HandshakeSecret::without_psk(hash, &shared);
            let traffic = |secret: HandshakeSecret| secret.traffic(suite, hash.digest(b"").as_ref()).client;
            assert_eq!(traffic(computed).expose(), traffic(constant).expose());
        }
    }
}
