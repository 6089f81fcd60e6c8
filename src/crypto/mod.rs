//! The cryptography: every secret byte lives here, and no TLS message is known here.
//!
//! Reading order: [`key_schedule`] (the drawing of RFC 8446, Section 7.1), [`secret`], [`suite`], [`aead`], [`kx`], [`sign`].
//! All primitives are ring's. ring does not wipe its own key contexts; everything that is ours is wiped ([`secret::Secret`]).
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
pub mod certificate;
pub mod hash;
pub mod hkdf;
pub mod key_schedule;
pub mod kx;
pub mod pem;
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
