//! Distinguished names: read strictly, compared by the rules of RFC 5280, Section 7.1.
//!
//! A path is chained by the exact bytes of names (Section 4.1.2.6: an authority writes its subject and the issuer of what it issues
//! identically). The looser comparison serves name constraints alone, where a spelling must not be a way out.

use alloc::borrow::Cow;

use der::{
    Decode, Header, Reader, Tag, Tagged,
    asn1::{AnyRef, ObjectIdentifier},
};

use super::{
    budget::Budget, extensions::general_names, general_name::GeneralName, oid::Oid, problem::Problem,
};
use crate::crypto::der_reader::DerReader;

const COMMON_NAME: Oid<'static> = Oid::known(&ObjectIdentifier::new_unwrap("2.5.4.3"));
const EMAIL_ADDRESS: Oid<'static> = Oid::known(&ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1"));
/// A Name without attributes.
pub(super) const EMPTY: &[u8] = b"\x30\x00";

/// Reads a Name and returns it as it is, tag and length included.
//= rfc5280#section-4.1.2.4
//# However, conforming implementations MUST be prepared to receive certificates with issuer names containing
//# the set of attribute types defined below.
//= rfc5280#section-4.1.2.4
//# Implementations of this specification MUST be prepared to receive the following standard attribute types
//# in issuer and subject (Section 4.1.2.6) names:
//= rfc5280#section-4.1.2.4
//# In addition, implementations of this specification MUST be prepared to receive the domainComponent
//# attribute
//= rfc5280#section-4.1.2.6
//# Where it is non-empty, the subject field MUST contain an X.500 distinguished name (DN).
//= rfc5280#section-4.1.2.6
//# Implementations of this specification MUST be prepared to receive subject names containing the attribute
//# types required for the issuer field.
pub(super) fn read<'a>(reader: &mut DerReader<'a>) -> Result<&'a [u8], Problem> {
    let name = reader.tlv_bytes()?;
    let mut names = Rdns::new(name)?;
    names.try_for_each(|set| {
        let mut previous: &[u8] = &[];
        let mut attributes = DerReader::new(set?);
        loop {
            let attribute = attributes.tlv_bytes()?;
            if attribute < previous {
                return Err(Problem::Malformed("a name's attributes are not in DER's order"));
            }
            Attribute::read(&mut DerReader::new(attribute))?;
            previous = attribute;
            if attributes.is_finished() {
                return Ok(());
            }
        }
    })?;
    Ok(name)
}

/// Whether `name` is `base`, or lies below it.
pub(super) fn is_within(name: &[u8], base: &[u8], budget: &mut Budget) -> Result<bool, Problem> {
    let mut names = Rdns::new(name)?;
    for base in Rdns::new(base)? {
        let Some(name) = names.next() else { return Ok(false) };
        if !same_rdn(name?, base?, budget)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether all of a name is text to be seen: what is not could be spelt in ways that [`is_within`] takes for different.
pub(super) fn is_plain(name: &[u8]) -> bool {
    let attributes = Rdns::new(name).into_iter().flatten();
    let mut attributes = attributes.flat_map(|set| Attributes(set.unwrap_or_default()));
    attributes.all(|attribute| attribute.text().is_some_and(|text| !text.chars().any(is_hidden)))
}

/// Control characters, those that end a line or turn its direction, and those that show nothing (Unicode's
/// Default_Ignorable_Code_Point).
pub(crate) fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// The character, or U+FFFD for a hidden one.
#[cfg(feature = "agent")]
pub(crate) fn shown(character: char) -> char {
    if is_hidden(character) { char::REPLACEMENT_CHARACTER } else { character }
}

/// Whether the contents of GeneralNames hold the very `name` as a directoryName.
pub(super) fn is_named_in(names: &[u8], name: &[u8], budget: &mut Budget) -> Result<bool, Problem> {
    budget.comparisons(1, names.len())?;
    for candidate in general_names(names) {
        if candidate? == GeneralName::Directory(name) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The values of emailAddress in a name.
pub(super) fn email_addresses(name: &[u8]) -> impl Iterator<Item = Result<Cow<'_, str>, Problem>> {
    const MALFORMED: Problem = Problem::Malformed("an emailAddress in a name is not text");
    texts(name, EMAIL_ADDRESS).map(|text| text.ok_or(MALFORMED))
}

/// The values of commonName in a name; `None` for what is not text.
pub(super) fn common_names(name: &[u8]) -> impl Iterator<Item = Option<Cow<'_, str>>> {
    texts(name, COMMON_NAME)
}

/// The values of an attribute in a name that has been read before.
fn texts<'a>(name: &'a [u8], oid: Oid<'static>) -> impl Iterator<Item = Option<Cow<'a, str>>> {
    let sets = Rdns::new(name).into_iter().flatten();
    sets.flat_map(|set| Attributes(set.unwrap_or_default()))
        .filter(move |attribute| attribute.oid == oid)
        .map(|attribute| attribute.text())
}

/// An attribute: its type, and its value if that is text.
pub(super) type Spelt<'a> = (Oid<'a>, Option<Cow<'a, str>>);

/// The levels of a name that has been read before, each with its attributes.
pub(super) fn levels<'a>(
    name: &'a [u8],
) -> Result<impl Iterator<Item = Result<impl Iterator<Item = Spelt<'a>>, Problem>>, Problem> {
    let attributes = |set| Attributes(set).map(|attribute| (attribute.oid, attribute.text()));
    Ok(Rdns::new(name)?.map(move |set| set.map(attributes).map_err(Problem::from)))
}

/// The contents of each RelativeDistinguishedName in turn.
struct Rdns<'a>(DerReader<'a>);

impl<'a> Rdns<'a> {
    fn new(name: &'a [u8]) -> Result<Self, Problem> {
        let sequence: AnyRef<'a> = DerReader::whole(name, |r| r.decode())?;
        sequence.tag().assert_eq(Tag::Sequence)?;
        Ok(Self(DerReader::new(sequence.value())))
    }
}

impl<'a> Iterator for Rdns<'a> {
    type Item = Result<&'a [u8], der::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let read = |r: &mut DerReader<'a>| {
            let header = Header::decode(r)?;
            header.tag().assert_eq(Tag::Set)?;
            r.read_slice(header.length())
        };
        (!self.0.is_finished()).then(|| read(&mut self.0))
    }
}

/// The attributes of an RDN that has been read before.
struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = Attribute<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut reader = DerReader::new(self.0);
        let attribute = Attribute::decode(&mut reader).ok()?;
        self.0 = reader.read_slice(reader.remaining_len()).ok()?;
        Some(attribute)
    }
}

#[derive(Clone, Copy)]
struct Attribute<'a> {
    oid: Oid<'a>,
    value: AnyRef<'a>,
}

impl<'a> Attribute<'a> {
    fn decode(reader: &mut DerReader<'a>) -> Result<Self, der::Error> {
        reader.sequence(|r| Ok(Self { oid: r.decode()?, value: r.decode()? }))
    }

    fn read(reader: &mut DerReader<'a>) -> Result<Self, Problem> {
        let attribute = Self::decode(reader)?;
        let is_text =
            !matches!(attribute.value.tag(), Tag::Utf8String | Tag::PrintableString | Tag::Ia5String)
                || attribute.text().is_some();
        if is_text {
            Ok(attribute)
        } else {
            Err(Problem::Malformed("a name's text is not in its character set"))
        }
    }

    /// The value as text, whatever string type it has; `None` for other types and ill-coded text.
    fn text(&self) -> Option<Cow<'a, str>> {
        let bytes = self.value.value();
        match self.value.tag() {
            //= rfc5280#section-7.1
            //# Conforming implementations MUST support UTF8String and PrintableString.
            Tag::Utf8String => core::str::from_utf8(bytes).ok().map(Cow::Borrowed),
            // Many a CA has an "@" or "&" in a PrintableString, which does no harm where it only names.
            Tag::PrintableString | Tag::Ia5String | Tag::VisibleString | Tag::NumericString => {
                core::str::from_utf8(bytes).ok().filter(|text| text.is_ascii()).map(Cow::Borrowed)
            }
            Tag::TeletexString => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
            Tag::BmpString => {
                let units = bytes.chunks(2).map(|pair| <[u8; 2]>::try_from(pair).map(u16::from_be_bytes));
                let units = units.collect::<Result<alloc::vec::Vec<_>, _>>().ok()?;
                alloc::string::String::from_utf16(&units).ok().map(Cow::Owned)
            }
            _ => None,
        }
    }

    //= rfc5280#section-4.2.1.10
    //# At a minimum, implementations MUST perform the DN comparison rules specified in Section 7.1.
    fn same(&self, other: &Self) -> bool {
        if self.oid != other.oid {
            return false;
        }
        match (self.text(), other.text()) {
            (Some(a), Some(b)) => prepared(&a).eq(prepared(&b)),
            _ => self.value == other.value,
        }
    }
}

/// Equal as sets: as many attributes, and each of one in the other.
//= rfc5280#section-4.2.1.10
//# When applying restrictions of the form directoryName, an implementation MUST compare DN attributes.
fn same_rdn(a: &[u8], b: &[u8], budget: &mut Budget) -> Result<bool, Problem> {
    if a == b {
        return Ok(true);
    }
    /// More would be an attack on our time.
    const MAX_ATTRIBUTES: usize = 16;
    let count = Attributes(a).count();
    if count > MAX_ATTRIBUTES {
        return Err(Problem::Malformed("a name has too many attributes at one level"));
    }
    budget.comparisons(count.saturating_mul(count), a.len().saturating_add(b.len()))?;
    Ok(count == Attributes(b).count() && Attributes(a).all(|x| Attributes(b).any(|y| x.same(&y))))
}

/// Folded for comparison: case, and white space at the ends and in runs, do not count.
//= rfc5280#section-7.1
//# Conforming implementations MUST support name comparisons using caseIgnoreMatch.
//= rfc5280#section-7.1
//= type=exception
//= reason=Case and white space are folded; two encodings of one Unicode text count as different. Chaining needs no comparison but of bytes.
//# Conforming implementations MUST use the LDAP StringPrep profile (including insignificant space handling)
//= rfc5280#section-7.1
//= type=exception
//= reason=The steps that normalise Unicode are left out, as the module's documentation says.
//# conforming implementations MUST perform the six-step string preparation algorithm
//= rfc5280#section-7.1
//= type=exception
//= reason=Both are stored values, but unassigned code points are not looked for.
//# When performing the string preparation algorithm, attributes MUST be treated as stored values.
//= rfc5280#section-7.1
//# Comparisons of domainComponent attributes MUST be performed as specified in Section 7.3.
pub(super) fn prepared(text: &str) -> impl Iterator<Item = char> + '_ {
    let words = text.split_whitespace().enumerate();
    words.flat_map(|(index, word)| {
        (index > 0).then_some(' ').into_iter().chain(word.chars().flat_map(char::to_lowercase))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(name: &[u8], base: &[u8]) -> Result<bool, Problem> {
        is_within(name, base, &mut Budget::default())
    }

    fn rdn(tag: u8, text: &[u8]) -> Vec<u8> {
        let length = |n: usize| u8::try_from(n).unwrap();
        let mut der = vec![
            0x31,
            length(text.len() + 9),
            0x30,
            length(text.len() + 7),
            6,
            3,
            0x55,
            4,
            3,
            tag,
            length(text.len()),
        ];
        der.extend(text);
        der
    }

    fn name(rdns: &[Vec<u8>]) -> Vec<u8> {
        let body = rdns.concat();
        [vec![0x30, u8::try_from(body.len()).unwrap()], body].concat()
    }

    //= rfc5280#section-4.2.1.10
    //= type=test
    //# When applying restrictions of the form directoryName, an implementation MUST compare DN attributes.
    //= rfc5280#section-4.2.1.10
    //= type=test
    //# At a minimum, implementations MUST perform the DN comparison rules specified in Section 7.1.
    //= rfc5280#section-7.1
    //= type=test
    //# Conforming implementations MUST support UTF8String and PrintableString.
    //= rfc5280#section-7.1
    //= type=test
    //# Conforming implementations MUST support name comparisons using caseIgnoreMatch.
    //= rfc5280#section-7.1
    //= type=test
    //# Comparisons of domainComponent attributes MUST be performed as specified in Section 7.3.
    #[test]
    fn compares_across_string_types_case_and_space() {
        let base = name(&[rdn(0x0c, b"Lab  One")]);
        for same in [rdn(0x13, b"lab one"), rdn(0x14, b" LAB One "), rdn(0x1e, b"\0l\0a\0b\0 \0o\0n\0e")] {
            assert_eq!(within(&name(std::slice::from_ref(&same)), &base), Ok(true));
            assert_eq!(within(&name(&[same, rdn(0x0c, b"below")]), &base), Ok(true));
        }
        assert_eq!(within(&name(&[rdn(0x13, b"labone")]), &base), Ok(false));
        assert_eq!(within(EMPTY, &base), Ok(false));
        assert_eq!(within(&base, EMPTY), Ok(true));
        let domain_component = |label: &[u8; 4]| {
            let attribute = b"\x31\x14\x30\x12\x06\x0a\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19\x16\x04";
            name(&[[attribute, &label[..]].concat()])
        };
        assert_eq!(within(&domain_component(b"TEST"), &domain_component(b"test")), Ok(true));
        assert_eq!(within(&domain_component(b"TEST"), &domain_component(b"best")), Ok(false));
    }

    #[test]
    fn attributes_are_paid_for_by_the_pair() {
        let spent = |count: u8| {
            let attributes = |tag| {
                let each = |byte| [b"\x30\x08\x06\x03\x55\x04\x03", &[tag, 1, byte][..]].concat();
                (0..count).flat_map(|n| each(b'a'.saturating_add(n))).collect::<Vec<_>>()
            };
            let mut budget = Budget::default();
            assert_eq!(same_rdn(&attributes(0x0c), &attributes(0x14), &mut budget), Ok(true));
            Budget::default().comparisons.saturating_sub(budget.comparisons)
        };
        assert_eq!((spent(1), spent(3), spent(16)), (1, 9, 1536), "pairs, and each 64 octets of both sides");
    }

    //= rfc5280#section-4.1.2.6
    //= type=test
    //# Where it is non-empty, the subject field MUST contain an X.500 distinguished name (DN).
    #[test]
    fn refuses_names_that_are_not_in_form() {
        let reads = |der: &[u8]| read(&mut DerReader::new(der)).is_ok();
        assert!(reads(EMPTY) && reads(&name(&[rdn(0x0c, b"a"), rdn(0x13, b"b")])));
        assert!(!reads(b"\x30\x02\x31\x00"), "an empty RDN");
        assert!(!reads(&name(&[rdn(0x0c, b"\xff")])), "not UTF-8");
        assert!(reads(&name(&[rdn(0x13, b"a@b")])), "not in the set of PrintableString, but harmless");
        assert!(!is_plain(&name(&[rdn(0x13, b"a\x07")])) && is_plain(&name(&[rdn(0x13, b"a@b")])));
        assert!(!reads(b"\x30\x02\x30\x00") && !reads(b"\x30\x81\x00") && !reads(b"\x31\x00"));
    }
}
