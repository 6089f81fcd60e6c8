//! Name constraints (RFC 5280, Section 4.2.1.10): where the certificates below a CA may lie.
//!
//! A name is permitted if it lies wholly within a permitted subtree of its kind (or there is none of its kind), and excluded
//! if any part of it lies within an excluded one: `*.example.com` is excluded by `bar.example.com`, but not permitted by it.

use der::Reader;

use super::{
    budget::Budget,
    certificate::Certificate,
    distinguished_name,
    extensions::implicit,
    general_name::{GeneralName, is_host, mailbox, uri_scheme},
    problem::Problem,
};
use crate::crypto::der_reader::DerReader;

/// The extension: the contents of both GeneralSubtrees, empty where absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NameConstraints<'a> {
    pub(super) permitted: &'a [u8],
    pub(super) excluded: &'a [u8],
}

impl<'a> NameConstraints<'a> {
    pub(super) fn read(reader: &mut DerReader<'a>) -> Result<Self, Problem> {
        let (permitted, excluded) =
            reader.sequence(|r| Ok::<_, Problem>((implicit(r, 0, true)?, implicit(r, 1, true)?)))?;
        //= rfc5280#section-4.2.1.10
        //# That is, either the permittedSubtrees field or the excludedSubtrees MUST be present.
        //= rfc5280#section-4.2.1.10
        //# Conforming CAs MUST NOT issue certificates where name constraints is an empty sequence.
        if permitted.is_none() && excluded.is_none() {
            return Err(Problem::Profile("nameConstraints is empty (Section 4.2.1.10)"));
        }
        for subtrees in permitted.into_iter().chain(excluded) {
            check_subtrees(subtrees)?;
        }
        Ok(Self { permitted: permitted.unwrap_or_default(), excluded: excluded.unwrap_or_default() })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.permitted.is_empty() && self.excluded.is_empty()
    }

    /// Checks every name of a certificate: those of subjectAltName, the subject, and without a subjectAltName its emailAddress.
    pub(super) fn check(
        &self,
        certificate: &Certificate<'_>,
        by: &[u8],
        budget: &mut Budget,
    ) -> Result<(), Problem> {
        //= rfc5280#section-4.2.1.10
        //# Restrictions of the form directoryName MUST be applied to the subject field in the certificate
        //# (when the certificate includes a non-empty subject field) and to any names of type directoryName
        //# in the subjectAltName extension.
        let mut check = |name: GeneralName<'_>| self.check_name(name, by, budget);
        if certificate.subject != distinguished_name::EMPTY {
            check(GeneralName::Directory(certificate.subject))?;
        }
        match certificate.extensions.subject_alt_name {
            Some(names) => names.names().try_for_each(|name| check(name?)),
            //= rfc5280#section-4.2.1.10
            //# When constraints are imposed on the rfc822Name name form, but the certificate does not include
            //# a subject alternative name, the rfc822Name constraint MUST be applied to the attribute of type
            //# emailAddress in the subject distinguished name.
            None => distinguished_name::email_addresses(certificate.subject)
                .try_for_each(|address| check(GeneralName::Email(&address?))),
        }
    }

    fn check_name(&self, name: GeneralName<'_>, by: &[u8], budget: &mut Budget) -> Result<(), Problem> {
        let mut permitted = None;
        for base in bases(self.permitted) {
            if permitted != Some(true)
                && let Some(base) = applicable(base?, name, budget)?
            {
                permitted = Some(is_within(name, base, budget)?);
            }
        }
        //= rfc5280#section-6.1.3
        //# Otherwise, verify that the subject name is within one of the permitted_subtrees for X.500
        //# distinguished names
        if permitted == Some(false) {
            return Err(problem(name, by, "not permitted"));
        }
        //= rfc5280#section-6.1.3
        //# Otherwise, verify that the subject name is not within any of the excluded_subtrees for X.500
        //# distinguished names
        for base in bases(self.excluded) {
            if let Some(base) = applicable(base?, name, budget)?
                && overlaps(name, base, budget)?
            {
                return Err(problem(name, by, "excluded"));
            }
        }
        Ok(())
    }
}

fn problem(name: GeneralName<'_>, by: &[u8], how: &'static str) -> Problem {
    Problem::NameConstraint(super::text::general_name(name), super::text::name(by), how)
}

/// The base of a constraint, if it is of the kind of `name`. It is paid for first, and read only then: it may be long.
fn applicable<'b>(
    base: &'b [u8],
    name: GeneralName<'_>,
    budget: &mut Budget,
) -> Result<Option<GeneralName<'b>>, Problem> {
    if !name.is_of_kind(base) {
        budget.comparisons(1, 0)?;
        return Ok(None);
    }
    budget.comparisons(1, name.len().saturating_add(base.len()))?;
    GeneralName::read_loosely(&mut DerReader::new(base)).map(Some)
}

/// The base of each GeneralSubtree, in DER.
fn bases(subtrees: &[u8]) -> impl Iterator<Item = Result<&[u8], Problem>> {
    let mut reader = DerReader::new(subtrees);
    core::iter::from_fn(move || {
        if reader.is_finished() {
            return None;
        }
        //= rfc5280#section-4.2.1.10
        //# the minimum MUST be zero, and maximum MUST be absent.
        //= rfc5280#section-4.2.1.10
        //# the application MUST either process these fields or reject the certificate.
        Some(reader.sequence(|r| Ok(r.tlv_bytes()?)))
    })
}

/// The profile leaves nothing of a GeneralSubtree but its base: minimum is 0, and maximum absent.
fn check_subtrees(subtrees: &[u8]) -> Result<(), Problem> {
    if subtrees.is_empty() {
        return Err(Problem::Malformed("a list of name constraints is empty"));
    }
    bases(subtrees).try_for_each(|base| {
        let mut reader = DerReader::new(base?);
        let well_formed = match GeneralName::read_loosely(&mut reader)? {
            GeneralName::Email(base) if base.contains('@') => mailbox(base).is_some(),
            //= rfc5280#section-4.2.1.10
            //# The constraint MUST be specified as a fully qualified domain name and MAY specify a host or a
            //# domain.
            GeneralName::Email(base) | GeneralName::Uri(base) => {
                is_host(base.strip_prefix('.').unwrap_or(base))
            }
            GeneralName::Dns(base) => base.is_empty() || is_host(base),
            GeneralName::Ip(base) => is_subnet(base),
            GeneralName::Directory(_) | GeneralName::Other(_) => true,
        };
        if well_formed {
            Ok(())
        } else {
            Err(Problem::Malformed("a name constraint is not of its kind's syntax"))
        }
    })
}

/// An address and a mask of ones followed by zeros, in the manner of RFC 4632.
//= rfc5280#section-4.2.1.10
//# The syntax of iPAddress MUST be as described in Section 4.2.1.6 with the following additions specifically
//# for name constraints.
//= rfc5280#section-4.2.1.10
//# the iPAddress field of GeneralName MUST contain eight (8) octets, encoded in the style of RFC 4632 (CIDR)
//= rfc5280#section-4.2.1.10
//# For IPv6 addresses, the iPAddress field MUST contain 32 octets similarly encoded.
fn is_subnet(base: &[u8]) -> bool {
    let (_, mask) = halves(base);
    let contiguous =
        mask.iter().flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1)).is_sorted_by(|a, b| a >= b);
    matches!(base.len(), 8 | 32) && contiguous
}

fn halves(base: &[u8]) -> (&[u8], &[u8]) {
    base.split_at(base.len() / 2)
}

/// Whether all of `name` lies within `base`; both are of one kind.
fn is_within(name: GeneralName<'_>, base: GeneralName<'_>, budget: &mut Budget) -> Result<bool, Problem> {
    Ok(match (name, base) {
        (GeneralName::Dns(name), GeneralName::Dns(base)) => {
            is_subdomain(name.strip_prefix("*.").unwrap_or(name), base)
        }
        (GeneralName::Email(name), GeneralName::Email(base)) => is_mailbox_within(name, base)?,
        (GeneralName::Uri(name), GeneralName::Uri(base)) => is_host_within(uri_host(name)?, base),
        (GeneralName::Ip(name), GeneralName::Ip(base)) => is_address_within(name, base),
        //= rfc5280#section-4.2.1.10
        //# Applications conforming to this profile MUST be able to process name constraints that are imposed
        //# on the directoryName name form
        (GeneralName::Directory(name), GeneralName::Directory(base)) => {
            distinguished_name::is_within(name, base, budget)?
        }
        //= rfc5280#section-4.2.1.10
        //# the application MUST either process the constraint or reject the certificate.
        //= rfc5280#section-4.2.1.10
        //= type=exception
        //= reason=A name of this form under a restriction is refused, as the sentence about name forms allows.
        //# Restrictions of the form x400Address MUST be applied to any names of type x400Address in the
        //# subjectAltName extension.
        (name, _) => return Err(Problem::Malformed(name.misfit())),
    })
}

/// Whether any of `name` lies within `base`.
fn overlaps(name: GeneralName<'_>, base: GeneralName<'_>, budget: &mut Budget) -> Result<bool, Problem> {
    if let GeneralName::Directory(name) = name
        && !distinguished_name::is_plain(name)
    {
        return Err(Problem::Malformed("a name under an excluded directoryName is not text, or hides some"));
    }
    if let (GeneralName::Dns(name), GeneralName::Dns(base)) = (name, base)
        && let Some(domain) = name.strip_prefix("*.")
        && base.split_once('.').is_some_and(|(_, parent)| parent.eq_ignore_ascii_case(domain))
    {
        return Ok(true);
    }
    is_within(name, base, budget)
}

/// Whether `name` is `base` with zero or more labels added on the left.
//= rfc5280#section-7.2
//# When evaluating name constraints, conforming implementations MUST perform a case-insensitive exact match
//# on a label-by-label basis.
fn is_subdomain(name: &str, base: &str) -> bool {
    match name.len().checked_sub(base.len()).and_then(|n| name.split_at_checked(n)) {
        Some((added, tail)) => {
            tail.eq_ignore_ascii_case(base) && (added.is_empty() || base.is_empty() || added.ends_with('.'))
        }
        None => false,
    }
}

/// `.example.com` takes hosts below it, `example.com` that host alone.
fn is_host_within(host: &str, base: &str) -> bool {
    match base.strip_prefix('.') {
        Some(domain) => host.len() > base.len() && is_subdomain(host, domain),
        None => host.eq_ignore_ascii_case(base),
    }
}

fn is_mailbox_within(name: &str, base: &str) -> Result<bool, Problem> {
    let (local, host) = mailbox(name).ok_or(Problem::Malformed("an emailAddress is not a mailbox"))?;
    Ok(match mailbox(base) {
        Some((base_local, base_host)) => local == base_local && host.eq_ignore_ascii_case(base_host),
        None => is_host_within(host, base),
    })
}

fn is_address_within(address: &[u8], base: &[u8]) -> bool {
    let (network, mask) = halves(base);
    let same = |((address, network), mask): ((&u8, &u8), &u8)| address & mask == network & mask;
    address.len() == network.len() && address.iter().zip(network).zip(mask).all(same)
}

/// The host of a URI; the profile refuses one that a constraint applies to and that has none.
//= rfc5280#section-4.2.1.10
//# If a constraint is applied to the uniformResourceIdentifier name form and a subsequent certificate
//# includes a subjectAltName extension with a uniformResourceIdentifier that does not include an authority
//# component with a host name specified as a fully qualified domain name (e.g., if the URI either does not
//# include an authority component or includes an authority component in which the host name is specified as
//# an IP address), then the application MUST reject the certificate.
fn uri_host(uri: &str) -> Result<&str, Problem> {
    let host = || {
        let rest = uri_scheme(uri)?.strip_prefix("//")?;
        let authority = rest.split(['/', '?', '#']).next()?;
        let host_and_port = authority.rsplit('@').next()?;
        let host = match host_and_port.split_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            Some(_) => return None,
            None => host_and_port,
        };
        let is_name = host.parse::<core::net::Ipv4Addr>().is_err() && is_host(host);
        is_name.then_some(host)
    };
    host().ok_or(Problem::Malformed("a URI under name constraints has no host name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(name: GeneralName<'_>, base: GeneralName<'_>) -> Result<bool, Problem> {
        is_within(name, base, &mut Budget::default())
    }

    fn dns(name: &'static str, base: &'static str) -> (bool, bool) {
        let (name, base) = (GeneralName::Dns(name), GeneralName::Dns(base));
        (within(name, base).unwrap(), overlaps(name, base, &mut Budget::default()).unwrap())
    }

    //= rfc5280#section-7.2
    //= type=test
    //# When evaluating name constraints, conforming implementations MUST perform a case-insensitive exact
    //# match on a label-by-label basis.
    #[test]
    fn dns_names() {
        for (name, base) in [
            ("a.test", "a.test"),
            ("b.A.test", "a.TEST"),
            ("x", ""),
            ("*.a.test", "a.test"),
            ("*.b.a.test", "a.test"),
        ] {
            assert_eq!(dns(name, base), (true, true), "{name} {base}");
        }
        for (name, base) in
            [("ba.test", "a.test"), ("test", "a.test"), ("*.a.test", "c.b.a.test"), ("*.a.test", "b.test")]
        {
            assert_eq!(dns(name, base), (false, false), "{name} {base}");
        }
        assert_eq!(dns("*.a.test", "b.a.test"), (false, true), "a wildcard reaches into what is excluded");
    }

    #[test]
    fn mailboxes() {
        let within = |name, base| within(GeneralName::Email(name), GeneralName::Email(base));
        assert_eq!(within("a@b.test", "a@B.test"), Ok(true));
        assert_eq!(within("A@b.test", "a@b.test"), Ok(false));
        assert_eq!(within("a@b.test", "b.test"), Ok(true));
        assert_eq!(within("a@c.b.test", "b.test"), Ok(false));
        assert_eq!(within("a@c.b.test", ".b.test"), Ok(true));
        assert_eq!(within("a@b.test", ".b.test"), Ok(false));
        assert!(within("no mailbox", "b.test").is_err());
    }

    //= rfc5280#section-4.2.1.10
    //= type=test
    //# If a constraint is applied to the uniformResourceIdentifier name form and a subsequent certificate
    //# includes a subjectAltName extension with a uniformResourceIdentifier that does not include an
    //# authority component with a host name specified as a fully qualified domain name (e.g., if the URI
    //# either does not include an authority component or includes an authority component in which the host
    //# name is specified as an IP address), then the application MUST reject the certificate.
    #[test]
    fn uris() {
        let within = |name, base| within(GeneralName::Uri(name), GeneralName::Uri(base));
        assert_eq!(within("https://u@a.test:443/x", "a.test"), Ok(true));
        assert_eq!(within("https://b.a.test?@c.test", ".a.test"), Ok(true));
        assert_eq!(within("https://b.a.test", "a.test"), Ok(false));
        for hostless in ["urn:a", "https://10.0.0.1/", "https://[::1]/", "https:///", "https://a.test:x/"] {
            assert!(within(hostless, "a.test").is_err(), "{hostless}");
        }
    }

    //= rfc5280#section-4.2.1.10
    //= type=test
    //# The syntax of iPAddress MUST be as described in Section 4.2.1.6 with the following additions
    //# specifically for name constraints.
    //= rfc5280#section-4.2.1.10
    //= type=test
    //# the iPAddress field of GeneralName MUST contain eight (8) octets, encoded in the style of RFC 4632
    //# (CIDR)
    //= rfc5280#section-4.2.1.10
    //= type=test
    //# For IPv6 addresses, the iPAddress field MUST contain 32 octets similarly encoded.
    #[test]
    fn addresses() {
        let net = |base: &[u8]| is_address_within(&[10, 1, 2, 3], base);
        assert!(net(&[10, 0, 0, 0, 255, 0, 0, 0]) && net(&[0; 8]) && net(&[10, 1, 9, 9, 255, 255, 0, 0]));
        assert!(!net(&[11, 0, 0, 0, 255, 0, 0, 0]) && !net(&[0; 32]));
        assert!(is_subnet(&[10, 0, 0, 0, 255, 254, 0, 0]) && is_subnet(&[0; 32]));
        assert!(!is_subnet(&[10, 0, 0, 0, 255, 0, 255, 0]) && !is_subnet(&[10, 0, 0, 0]) && !is_subnet(&[]));
    }

    #[test]
    fn no_spelling_leads_out_of_an_excluded_directory() {
        let name = |tag: u8, text: &[u8]| {
            let length = |more: usize| u8::try_from(text.len().saturating_add(more)).unwrap();
            let head = [0x30, length(11), 0x31, length(9), 0x30, length(7), 6, 3, 0x55, 4, 3, tag, length(0)];
            [&head, text].concat()
        };
        let base = name(0x0c, b"ab");
        let excluded = |tag, text: &[u8]| {
            let name = name(tag, text);
            overlaps(GeneralName::Directory(&name), GeneralName::Directory(&base), &mut Budget::default())
        };
        assert_eq!((excluded(0x13, b"AB"), excluded(0x0c, b"c\xc3\xbc")), (Ok(true), Ok(false)));
        for hidden in ["a\u{ad}b", "a\u{200d}b", "a\u{e0020}b", "ab\u{fe0f}", "a\0b"] {
            assert!(excluded(0x0c, hidden.as_bytes()).is_err(), "{hidden:?}");
        }
        assert!(excluded(0x03, b"\0ab").is_err(), "a BIT STRING");
    }

    #[test]
    fn bases_are_paid_for_by_the_octet_and_those_of_other_kinds_are_not_read() {
        let spent = |name, excluded: &[u8]| {
            let (mut budget, constraints) = (Budget::default(), NameConstraints { permitted: &[], excluded });
            let checked = constraints.check_name(name, b"", &mut budget);
            (checked.is_ok(), Budget::default().comparisons.saturating_sub(budget.comparisons))
        };
        let torn = b"\x30\x04\xa4\x02\x30\x01";
        assert_eq!(spent(GeneralName::Dns("a"), torn), (true, 1), "its tag is enough");
        assert!(!spent(GeneralName::Directory(b"\x30\x00"), torn).0);
        let long = [&b"\x30\x7f\x82\x7d"[..], &[b'a'; 125]].concat();
        assert_eq!(spent(GeneralName::Dns("a"), &long), (true, 3), "128 octets, and one comparison");
    }

    //= rfc5280#section-4.2.1.10
    //= type=test
    //# That is, either the permittedSubtrees field or the excludedSubtrees MUST be present.
    //= rfc5280#section-4.2.1.10
    //= type=test
    //# Conforming CAs MUST NOT issue certificates where name constraints is an empty sequence.
    //= rfc5280#section-4.2.1.10
    //= type=test
    //# The constraint MUST be specified as a fully qualified domain name and MAY specify a host or a domain.
    #[test]
    fn subtrees_are_held_to_their_syntax() {
        let reads = |der: &[u8]| NameConstraints::read(&mut DerReader::new(der)).is_ok();
        assert!(reads(b"\x30\x07\xa0\x05\x30\x03\x82\x01a"));
        assert!(!reads(b"\x30\x08\xa0\x06\x30\x04\x82\x02.a"), "a leading dot");
        assert!(!reads(b"\x30\x0a\xa0\x08\x30\x06\x82\x01a\x80\x01\x00"), "a default written out");
        assert!(!reads(b"\x30\x00") && !reads(b"\x30\x02\xa0\x00"));
        assert!(reads(b"\x30\x08\xa0\x06\x30\x04\x86\x02.a"), "a domain of hosts");
        assert!(
            !reads(b"\x30\x09\xa0\x07\x30\x05\x86\x03a:b") && !reads(b"\x30\x06\xa0\x04\x30\x02\x86\x00")
        );
        assert!(!reads(b"\x30\x09\xa0\x07\x30\x05\x81\x03a@@"));
    }
}
