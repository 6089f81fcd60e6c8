//! Certificate (RFC 8446, Section 4.4.2).
//!
//! ```text
//! struct {
//!     opaque cert_data<1..2^24-1>;
//!     Extension extensions<0..2^16-1>;
//! } CertificateEntry;
//!
//! struct {
//!     opaque certificate_request_context<0..2^8-1>;
//!     CertificateEntry certificate_list<0..2^24-1>;
//! } Certificate;
//! ```

use alloc::vec::Vec;

use super::{
    super::{
        codec::{Reader, Writer},
        error::Violation,
    },
    extension::{Place, read_extensions},
};

/// The longest certificate list: above the longest path that is verified (24), as a list may hold more than the path, and above the
/// longest that BoringSSL sends to test others with (51). Each of a stranger's certificates costs memory of its own, however short it is.
const MAX_CERTIFICATES: usize = 64;

/// A Certificate as received; no entry may carry an extension, because none is ever asked for.
#[derive(Debug)]
pub(crate) struct Certificate<'a> {
    pub(crate) context: &'a [u8],
    list: Reader<'a>,
}

impl<'a> Certificate<'a> {
    pub(crate) fn read(mut r: Reader<'a>) -> Result<Self, Violation> {
        let context = r.vector8()?.rest();
        let list = r.vector24()?;
        r.finish()?;
        let (mut rest, mut count) = (list, 0_usize);
        while !rest.is_empty() {
            count = count.saturating_add(1);
            if count > MAX_CERTIFICATES {
                return Err(Violation::TooManyCertificates);
            }
            rest.vector24()?.not_empty()?;
            //= rfc8446#section-4.4.2
            //# Extensions in the Certificate message from the server MUST correspond to ones from the
            //# ClientHello message.
            //= rfc8446#section-4.4.2
            //# Extensions in the Certificate message from the client MUST correspond to extensions in the
            //# CertificateRequest message from the server.
            read_extensions(&mut rest, Place::CT, |extension, _| {
                Err(Violation::UnsolicitedExtension(extension))
            })?;
        }
        Ok(Self { context, list })
    }

    /// The certificates in DER, the end entity's first.
    pub(crate) fn entries(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.list;
        core::iter::from_fn(move || {
            let certificate = rest.vector24().ok()?;
            rest.vector16().ok()?;
            Some(certificate.rest())
        })
    }

    pub(crate) fn write(w: &mut Writer, context: &[u8], chain: &[Vec<u8>]) {
        w.vector8(|w| w.bytes(context));
        w.vector24(|w| {
            for certificate in chain {
                w.vector24(|w| w.bytes(certificate));
                w.vector16(|_| {});
            }
        });
    }
}

/// Whether a peer like us takes a Certificate of this chain, one without a context.
#[cfg(feature = "agent")]
pub(crate) fn is_sendable(chain: &[Vec<u8>]) -> bool {
    let mut w = Writer::default();
    Certificate::write(&mut w, b"", chain);
    chain.len() <= MAX_CERTIFICATES && w.finish().is_ok_and(|body| body.len() <= super::MAX_LENGTH)
}
