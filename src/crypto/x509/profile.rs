//! What is asked of issuers alone, and endangers nobody if it is not kept: rules of RFC 5280, and of the CA/Browser Forum's
//! Baseline Requirements (BR) for public authorities. [`super::Policy::issuer_profile`] waives all of it.

use alloc::string::ToString;
use core::net::{IpAddr, Ipv4Addr};

use super::{
    budget::Budget,
    certificate::Certificate,
    distinguished_name,
    general_name::{GeneralName, ip_address},
    problem::Problem,
    purpose::KeyPurposes,
};

impl Certificate<'_> {
    /// What the certificate does that its issuer was asked not to do.
    pub(super) fn issuer_fault(&self) -> Option<Problem> {
        self.rfc_5280_fault().map(Problem::Profile).or_else(|| self.baseline_fault().map(Problem::Baseline))
    }

    fn rfc_5280_fault(&self) -> Option<&'static str> {
        let extensions = &self.extensions;
        let nameless = self.subject == distinguished_name::EMPTY;
        let is_authority = extensions.basic_constraints.is_some_and(|constraints| constraints.ca);
        //= rfc5280#section-4.2.1.6
        //# If the subject field contains an empty sequence, then the issuing CA MUST include a subjectAltName
        //# extension that is marked as critical.
        //= rfc5280#section-4.1.2.6
        //# If subject naming information is present only in the subjectAltName extension (e.g., a key bound
        //# only to an email address or URI), then the subject name MUST be an empty sequence and the
        //# subjectAltName extension MUST be critical.
        if extensions.subject_alt_name.is_some_and(|names| names.critical != nameless) {
            Some("subjectAltName is critical when the subject is empty, and only then (Section 4.2.1.6)")
        } else if is_authority
            //= rfc5280#section-4.2.1.9
            //# MUST mark the extension as critical in such certificates.
            && extensions.basic_constraints.is_some_and(|constraints| !constraints.critical)
        {
            Some("a CA's basicConstraints must be critical (Section 4.2.1.9)")
        //= rfc5280#section-4.2.1.2
        //# To facilitate certification path construction, this extension MUST appear in all conforming CA
        //# certificates, that is, all certificates including the basic constraints extension (Section
        //# 4.2.1.9) where the value of cA is TRUE.
        } else if is_authority && extensions.subject_key_identifier.is_none() {
            Some("a CA must have a subjectKeyIdentifier (Section 4.2.1.2)")
        //= rfc5280#section-4.1.2.2
        //# The serial number MUST be a positive integer
        } else if self.serial == [0] {
            Some("a serial number must be positive (Section 4.1.2.2)")
        } else {
            None
        }
    }

    fn baseline_fault(&self) -> Option<&'static str> {
        let named = self.extensions.authority_key_identifier;
        let is_authority = self.extensions.basic_constraints.is_some_and(|constraints| constraints.ca);
        let purposes = self.extensions.extended_key_usage.filter(|_| !is_authority);
        if named.is_some_and(|named| named.issuer_and_serial.is_some()) {
            Some("authorityKeyIdentifier has a keyIdentifier alone (7.1.2.11.1)")
        } else if self.extensions.extended_key_usage_critical {
            Some("extendedKeyUsage is not critical (7.1.2.7.6)")
        } else if purposes.is_some_and(KeyPurposes::lists_any) {
            Some("an end entity's extendedKeyUsage does not list anyExtendedKeyUsage (7.1.2.7.10)")
        } else {
            None
        }
    }

    /// The same of a CA that issues, rather than stands for itself as a storage appliance does.
    pub(super) fn authority_fault(&self) -> Option<Problem> {
        const NO_KEY_USAGE: Problem = Problem::Profile("a CA must have a keyUsage (Section 4.2.1.3)");
        self.issuer_fault().or_else(|| self.extensions.key_usage.is_none().then_some(NO_KEY_USAGE))
    }

    /// The same of a root: a self-issued trust anchor.
    pub(super) fn root_fault(&self) -> Option<Problem> {
        let restricted = self.self_issued() && self.extensions.extended_key_usage.is_some();
        restricted.then_some(Problem::Baseline("a root has no extendedKeyUsage (7.1.2.1.2)"))
    }

    /// The same of a server's common names.
    ///
    /// BR 7.1.4.3 wants each to be a copy of a name in subjectAltName. That much is not asked: in private PKIs it is a label
    /// ("Storage Box 1"), and nothing is ever matched with it. But one that is meant as a name is to be written like one.
    pub(super) fn check_common_names(&self, mut budget: Budget) -> Result<(), Problem> {
        const NOT_A_COPY: Problem = Problem::Baseline(
            "a common name that is a host's must be a copy of one in subjectAltName (7.1.4.3)",
        );
        let Some(names) = self.extensions.subject_alt_name else { return Ok(()) };
        for name in distinguished_name::common_names(self.subject) {
            budget.comparisons(1, names.octets())?;
            if name.is_none_or(|name| !self.has_name(&name) && self.is_misspelt(&name)) {
                return Err(NOT_A_COPY);
            }
        }
        Ok(())
    }

    /// Whether this very text is a name of the subjectAltName.
    fn has_name(&self, text: &str) -> bool {
        self.alternative_names().any(|name| match name {
            GeneralName::Dns(name) => name == text,
            GeneralName::Ip(octets) => ip_address(octets).is_some_and(|address| address.to_string() == text),
            _ => false,
        })
    }

    fn is_misspelt(&self, text: &str) -> bool {
        let other_case = |name| matches!(name, GeneralName::Dns(name) if name.eq_ignore_ascii_case(text));
        is_international(text) || is_odd_address(text) || self.alternative_names().any(other_case)
    }

    fn alternative_names(&self) -> impl Iterator<Item = GeneralName<'_>> {
        self.extensions.subject_alt_name.into_iter().flat_map(|names| names.names().flatten())
    }
}

/// Whether it reads as an internationalised domain name, in A-labels or U-labels: such a one is no mere label.
fn is_international(text: &str) -> bool {
    let u_labels = !text.is_ascii() && text.contains('.') && !text.contains(char::is_whitespace);
    u_labels || text.split('.').any(|label| label.get(..4).is_some_and(|p| p.eq_ignore_ascii_case("xn--")))
}

/// Whether it reads as an IP address, but not as RFC 3986, Section 3.2.2 or RFC 5952, Section 4 write one.
fn is_odd_address(text: &str) -> bool {
    let is_number = |label: &str| {
        let hexadecimal = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
        let digits = hexadecimal.unwrap_or(label);
        !digits.is_empty()
            && digits.bytes().all(|b| b.is_ascii_digit() || (hexadecimal.is_some() && b.is_ascii_hexdigit()))
    };
    let v4 = text.split('.').count() == 4 && text.split('.').all(is_number);
    match text.parse() {
        Ok(IpAddr::V6(address)) => address.to_string() != text,
        _ => v4 && text.parse::<Ipv4Addr>().is_err(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_odd_spellings() {
        for name in ["xn--n3h.com", "www.XN--N3H.com", "b\u{fc}ro.test"] {
            assert!(is_international(name), "{name}");
        }
        for label in ["Storage Box 1", "B\u{fc}ro", "B\u{fc}ro 1.2", "server.test", "xn-a"] {
            assert!(!is_international(label) && !is_odd_address(label), "{label}");
        }
        for address in ["010.0.0.1", "0x0a.0.0.1", "10.0.0.256", "2001:DB8::1", "2001:db8:0:0:0:0:0:1"] {
            assert!(is_odd_address(address), "{address}");
        }
        for address in ["10.0.0.1", "2001:db8::1", "1.2.3", "a.b.c.1", "12:30"] {
            assert!(!is_odd_address(address), "{address}");
        }
    }
}
