//! What in a trust store is of use now: for those who look after it.

use alloc::{format, string::String, vec::Vec};

use super::{
    Request, Side, Verifier, certificate::Certificate, crl::Crl, problem::Problem, store::Anchor, text,
};
use crate::crypto::certificate::UnixTime;

/// Whose CRLs there are, and whose not; names as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// How many of the anchors that may issue have signed a CRL.
    pub covered: usize,
    /// Those that have signed none.
    pub uncovered: Vec<String>,
    /// The issuers of CRLs that no anchor has signed; they may be intermediates.
    pub foreign: Vec<String>,
}

impl Verifier {
    /// The certificates of the store that vouch for nobody on that side at that time, not even for themselves: where each stands, and
    /// why. Also, of how many.
    pub fn idle_anchors(&self, side: Side, now: UnixTime) -> (Vec<String>, usize) {
        let mut idle = self.store.set_aside().to_vec();
        let count = self.store.len().saturating_add(idle.len());
        idle.extend(self.store.anchors().filter_map(|anchor| {
            let problem = self.check_anchor(anchor, &Request { side, names: &[], now }).err()?;
            Some(format!("{}: '{}': {problem}", anchor.origin, text::name(anchor.issuer().subject)))
        }));
        (idle, count)
    }

    /// What a path checks of its anchor alone.
    fn check_anchor(&self, anchor: &Anchor, request: &Request<'_>) -> Result<(), Problem> {
        let authority = anchor.issuer().authority.as_ref();
        let as_issuer = authority.map_err(Clone::clone).and_then(|authority| {
            authority.validity.check(request.now)?;
            self.policy.check_key(&authority.key)?;
            self.policy.purpose.check(request.side, Some(authority.purposes))
        });
        as_issuer.or_else(|problem| {
            let itself = Certificate::read(&anchor.der)?;
            let as_end_entity = self.check_end_entity(&itself, request).map(drop);
            as_end_entity.map_err(|own| if problem == Problem::NotAuthority { own } else { problem })
        })
    }

    /// Compares the CRLs with the anchors.
    pub fn crl_coverage(&self) -> Coverage {
        let has_signed = |anchor: &Anchor, crls: &[Crl]| {
            let authority = anchor.issuer().authority.as_ref();
            authority.is_ok_and(|authority| crls.iter().any(|crl| crl.is_of(authority)))
        };
        let issuers = self.store.anchors().filter(|anchor| anchor.issuer().authority.is_ok());
        let (covered, uncovered): (Vec<_>, Vec<_>) =
            issuers.partition(|anchor| has_signed(anchor, self.store.crls(anchor.issuer().subject)));
        let foreign = self
            .store
            .crl_issuers()
            .filter(|(issuer, crls)| !self.store.named(issuer).iter().any(|anchor| has_signed(anchor, crls)));
        Coverage {
            covered: covered.len(),
            uncovered: uncovered.iter().map(|anchor| text::name(anchor.issuer().subject)).collect(),
            foreign: foreign.map(|(issuer, _)| text::name(issuer)).collect(),
        }
    }

    /// The issuers of which there are only CRLs whose time is over, as text.
    pub fn expired_crls(&self, now: UnixTime) -> Vec<String> {
        let issuers = self.store.crl_issuers();
        let is_over = |(_, crls): &(&[u8], &[Crl])| crls.iter().all(|crl| crl.is_expired(now));
        issuers.filter(is_over).map(|(issuer, _)| text::name(issuer)).collect()
    }
}
