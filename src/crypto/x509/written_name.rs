//! A distinguished name as people write it: "O=Lab, CN=client.test", in the order of the log and of `openssl x509 -subject`.
//!
//! Between attributes stands a comma, or a plus sign where they share a level; after a backslash stands a character that means
//! itself, or an octet in two hexadecimal digits (RFC 4514, Section 2.4). A type is one of [`TYPES`], or an OID in numbers.

use alloc::{string::String, vec::Vec};

use der::asn1::ObjectIdentifier;

use super::{
    distinguished_name::{Spelt, levels, prepared},
    problem::Problem,
};

/// The types with names of their own (RFC 4514, Section 3, and what openssl and the log print).
const TYPES: &[(&str, &str)] = &[
    ("CN", "2.5.4.3"),
    ("serialNumber", "2.5.4.5"),
    ("C", "2.5.4.6"),
    ("L", "2.5.4.7"),
    ("ST", "2.5.4.8"),
    ("STREET", "2.5.4.9"),
    ("O", "2.5.4.10"),
    ("OU", "2.5.4.11"),
    ("DC", "0.9.2342.19200300.100.1.25"),
    ("UID", "0.9.2342.19200300.100.1.1"),
    ("emailAddress", "1.2.840.113549.1.9.1"),
    ("Email", "1.2.840.113549.1.9.1"),
];

/// The levels of a name, each with its attributes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct WrittenName(Vec<Vec<(ObjectIdentifier, String)>>);

impl WrittenName {
    /// Reads it; the error says what it is not.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let mut levels = Vec::from([Vec::new()]);
        let mut rest = text;
        loop {
            let (kind, after) = rest.split_once('=').ok_or("is no distinguished name (TYPE=value, ...)")?;
            let (value, end, after) = read_value(after)?;
            let level = levels.last_mut().ok_or("is empty")?;
            level.push((read_type(kind.trim())?, value));
            match end {
                None => return Ok(Self(levels)),
                Some(',') => levels.push(Vec::new()),
                Some(_) => {}
            }
            rest = after;
        }
    }

    /// Whether it is this name (DER), by the rules of RFC 5280, Section 7.1.
    pub(super) fn is(&self, name: &[u8]) -> Result<bool, Problem> {
        let mut levels = levels(name)?;
        for wanted in &self.0 {
            let Some(found) = levels.next() else { return Ok(false) };
            let found: Vec<_> = found?.collect();
            let same = |(oid, value): &(ObjectIdentifier, String), (kind, text): &Spelt<'_>| {
                kind.is(oid) && text.as_deref().is_some_and(|text| prepared(text).eq(prepared(value)))
            };
            let is_there = |wanted| found.iter().any(|found| same(wanted, found));
            let is_wanted = |found| wanted.iter().any(|wanted| same(wanted, found));
            if found.len() != wanted.len() || !wanted.iter().all(is_there) || !found.iter().all(is_wanted) {
                return Ok(false);
            }
        }
        Ok(levels.next().is_none())
    }
}

fn read_type(text: &str) -> Result<ObjectIdentifier, &'static str> {
    let known = TYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text));
    let number = known.map_or(text, |(_, number)| number);
    ObjectIdentifier::new(number).map_err(|_| "has an attribute of an unknown type")
}

/// Reads a value up to a comma or a plus sign, and tells which of them it was and what follows.
fn read_value(text: &str) -> Result<(String, Option<char>, &str), &'static str> {
    const BAD_ESCAPE: &str = "has a backslash before nothing";
    let mut octets = Vec::new();
    let mut rest = text.trim_start();
    let end = loop {
        let mut characters = rest.chars();
        let Some(character) = characters.next() else { break None };
        rest = characters.as_str();
        match character {
            ',' | '+' => break Some(character),
            '\\' => {
                let digits = rest.get(..2).filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit()));
                let hexadecimal = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
                let length = if let Some(octet) = hexadecimal {
                    octets.push(octet);
                    2
                } else {
                    let character = rest.chars().next().ok_or(BAD_ESCAPE)?;
                    octets.extend(character.encode_utf8(&mut [0; 4]).bytes());
                    character.len_utf8()
                };
                rest = rest.get(length..).ok_or(BAD_ESCAPE)?;
            }
            character => octets.extend(character.encode_utf8(&mut [0; 4]).bytes()),
        }
    };
    let value = String::from_utf8(octets).map_err(|_| "has a value that is not UTF-8")?;
    if value.trim().is_empty() { Err("has an empty value") } else { Ok((value, end, rest)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Vec<Vec<(String, String)>> {
        let name = WrittenName::parse(text).unwrap();
        let level = |level: Vec<(ObjectIdentifier, String)>| {
            level.into_iter().map(|(oid, value)| (oid.to_string(), value.trim().into())).collect()
        };
        name.0.into_iter().map(level).collect()
    }

    #[test]
    fn reads_what_people_write() {
        let attribute = |oid: &str, value: &str| (oid.to_owned(), value.to_owned());
        let (cn, o, uid) = ("2.5.4.3", "2.5.4.10", "0.9.2342.19200300.100.1.1");
        assert_eq!(parsed("O = Lab, CN=a"), [[attribute(o, "Lab")], [attribute(cn, "a")]]);
        // RFC 4514, Section 4.
        let several =
            [vec![attribute("2.5.4.11", "Sales"), attribute(cn, "J.  Smith")], vec![attribute(o, "x")]];
        assert_eq!(parsed("OU=Sales+CN=J.  Smith,O=x"), several);
        assert_eq!(parsed(r#"CN=James \"Jim\" Smith\, III"#), [[attribute(cn, "James \"Jim\" Smith, III")]]);
        assert_eq!(parsed(r"CN=Before\0dAfter"), [[attribute(cn, "Before\rAfter")]]);
        assert_eq!(parsed(r"CN=Lu\C4\8Di\C4\87"), [[attribute(cn, "Lu\u{10d}i\u{107}")]]);
        assert_eq!(parsed(r"CN=a\+b"), [[attribute(cn, "a+b")]]);
        assert_eq!(parsed("1.2.3=x"), [[attribute("1.2.3", "x")]]);
        assert_eq!(parsed("uid=j"), [[attribute(uid, "j")]]);
        for bad in ["", "CN", "CN=", "CN=a,", "CN=a,,O=b", "XY=a", "CN=a\\", r"CN=\ff", "CN= ,O=a"] {
            assert!(WrittenName::parse(bad).is_err(), "{bad:?}");
        }
    }

    /// A Name of one RDN with two attributes.
    const NAME: &[u8] =
        b"\x30\x1d\x31\x1b\x30\x0b\x06\x03\x55\x04\x03\x0c\x04Jane\x30\x0c\x06\x03\x55\x04\x0b\x0c\x05Sales";

    #[test]
    fn is_compared_attribute_by_attribute() {
        let is = |text: &str| WrittenName::parse(text).unwrap().is(NAME).unwrap();
        assert!(is("CN=Jane+OU=Sales") && is("OU=SALES+CN= jane "));
        for other in
            ["CN=Jane", "CN=Jane, OU=Sales", "CN=Jane+OU=Sales, O=x", "CN=Jane+CN=Jane", "OU=Jane+CN=Sales"]
        {
            assert!(!is(other), "{other}");
        }
    }
}
