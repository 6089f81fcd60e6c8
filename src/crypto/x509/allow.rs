//! Allow-lists: of the certificates that are valid, those that are wanted.
//!
//! A list says of four properties of an end entity which values are wanted. Of each property that the list mentions the
//! certificate must have one of the values, or it is refused: an entry more for the same property lets more in, another property
//! lets fewer in. Nothing is compared but what the strict reader has read, and only in a path that is valid.

use alloc::{format, string::String, vec::Vec};
use core::{fmt, net::IpAddr};

use super::{
    budget::Budget,
    certificate::Certificate,
    general_name::{self, GeneralName, ip_address},
    names,
    problem::Problem,
    text,
    written_name::WrittenName,
};
use crate::crypto::{certificate::ServerName, hash::Hash};

/// A property of an end entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Property {
    /// A name in subjectAltName: a host's, with `*.` for any one label before it, an address, a mailbox, or a URI.
    AlternativeName,
    /// The subject, as the log prints it: "O=Lab, CN=client.test".
    Subject,
    /// The SHA-256 hash of SubjectPublicKeyInfo, in 64 hexadecimal digits.
    KeyHash,
    /// The subject of the authority that issued it.
    Issuer,
}

impl Property {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::AlternativeName, Self::Subject, Self::KeyHash, Self::Issuer];

    /// What it is called in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::AlternativeName => "allow.san",
            Self::Subject => "allow.dn",
            Self::KeyHash => "allow.spki_sha256",
            Self::Issuer => "allow.issuer",
        }
    }
}

/// Which end entities are wanted; an empty list wants all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowList(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    property: Property,
    /// As it was written.
    text: String,
    value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    /// In small letters; with "*." before it, or without.
    Host(String),
    Address(IpAddr),
    Mailbox(String),
    Uri(String),
    Name(WrittenName),
    Key([u8; 32]),
}

/// An entry that cannot be understood; the text is for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadEntry(String);

impl fmt::Display for BadEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for BadEntry {}

impl AllowList {
    /// Adds a value of a property.
    pub fn add(&mut self, property: Property, text: &str) -> Result<(), BadEntry> {
        let value = match property {
            Property::AlternativeName => {
                read_alternative_name(text).ok_or("is no host name, address, mailbox or URI")
            }
            Property::Subject | Property::Issuer => WrittenName::parse(text).map(Value::Name),
            Property::KeyHash => read_hash(text).map(Value::Key).ok_or("is not 64 hexadecimal digits"),
        };
        let value = value.map_err(|problem| BadEntry(format!("{text:?} {problem}")))?;
        self.0.push(Entry { property, text: text.into(), value });
        Ok(())
    }

    /// Whether everybody is wanted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What was added, as it was written.
    pub fn entries(&self) -> impl Iterator<Item = (Property, &str)> {
        self.0.iter().map(|entry| (entry.property, entry.text.as_str()))
    }

    /// Refuses an end entity that lacks a property.
    pub(super) fn check(&self, certificate: &Certificate<'_>, mut budget: Budget) -> Result<(), Problem> {
        for property in Property::ALL {
            let mut wanted = self.0.iter().filter(|entry| entry.property == property).peekable();
            if wanted.peek().is_none() {
                continue;
            }
            let mut is_met = false;
            for entry in wanted {
                is_met = is_met || entry.is_met(certificate, &mut budget)?;
            }
            if !is_met {
                return Err(Problem::NotAllowed(property.name(), shown(property, certificate)));
            }
        }
        Ok(())
    }
}

impl Entry {
    /// Each comparison is paid for: a stranger chose how much there is to read.
    fn is_met(&self, certificate: &Certificate<'_>, budget: &mut Budget) -> Result<bool, Problem> {
        match &self.value {
            Value::Key(hash) => Ok(Hash::Sha256.digest(certificate.spki).as_ref() == hash),
            Value::Name(wanted) => {
                let is_issuer = self.property == Property::Issuer;
                let name = if is_issuer { certificate.issuer } else { certificate.subject };
                budget.comparisons(1, name.len())?;
                wanted.is(name)
            }
            value => {
                for name in names::presented(certificate) {
                    let name = name?;
                    budget.comparisons(1, name.len())?;
                    if value.is_named(name) {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }
}

impl Value {
    fn is_named(&self, name: GeneralName<'_>) -> bool {
        match (self, name) {
            (Self::Host(wanted), GeneralName::Dns(name)) => is_host(wanted, name),
            (Self::Address(wanted), GeneralName::Ip(octets)) => ip_address(octets) == Some(*wanted),
            (Self::Mailbox(wanted), GeneralName::Email(name)) => {
                match (general_name::mailbox(wanted), general_name::mailbox(name)) {
                    (Some((a, at)), Some((b, host))) => a == b && at.eq_ignore_ascii_case(host),
                    _ => false,
                }
            }
            (Self::Uri(wanted), GeneralName::Uri(name)) => wanted == name,
            _ => false,
        }
    }
}

/// A certificate for a wildcard proves no single host: it is met by the same wildcard alone.
fn is_host(wanted: &str, name: &str) -> bool {
    match (wanted.strip_prefix("*."), name.split_once('.')) {
        (Some(domain), Some((_, rest))) => rest.eq_ignore_ascii_case(domain),
        (Some(_), None) => false,
        (None, _) => name.eq_ignore_ascii_case(wanted),
    }
}

fn read_alternative_name(text: &str) -> Option<Value> {
    let host = text.strip_prefix("*.").unwrap_or(text);
    match ServerName::parse(host) {
        Some(ServerName::Ip(address)) => (host == text).then_some(Value::Address(address)),
        Some(ServerName::Dns(name)) if host == text => Some(Value::Host(name)),
        Some(ServerName::Dns(name)) => Some(Value::Host(format!("*.{name}"))),
        None if general_name::mailbox(text).is_some() => Some(Value::Mailbox(text.into())),
        None => general_name::uri_scheme(text).map(|_| Value::Uri(text.into())),
    }
}

fn read_hash(text: &str) -> Option<[u8; 32]> {
    let mut hash = [0; 32];
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    for (octet, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
        *octet = u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

pub(super) fn key_hash(certificate: &Certificate<'_>) -> String {
    Hash::Sha256.digest(certificate.spki).as_ref().iter().map(|octet| format!("{octet:02x}")).collect()
}

/// What a certificate shows of a property, for the log: the entry that would let it in.
fn shown(property: Property, certificate: &Certificate<'_>) -> String {
    let name = |name| match text::name(name) {
        name if name.is_empty() => String::from("nothing"),
        name => format!("'{name}'"),
    };
    match property {
        Property::AlternativeName => {
            names::summary(certificate, |_| true, "no name (there is no subjectAltName)")
        }
        Property::Subject => name(certificate.subject),
        Property::Issuer => name(certificate.issuer),
        Property::KeyHash => key_hash(certificate),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::pem;

    fn check(entries: &[(Property, &str)]) -> Result<(), String> {
        let mut list = AllowList::default();
        entries.iter().for_each(|(property, text)| list.add(*property, text).unwrap());
        let pem = include_bytes!("../../../tests/vectors/agent/server.pem");
        let chain = pem::certificates(pem).unwrap();
        let certificate = Certificate::read(&chain[0]).unwrap();
        list.check(&certificate, Budget::default()).map_err(|problem| problem.to_string())
    }

    const NAME: Property = Property::AlternativeName;
    /// `openssl x509 -in server.pem -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum`
    const KEY: &str = "b91e4f660780aa2a36efd140d497092aa33498de4a4ffaf8e3ed46ce33272f74";

    #[test]
    fn one_value_of_each_property_must_be_there() {
        assert_eq!(check(&[]), Ok(()));
        for met in [
            &[(NAME, "Server.Test")][..],
            &[(NAME, "*.test")],
            &[(NAME, "192.0.2.1")],
            &[(NAME, "other.test"), (NAME, "server.test")],
            &[(Property::Subject, "CN=server")],
            &[(Property::Subject, "cn = SERVER")],
            &[(Property::KeyHash, KEY), (Property::Issuer, "CN=ca")],
        ] {
            assert_eq!(check(met), Ok(()), "{met:?}");
        }
        let names = "not allowed by allow.san: it shows 'server.test', '192.0.2.1'";
        let subject = "not allowed by allow.dn: it shows 'CN=server'";
        for (unmet, problem) in [
            (&[(NAME, "other.test")][..], names),
            (&[(NAME, "*.server.test")], names),
            (&[(NAME, "est")], names),
            (&[(NAME, "192.0.2.2")], names),
            (&[(Property::Subject, "CN=serve")], subject),
            (&[(Property::Subject, "O=Lab, CN=server")], subject),
            (&[(NAME, "server.test"), (Property::Subject, "CN=other")], subject),
            (&[(Property::Issuer, "CN=server")], "not allowed by allow.issuer: it shows 'CN=ca'"),
        ] {
            assert_eq!(check(unmet).unwrap_err(), problem, "{unmet:?}");
        }
        let other_key = KEY.replace('0', "1");
        let problem = check(&[(Property::KeyHash, &other_key)]).unwrap_err();
        assert_eq!(problem, format!("not allowed by allow.spki_sha256: it shows {KEY}"));
    }

    #[test]
    fn names_are_met_by_names_of_their_kind() {
        let meets = |wanted: &str, name| read_alternative_name(wanted).unwrap().is_named(name);
        assert!(!meets("a.test", GeneralName::Dns("*.test")), "a wildcard proves no single host");
        assert!(meets("*.test", GeneralName::Dns("*.test")) && meets("*.test", GeneralName::Dns("a.TEST")));
        assert!(!meets("*.test", GeneralName::Dns("a.b.test")) && !meets("*.test", GeneralName::Dns("test")));
        assert!(
            !meets("a.test", GeneralName::Uri("a.test")) && !meets("10.0.0.1", GeneralName::Dns("10.0.0.1"))
        );
        assert!(meets("u@A.test", GeneralName::Email("u@a.test")));
        assert!(!meets("u@a.test", GeneralName::Email("U@a.test")));
        assert!(meets("spiffe://a.test/x", GeneralName::Uri("spiffe://a.test/x")));
        assert!(!meets("spiffe://a.test/x", GeneralName::Uri("spiffe://a.test/xy")));
        assert!(meets(
            "2001:db8::1",
            GeneralName::Ip(&"2001:db8::1".parse::<core::net::Ipv6Addr>().unwrap().octets())
        ));
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        for (property, text) in [
            (NAME, ""),
            (NAME, "*"),
            (NAME, "*.10.0.0.1"),
            (NAME, "a b"),
            (NAME, "*.*.test"),
            (Property::KeyHash, "00"),
            (Property::KeyHash, &"+1".repeat(32)),
            (Property::Subject, ""),
            (Property::Issuer, "Lab"),
        ] {
            assert!(AllowList::default().add(property, text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn comparing_is_paid_for() {
        let mut list = AllowList::default();
        (0..50).for_each(|n| list.add(NAME, &format!("host-{n}.test")).unwrap());
        let chain = pem::certificates(include_bytes!("../../../tests/vectors/agent/server.pem")).unwrap();
        let certificate = Certificate::read(&chain[0]).unwrap();
        let budget = |comparisons| Budget { comparisons, ..Budget::default() };
        assert!(matches!(list.check(&certificate, budget(99)), Err(Problem::Budget(_))));
        assert!(matches!(list.check(&certificate, budget(100)), Err(Problem::NotAllowed(..))));
    }
}
