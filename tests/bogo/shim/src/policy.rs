//! BoringSSL's named policies, as lists of what they leave of ours.

use handclasp::crypto::{
    kx::NamedGroup::{self, Secp256r1, Secp384r1},
    signature_scheme::SignatureScheme::{
        self, EcdsaSecp256r1Sha256, EcdsaSecp384r1Sha384, RsaPssRsaeSha256, RsaPssRsaeSha384,
        RsaPssRsaeSha512,
    },
    suite::CipherSuite::{self, Aes128GcmSha256, Aes256GcmSha384, Chacha20Poly1305Sha256},
};

/// What a connection may use, each in order of preference.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    pub suites: &'static [CipherSuite],
    pub groups: &'static [NamedGroup],
    pub schemes: &'static [SignatureScheme],
}

/// All that we have. As with BoringSSL, Ed25519 is not among it unless it is asked for.
pub const DEFAULT: Policy = Policy {
    suites: &CipherSuite::ALL,
    groups: NamedGroup::ALL,
    schemes: &[
        EcdsaSecp256r1Sha256,
        EcdsaSecp384r1Sha384,
        RsaPssRsaeSha256,
        RsaPssRsaeSha384,
        RsaPssRsaeSha512,
        SignatureScheme::RsaPssPssSha256,
        SignatureScheme::RsaPssPssSha384,
        SignatureScheme::RsaPssPssSha512,
    ],
};

const FIPS: Policy = Policy {
    suites: &[Aes128GcmSha256, Aes256GcmSha384],
    groups: &[Secp256r1, Secp384r1],
    schemes: &[
        EcdsaSecp256r1Sha256,
        EcdsaSecp384r1Sha384,
        RsaPssRsaeSha256,
        RsaPssRsaeSha384,
        RsaPssRsaeSha512,
    ],
};

const FIPS_202609: Policy = Policy { groups: &[NamedGroup::X25519MlKem768, Secp256r1, Secp384r1], ..FIPS };

const WPA: Policy = Policy {
    suites: &[Aes256GcmSha384],
    groups: &[Secp384r1],
    schemes: &[EcdsaSecp384r1Sha384, RsaPssRsaeSha384, RsaPssRsaeSha512],
};

const CNSA1: Policy = Policy { schemes: &[EcdsaSecp384r1Sha384, RsaPssRsaeSha384], ..WPA };

const CNSA_202407: Policy =
    Policy { suites: &[Aes256GcmSha384, Aes128GcmSha256, Chacha20Poly1305Sha256], ..DEFAULT };

impl Policy {
    /// The policy of a flag, if we can keep to it.
    pub fn named(flag: &str) -> Option<Self> {
        Some(match flag {
            "-fips-202205" => FIPS,
            "-fips-202609" => FIPS_202609,
            "-wpa-202304" => WPA,
            "-cnsa1-202603" => CNSA1,
            "-cnsa-202407" => CNSA_202407,
            _ => return None,
        })
    }
}
