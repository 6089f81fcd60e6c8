//! Names of certificates as text for people: the one place where x509-parser is used.
//!
//! It sees only bytes that the strict reader has accepted, and nothing is decided by what it says.

use alloc::{
    format,
    string::{String, ToString},
};
use core::fmt::Write as _;

use x509_parser::{prelude::FromDer, x509::X509Name};

use super::general_name::{GeneralName, ip_address};

/// A name in a log line is cut after this many bytes: its author is a stranger.
const MAX_TEXT: usize = 160;

/// A distinguished name (DER) as "C=NL, O=Lab, CN=server.test"; empty for an empty or unreadable one.
pub(super) fn name(der: &[u8]) -> String {
    match X509Name::from_der(der) {
        Ok((_, name)) => printable(&name.to_string()),
        Err(_) => String::new(),
    }
}

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

    #[test]
    fn a_stranger_cannot_write_our_log() {
        assert_eq!(printable("a'\nb\u{202e}\u{fc}"), "a\\'\\u{a}b\\u{202e}\u{fc}");
        let long = printable(&"x".repeat(10_000));
        assert!(long.len() < 200 && long.ends_with("..."));
        assert_eq!(name(b"\x30\x00"), "");
        assert_eq!(name(b"garbage"), "");
    }
}
