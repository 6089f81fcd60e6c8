//! The verdict on the runner's certificates.
//!
//! Like BoringSSL's, it takes each for its key, whoever issued it, unless the key may not sign.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use handclasp::crypto::{
    certificate::{CertificateVerifier, Purpose, Reason, Rejection, UnixTime},
    public_key::PublicKey,
    x509::{self, Policy, TrustStore},
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
    /// Path validation without a trust anchor: of its verdicts only the one on the purpose counts.
    paths: x509::Verifier,
}

impl Verifier {
    /// A verifier as the flags describe it.
    pub fn new(flags: &Flags) -> Arc<Self> {
        let policy = Policy { issuer_profile: false, ..Policy::default() };
        Arc::new(Self {
            refuses: flags.verify_fail && (flags.verify_peer || flags.require_any_client_certificate),
            authorities: flags.client_ca_list.clone(),
            paths: x509::Verifier::with_policy(Arc::new(TrustStore::empty()), policy),
        })
    }
}

impl CertificateVerifier for Verifier {
    fn verify(&self, chain: &[Vec<u8>], purpose: Purpose<'_>, now: UnixTime) -> Result<PublicKey, Rejection> {
        if self.refuses {
            return Err(Rejection { reason: Reason::StatusUnknown, detail: "-verify-fail".into() });
        }
        if let Err(rejection) = self.paths.verify(chain, purpose, now)
            && rejection.detail.contains("keyUsage")
        {
            return Err(rejection);
        }
        let end_entity = chain.first().expect("the engine refuses an empty chain");
        x509::public_key(end_entity)
            .map_err(|problem| Rejection { reason: problem.reason(), detail: problem.to_string() })
    }

    fn authorities(&self) -> &[Vec<u8>] {
        &self.authorities
    }
}
