//! Which names a certificate proves (RFC 9525).
//!
//! subjectAltName alone counts, never the common name. `*` stands for one whole label, the left-most, of a domain
//! that is no registry's. An IP address is matched by an iPAddress alone, octet for octet. A-labels are compared as they are written.

use alloc::{format, string::String, vec::Vec};

use super::{
    certificate::Certificate,
    general_name::{GeneralName, ip_address},
    problem::Problem,
    text,
};
use crate::crypto::certificate::ServerName;

/// Checks that a certificate proves one of the accepted names; without any, there is nothing to prove.
pub(super) fn check(certificate: &Certificate<'_>, accepted: &[ServerName]) -> Result<(), Problem> {
    let Some(first) = accepted.first() else { return Ok(()) };
    for presented in presented(certificate) {
        let presented = presented?;
        //= rfc6125#section-6.6.1
        //# In this case, the client MUST use the matched reference identifier as the validated identity of
        //# the application service.
        if accepted.iter().any(|reference| matches(presented, reference)) {
            return Ok(());
        }
    }
    //= rfc6125#section-6.6.3
    //# If the client does not find a presented identifier matching any of the reference identifiers and the
    //# client has not previously pinned the certificate to one of the reference identifiers in the list it
    //# constructed for this communication attempt, then the client MUST proceed as described under Section
    //# 6.6.4.
    //= rfc6125#section-6.6.4
    //# An automated application MAY provide a configuration setting that disables this behavior, but MUST
    //# enable the behavior by default.
    Err(Problem::Name(format!("{first}"), summary(certificate, is_of_a_host, NO_HOST)))
}

//= rfc5280#section-4.2.1.6
//# Whenever such identities are to be bound into a certificate, the subject alternative name (or issuer
//# alternative name) extension MUST be used
//= rfc6125#section-6.2.1
//# MUST NOT check for RDNs other than those of type Common Name in the presented identifiers.
//= rfc6125#section-6.2.1
//# A client MUST NOT construct a reference identifier corresponding to Relative Distinguished Names (RDNs)
//# other than those of type Common Name and
//= rfc6125#section-6.3
//# A client MUST NOT seek a match for a reference identifier of CN-ID if the presented identifiers include a
//# DNS-ID, SRV-ID, URI-ID, or any application-specific identifier types supported by the client.
//= rfc6125#section-6.4.4
//# As noted, a client MUST NOT seek a match for a reference identifier of CN-ID if the presented identifiers
//# include a DNS-ID, SRV-ID, URI-ID, or any application-specific identifier types supported by the client.
//= rfc6125#section-6.4.4
//= type=exception
//= reason=It never chooses to: no common name is ever compared.
//# If the client chooses to compare a reference identifier of type CN-ID against that string, it MUST follow
//# the comparison rules for the DNS domain name portion of an identifier of type DNS-ID, SRV-ID, or URI-ID,
//# as described under Section 6.4.1, Section 6.4.2, and Section 6.4.3.
pub(super) fn presented<'a>(
    certificate: &Certificate<'a>,
) -> impl Iterator<Item = Result<GeneralName<'a>, Problem>> + use<'a> {
    certificate.extensions.subject_alt_name.into_iter().flat_map(|names| names.names())
}

fn matches(presented: GeneralName<'_>, reference: &ServerName) -> bool {
    match (presented, reference) {
        //= rfc9289#section-5.2.1
        //# Support for the DNS-ID identifier type is REQUIRED in RPC-with-TLS client and server
        //# implementations.
        (GeneralName::Dns(presented), ServerName::Dns(name)) => matches_dns(presented, name),
        //= rfc9289#section-5.2.1
        //# For RPC services accessed by their netids and uaddrs, the iPAddress subjectAltName MUST be present
        //# in the certificate and MUST exactly match the address
        (GeneralName::Ip(octets), ServerName::Ip(address)) => ip_address(octets) == Some(*address),
        _ => false,
    }
}

//= rfc5280#section-7.2
//# When comparing DNS names for equality, conforming implementations MUST perform a case-insensitive exact
//# match on the entire DNS name.
//= rfc6125#section-6.4
//# The client MUST match the DNS domain name portion of a reference identifier according to the following
//# rules
//= rfc6125#section-6.4.1
//# Each label MUST match in order for the names to be considered to match, except as supplemented by the rule
//# about checking of wildcard labels (Section 6.4.3).
//= rfc6125#section-6.4.2
//# Each label MUST match
//= rfc6125#section-6.4.2
//# A-labels MUST be compared as case-insensitive ASCII.
fn matches_dns(presented: &str, name: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    match presented.strip_prefix("*.") {
        Some(domain) => {
            !is_registry(domain)
                && name
                    .split_once('.')
                    .is_some_and(|(label, rest)| !label.is_empty() && rest.eq_ignore_ascii_case(domain))
        }
        None => presented.eq_ignore_ascii_case(name),
    }
}

/// Whether names right below `domain` belong to many owners: a top-level domain, or what stands for one in a country (`co.uk`).
///
/// The whole Public Suffix List has its place in browsers; these are the two layers that can be told by their form.
fn is_registry(domain: &str) -> bool {
    const BY_KIND: &[&str] = &[
        "ac", "co", "com", "edu", "gob", "gov", "govt", "info", "ltd", "me", "mil", "mod", "ne", "net",
        "nhs", "nom", "or", "org", "plc", "police", "sch", "school",
    ];
    match domain.split_once('.') {
        Some((kind, country)) => {
            country.len() == 2 && BY_KIND.iter().any(|registry| registry.eq_ignore_ascii_case(kind))
        }
        None => true,
    }
}

const NO_HOST: &str = "no name (subjectAltName has no dNSName or iPAddress)";

fn is_of_a_host(name: &GeneralName<'_>) -> bool {
    matches!(name, GeneralName::Dns(_) | GeneralName::Ip(_))
}

/// The names that might have matched, for the log.
pub(super) fn summary(
    certificate: &Certificate<'_>,
    might_match: fn(&GeneralName<'_>) -> bool,
    none: &str,
) -> String {
    const SHOWN: usize = 4;
    let names = presented(certificate).flatten().filter(might_match);
    let names: Vec<_> =
        names.take(SHOWN.saturating_add(1)).map(|name| format!("'{}'", text::general_name(name))).collect();
    match names.split_at_checked(SHOWN) {
        Some((shown, [_, ..])) => format!("{}, ...", shown.join(", ")),
        _ if names.is_empty() => none.into(),
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= rfc5280#section-7.2
    //= type=test
    //# When comparing DNS names for equality, conforming implementations MUST perform a case-insensitive
    //# exact match on the entire DNS name.
    //= rfc6125#section-6.4
    //= type=test
    //# The client MUST match the DNS domain name portion of a reference identifier according to the following
    //# rules
    //= rfc6125#section-6.4.1
    //= type=test
    //# Each label MUST match in order for the names to be considered to match, except as supplemented by the
    //# rule about checking of wildcard labels (Section 6.4.3).
    //= rfc6125#section-6.4.2
    //= type=test
    //# Each label MUST match
    //= rfc6125#section-6.4.2
    //= type=test
    //# A-labels MUST be compared as case-insensitive ASCII.
    #[test]
    fn dns_names_match_label_for_label() {
        for (presented, name) in [
            ("a.test", "A.TEST"),
            ("*.a.test", "b.a.test"),
            ("*.lab.uk", "b.lab.uk"),
            ("*.co.test", "b.co.test"),
            ("*.a.test", "xn--n3h.A.test"),
            ("a.test", "a.test."),
        ] {
            assert!(matches_dns(presented, name), "{presented} {name}");
        }
        for (presented, name) in [
            ("a.test", "b.a.test"),
            ("*.a.test", "a.test"),
            ("*.a.test", "c.b.a.test"),
            ("*.test", "a.test"),
            ("*.co.uk", "a.co.uk"),
            ("*.COM.au", "a.com.au"),
            ("a.test", "xa.test"),
            ("*.a.test", ".a.test"),
        ] {
            assert!(!matches_dns(presented, name), "{presented} {name}");
        }
    }

    //= rfc9289#section-5.2.1
    //= type=test
    //# For RPC services accessed by their netids and uaddrs, the iPAddress subjectAltName MUST be present in
    //# the certificate and MUST exactly match the address
    #[test]
    fn addresses_match_addresses_alone() {
        let v4 = ServerName::Ip("10.0.0.1".parse().unwrap());
        assert!(matches(GeneralName::Ip(&[10, 0, 0, 1]), &v4));
        assert!(
            !matches(GeneralName::Ip(&[10, 0, 0, 2]), &v4) && !matches(GeneralName::Dns("10.0.0.1"), &v4)
        );
        let mapped = ServerName::Ip("::ffff:10.0.0.1".parse().unwrap());
        assert!(!matches(GeneralName::Ip(&[10, 0, 0, 1]), &mapped));
    }
}
