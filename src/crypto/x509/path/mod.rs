//! The search for a path, from the end entity upward (RFC 5280, Section 6; RFC 4158).
//!
//! Depth first, trust anchors before intermediates. Every step is checked when it is taken, cheap checks before the signature,
//! so a path that is found is a path that is valid; what fails is remembered, and the most telling failure is reported.

mod checks;
mod link;

use alloc::string::String;

pub(super) use self::link::{Candidate, Candidates, Found, Issuer};
use self::link::{Link, Links};
use super::{
    Policy, Verifier,
    authority::Authority,
    budget::Budget,
    cache::SignatureCache,
    certificate::Certificate,
    problem::{Failure, Problem, Role},
    purpose::{KeyPurposes, Side},
    store::TrustStore,
    text,
};
use crate::crypto::certificate::UnixTime;

/// A search in progress.
#[derive(Debug)]
pub(super) struct Search<'p> {
    store: &'p TrustStore,
    policy: &'p Policy,
    now: UnixTime,
    side: Side,
    candidates: &'p Candidates<'p>,
    path: Links<'p>,
    budget: Budget,
    signatures: &'p SignatureCache,
    /// Whether a signature was verified that the cache did not know.
    news: bool,
    failure: Option<Failure<'p>>,
}

impl<'p> Search<'p> {
    pub(super) fn new(
        verifier: &'p Verifier,
        (side, now): (Side, UnixTime),
        (end_entity, role): (&'p Certificate<'p>, Role),
        candidates: &'p Candidates<'p>,
    ) -> Self {
        let Verifier { store, policy, signatures } = verifier;
        let purposes = end_entity.extensions.extended_key_usage.unwrap_or(KeyPurposes::ALL);
        let path = Links::new(Link { certificate: end_entity, role, authority: None, purposes });
        let budget = policy.budget;
        Self { store, policy, now, side, candidates, path, budget, signatures, news: false, failure: None }
    }

    /// Remembers a failure that may explain why there is no path.
    pub(super) fn note(&mut self, failure: Failure<'p>) {
        self.failure = Some(match self.failure.take() {
            Some(earlier) => earlier.more_telling(failure),
            None => failure,
        });
    }

    /// Finds a path for the end entity.
    //= rfc5280#section-6
    //# MUST provide functionality equivalent to the external behavior resulting from this procedure.
    //= rfc5280#section-6.1
    //# A conforming implementation MUST include an X.509 path processing procedure that is functionally
    //# equivalent to the external behavior of this algorithm.
    pub(super) fn run(mut self) -> Result<Found<'p>, Failure<'p>> {
        let end_entity = self.path.last();
        if self.store.holds(end_entity.certificate) {
            return Ok(Found { links: self.path, anchor: None });
        }
        end_entity.certificate.check_issued().map_err(|problem| end_entity.blame(problem))?;
        match self.climb()? {
            Some(anchor) => {
                if self.news {
                    let facts = self.steps(anchor).map(|(link, issuer)| (link.certificate.der, &issuer.key));
                    self.signatures.learn(facts);
                }
                Ok(Found { links: self.path, anchor: Some(anchor) })
            }
            None => Err(self.failure.unwrap_or_else(|| unknown_issuer(end_entity, Problem::UnknownIssuer))),
        }
    }

    /// Each certificate of the whole path, with its issuer.
    fn steps(
        &self,
        anchor: &'p Authority<'p>,
    ) -> impl Iterator<Item = (Link<'p>, &'p Authority<'p>)> + use<'_, 'p> {
        let links = self.path.as_slice();
        let issuers = links.iter().skip(1).filter_map(|link| link.authority).chain([anchor]);
        links.iter().copied().zip(issuers)
    }

    /// Extends the path to an anchor, if that can be done; an error ends the search.
    fn climb(&mut self) -> Result<Option<&'p Authority<'p>>, Failure<'p>> {
        let child = self.path.last();
        let mut nearest = Attempt::NotTheIssuer;
        for anchor in self.store.named(child.certificate.issuer) {
            let attempt = self.attempt(child, anchor.issuer())?;
            if let Attempt::Accepted(authority, _) = attempt
                && self.complete(authority)?
            {
                return Ok(Some(authority));
            }
            nearest = nearest.max(attempt);
        }
        for candidate in self.candidates.iter() {
            if self.would_loop(&candidate.certificate) {
                continue;
            }
            let attempt = self.attempt(child, candidate.issuer())?;
            if let Attempt::Accepted(authority, purposes) = attempt {
                let (certificate, authority) = (&candidate.certificate, Some(authority));
                self.path.push(Link { certificate, role: Role::Intermediate, authority, purposes });
                if let Some(anchor) = self.climb()? {
                    return Ok(Some(anchor));
                }
                self.path.pop();
            }
            nearest = nearest.max(attempt);
        }
        match nearest {
            Attempt::NotTheIssuer => self.note(unknown_issuer(child, Problem::UnknownIssuer)),
            Attempt::OtherKey => self.note(unknown_issuer(child, Problem::OtherKey)),
            Attempt::Refused | Attempt::Accepted(..) => {}
        }
        Ok(None)
    }

    /// Whether the subject and key of `certificate` are in the path already (RFC 4158, Section 2.4.2).
    //= rfc5280#section-6.1
    //# A certificate MUST NOT appear more than once in a prospective certification path.
    fn would_loop(&self, certificate: &Certificate<'_>) -> bool {
        let same = |link: &Link<'_>| {
            link.certificate.subject == certificate.subject && link.certificate.spki == certificate.spki
        };
        self.path.as_slice().iter().any(same)
    }

    /// Tries an issuer for the uppermost certificate of the path.
    fn attempt(&mut self, child: Link<'p>, issuer: Issuer<'p>) -> Result<Attempt<'p>, Failure<'p>> {
        let Issuer { role, subject, authority } = issuer;
        //= rfc5280#section-4.1.2.4
        //# Certificate users MUST be prepared to process the issuer distinguished name and subject
        //# distinguished name (Section 4.1.2.6) fields to perform name chaining for certification path
        //# validation (Section 6).
        //= rfc5280#section-6.1.3
        //# (4) The certificate issuer name is the working_issuer_name.
        //= rfc5280#section-4.1.2.6
        //# (a) When the subject of the certificate is a CA, the subject field MUST be encoded in the same way
        //# as it is encoded in the issuer field (Section 4.1.2.4) in all certificates issued by the subject
        //# CA.
        if subject != child.certificate.issuer {
            return Ok(Attempt::NotTheIssuer);
        }
        self.budget.node().map_err(|problem| child.blame(problem))?;
        let blame = |problem| Failure { role, subject, problem };
        let checked = match authority {
            Ok(authority) => match authority.key_is_named_by(child.certificate, &mut self.budget) {
                Ok(true) => self.check(child, authority, blame).map(|purposes| (authority, purposes)),
                Ok(false) => return Ok(Attempt::OtherKey),
                Err(problem) => Err(child.blame(problem)),
            },
            Err(problem) => Err(blame(problem.clone())),
        };
        match checked {
            Ok((authority, purposes)) => Ok(Attempt::Accepted(authority, purposes)),
            Err(failure) if failure.ends_search() => Err(failure),
            Err(failure) => {
                self.note(failure);
                Ok(Attempt::Refused)
            }
        }
    }
}

/// What became of a step upward; the later, the nearer to an issuer it came.
#[derive(Clone, Copy)]
enum Attempt<'p> {
    /// It has another name.
    NotTheIssuer,
    /// It has another key than the one named.
    OtherKey,
    /// It would be the issuer, but the step is not valid.
    Refused,
    /// The step is valid: the issuer, and the purposes left.
    Accepted(&'p Authority<'p>, KeyPurposes),
}

impl Attempt<'_> {
    fn rank(&self) -> u8 {
        match self {
            Self::NotTheIssuer => 0,
            Self::OtherKey => 1,
            Self::Refused | Self::Accepted(..) => 2,
        }
    }

    fn max(self, other: Self) -> Self {
        if other.rank() > self.rank() { other } else { self }
    }
}

fn unknown_issuer<'p>(child: Link<'p>, problem: fn(String) -> Problem) -> Failure<'p> {
    if child.certificate.self_issued() {
        return child.blame(Problem::UntrustedRoot);
    }
    child.blame(problem(text::name(child.certificate.issuer)))
}
