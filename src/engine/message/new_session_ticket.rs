//! NewSessionTicket (RFC 8446, Section 4.6.1): read to its end, and ignored; there is no resumption.
//!
//! ```text
//! struct {
//!     uint32 ticket_lifetime;
//!     uint32 ticket_age_add;
//!     opaque ticket_nonce<0..255>;
//!     opaque ticket<1..2^16-1>;
//!     Extension extensions<0..2^16-2>;
//! } NewSessionTicket;
//! ```

use super::{
    super::{codec::Reader, error::Violation},
    extension::{Place, read_extensions},
};

/// A ticket, as well-formed as it must be; nothing of it is kept.
#[derive(Debug)]
pub(crate) struct NewSessionTicket;

impl NewSessionTicket {
    pub(crate) fn read(mut r: Reader<'_>) -> Result<Self, Violation> {
        let _ticket_lifetime = r.u32()?;
        let _ticket_age_add = r.u32()?;
        let _ticket_nonce = r.vector8()?;
        let _ticket = r.vector16()?.not_empty()?;
        //= rfc8446#section-4.6.1
        //# Clients MUST ignore unrecognized extensions.
        //= rfc8446#section-9.3
        //# a client receiving a CertificateRequest or NewSessionTicket MUST also ignore all unrecognized
        //# extensions.
        read_extensions(&mut r, Place::NST, |_, _| Ok(()))?;
        r.finish()?;
        Ok(Self)
    }
}
