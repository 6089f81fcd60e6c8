//! KeyUpdate (RFC 8446, Section 4.6.3).

use super::super::{
    codec::{Reader, Writer},
    error::Violation,
};

/// `enum { update_not_requested(0), update_requested(1), (255) } KeyUpdateRequest;`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyUpdate {
    NotRequested,
    Requested,
}

impl KeyUpdate {
    pub(crate) fn read(mut r: Reader<'_>) -> Result<Self, Violation> {
        let request_update = r.u8()?;
        r.finish()?;
        match request_update {
            0 => Ok(Self::NotRequested),
            1 => Ok(Self::Requested),
            //= rfc8446#section-4.6.3
            //# If an implementation receives any other value, it MUST
            //# terminate the connection with an "illegal_parameter" alert.
            _ => Err(Violation::KeyUpdateRequest),
        }
    }

    pub(crate) fn write(self, w: &mut Writer) {
        w.u8(match self {
            Self::NotRequested => 0,
            Self::Requested => 1,
        });
    }
}
