//! Certificate policies (RFC 5280, Sections 4.2.1.4, .5, .11, .14 and 6.1), as far as they can make a path invalid.
//!
//! Every policy is acceptable to us (user-initial-policy-set is any-policy), so policies matter only when a CA in the path sets
//! requireExplicitPolicy: then one policy must run through the whole path. Without policyMappings the valid policy tree is
//! an intersection of sets, and that is all that is kept; a path that requires a policy and maps one is refused.

use alloc::vec::Vec;

use der::{
    Decode, Reader, SliceReader, Tag, Tagged,
    asn1::{AnyRef, ObjectIdentifier, UintRef},
};

use super::{
    extensions::{for_each, implicit, saturate},
    oid::Oid,
    problem::Problem,
};

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
        reader: &mut SliceReader<'a>,
        critical: bool,
    ) -> Result<(), Problem> {
        let sequence = AnyRef::decode(reader)?;
        sequence.tag().assert_eq(Tag::Sequence)?;
        let policies = sequence.value();
        let mut reader = SliceReader::new(policies)?;
        for index in 0..=MAX_POLICIES {
            if index == MAX_POLICIES {
                return Err(Problem::Malformed("too many certificate policies"));
            }
            let (policy, is_understood) = read_policy(&mut reader)?;
            if critical && !is_understood {
                return Err(Problem::Unsupported("critical policy qualifiers beside CPS and UserNotice"));
            }
            if policy == ANY_POLICY && !is_understood {
                return Err(Problem::Profile("anyPolicy with a qualifier of its own (Section 4.2.1.4)"));
            }
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

    pub(super) fn read_mappings(&mut self, reader: &mut SliceReader<'_>) -> Result<(), Problem> {
        self.maps = true;
        for_each(reader, |r, _| {
            let pair = r.sequence(|r| Ok::<[Oid<'_>; 2], der::Error>([r.decode()?, r.decode()?]))?;
            if pair.contains(&ANY_POLICY) {
                return Err(Problem::Profile("a mapping from or to anyPolicy (Section 4.2.1.5)"));
            }
            Ok(())
        })
    }

    pub(super) fn read_constraints(&mut self, reader: &mut SliceReader<'_>) -> Result<(), Problem> {
        let count = |contents: Option<&[u8]>| contents.map(skip_certs).transpose();
        let (explicit, inhibit_mapping) = reader.sequence(|r| {
            Ok::<_, Problem>((count(implicit(r, 0, false)?)?, count(implicit(r, 1, false)?)?))
        })?;
        if explicit.is_none() && inhibit_mapping.is_none() {
            return Err(Problem::Profile("policyConstraints is empty (Section 4.2.1.11)"));
        }
        self.require_explicit = explicit;
        Ok(())
    }

    pub(super) fn read_inhibit_any(&mut self, reader: &mut SliceReader<'_>) -> Result<(), Problem> {
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
        if index == last || !self_issued {
            explicit = explicit.map(|n| n.saturating_sub(1));
            inhibit_any = inhibit_any.map(|n| n.saturating_sub(1));
        }
        explicit = least(explicit, step.require_explicit);
        inhibit_any = least(inhibit_any, step.inhibit_any);
        maps |= step.maps;
    }
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
fn read_policy<'a>(reader: &mut SliceReader<'a>) -> Result<(Oid<'a>, bool), Problem> {
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
    let mut reader = SliceReader::new(policies).ok();
    let read = move || read_policy(reader.as_mut().filter(|r| !r.is_finished())?).ok();
    core::iter::from_fn(read).map(|(policy, _)| policy)
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

    #[test]
    fn a_required_policy_runs_through_the_path() {
        assert!(valid(&[with(&[1]), with(&[2])]), "no policy is required");
        assert!(valid(&[requiring(&[1, 2], 0), with(&[2, 3])]));
        assert!(valid(&[requiring(&[0], 0), with(&[3])]));
        assert!(!valid(&[requiring(&[1], 0), with(&[2])]));
        assert!(!valid(&[requiring(&[1], 0), PolicyExtensions::default()]));
        assert!(!valid(&[with(&[1]), requiring(&[2], 0)]));
    }

    #[test]
    fn the_countdowns_end_where_the_rfc_says() {
        assert!(!valid(&[requiring(&[1], 1), with(&[2])]));
        assert!(!valid(&[requiring(&[1], 2), with(&[1]), with(&[2])]));
        assert!(valid(&[requiring(&[1], 3), with(&[1]), with(&[2])]));
        let no_any = PolicyExtensions { inhibit_any: Some(0), ..requiring(&[1], 0) };
        assert!(!valid(&[no_any, with(&[0])]) && valid(&[no_any, with(&[1])]));
    }

    #[test]
    fn a_mapped_policy_is_not_followed() {
        let maps = PolicyExtensions { maps: true, ..requiring(&[1], 0) };
        assert!(!valid(&[maps, with(&[1])]));
        assert!(valid(&[PolicyExtensions { maps: true, ..with(&[1]) }, with(&[2])]));
    }
}
