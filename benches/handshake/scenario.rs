//! What is shaken hands about.

use handclasp::crypto::hash::Hash;

use crate::material::{Kind, Pair};

/// One flow: everything beside it is TLS_AES_128_GCM_SHA256 (or the suite of the PSK's hash), X25519, and no tickets.
pub struct Scenario {
    pub name: &'static str,
    pub certificates: Pair,
    /// Whether the client shows a certificate too.
    pub mutual: bool,
    /// Whether the client offers a share that the server does not take, of secp256r1, and must try again.
    pub retry: bool,
    /// Whether the certificates' signatures were verified in an earlier handshake, and are remembered.
    pub remembered: bool,
    /// No certificates, but a PSK for this hash.
    pub psk: Option<Hash>,
    /// X25519MLKEM768 instead of X25519.
    pub hybrid: bool,
}

impl Scenario {
    pub fn of(name: &'static str, certificates: Pair) -> Self {
        Self { name, certificates, mutual: false, retry: false, remembered: false, psk: None, hybrid: false }
    }

    pub fn p256(name: &'static str) -> Self {
        Self::of(name, Pair::of(Kind::P256))
    }

    pub fn mutual() -> Self {
        Self { mutual: true, ..Self::p256("P-256, mutual") }
    }

    pub fn psk(name: &'static str, hash: Hash) -> Self {
        Self { psk: Some(hash), ..Self::p256(name) }
    }

    pub fn hybrid() -> Self {
        Self { hybrid: true, ..Self::p256("P-256, X25519MLKEM768") }
    }

    /// Whether each side signs.
    pub fn signs(&self) -> crate::meter::Sides<bool> {
        let certificates = self.psk.is_none();
        crate::meter::Sides { client: certificates && self.mutual, server: certificates }
    }
}
