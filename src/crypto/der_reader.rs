//! What `der` reads from: bytes of which only the rest is kept.
//!
//! Tags, lengths and values are read by `der`, and it decides what is DER. Its own SliceReader also keeps positions for error messages
//! that nobody here is shown; without them a certificate takes two thirds of the instructions.

use der::{EncodingRules, Error, ErrorKind, Header, Length, Reader};

/// Reads DER front to back. What comes after an error means nothing.
#[derive(Clone, Debug)]
pub(crate) struct DerReader<'a> {
    /// Where it began: `der` asks how far it is.
    whole: &'a [u8],
    rest: &'a [u8],
}

impl<'a> DerReader<'a> {
    /// Reads all of `bytes`.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { whole: bytes, rest: bytes }
    }

    /// Reads something that is all of `bytes`.
    pub(crate) fn whole<T, E: From<Error>>(
        bytes: &'a [u8],
        read: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut reader = Self::new(bytes);
        let value = read(&mut reader)?;
        reader.finish()?;
        Ok(value)
    }

    fn incomplete(&self) -> Error {
        Error::incomplete(self.input_len())
    }
}

impl<'a> Reader<'a> for DerReader<'a> {
    const CAN_READ_SLICE: bool = true;

    fn encoding_rules(&self) -> EncodingRules {
        EncodingRules::Der
    }

    fn input_len(&self) -> Length {
        length(self.whole)
    }

    fn position(&self) -> Length {
        self.input_len().saturating_sub(length(self.rest))
    }

    fn remaining_len(&self) -> Length {
        length(self.rest)
    }

    fn is_finished(&self) -> bool {
        self.rest.is_empty()
    }

    fn peek_byte(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    fn read_byte(&mut self) -> Result<u8, Error> {
        let (byte, rest) = self.rest.split_first().ok_or_else(|| self.incomplete())?;
        self.rest = rest;
        Ok(*byte)
    }

    fn read_slice(&mut self, length: Length) -> Result<&'a [u8], Error> {
        let (slice, rest) =
            self.rest.split_at_checked(usize::try_from(length)?).ok_or_else(|| self.incomplete())?;
        self.rest = rest;
        Ok(slice)
    }

    fn read_nested<T, F, E>(&mut self, length: Length, read: F) -> Result<T, E>
    where
        E: From<Error>,
        F: FnOnce(&mut Self) -> Result<T, E>,
    {
        Self::whole(self.read_slice(length)?, read)
    }

    fn tlv_bytes(&mut self) -> Result<&'a [u8], Error> {
        let start = self.rest;
        let header: Header = self.decode()?;
        self.read_slice(header.length())?;
        Ok(start.split_at(start.len().saturating_sub(self.rest.len())).0)
    }

    fn finish(self) -> Result<(), Error> {
        match self.rest {
            [] => Ok(()),
            rest => Err(ErrorKind::TrailingData { decoded: self.position(), remaining: length(rest) }.into()),
        }
    }
}

/// What is longer than `der` can count is cut off in its eyes, and refused for what is left.
fn length(bytes: &[u8]) -> Length {
    Length::try_from(bytes.len()).unwrap_or(Length::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use der::{SliceReader, asn1::AnyRef};

    /// Everything in `reader`, in each of the ways in which it can be read.
    fn walk<'a, R: Reader<'a>>(reader: &mut R, seen: &mut Vec<&'a [u8]>) -> Result<(), Error> {
        while !reader.is_finished() {
            let (whole, place) = (reader.clone().tlv_bytes()?, reader.position());
            assert_eq!(reader.peek_byte(), whole.first().copied());
            seen.extend([whole, reader.clone().decode::<AnyRef<'a>>()?.value()]);
            let header = reader.decode::<Header>()?;
            if header.is_constructed() {
                reader.read_nested(header.length(), |r| walk(r, seen))?;
            } else {
                seen.push(reader.read_slice(header.length())?);
            }
            assert_eq!(reader.position(), (place + Length::try_from(whole.len())?)?);
        }
        Ok(())
    }

    #[test]
    fn reads_what_ders_own_reader_reads() {
        let pem = include_bytes!("../../tests/vectors/agent/server.pem");
        let certificate = super::super::pem::certificates(pem).unwrap().remove(0);
        let (mut good, mut bad) = (0, 0);
        for (place, change) in
            (0..certificate.len()).flat_map(|place| [0, 1, 2, 0x7f, 0x80, 0xff].map(|c| (place, c)))
        {
            let mut der = certificate.clone();
            der[place] ^= change;
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            let result = walk(&mut DerReader::new(&der), &mut ours).is_ok();
            let expected = walk(&mut SliceReader::new(&der).unwrap(), &mut theirs).is_ok();
            assert_eq!((result, &ours), (expected, &theirs), "octet {place} changed by {change:#x}");
            *if result { &mut good } else { &mut bad } += 1;
        }
        assert!(good > 100 && bad > 100, "{good} were read, {bad} refused");
        let trailing = |r: &mut DerReader<'_>| r.decode::<bool>();
        assert!(
            DerReader::whole(&[1, 1, 0xff], trailing).is_ok()
                && DerReader::whole(&[1, 1, 0xff, 0], trailing).is_err()
        );
    }
}
