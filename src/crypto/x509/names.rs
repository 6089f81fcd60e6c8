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
        if accepted.iter().any(|reference| matches(presented, reference)) {
            return Ok(());
        }
    }
    Err(Problem::Name(format!("{first}"), summary(certificate)))
}

fn presented<'a>(
    certificate: &Certificate<'a>,
) -> impl Iterator<Item = Result<GeneralName<'a>, Problem>> + use<'a> {
    certificate.extensions.subject_alt_name.into_iter().flat_map(|names| names.names())
}

fn matches(presented: GeneralName<'_>, reference: &ServerName) -> bool {
    match (presented, reference) {
        (GeneralName::Dns(presented), ServerName::Dns(name)) => matches_dns(presented, name),
        (GeneralName::Ip(octets), ServerName::Ip(address)) => ip_address(octets) == Some(*address),
        _ => false,
    }
}

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

/// The names that might have matched, for the log.
fn summary(certificate: &Certificate<'_>) -> String {
    const SHOWN: usize = 4;
    let names =
        presented(certificate).flatten().filter(|n| matches!(n, GeneralName::Dns(_) | GeneralName::Ip(_)));
    let names: Vec<_> =
        names.take(SHOWN.saturating_add(1)).map(|name| format!("'{}'", text::general_name(name))).collect();
    match names.split_at_checked(SHOWN) {
        Some((shown, [_, ..])) => format!("{}, ...", shown.join(", ")),
        _ if names.is_empty() => String::from("no name (subjectAltName has no dNSName or iPAddress)"),
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
