//! The two hash functions of TLS 1.3's cipher suites (RFC 8446, Section B.4).

use core::fmt;

use ring::{digest, hmac};

/// A hash function of a cipher suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hash {
    /// SHA-256: 32 bytes.
    Sha256,
    /// SHA-384: 48 bytes.
    Sha384,
}

/// The longest output of a [`enum@Hash`], in bytes.
pub const MAX_DIGEST_LENGTH: usize = 48;

impl Hash {
    /// The length of the hash's output in bytes (`Hash.length` in RFC 8446, Section 7.1).
    pub fn length(self) -> usize {
        usize::from(self.output_length())
    }

    /// The same, as it stands on the wire and in an HkdfLabel.
    pub(crate) fn output_length(self) -> u16 {
        match self {
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }

    /// Hashes `message` in one call.
    pub fn digest(self, message: &[u8]) -> Digest {
        Digest(digest::digest(self.ring(), message))
    }

    /// Starts an incremental hash.
    pub fn start(self) -> Context {
        Context(digest::Context::new(self.ring()))
    }

    fn ring(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
        }
    }

    pub(crate) fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
        }
    }
}

/// The output of a [`enum@Hash`]: public bytes.
#[derive(Clone, Copy)]
pub struct Digest(digest::Digest);

impl AsRef<[u8]> for Digest {
    fn as_ref(&self) -> &[u8] {
        self.0.as_ref()
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PartialEq for Digest {
    fn eq(&self, other: &Self) -> bool {
        self.as_ref() == other.as_ref()
    }
}

/// An incremental hash; a clone forks it.
#[derive(Clone)]
pub struct Context(digest::Context);

impl Context {
    /// Adds bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The hash of everything added so far.
    pub fn finish(self) -> Digest {
        Digest(self.0.finish())
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Context(..)")
    }
}
