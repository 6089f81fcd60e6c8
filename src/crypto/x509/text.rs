//! Names of certificates as text for people: the one place where x509-parser is used (feature `names`).
//!
//! It sees only bytes that the strict reader has accepted, and nothing is decided by what it says.

use alloc::{
    format,
    string::{String, ToString},
};
use core::fmt::Write as _;

use super::general_name::{GeneralName, ip_address};

/// A name in a log line is cut after this many bytes: its author is a stranger.
const MAX_TEXT: usize = 160;

/// Only a name of at most so many octets is read: x509-parser takes some forty octets of memory for each.
const MAX_NAME: usize = 1024;

/// A distinguished name (DER) as "C=NL, O=Lab, CN=server.test"; empty for an empty or unreadable one.
pub(super) fn name(der: &[u8]) -> String {
    if der.len() > MAX_NAME {
        return format!("a name of {} octets", der.len());
    }
    printable(&written(der))
}

#[cfg(feature = "names")]
fn written(der: &[u8]) -> String {
    use x509_parser::{prelude::FromDer, x509::X509Name};
    X509Name::from_der(der).map_or_else(|_| String::new(), |(_, name)| name.to_string())
}

/// Without x509-parser's table of attribute types: those of nearly all names, and the others by number.
#[cfg(any(not(feature = "names"), test))]
mod plain {
    use super::{String, format};
    use crate::crypto::x509::distinguished_name::levels;
    use alloc::{string::ToString, vec::Vec};

    const SHORT: &[(&str, &str)] = &[
        ("2.5.4.3", "CN"),
        ("2.5.4.5", "serialNumber"),
        ("2.5.4.6", "C"),
        ("2.5.4.7", "L"),
        ("2.5.4.8", "ST"),
        ("2.5.4.10", "O"),
        ("2.5.4.11", "OU"),
        ("0.9.2342.19200300.100.1.25", "DC"),
        ("1.2.840.113549.1.9.1", "Email"),
    ];

    pub(super) fn written(der: &[u8]) -> String {
        let levels = levels(der).into_iter().flatten().flatten().map(|level| {
            let attributes = level.map(|(oid, text)| {
                let oid = oid.to_string();
                let short =
                    SHORT.iter().find(|(number, _)| *number == oid).map_or(oid.as_str(), |(_, short)| short);
                format!("{short}={}", text.unwrap_or_default())
            });
            attributes.collect::<Vec<_>>().join(" + ")
        });
        levels.collect::<Vec<_>>().join(", ")
    }
}
#[cfg(not(feature = "names"))]
use plain::written;

/// One name of a certificate, by itself.
pub(super) fn general_name(name: GeneralName<'_>) -> String {
    match name {
        GeneralName::Email(text) | GeneralName::Dns(text) | GeneralName::Uri(text) => printable(text),
        GeneralName::Directory(der) => self::name(der),
        GeneralName::Ip(octets) => ip_address(octets).map_or_else(String::new, |address| address.to_string()),
        GeneralName::Other(number) => format!("GeneralName [{number}]"),
    }
}

/// `text` fit for a log line between quotes: what is not a letter, a digit or plain punctuation is escaped, and it is cut.
pub(super) fn printable(text: &str) -> String {
    let mut printable = String::new();
    for c in text.chars() {
        if printable.len() >= MAX_TEXT {
            printable.push_str("...");
            break;
        }
        let plain = c == ' ' || c.is_ascii_graphic() || (!c.is_ascii() && c.is_alphanumeric());
        match c {
            '\'' | '\\' => printable.extend(['\\', c]),
            c if plain => printable.push(c),
            c => {
                let _ = write!(printable, "{}", c.escape_unicode());
            }
        }
    }
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "names")]
    #[test]
    fn both_writers_agree() {
        for file in ["root", "leaf-common-name", "leaf-client", "appliance"] {
            let path = format!("{}/tests/vectors/x509/{file}.pem", env!("CARGO_MANIFEST_DIR"));
            let text = std::fs::read(&path).unwrap();
            let der = crate::crypto::pem::certificates(&text).unwrap();
            let subject = crate::crypto::x509::certificate::Certificate::read(&der[0]).unwrap().subject;
            assert_eq!(plain::written(subject), written(subject), "{file}");
            assert!(!written(subject).is_empty());
        }
        let level = |attributes: &[&[u8]]| {
            let body = attributes.concat();
            [&[0x31, u8::try_from(body.len()).unwrap()], &body[..]].concat()
        };
        let country = b"\x30\x09\x06\x03\x55\x04\x06\x13\x02NL";
        let name = b"\x30\x08\x06\x03\x55\x04\x03\x0c\x01x";
        let number = b"\x30\x08\x06\x03\x55\x04\x05\x13\x017";
        let mut both = [level(&[name, country]), level(&[number])].concat();
        both.splice(0..0, [0x30, u8::try_from(both.len()).unwrap()]);
        assert_eq!(plain::written(&both), "CN=x + C=NL, serialNumber=7");
        assert_eq!(written(&both), "CN=x + C=NL, serialNumber=7");
    }

    #[test]
    fn a_stranger_cannot_write_our_log() {
        assert_eq!(printable("a'\nb\u{202e}\u{fc}"), "a\\'\\u{a}b\\u{202e}\u{fc}");
        let long = printable(&"x".repeat(10_000));
        assert!(long.len() < 200 && long.ends_with("..."));
        assert_eq!(name(b"\x30\x00"), "");
        assert_eq!(name(b"garbage"), "");
    }
}
