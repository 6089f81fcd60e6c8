//! The cryptography: every secret byte lives here, and no TLS message is known here.
//!
//! Reading order: [`key_schedule`] (the drawing of RFC 8446, Section 7.1), [`secret`], [`suite`], [`aead`], [`kx`], [`sign`].
//! All primitives are ring's, but for ML-KEM, which is libcrux's. What is ours to keep is wiped ([`secret::Secret`]). ring and libcrux wipe
//! nothing: so ring's contexts are boxed, and overwritten when they are dropped, and the stack is wiped after each
//! computation. What is left is a private key that was dropped ([`sign::SigningKey`]); tests/residue and tests/ml_kem_residue.rs look for
//! everything in a process's memory.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::as_conversions,
        clippy::arithmetic_side_effects,
        clippy::panic
    )
)]

pub mod aead;
pub mod algorithm_identifier;
pub mod certificate;
mod der_reader;
pub mod hash;
pub(crate) mod hkdf;
pub mod key_schedule;
pub mod kx;
#[cfg(feature = "pq")]
mod ml_kem;
pub mod pem;
pub(crate) mod psk_importer;
pub mod public_key;
pub mod random;
pub mod secret;
pub mod sign;
pub mod signature_scheme;
pub mod suite;
#[cfg(feature = "x509")]
pub mod x509;

#[cfg(test)]
mod wycheproof;
