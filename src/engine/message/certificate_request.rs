//! CertificateRequest (RFC 8446, Section 4.3.2).
//!
//! ```text
//! struct {
//!     opaque certificate_request_context<0..2^8-1>;
//!     Extension extensions<2..2^16-1>;
//! } CertificateRequest;
//! ```

use alloc::vec::Vec;

use super::{
    super::{
        codec::{Codes, Reader, Writer},
        error::Violation,
    },
    ExtensionType,
    extension::{DistinguishedNames, Place, read_extensions, write_codes, write_extension},
};

/// The longest certificate_authorities that is sent, in octets: a request with the names of hundreds does not fit into a record, and
/// one with those of a thousand into no message. The extension is optional; a list with some left out would mislead clients.
const MAX_AUTHORITIES: usize = 1 << 14;

/// A CertificateRequest as received.
#[derive(Debug)]
pub(crate) struct CertificateRequest<'a> {
    pub(crate) context: &'a [u8],
    pub(crate) signature_algorithms: Codes<'a>,
    pub(crate) authorities: Option<DistinguishedNames<'a>>,
}

impl<'a> CertificateRequest<'a> {
    pub(crate) fn read(mut r: Reader<'a>) -> Result<Self, Violation> {
        let context = r.vector8()?.rest();
        let (mut signature_algorithms, mut authorities) = (None, None);
        read_extensions(&mut r, Place::CR, |extension, mut content| {
            match extension {
                ExtensionType::SIGNATURE_ALGORITHMS => {
                    signature_algorithms = Some(content.vector16()?.codes()?);
                    content.finish()?;
                }
                ExtensionType::SIGNATURE_ALGORITHMS_CERT => {
                    content.vector16()?.codes()?;
                    content.finish()?;
                }
                ExtensionType::CERTIFICATE_AUTHORITIES => {
                    authorities = Some(DistinguishedNames::read(content)?)
                }
                //= rfc8446#section-4.3.2
                //# Clients MUST ignore unrecognized extensions.
                //= rfc8446#section-4.2.5
                //# However, the client MUST ignore and skip any unrecognized certificate extension OIDs.
                _ => {}
            }
            Ok(())
        })?;
        r.finish()?;
        let signature_algorithms =
            signature_algorithms.ok_or(Violation::MissingExtension(ExtensionType::SIGNATURE_ALGORITHMS))?;
        Ok(Self { context, signature_algorithms, authorities })
    }

    /// Writes the body of a request in the handshake, whose context is empty.
    pub(crate) fn write(
        w: &mut Writer,
        signature_algorithms: &[u16],
        signature_algorithms_cert: &[u16],
        authorities: &[Vec<u8>],
    ) {
        //= rfc8446#section-4.3.2
        //# The certificate_request_context MUST be unique within the scope of this connection
        w.vector8(|_| {});
        w.vector16(|w| {
            //= rfc8446#section-4.3.2
            //# The "signature_algorithms" extension MUST be specified, and other extensions may optionally be
            //# included if defined for this message.
            write_codes(w, ExtensionType::SIGNATURE_ALGORITHMS, signature_algorithms.iter().copied());
            write_codes(
                w,
                ExtensionType::SIGNATURE_ALGORITHMS_CERT,
                signature_algorithms_cert.iter().copied(),
            );
            let length = authorities.iter().map(|name| name.len().saturating_add(2)).sum();
            if (1..=MAX_AUTHORITIES).contains(&length) {
                write_extension(w, ExtensionType::CERTIFICATE_AUTHORITIES, |w| {
                    w.vector16(|w| authorities.iter().for_each(|name| w.vector16(|w| w.bytes(name))));
                });
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_are_named_unless_they_are_too_many() {
        let names = |count| {
            let mut w = Writer::default();
            CertificateRequest::write(&mut w, &[0x0403], &[0x0403], &vec![vec![0x30; 126]; count]);
            let bytes = w.finish().unwrap();
            let request = CertificateRequest::read(Reader::new(&bytes, "CertificateRequest")).unwrap();
            request.authorities.is_some()
        };
        assert_eq!([0, 1, 128, 129, 1000].map(names), [false, true, true, false, false]);
    }
}
