//! The verdict on the runner's certificates.
//!
//! Like BoringSSL's, it takes each for its key. Path validation cannot judge them: they have an empty subject and a subjectAltName
//! that is not critical, and RFC 5280, Section 4.2.1.6, says that it MUST be.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use handclasp::crypto::{
    certificate::{CertificateVerifier, Purpose, Reason, Rejection, UnixTime},
    public_key::PublicKey,
    x509,
};

use crate::flags::Flags;

/// The time of day.
pub fn now() -> UnixTime {
    UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

/// Accepts every certificate that can be read, or none.
#[derive(Debug)]
pub struct Verifier {
    /// `-verify-fail`, where the verdict counts: without one of the other two flags BoringSSL does not ask for it.
    refuses: bool,
    authorities: Vec<Vec<u8>>,
}

impl Verifier {
    /// A verifier as the flags describe it.
    pub fn new(flags: &Flags) -> Arc<Self> {
        Arc::new(Self {
            refuses: flags.verify_fail && (flags.verify_peer || flags.require_any_client_certificate),
            authorities: flags.client_ca_list.clone(),
        })
    }
}

impl CertificateVerifier for Verifier {
    fn verify(&self, chain: &[Vec<u8>], _: Purpose<'_>, _: UnixTime) -> Result<PublicKey, Rejection> {
        if self.refuses {
            return Err(Rejection { reason: Reason::StatusUnknown, detail: "-verify-fail".into() });
        }
        let end_entity = chain.first().expect("the engine refuses an empty chain");
        x509::public_key(end_entity)
            .map_err(|problem| Rejection { reason: problem.reason(), detail: problem.to_string() })
    }

    fn authorities(&self) -> &[Vec<u8>] {
        &self.authorities
    }
}
