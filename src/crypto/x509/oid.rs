//! OBJECT IDENTIFIERs of any length: the type of `der` ends at 39 octets and at arcs of 32 bits.

use core::fmt;

use der::{DecodeValue, FixedTag, Header, Reader, Tag, asn1::ObjectIdentifier};

/// The contents of a well-formed OBJECT IDENTIFIER.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Oid<'a>(&'a [u8]);

impl Oid<'static> {
    /// One that we know.
    pub(super) const fn known(oid: &'static ObjectIdentifier) -> Self {
        Self(oid.as_bytes())
    }
}

impl Oid<'_> {
    pub(super) fn is(self, oid: &ObjectIdentifier) -> bool {
        self.0 == oid.as_bytes()
    }
}

impl<'a> DecodeValue<'a> for Oid<'a> {
    type Error = der::Error;

    //= rfc5280#appendix-B
    //# This specification mandates support for OIDs that have arc elements with values that are less than
    //# 2^28, that is, they MUST be between 0 and 268,435,455, inclusive.
    //= rfc5280#appendix-B
    //# Implementations MUST also support OIDs where the length of the dotted decimal (see Section 1.4 of
    //# [RFC4512]) string representation can be up to 100 bytes (inclusive).
    //= rfc5280#appendix-B
    //# Implementations MUST be able to handle OIDs with up to 20 elements (inclusive).
    fn decode_value<R: Reader<'a>>(reader: &mut R, header: Header) -> Result<Self, der::Error> {
        let contents = reader.read_slice(header.length())?;
        // X.690, Section 8.19.2: each arc ends in an octet without the first bit, and begins with one that is not 0x80.
        let ends = contents.last().is_some_and(|octet| octet & 0x80 == 0);
        let is_shortest =
            contents.split_inclusive(|octet| octet & 0x80 == 0).all(|arc| arc.first() != Some(&0x80));
        if ends && is_shortest { Ok(Self(contents)) } else { Err(Self::TAG.value_error().into()) }
    }
}

impl FixedTag for Oid<'_> {
    const TAG: Tag = Tag::ObjectIdentifier;
}

/// The longest that is written out, in octets: its author is a stranger.
const LONGEST: usize = 64;

/// Writes it as "1.2.840.113549", an arc of more than 128 bits as "..."; a long one as how long it is.
impl fmt::Display for Oid<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.len() > LONGEST {
            return write!(f, "of {} octets", self.0.len());
        }
        for (index, octets) in self.0.split_inclusive(|octet| octet & 0x80 == 0).enumerate() {
            let arc = octets
                .iter()
                .try_fold(0_u128, |arc, octet| arc.checked_mul(0x80)?.checked_add(u128::from(octet & 0x7f)));
            match (index, arc) {
                // The first two arcs share one number (X.690, Section 8.19.4).
                (0, Some(both)) => {
                    let first = (both / 40).min(2);
                    write!(f, "{first}.{}", both.saturating_sub(first.saturating_mul(40)))?;
                }
                (_, Some(arc)) => write!(f, ".{arc}")?,
                (_, None) => f.write_str("...")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::der_reader::DerReader;
    use der::Decode;
    use std::string::ToString;

    fn read(contents: &[u8]) -> Result<std::string::String, der::Error> {
        let der = [&[6, u8::try_from(contents.len()).unwrap()], contents].concat();
        Oid::decode(&mut DerReader::new(&der)).map(|oid| oid.to_string())
    }

    #[test]
    fn any_length_is_read_and_written() {
        assert_eq!(read(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d]).unwrap(), "1.2.840.113549");
        assert_eq!(read(&[0x00]).unwrap(), "0.0");
        assert_eq!(read(&[0x88, 0x37, 3]).unwrap(), "2.999.3");
        // The UUID that X.667, Section 8 has for an example.
        let uuid = [
            0x69, 0x83, 0xf0, 0x9d, 0xa7, 0xeb, 0xcf, 0xde, 0xe0, 0xc7, 0xa1, 0xa7, 0xb2, 0xc0, 0x94, 0x8c,
            0xc8, 0xf9, 0xd7, 0x76,
        ];
        assert_eq!(read(&uuid).unwrap(), "2.25.329800735698586629295641978511506172918");
        let long = [&[0x2b][..], &[0xff; 30], &[0x7f]].concat();
        assert_eq!(read(&long).unwrap(), "1.3...");
        let longest = [&[0x2b][..], &[1; 63]].concat();
        assert_eq!(read(&longest).unwrap(), format!("1.3{}", ".1".repeat(63)));
        assert_eq!(read(&[&longest[..], &[1]].concat()).unwrap(), "of 65 octets");
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for bad in [&[][..], &[0x80], &[0x2a, 0x86], &[0x2a, 0x80, 0x01], &[0x80, 0x01]] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
