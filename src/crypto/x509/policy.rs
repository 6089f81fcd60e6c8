//! Certificate policies (RFC 5280, Sections 4.2.1.4, .5, .11, .14 and 6.1), as far as they can make a path invalid.
//!
//! Every policy is acceptable to us (user-initial-policy-set is any-policy), so policies matter only when a CA in the path sets
//! requireExplicitPolicy: then one policy must run through the whole path. Without policyMappings the valid policy tree is
//! an intersection of sets, and that is all that is kept; a path that requires a policy and maps one is refused.

use alloc::vec::Vec;

use der::{
    Decode, Reader, Tag, Tagged,
    asn1::{AnyRef, ObjectIdentifier, UintRef},
};

use super::{
    extensions::{for_each, implicit, saturate},
    oid::Oid,
    problem::Problem,
};
use crate::crypto::der_reader::DerReader;

const ANY_POLICY: Oid<'static> = Oid::known(&ObjectIdentifier::new_unwrap("2.5.29.32.0"));
const CPS: Oid<'static> = Oid::known(&ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.2.1"));
const USER_NOTICE: Oid<'static> = Oid::known(&ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.2.2"));
/// Intersecting takes the square of it.
const MAX_POLICIES: usize = 32;

/// The four policy extensions of a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PolicyExtensions<'a> {
    /// The contents of certificatePolicies.
    policies: Option<&'a [u8]>,
    maps: bool,
    require_explicit: Option<u8>,
    inhibit_any: Option<u8>,
}

impl<'a> PolicyExtensions<'a> {
    pub(super) fn read_policies(
        &mut self,
        reader: &mut DerReader<'a>,
        critical: bool,
    ) -> Result<(), Problem> {
        let sequence = AnyRef::decode(reader)?;
        sequence.tag().assert_eq(Tag::Sequence)?;
        let policies = sequence.value();
        let mut reader = DerReader::new(policies);
        for index in 0..=MAX_POLICIES {
            if index == MAX_POLICIES {
                return Err(Problem::Malformed("too many certificate policies"));
            }
            let (policy, is_understood) = read_policy(&mut reader)?;
            //= rfc5280#section-4.2.1.4
            //# the path validation software MUST be able to interpret this extension (including the optional
            //# qualifier), or MUST reject the certificate.
            if critical && !is_understood {
                return Err(Problem::Unsupported("critical policy qualifiers beside CPS and UserNotice"));
            }
            //= rfc5280#section-4.2.1.4
            //# When qualifiers are used with the special policy anyPolicy, they MUST be limited to the
            //# qualifiers identified in this section.
            if policy == ANY_POLICY && !is_understood {
                return Err(Problem::Profile("anyPolicy with a qualifier of its own (Section 4.2.1.4)"));
            }
            //= rfc5280#section-4.2.1.4
            //# A certificate policy OID MUST NOT appear more than once in a certificate policies extension.
            if oids(policies).take(index).any(|earlier| earlier == policy) {
                return Err(Problem::Malformed("a certificate policy stands twice"));
            }
            if reader.is_finished() {
                break;
            }
        }
        self.policies = Some(policies);
        Ok(())
    }

    pub(super) fn read_mappings(&mut self, reader: &mut DerReader<'_>) -> Result<(), Problem> {
        self.maps = true;
        for_each(reader, |r, _| {
            let pair = r.sequence(|r| Ok::<[Oid<'_>; 2], der::Error>([r.decode()?, r.decode()?]))?;
            //= rfc5280#section-4.2.1.5
            //# Policies MUST NOT be mapped either to or from the special value anyPolicy (Section 4.2.1.4).
            //= rfc5280#section-6.1.4
            //# (a) If a policy mappings extension is present, verify that the special value anyPolicy does
            //# not appear as an issuerDomainPolicy or a subjectDomainPolicy.
            if pair.contains(&ANY_POLICY) {
                return Err(Problem::Profile("a mapping from or to anyPolicy (Section 4.2.1.5)"));
            }
            Ok(())
        })
    }

    pub(super) fn read_constraints(&mut self, reader: &mut DerReader<'_>) -> Result<(), Problem> {
        let count = |contents: Option<&[u8]>| contents.map(skip_certs).transpose();
        let (explicit, inhibit_mapping) = reader.sequence(|r| {
            Ok::<_, Problem>((count(implicit(r, 0, false)?)?, count(implicit(r, 1, false)?)?))
        })?;
        //= rfc5280#section-4.2.1.11
        //# Conforming CAs MUST NOT issue certificates where policy constraints is an empty sequence.
        //= rfc5280#section-4.2.1.11
        //# That is, either the inhibitPolicyMapping field or the requireExplicitPolicy field MUST be present.
        if explicit.is_none() && inhibit_mapping.is_none() {
            return Err(Problem::Profile("policyConstraints is empty (Section 4.2.1.11)"));
        }
        //= rfc5280#section-4.2.1.11
        //# Conforming applications MUST be able to process the requireExplicitPolicy field
        //= rfc5280#section-4.2.1.11
        //= type=exception
        //= reason=No mapping is ever followed, so there is nothing left to inhibit: a path that needs a policy and maps one is refused.
        //# If the policyConstraints extension is marked as critical and the inhibitPolicyMapping field is
        //# present, applications that do not implement support for the inhibitPolicyMapping field MUST reject
        //# the certificate.
        //= rfc5280#section-4.2.1.11
        //= type=exception
        //= reason=The field is read and has no effect, as no mapping is ever followed.
        //# Applications that support the inhibitPolicyMapping field MUST also implement support for the
        //# policyMappings extension.
        self.require_explicit = explicit;
        Ok(())
    }

    pub(super) fn read_inhibit_any(&mut self, reader: &mut DerReader<'_>) -> Result<(), Problem> {
        self.inhibit_any = Some(saturate(UintRef::decode(reader)?));
        Ok(())
    }

    /// Without the set of policies: how a trust anchor constrains, since it stands for every policy itself.
    pub(super) fn constraints_only(self) -> PolicyExtensions<'static> {
        PolicyExtensions {
            policies: None,
            maps: self.maps,
            require_explicit: self.require_explicit,
            inhibit_any: self.inhibit_any,
        }
    }

    fn has(&self, policy: Oid<'_>) -> bool {
        self.policies.is_some_and(|policies| oids(policies).any(|oid| oid == policy))
    }
}

/// One step of a path downward: the policy extensions of a certificate, and whether it is self-issued.
pub(super) type PolicyStep<'a> = (PolicyExtensions<'a>, bool);

/// Checks the policies of a path: the anchor's constraints, then its certificates down to the end entity.
pub(super) fn check<'a>(
    anchor: PolicyExtensions<'_>,
    path: impl DoubleEndedIterator<Item = PolicyStep<'a>> + ExactSizeIterator + Clone,
) -> Result<(), Problem> {
    if anchor.require_explicit.is_none() && path.clone().all(|(step, _)| step.require_explicit.is_none()) {
        return Ok(());
    }
    let mut explicit = anchor.require_explicit;
    let mut inhibit_any = anchor.inhibit_any;
    let mut sets = Vec::new();
    let mut maps = anchor.maps;
    let last = path.len().saturating_sub(1);
    for (index, (step, self_issued)) in path.enumerate() {
        let any_counts = inhibit_any != Some(0) || (self_issued && index < last);
        if !(any_counts && step.has(ANY_POLICY)) {
            sets.push(step);
        }
        //= rfc5280#section-6.1.4
        //# (1) If explicit_policy is not 0, decrement explicit_policy by 1.
        //= rfc5280#section-6.1.4
        //# (3) If inhibit_anyPolicy is not 0, decrement inhibit_anyPolicy by 1.
        if index == last || !self_issued {
            explicit = explicit.map(|n| n.saturating_sub(1));
            inhibit_any = inhibit_any.map(|n| n.saturating_sub(1));
        }
        //= rfc5280#section-6.1.4
        //# (1) If requireExplicitPolicy is present and is less than explicit_policy, set explicit_policy to
        //# the value of requireExplicitPolicy.
        //= rfc5280#section-6.1.4
        //# (j) If the inhibitAnyPolicy extension is included in the certificate and is less than
        //# inhibit_anyPolicy, set inhibit_anyPolicy to the value of inhibitAnyPolicy.
        explicit = least(explicit, step.require_explicit);
        inhibit_any = least(inhibit_any, step.inhibit_any);
        maps |= step.maps;
    }
    //= rfc5280#section-6.1.3
    //# (f) Verify that either explicit_policy is greater than 0 or the valid_policy_tree is not equal to
    //# NULL;
    let valid = explicit != Some(0) || (!maps && intersect(&sets));
    if valid { Ok(()) } else { Err(Problem::Policy) }
}

fn least(a: Option<u8>, b: Option<u8>) -> Option<u8> {
    a.into_iter().chain(b).min()
}

fn intersect(sets: &[PolicyExtensions<'_>]) -> bool {
    let Some((first, others)) = sets.split_first() else { return true };
    oids(first.policies.unwrap_or_default())
        .any(|policy| policy != ANY_POLICY && others.iter().all(|other| other.has(policy)))
}

/// Reads PolicyInformation: the policy, and whether its qualifiers, which are for people, are of the two kinds of the profile.
fn read_policy<'a>(reader: &mut DerReader<'a>) -> Result<(Oid<'a>, bool), Problem> {
    reader.sequence(|r| {
        let policy = r.decode()?;
        let mut is_understood = true;
        if !r.is_finished() {
            for_each(r, |r, _| {
                r.sequence(|r| {
                    let (kind, _value): (Oid<'_>, AnyRef<'_>) = (r.decode()?, r.decode()?);
                    is_understood &= kind == CPS || kind == USER_NOTICE;
                    Ok(())
                })
            })?;
        }
        Ok((policy, is_understood))
    })
}

/// The policies of contents that have been read before.
fn oids(policies: &[u8]) -> impl Iterator<Item = Oid<'_>> {
    let mut reader = DerReader::new(policies);
    core::iter::from_fn(move || read_policy(&mut reader).ok()).map(|(policy, _)| policy)
}

fn skip_certs(contents: &[u8]) -> Result<u8, Problem> {
    match contents {
        [only @ ..=0x7f] | [0, only @ 0x80..=0xff] => Ok(*only),
        [1..=0x7f, _, ..] | [0, 0x80..=0xff, _, ..] => Ok(u8::MAX),
        _ => Err(Problem::Malformed("a SkipCerts is not a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// certificatePolicies with 2.5.29.32.N for each N: 0 is anyPolicy.
    fn with(policies: &'static [u8]) -> PolicyExtensions<'static> {
        let body: Vec<u8> = policies.iter().flat_map(|n| [0x30, 6, 6, 4, 0x55, 0x1d, 0x20, *n]).collect();
        PolicyExtensions { policies: Some(body.leak()), ..PolicyExtensions::default() }
    }

    fn requiring(policies: &'static [u8], explicit: u8) -> PolicyExtensions<'static> {
        PolicyExtensions { require_explicit: Some(explicit), ..with(policies) }
    }

    fn valid(path: &[PolicyExtensions<'static>]) -> bool {
        check(PolicyExtensions::default(), path.iter().map(|step| (*step, false))).is_ok()
    }

    //= rfc5280#section-4.2.1.11
    //= type=test
    //# Conforming applications MUST be able to process the requireExplicitPolicy field
    //= rfc5280#section-6.1.3
    //= type=test
    //# (f) Verify that either explicit_policy is greater than 0 or the valid_policy_tree is not equal to
    //# NULL;
    #[test]
    fn a_required_policy_runs_through_the_path() {
        assert!(valid(&[with(&[1]), with(&[2])]), "no policy is required");
        assert!(valid(&[requiring(&[1, 2], 0), with(&[2, 3])]));
        assert!(valid(&[requiring(&[0], 0), with(&[3])]));
        assert!(!valid(&[requiring(&[1], 0), with(&[2])]));
        assert!(!valid(&[requiring(&[1], 0), PolicyExtensions::default()]));
        assert!(!valid(&[with(&[1]), requiring(&[2], 0)]));
    }

    //= rfc5280#section-6.1.4
    //= type=test
    //# (1) If explicit_policy is not 0, decrement explicit_policy by 1.
    //= rfc5280#section-6.1.4
    //= type=test
    //# (3) If inhibit_anyPolicy is not 0, decrement inhibit_anyPolicy by 1.
    //= rfc5280#section-6.1.4
    //= type=test
    //# (1) If requireExplicitPolicy is present and is less than explicit_policy, set explicit_policy to the
    //# value of requireExplicitPolicy.
    //= rfc5280#section-6.1.4
    //= type=test
    //# (j) If the inhibitAnyPolicy extension is included in the certificate and is less than
    //# inhibit_anyPolicy, set inhibit_anyPolicy to the value of inhibitAnyPolicy.
    #[test]
    fn the_countdowns_end_where_the_rfc_says() {
        assert!(!valid(&[requiring(&[1], 1), with(&[2])]));
        assert!(!valid(&[requiring(&[1], 2), with(&[1]), with(&[2])]));
        assert!(valid(&[requiring(&[1], 3), with(&[1]), with(&[2])]));
        let no_any = PolicyExtensions { inhibit_any: Some(0), ..requiring(&[1], 0) };
        assert!(!valid(&[no_any, with(&[0])]) && valid(&[no_any, with(&[1])]));
        let no_any_later = PolicyExtensions { inhibit_any: Some(1), ..requiring(&[1], 0) };
        assert!(valid(&[no_any_later, with(&[0]), with(&[1])]));
        assert!(!valid(&[no_any_later, with(&[1]), with(&[0])]));
    }

    #[test]
    fn a_mapped_policy_is_not_followed() {
        let maps = PolicyExtensions { maps: true, ..requiring(&[1], 0) };
        assert!(!valid(&[maps, with(&[1])]));
        assert!(valid(&[PolicyExtensions { maps: true, ..with(&[1]) }, with(&[2])]));
    }
}
