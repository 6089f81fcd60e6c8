//! The signature schemes of TLS 1.3 (RFC 8446, Section 4.2.3).

/// How a TLS message or a certificate is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureScheme {
    /// ecdsa_secp256r1_sha256
    EcdsaSecp256r1Sha256,
    /// ecdsa_secp384r1_sha384
    EcdsaSecp384r1Sha384,
    /// ed25519
    Ed25519,
    /// rsa_pss_rsae_sha256
    RsaPssRsaeSha256,
    /// rsa_pss_rsae_sha384
    RsaPssRsaeSha384,
    /// rsa_pss_rsae_sha512
    RsaPssRsaeSha512,
    /// rsa_pss_pss_sha256
    RsaPssPssSha256,
    /// rsa_pss_pss_sha384
    RsaPssPssSha384,
    /// rsa_pss_pss_sha512
    RsaPssPssSha512,
    /// rsa_pkcs1_sha256: in certificates only
    RsaPkcs1Sha256,
    /// rsa_pkcs1_sha384: in certificates only
    RsaPkcs1Sha384,
    /// rsa_pkcs1_sha512: in certificates only
    RsaPkcs1Sha512,
}

use SignatureScheme as S;

impl SignatureScheme {
    /// The schemes for CertificateVerify, in our order of preference.
    //= rfc8446#section-4.4.3
    //# The SHA-1 algorithm MUST NOT be used in any signatures of CertificateVerify messages.
    pub const HANDSHAKE: [Self; 9] = [
        S::EcdsaSecp256r1Sha256,
        S::EcdsaSecp384r1Sha384,
        S::Ed25519,
        S::RsaPssRsaeSha256,
        S::RsaPssRsaeSha384,
        S::RsaPssRsaeSha512,
        S::RsaPssPssSha256,
        S::RsaPssPssSha384,
        S::RsaPssPssSha512,
    ];

    /// The schemes for signatures inside certificates.
    //= rfc8446#section-4.2.3
    //# They MUST NOT be offered or negotiated by any implementation.
    //= rfc8446#section-4.2.3
    //# In particular, MD5 [SLOTH], SHA-224, and DSA MUST NOT be used.
    //= rfc8446#section-9.1
    //# MUST support digital signatures with rsa_pkcs1_sha256 (for certificates), rsa_pss_rsae_sha256 (for
    //# CertificateVerify and certificates), and ecdsa_secp256r1_sha256.
    pub const CERTIFICATE: [Self; 12] = [
        S::EcdsaSecp256r1Sha256,
        S::EcdsaSecp384r1Sha384,
        S::Ed25519,
        S::RsaPssRsaeSha256,
        S::RsaPssRsaeSha384,
        S::RsaPssRsaeSha512,
        S::RsaPssPssSha256,
        S::RsaPssPssSha384,
        S::RsaPssPssSha512,
        S::RsaPkcs1Sha256,
        S::RsaPkcs1Sha384,
        S::RsaPkcs1Sha512,
    ];

    /// The code point.
    pub fn code(self) -> u16 {
        match self {
            S::RsaPkcs1Sha256 => 0x0401,
            S::RsaPkcs1Sha384 => 0x0501,
            S::RsaPkcs1Sha512 => 0x0601,
            S::EcdsaSecp256r1Sha256 => 0x0403,
            S::EcdsaSecp384r1Sha384 => 0x0503,
            S::RsaPssRsaeSha256 => 0x0804,
            S::RsaPssRsaeSha384 => 0x0805,
            S::RsaPssRsaeSha512 => 0x0806,
            S::Ed25519 => 0x0807,
            S::RsaPssPssSha256 => 0x0809,
            S::RsaPssPssSha384 => 0x080a,
            S::RsaPssPssSha512 => 0x080b,
        }
    }

    /// The scheme of a code point, if it is one of ours.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::CERTIFICATE.into_iter().find(|scheme| scheme.code() == code)
    }

    /// The name in RFC 8446.
    pub fn name(self) -> &'static str {
        match self {
            S::RsaPkcs1Sha256 => "rsa_pkcs1_sha256",
            S::RsaPkcs1Sha384 => "rsa_pkcs1_sha384",
            S::RsaPkcs1Sha512 => "rsa_pkcs1_sha512",
            S::EcdsaSecp256r1Sha256 => "ecdsa_secp256r1_sha256",
            S::EcdsaSecp384r1Sha384 => "ecdsa_secp384r1_sha384",
            S::RsaPssRsaeSha256 => "rsa_pss_rsae_sha256",
            S::RsaPssRsaeSha384 => "rsa_pss_rsae_sha384",
            S::RsaPssRsaeSha512 => "rsa_pss_rsae_sha512",
            S::Ed25519 => "ed25519",
            S::RsaPssPssSha256 => "rsa_pss_pss_sha256",
            S::RsaPssPssSha384 => "rsa_pss_pss_sha384",
            S::RsaPssPssSha512 => "rsa_pss_pss_sha512",
        }
    }
}
