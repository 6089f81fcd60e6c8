//! GeneralName (RFC 5280, Section 4.2.1.6): as a name of a certificate, held to the syntax of its kind.

use core::net::IpAddr;

use der::{Reader, Tag, TagNumber, Tagged, asn1::AnyRef};

use super::{distinguished_name, problem::Problem};
use crate::crypto::der_reader::DerReader;

/// One name, of any kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GeneralName<'a> {
    Email(&'a str),
    Dns(&'a str),
    Directory(&'a [u8]),
    Uri(&'a str),
    Ip(&'a [u8]),
    /// otherName, x400Address, ediPartyName or registeredID, by its number: known to be there, not understood.
    Other(u8),
}

impl<'a> GeneralName<'a> {
    /// Reads a name of a certificate.
    pub(super) fn read(reader: &mut DerReader<'a>) -> Result<Self, Problem> {
        let name = Self::read_loosely(reader)?;
        let fits = match name {
            Self::Email(mailbox) => is_mailbox(mailbox),
            Self::Dns(name) => is_host(name.strip_prefix("*.").unwrap_or(name)),
            Self::Uri(uri) => uri_scheme(uri).is_some(),
            //= rfc5280#section-4.2.1.6
            //# For IP version 4, as specified in [RFC791], the octet string MUST contain exactly four octets.
            //= rfc5280#section-4.2.1.6
            //# For IP version 6, as specified in [RFC2460], the octet string MUST contain exactly sixteen
            //# octets.
            // An IPv4 address in the long form would slip past name constraints on the short one.
            Self::Ip(address) => ip_address(address).is_some_and(|address| address == address.to_canonical()),
            Self::Directory(_) | Self::Other(_) => true,
        };
        if fits { Ok(name) } else { Err(Problem::Malformed(name.misfit())) }
    }

    /// Reads a name without a look at its syntax: a constraint has its own.
    pub(super) fn read_loosely(reader: &mut DerReader<'a>) -> Result<Self, Problem> {
        let any: AnyRef<'a> = reader.decode()?;
        let Tag::ContextSpecific { constructed, number: TagNumber(number) } = any.tag() else {
            return Err(Problem::Malformed("a GeneralName is of no known kind"));
        };
        let value = any.value();
        match (number, constructed) {
            (1, false) => Ok(Self::Email(ascii(value)?)),
            //= rfc5280#section-4.2.1.6
            //# the domain name MUST be stored in the dNSName (an IA5String
            (2, false) => Ok(Self::Dns(ascii(value)?)),
            (4, true) => {
                let mut inner = DerReader::new(value);
                let name = distinguished_name::read(&mut inner)?;
                inner.finish()?;
                Ok(Self::Directory(name))
            }
            (6, false) => Ok(Self::Uri(ascii(value)?)),
            (7, false) => Ok(Self::Ip(value)),
            (0 | 3 | 5, true) | (8, false) => Ok(Self::Other(u8::try_from(number).unwrap_or(u8::MAX))),
            _ => Err(Problem::Malformed("a GeneralName is of no known kind")),
        }
    }

    /// Whether `other`, a GeneralName in DER that has been read before, is of this kind, so that a constraint on it applies.
    pub(super) fn is_of_kind(&self, other: &[u8]) -> bool {
        let number = match self {
            Self::Email(_) => 1,
            Self::Dns(_) => 2,
            Self::Directory(_) => 4,
            Self::Uri(_) => 6,
            Self::Ip(_) => 7,
            Self::Other(number) => *number,
        };
        other.first().is_some_and(|tag| tag & 0x1f == number)
    }

    /// How many octets there are to compare.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Email(text) | Self::Dns(text) | Self::Uri(text) => text.len(),
            Self::Directory(octets) | Self::Ip(octets) => octets.len(),
            Self::Other(_) => 0,
        }
    }

    /// What a misfit of this kind is called.
    pub(super) fn misfit(&self) -> &'static str {
        match self {
            Self::Email(_) => "an rfc822Name is not a mailbox",
            Self::Dns(_) => {
                "a dNSName is not a host name (letters, digits and hyphens; '*' as the whole left-most label)"
            }
            Self::Directory(_) => "a directoryName is not a name",
            Self::Uri(_) => "a uniformResourceIdentifier has no scheme",
            Self::Ip(_) => "an iPAddress is neither 4 nor 16 octets, or an IPv4-mapped IPv6 address",
            Self::Other(_) => "a name is of a kind that is not understood",
        }
    }
}

/// An iPAddress of a certificate.
//= rfc5280#section-4.2.1.6
//# the address MUST be stored in the octet string in "network byte order", as specified in [RFC791].
pub(super) fn ip_address(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}

/// The preferred name syntax of RFC 1034, Section 3.5, as RFC 1123 changed it: no underscore, no trailing dot.
//= rfc5280#section-4.2.1.6
//# The name MUST be in the "preferred name syntax", as specified by Section 3.5 of [RFC1034] and as modified
//# by Section 2.1 of [RFC1123].
pub(super) fn is_host(name: &str) -> bool {
    name.len() <= 253 && name.as_bytes().split(|byte| *byte == b'.').all(is_label)
}

//= rfc5280#section-4.2.1.6
//# In addition, while the string " " is a legal domain name, subjectAltName extensions with a dNSName of " "
//# MUST NOT be used.
//= rfc5280#section-4.2.1.6
//# Unlike the subject field, conforming CAs MUST NOT issue certificates with subjectAltNames containing empty
//# GeneralName fields.
fn is_label(label: &[u8]) -> bool {
    (1..=63).contains(&label.len())
        && label.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        && !label.starts_with(b"-")
        && !label.ends_with(b"-")
}

/// Splits a mailbox; an '@' within quotes is not understood, and refused.
pub(super) fn mailbox(address: &str) -> Option<(&str, &str)> {
    let (local, host) = address.split_once('@')?;
    let plain = !local.is_empty() && local.bytes().all(|b| b.is_ascii_graphic() && b != b'"');
    (plain && is_host(host)).then_some((local, host))
}

fn is_mailbox(address: &str) -> bool {
    mailbox(address).is_some()
}

/// What follows the scheme of an absolute URI (RFC 3986, Section 3.1).
//= rfc5280#section-4.2.1.6
//# The name MUST include both a scheme (e.g., "http" or "ftp") and a scheme-specific-part.
pub(super) fn uri_scheme(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_once(':')?;
    let well_formed = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    (well_formed && !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_graphic())).then_some(rest)
}

fn ascii(bytes: &[u8]) -> Result<&str, Problem> {
    const MALFORMED: Problem =
        Problem::Malformed("a GeneralName is not an IA5String without control characters");
    let text = core::str::from_utf8(bytes).map_err(|_| MALFORMED)?;
    if text.bytes().all(|b| b == b' ' || b.is_ascii_graphic()) { Ok(text) } else { Err(MALFORMED) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tag: u8, value: &[u8]) -> bool {
        let der = [&[tag, u8::try_from(value.len()).unwrap()], value].concat();
        GeneralName::read(&mut DerReader::new(&der)).is_ok()
    }

    //= rfc5280#section-4.2.1.6
    //= type=test
    //# For IP version 4, as specified in [RFC791], the octet string MUST contain exactly four octets.
    //= rfc5280#section-4.2.1.6
    //= type=test
    //# For IP version 6, as specified in [RFC2460], the octet string MUST contain exactly sixteen octets.
    //= rfc5280#section-4.2.1.6
    //= type=test
    //# The name MUST be in the "preferred name syntax", as specified by Section 3.5 of [RFC1034] and as
    //# modified by Section 2.1 of [RFC1123].
    //= rfc5280#section-4.2.1.6
    //= type=test
    //# In addition, while the string " " is a legal domain name, subjectAltName extensions with a dNSName of
    //# " " MUST NOT be used.
    //= rfc5280#section-4.2.1.6
    //= type=test
    //# Unlike the subject field, conforming CAs MUST NOT issue certificates with subjectAltNames containing
    //# empty GeneralName fields.
    //= rfc5280#section-4.2.1.6
    //= type=test
    //# The name MUST include both a scheme (e.g., "http" or "ftp") and a scheme-specific-part.
    #[test]
    fn each_kind_has_its_syntax() {
        for good in ["a.test", "*.a.test", "xn--n3h.com", "10.0.0.1", "localhost"] {
            assert!(read(0x82, good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            " ",
            "*",
            ".a.test",
            "a.test.",
            "a..b",
            "a_b.test",
            "f*.a.test",
            "a.*.test",
            "-a.test",
            "a-.test",
            "a\0.test",
            "a b",
        ] {
            assert!(!read(0x82, bad.as_bytes()), "{bad}");
        }
        assert!(read(0x87, &[1, 2, 3, 4]) && read(0x87, &[0; 16]));
        let mapped = |octet| [&[0; 10][..], &[0xff, octet, 10, 0, 0, 1]].concat();
        assert!(read(0x87, &mapped(0xfe)) && !read(0x87, &mapped(0xff)), "IPv4-mapped IPv6");
        assert!(!read(0x87, &[0; 8]) && !read(0x87, &[0; 5]) && !read(0x87, &[]));
        assert!(read(0x81, b"*@a.test") && !read(0x81, b"a@b@c") && !read(0x81, b"@a") && !read(0x81, b"a"));
        assert!(
            read(0x86, b"urn:x")
                && read(0x86, b"https://a.test/")
                && !read(0x86, b"//a.test")
                && !read(0x86, b"1:x")
                && !read(0x86, b"urn:")
                && !read(0x86, b"a.test")
        );
        assert!(!read(0x89, b"x") && !read(0xa2, b"a.test") && !read(0x02, b"\x01"));
    }
}
