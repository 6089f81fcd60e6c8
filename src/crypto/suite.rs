//! Cipher suites of TLS 1.3 (RFC 8446, Section B.4); kTLS can carry on with each.

use super::hash::Hash;

/// A cipher suite: an AEAD and a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CipherSuite {
    /// TLS_AES_128_GCM_SHA256
    Aes128GcmSha256,
    /// TLS_AES_256_GCM_SHA384
    Aes256GcmSha384,
    /// TLS_CHACHA20_POLY1305_SHA256
    Chacha20Poly1305Sha256,
}

impl CipherSuite {
    /// All suites, in the default order of preference.
    //= rfc9289#section-5
    //# Support for mandatory-to-implement cipher suites for the negotiated TLS version is REQUIRED.
    //= rfc9289#section-5
    //# Negotiation of a cipher suite providing confidentiality as well as integrity protection is REQUIRED.
    //= rfc8446#section-9.1
    //# A TLS-compliant application MUST implement the TLS_AES_128_GCM_SHA256 [GCM] cipher suite
    //= rfc8446#appendix-D.5
    //# Implementations MUST NOT offer or negotiate RC4 cipher suites for any version of TLS for any reason.
    //= rfc8446#appendix-D.5
    //# Ciphers with a strength less than 112 bits MUST NOT be offered or negotiated for any version of TLS
    //# for any reason.
    pub const ALL: [Self; 3] = [Self::Aes128GcmSha256, Self::Aes256GcmSha384, Self::Chacha20Poly1305Sha256];

    /// The code point (RFC 8446, Section B.4).
    pub fn code(self) -> u16 {
        match self {
            Self::Aes128GcmSha256 => 0x1301,
            Self::Aes256GcmSha384 => 0x1302,
            Self::Chacha20Poly1305Sha256 => 0x1303,
        }
    }

    /// The suite of a code point, if it is one of ours.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.code() == code)
    }

    /// The suite's name in the IANA registry.
    pub fn name(self) -> &'static str {
        match self {
            Self::Aes128GcmSha256 => "TLS_AES_128_GCM_SHA256",
            Self::Aes256GcmSha384 => "TLS_AES_256_GCM_SHA384",
            Self::Chacha20Poly1305Sha256 => "TLS_CHACHA20_POLY1305_SHA256",
        }
    }

    /// The suite of that name, however it is capitalised.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|suite| suite.name().eq_ignore_ascii_case(name))
    }

    /// The hash of the key schedule and the transcript.
    pub fn hash(self) -> Hash {
        match self {
            Self::Aes128GcmSha256 | Self::Chacha20Poly1305Sha256 => Hash::Sha256,
            Self::Aes256GcmSha384 => Hash::Sha384,
        }
    }

    /// The length of the AEAD key in bytes.
    pub fn key_length(self) -> u16 {
        match self {
            Self::Aes128GcmSha256 => 16,
            Self::Aes256GcmSha384 | Self::Chacha20Poly1305Sha256 => 32,
        }
    }

    /// How many records one key may protect (RFC 8446, Section 5.5).
    ///
    /// 2^24 full-size records for AES-GCM, below the 2^24.5 of the RFC; ChaCha20-Poly1305 is bounded by the sequence number alone.
    pub fn record_limit(self) -> u64 {
        match self {
            Self::Aes128GcmSha256 | Self::Aes256GcmSha384 => 1 << 24,
            Self::Chacha20Poly1305Sha256 => u64::MAX,
        }
    }

    //= rfc8446#section-5.3
    //# An AEAD algorithm where N_MAX is less than 8 bytes MUST NOT be used with TLS.
    pub(crate) fn aead(self) -> &'static ring::aead::Algorithm {
        match self {
            Self::Aes128GcmSha256 => &ring::aead::AES_128_GCM,
            Self::Aes256GcmSha384 => &ring::aead::AES_256_GCM,
            Self::Chacha20Poly1305Sha256 => &ring::aead::CHACHA20_POLY1305,
        }
    }
}
