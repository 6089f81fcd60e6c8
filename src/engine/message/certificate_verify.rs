//! CertificateVerify (RFC 8446, Section 4.4.3): proof of the private key, over the whole handshake so far.

use alloc::vec::Vec;

use super::super::{
    codec::{Reader, Writer},
    error::Violation,
};

/// `struct { SignatureScheme algorithm; opaque signature<0..2^16-1>; } CertificateVerify;`
#[derive(Debug)]
pub(crate) struct CertificateVerify<'a> {
    pub(crate) algorithm: u16,
    pub(crate) signature: &'a [u8],
}

impl<'a> CertificateVerify<'a> {
    pub(crate) fn read(mut r: Reader<'a>) -> Result<Self, Violation> {
        let algorithm = r.u16()?;
        let signature = r.vector16()?.rest();
        r.finish()?;
        Ok(Self { algorithm, signature })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.u16(self.algorithm);
        w.vector16(|w| w.bytes(self.signature));
    }
}

/// Who signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Client,
    Server,
}

/// The content that the signature covers: 64 spaces, a context string, a zero byte, the transcript hash.
pub(crate) fn signed_content(side: Side, transcript_hash: &[u8]) -> Vec<u8> {
    let context: &[u8] = match side {
        Side::Client => b"TLS 1.3, client CertificateVerify",
        Side::Server => b"TLS 1.3, server CertificateVerify",
    };
    [&[0x20; 64], context, &[0], transcript_hash].concat()
}
