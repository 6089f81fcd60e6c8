//! What is checked of a step upward, and of a whole path.

use super::{
    Search,
    link::{Link, MAX_LINKS},
};
use crate::crypto::x509::{
    authority::Authority,
    certificate::Certificate,
    crl::{self, Revocation},
    policy,
    problem::{Failure, Problem},
    purpose::KeyPurposes,
};

impl<'p> Search<'p> {
    /// Checks a step upward, from `child` to `issuer`, and returns the purposes left.
    pub(super) fn check(
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
        if !self.signatures.knows((certificate.der, &issuer.key)) {
            certificate.signed.verify(&issuer.key)?;
            self.news = true;
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
        let path = self.path.as_slice();
        let intermediates = path.iter().skip(1).filter(|link| !link.certificate.self_issued()).count();
        if let Some(limit) = issuer.path_length.filter(|limit| intermediates > usize::from(*limit)) {
            return Err(blame(Problem::PathLength(limit)));
        }
        let limit = self.policy.max_intermediates;
        if intermediates > limit || path.len() >= MAX_LINKS {
            return Err(child.blame(Problem::Depth(limit.min(MAX_LINKS))));
        }
        Ok(())
    }

    /// Holds everything below `issuer` to its name constraints, save self-issued intermediates (Section 6.1.3, (b) and (c)).
    fn check_names(&mut self, issuer: &Authority<'p>) -> Result<(), Failure<'p>> {
        let constraints = issuer.name_constraints();
        if constraints.is_empty() {
            return Ok(());
        }
        for (index, link) in self.path.as_slice().iter().enumerate() {
            if index == 0 || !link.certificate.self_issued() {
                let checked = constraints.check(link.certificate, &issuer.subject, &mut self.budget);
                checked.map_err(|problem| link.blame(problem))?;
            }
        }
        Ok(())
    }

    /// The checks that need the whole path; whether they hold.
    pub(super) fn complete(&mut self, anchor: &'p Authority<'p>) -> Result<bool, Failure<'p>> {
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
        let path = self.path.as_slice();
        let steps = path
            .iter()
            .rev()
            .map(|link| (link.certificate.extensions.policies, link.certificate.self_issued()));
        let checked = policy::check(anchor.policies, steps);
        path.first().map_or(Ok(()), |end_entity| checked.map_err(|problem| end_entity.blame(problem)))
    }

    /// Section 6.3: only now, when every issuer in the path is known to be one.
    fn check_revocation(&mut self, anchor: &'p Authority<'p>) -> Result<(), Failure<'p>> {
        let (now, mut budget) = (self.now, self.budget);
        let checked = self.steps(anchor).enumerate().try_for_each(|(index, (link, issuer))| {
            let required = match self.policy.revocation {
                Revocation::WhereKnown => false,
                Revocation::EndEntity => index == 0,
                Revocation::WholePath => true,
            };
            let crls = self.store.crls(link.certificate.issuer);
            let effort = (now, &mut budget);
            crl::check(crls, link.certificate, issuer, required, effort).map_err(|p| link.blame(p))
        });
        self.budget = budget;
        checked
    }
}
