//! The cryptography: every secret byte lives here, and no TLS message is known here.
//!
//! Reading order: [`key_schedule`] (the drawing of RFC 8446, Section 7.1), [`secret`], [`suite`], [`aead`], [`kx`], [`sign`].
//! All primitives are ring's. What is ours to keep is wiped ([`secret::Secret`]); what ring keeps is not: its contexts (HMAC keys, AEAD
//! keys, key pairs) and the tags it returns on the stack, which the key schedule copies its secrets from.
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
pub mod hash;
pub(crate) mod hkdf;
pub mod key_schedule;
pub mod kx;
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
