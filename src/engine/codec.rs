//! The presentation language of RFC 8446, Section 3: fixed numbers and length-prefixed vectors.

use alloc::vec::Vec;

/// A reader met fewer bytes, more bytes or other bytes than the named structure has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// Reads a structure from bytes, front to back; its name goes into the error.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    name: &'static str,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], name: &'static str) -> Self {
        Self { bytes, name }
    }

    /// The same bytes under another name, for the errors of an inner structure.
    pub(crate) fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    pub(crate) fn malformed(&self) -> Malformed {
        Malformed(self.name)
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (bytes, rest) = self.bytes.split_at_checked(length).ok_or(Malformed(self.name))?;
        self.bytes = rest;
        Ok(bytes)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Malformed> {
        let (array, rest) = self.bytes.split_first_chunk().ok_or(Malformed(self.name))?;
        self.bytes = rest;
        Ok(array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(|[byte]| *byte)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(|bytes| u16::from_be_bytes(*bytes))
    }

    pub(crate) fn u24(&mut self) -> Result<usize, Malformed> {
        let [a, b, c] = *self.array()?;
        usize::try_from(u32::from_be_bytes([0, a, b, c])).map_err(|_| Malformed(self.name))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(|bytes| u32::from_be_bytes(*bytes))
    }

    /// `opaque field<0..2^8-1>`
    pub(crate) fn vector8(&mut self) -> Result<Self, Malformed> {
        let length = self.u8()?;
        self.vector(usize::from(length))
    }

    /// `opaque field<0..2^16-1>`
    pub(crate) fn vector16(&mut self) -> Result<Self, Malformed> {
        let length = self.u16()?;
        self.vector(usize::from(length))
    }

    /// `opaque field<0..2^24-1>`
    pub(crate) fn vector24(&mut self) -> Result<Self, Malformed> {
        let length = self.u24()?;
        self.vector(length)
    }

    fn vector(&mut self, length: usize) -> Result<Self, Malformed> {
        Ok(Self { bytes: self.bytes(length)?, name: self.name })
    }

    /// Refuses a vector below its floor of one element.
    pub(crate) fn not_empty(self) -> Result<Self, Malformed> {
        if self.is_empty() { Err(self.malformed()) } else { Ok(self) }
    }

    /// A list of two-byte code points; an odd length is malformed.
    pub(crate) fn codes(self) -> Result<Codes<'a>, Malformed> {
        let (codes, rest) = self.bytes.as_chunks();
        if rest.is_empty() && !codes.is_empty() { Ok(Codes(codes)) } else { Err(self.malformed()) }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Everything that is left.
    pub(crate) fn rest(self) -> &'a [u8] {
        self.bytes
    }

    /// Checks that everything was read.
    pub(crate) fn finish(self) -> Result<(), Malformed> {
        if self.is_empty() { Ok(()) } else { Err(self.malformed()) }
    }
}

/// A non-empty list of code points, as received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Codes<'a>(&'a [[u8; 2]]);

impl<'a> Codes<'a> {
    pub(crate) fn iter(self) -> impl Iterator<Item = u16> + 'a {
        self.0.iter().map(|code| u16::from_be_bytes(*code))
    }

    pub(crate) fn len(self) -> usize {
        self.0.len()
    }

    pub(crate) fn contains(self, code: u16) -> bool {
        self.iter().any(|c| c == code)
    }
}

/// Something of ours is longer than its length prefix can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Writes a structure; no length is computed by hand.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
    too_long: bool,
}

impl Writer {
    /// A writer that goes on after these bytes.
    pub(crate) fn after(bytes: Vec<u8>) -> Self {
        Self { bytes, too_long: false }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn u8(&mut self, value: u8) {
        self.bytes.push(value);
    }

    pub(crate) fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    pub(crate) fn vector8(&mut self, content: impl FnOnce(&mut Self)) {
        self.vector(1, content);
    }

    pub(crate) fn vector16(&mut self, content: impl FnOnce(&mut Self)) {
        self.vector(2, content);
    }

    pub(crate) fn vector24(&mut self, content: impl FnOnce(&mut Self)) {
        self.vector(3, content);
    }

    /// Writes the content after a gap of `width` bytes, then its length into the gap.
    fn vector(&mut self, width: usize, content: impl FnOnce(&mut Self)) {
        let gap = self.bytes.len();
        let start = gap.saturating_add(width);
        self.bytes.resize(start, 0);
        content(self);
        let length = self.bytes.len().saturating_sub(start).to_be_bytes();
        let (high, low) = length.split_at(length.len().saturating_sub(width));
        self.too_long |= high.iter().any(|byte| *byte != 0);
        if let Some(prefix) = self.bytes.get_mut(gap..start) {
            prefix.copy_from_slice(low);
        }
    }

    /// What was written, unless a vector overflowed.
    pub(crate) fn finish(self) -> Result<Vec<u8>, TooLong> {
        if self.too_long { Err(TooLong) } else { Ok(self.bytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_nest_and_read_back() {
        let mut w = Writer::default();
        w.vector24(|w| {
            w.u8(1);
            w.vector16(|w| w.vector8(|w| w.bytes(b"abc")));
        });
        let bytes = w.finish().unwrap();
        assert_eq!(bytes, *b"\0\0\x07\x01\0\x04\x03abc");
        let mut r = Reader::new(&bytes, "test");
        let mut outer = r.vector24().unwrap();
        assert_eq!(outer.u8(), Ok(1));
        assert_eq!(outer.vector16().unwrap().vector8().unwrap().rest(), b"abc");
        assert_eq!((outer.finish(), r.finish()), (Ok(()), Ok(())));
    }

    #[test]
    fn an_overflowing_vector_is_an_error() {
        let mut w = Writer::default();
        w.vector8(|w| w.bytes(&[0; 256]));
        assert_eq!(w.finish(), Err(TooLong));
    }

    #[test]
    fn lists_of_codes_have_an_even_length_above_zero() {
        assert!(Reader::new(&[1, 2, 3], "test").codes().is_err());
        assert!(Reader::new(&[], "test").codes().is_err());
        assert!(Reader::new(&[1, 2, 3, 4], "test").codes().unwrap().contains(0x0304));
    }
}
