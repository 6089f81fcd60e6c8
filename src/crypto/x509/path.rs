//! The search for a path, from the end entity upward (RFC 5280, Section 6; RFC 4158).
//!
//! Depth first, trust anchors before intermediates. Every step is checked when it is taken, cheap checks before the signature,
//! so a path that is found is a path that is valid; what fails is remembered, and the most telling failure is reported.

use alloc::{string::String, vec::Vec};

use super::{
    Policy, Verifier,
    authority::Authority,
    budget::Budget,
    cache::{Fact, SignatureCache},
    certificate::Certificate,
    crl::{self, Revocation},
    policy,
    problem::{Failure, Problem, Role},
    purpose::{KeyPurposes, Side},
    store::TrustStore,
    text,
};
use crate::crypto::certificate::UnixTime;

/// No path is longer, whatever the configuration says: the search recurses so deep.
const MAX_PATH: usize = 24;

/// A certificate sent beside the end entity.
#[derive(Debug)]
pub(super) struct Candidate<'p> {
    pub(super) certificate: Certificate<'p>,
    authority: Result<Authority<'p>, Problem>,
}

/// A certificate that may be an issuer: from the peer, or from the trust store.
#[derive(Clone, Copy, Debug)]
pub(super) struct Issuer<'p> {
    pub(super) role: Role,
    pub(super) subject: &'p [u8],
    pub(super) authority: &'p Result<Authority<'p>, Problem>,
}

impl<'p> Candidate<'p> {
    fn issuer(&'p self) -> Issuer<'p> {
        Issuer { role: Role::Intermediate, subject: self.certificate.subject, authority: &self.authority }
    }

    pub(super) fn read(der: &'p [u8]) -> Result<Self, Problem> {
        let certificate = Certificate::read(der)?;
        let authority = Authority::of(&certificate);
        Ok(Self { certificate, authority })
    }
}

/// One certificate of the path under construction.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link<'p> {
    pub(super) certificate: &'p Certificate<'p>,
    role: Role,
    /// What it is as an issuer; the end entity is none.
    authority: Option<&'p Authority<'p>>,
    /// The purposes left by everything up to here.
    purposes: KeyPurposes,
}

impl<'p> Link<'p> {
    fn blame(&self, problem: Problem) -> Failure<'p> {
        Failure { role: self.role, subject: self.certificate.subject, problem }
    }
}

/// A valid path.
#[derive(Debug)]
pub(super) struct Found<'p> {
    /// From the end entity upward.
    pub(super) links: Vec<Link<'p>>,
    /// `None` if the end entity itself is in the trust store.
    pub(super) anchor: Option<&'p Authority<'p>>,
}

/// A search in progress.
#[derive(Debug)]
pub(super) struct Search<'p> {
    store: &'p TrustStore,
    policy: &'p Policy,
    now: UnixTime,
    side: Side,
    candidates: &'p [Candidate<'p>],
    /// From the end entity upward; never empty.
    path: Vec<Link<'p>>,
    budget: Budget,
    signatures: &'p SignatureCache,
    /// What the cache does not know yet.
    verified: Vec<Fact<'p>>,
    failure: Option<Failure<'p>>,
}

impl<'p> Search<'p> {
    pub(super) fn new(
        verifier: &'p Verifier,
        (side, now): (Side, UnixTime),
        candidates: &'p [Candidate<'p>],
    ) -> Self {
        let Verifier { store, policy, signatures } = verifier;
        let (path, verified) = (Vec::new(), Vec::new());
        Self {
            store,
            policy,
            now,
            side,
            candidates,
            path,
            budget: policy.budget,
            signatures,
            verified,
            failure: None,
        }
    }

    /// Remembers a failure that may explain why there is no path.
    pub(super) fn note(&mut self, failure: Failure<'p>) {
        self.failure = Some(match self.failure.take() {
            Some(earlier) => earlier.more_telling(failure),
            None => failure,
        });
    }

    /// Finds a path for the end entity.
    pub(super) fn run(
        mut self,
        end_entity: &'p Certificate<'p>,
        role: Role,
    ) -> Result<Found<'p>, Failure<'p>> {
        let purposes = end_entity.extensions.extended_key_usage.unwrap_or(KeyPurposes::ALL);
        let link = Link { certificate: end_entity, role, authority: None, purposes };
        self.path.push(link);
        if self.store.holds(end_entity) {
            return Ok(Found { links: self.path, anchor: None });
        }
        end_entity.check_issued().map_err(|problem| link.blame(problem))?;
        match self.climb()? {
            Some(anchor) => {
                self.signatures.learn(&self.verified);
                Ok(Found { links: self.path, anchor: Some(anchor) })
            }
            None => Err(self.failure.unwrap_or_else(|| unknown_issuer(link, Problem::UnknownIssuer))),
        }
    }

    /// Extends the path to an anchor, if that can be done; an error ends the search.
    fn climb(&mut self) -> Result<Option<&'p Authority<'p>>, Failure<'p>> {
        let Some(child) = self.path.last().copied() else { return Ok(None) };
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
        for candidate in self.candidates {
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
    fn would_loop(&self, certificate: &Certificate<'_>) -> bool {
        let same = |link: &Link<'_>| {
            link.certificate.subject == certificate.subject && link.certificate.spki == certificate.spki
        };
        self.path.iter().any(same)
    }

    /// Tries an issuer for the uppermost certificate of the path.
    fn attempt(&mut self, child: Link<'p>, issuer: Issuer<'p>) -> Result<Attempt<'p>, Failure<'p>> {
        let Issuer { role, subject, authority } = issuer;
        if subject != child.certificate.issuer {
            return Ok(Attempt::NotTheIssuer);
        }
        let blame = |problem| Failure { role, subject, problem };
        let checked = match authority {
            Ok(authority) => match authority.key_is_named_by(child.certificate) {
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

    /// Checks a step upward, from `child` to `issuer`, and returns the purposes left.
    fn check(
        &mut self,
        child: Link<'p>,
        issuer: &'p Authority<'p>,
        blame: impl Fn(Problem) -> Failure<'p>,
    ) -> Result<KeyPurposes, Failure<'p>> {
        self.budget.node().map_err(|p| child.blame(p))?;
        issuer.validity.check(self.now).map_err(&blame)?;
        self.check_length(child, issuer, &blame)?;
        let purposes = child.purposes & issuer.purposes;
        self.policy.purpose.check(self.side, Some(purposes)).map_err(&blame)?;
        self.budget.signature().map_err(|p| child.blame(p))?;
        self.check_signature(child.certificate, issuer).map_err(|problem| match problem {
            Problem::Signature if child.certificate.self_issued() => child.blame(Problem::UntrustedRoot),
            problem => child.blame(problem),
        })?;
        self.check_issuers(child, issuer, &blame)?;
        self.check_names(issuer)?;
        Ok(purposes)
    }

    /// Verifies a signature, if that was not done before.
    fn check_signature(
        &mut self,
        certificate: &Certificate<'p>,
        issuer: &'p Authority<'p>,
    ) -> Result<(), Problem> {
        let fact = (certificate.der, &*issuer.spki);
        if !self.signatures.knows(fact) {
            certificate.signed.verify(&issuer.key)?;
            self.verified.push(fact);
        }
        Ok(())
    }

    /// What Section 4.2 asks of those who issue, unless that is waived.
    fn check_issuers(
        &self,
        child: Link<'p>,
        issuer: &Authority<'p>,
        blame: impl Fn(Problem) -> Failure<'p>,
    ) -> Result<(), Failure<'p>> {
        if !self.policy.issuer_profile {
            return Ok(());
        }
        let named = child.certificate.extensions.authority_key_identifier;
        if named.is_none_or(|named| named.key_identifier.is_none()) {
            return Err(
                child.blame(Problem::Profile("authorityKeyIdentifier must be there (Section 4.2.1.1)"))
            );
        }
        issuer.issuer_fault.clone().map_or(Ok(()), |fault| Err(blame(fault)))
    }

    /// Section 4.2.1.9: self-issued intermediates do not count.
    fn check_length(
        &self,
        child: Link<'p>,
        issuer: &Authority<'p>,
        blame: impl Fn(Problem) -> Failure<'p>,
    ) -> Result<(), Failure<'p>> {
        let intermediates = self.path.iter().skip(1).filter(|link| !link.certificate.self_issued()).count();
        if let Some(limit) = issuer.path_length.filter(|limit| intermediates > usize::from(*limit)) {
            return Err(blame(Problem::PathLength(limit)));
        }
        let limit = self.policy.max_intermediates;
        if intermediates > limit || self.path.len() > MAX_PATH {
            return Err(child.blame(Problem::Depth(limit.min(MAX_PATH))));
        }
        Ok(())
    }

    /// Holds everything below `issuer` to its name constraints, save self-issued intermediates (Section 6.1.3, (b) and (c)).
    fn check_names(&mut self, issuer: &Authority<'p>) -> Result<(), Failure<'p>> {
        let constraints = issuer.name_constraints();
        if constraints.is_empty() {
            return Ok(());
        }
        for (index, link) in self.path.iter().enumerate() {
            if index == 0 || !link.certificate.self_issued() {
                let checked = constraints.check(link.certificate, &issuer.subject, &mut self.budget);
                checked.map_err(|problem| link.blame(problem))?;
            }
        }
        Ok(())
    }

    /// The checks that need the whole path; whether they hold.
    fn complete(&mut self, anchor: &'p Authority<'p>) -> Result<bool, Failure<'p>> {
        match self.check_policies(anchor).and_then(|()| self.check_revocation(anchor)) {
            Ok(()) => Ok(true),
            Err(failure) if failure.ends_search() => Err(failure),
            Err(failure) => {
                self.note(failure);
                Ok(false)
            }
        }
    }

    fn check_policies(&self, anchor: &Authority<'p>) -> Result<(), Failure<'p>> {
        let steps = self
            .path
            .iter()
            .rev()
            .map(|link| (link.certificate.extensions.policies, link.certificate.self_issued()));
        let checked = policy::check(anchor.policies, steps);
        self.path.first().map_or(Ok(()), |end_entity| checked.map_err(|problem| end_entity.blame(problem)))
    }

    /// Section 6.3: only now, when every issuer in the path is known to be one.
    fn check_revocation(&mut self, anchor: &'p Authority<'p>) -> Result<(), Failure<'p>> {
        let issuers = self.path.iter().skip(1).filter_map(|link| link.authority).chain([anchor]);
        for (index, (link, issuer)) in self.path.iter().zip(issuers).enumerate() {
            let required = match self.policy.revocation {
                Revocation::WhereKnown => false,
                Revocation::EndEntity => index == 0,
                Revocation::WholePath => true,
            };
            let crls = self.store.crls(link.certificate.issuer);
            let effort = (self.now, &mut self.budget);
            crl::check(crls, link.certificate, issuer, required, effort).map_err(|p| link.blame(p))?;
        }
        Ok(())
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
