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

const SHA256_OF_NOTHING: [u8; 32] = [
    0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
    0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
];

const SHA384_OF_NOTHING: [u8; 48] = [
    0x38, 0xb0, 0x60, 0xa7, 0x51, 0xac, 0x96, 0x38, 0x4c, 0xd9, 0x32, 0x7e, 0xb1, 0xb1, 0xe3, 0x6a, 0x21,
    0xfd, 0xb7, 0x11, 0x14, 0xbe, 0x07, 0x43, 0x4c, 0x0c, 0xc7, 0xbf, 0x63, 0xf6, 0xe1, 0xda, 0x27, 0x4e,
    0xde, 0xbf, 0xe7, 0x6f, 0x65, 0xfb, 0xd5, 0x1a, 0xd2, 0xf1, 0x48, 0x98, 0xb9, 0x5b,
];

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

    /// The hash of no messages: what most of the key schedule's labels are bound to.
    pub(crate) fn of_nothing(self) -> &'static [u8] {
        match self {
            Self::Sha256 => &SHA256_OF_NOTHING,
            Self::Sha384 => &SHA384_OF_NOTHING,
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_nothing_is_a_constant() {
        for hash in [Hash::Sha256, Hash::Sha384] {
            assert_eq!(hash.of_nothing(), hash.digest(b"").as_ref());
        }
    }
}
