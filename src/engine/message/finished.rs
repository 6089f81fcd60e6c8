//! Finished (RFC 8446, Section 4.4.4): `struct { opaque verify_data[Hash.length]; } Finished;`

use super::super::codec::Reader;

/// A Finished as received; its length is the hash's, which only the state knows: another length does not verify.
#[derive(Debug)]
pub(crate) struct Finished<'a> {
    pub(crate) verify_data: &'a [u8],
}

impl<'a> Finished<'a> {
    pub(crate) fn read(r: Reader<'a>) -> Self {
        Self { verify_data: r.rest() }
    }
}
