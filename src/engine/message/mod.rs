//! The handshake messages (RFC 8446, Section 4): one file for each, its struct, its reader and its writer together.
//!
//! Readers borrow from the bytes received, consume all of them, and check what a message alone can show; what depends on what was
//! offered is checked by the states. No key is known here.

mod certificate;
mod certificate_request;
mod certificate_verify;
mod client_hello;
mod encrypted_extensions;
mod extension;
mod finished;
mod hello_retry_request;
mod key_update;
mod new_session_ticket;
mod server_hello;

use alloc::vec::Vec;
use core::fmt;

pub(crate) use certificate::Certificate;
pub(crate) use certificate_request::CertificateRequest;
pub(crate) use certificate_verify::{CertificateVerify, Side, signed_content};
pub(crate) use client_hello::{ClientHello, Offer};
pub(crate) use encrypted_extensions::EncryptedExtensions;
pub use extension::ExtensionType;
pub(crate) use extension::{DistinguishedNames, KeyShareEntry, RECORD_SIZE_LIMITS};
pub(crate) use finished::Finished;
pub(crate) use hello_retry_request::HelloRetryRequest;
pub(crate) use key_update::KeyUpdate;
pub(crate) use new_session_ticket::NewSessionTicket;
pub(crate) use server_hello::{Hello as ServerHelloHead, ServerHello};

use super::{
    codec::{Reader, TooLong, Writer},
    error::Violation,
};

/// `ProtocolVersion` of TLS 1.2, which every TLS 1.3 hello carries as its legacy_version.
pub(crate) const LEGACY_VERSION: u16 = 0x0303;

/// `ProtocolVersion` of SSL 3.0: a hello with this legacy_version, or less, is refused (RFC 8446, Section D.5).
pub(crate) const SSL3: u16 = 0x0300;

/// `ProtocolVersion` of TLS 1.3.
pub(crate) const TLS13: u16 = 0x0304;

/// The bytes before a handshake message's body: its type, and its length in three bytes.
pub(crate) const HEADER_LENGTH: usize = 4;

/// `HandshakeType` (RFC 8446, Section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are RFC 8446's")]
pub enum HandshakeType {
    ClientHello,
    ServerHello,
    HelloRetryRequest,
    NewSessionTicket,
    EndOfEarlyData,
    EncryptedExtensions,
    Certificate,
    CertificateRequest,
    CertificateVerify,
    Finished,
    KeyUpdate,
}

impl HandshakeType {
    const ALL: [Self; 10] = [
        Self::ClientHello,
        Self::ServerHello,
        Self::NewSessionTicket,
        Self::EndOfEarlyData,
        Self::EncryptedExtensions,
        Self::Certificate,
        Self::CertificateRequest,
        Self::CertificateVerify,
        Self::Finished,
        Self::KeyUpdate,
    ];

    /// The code point; a HelloRetryRequest goes as a ServerHello (RFC 8446, Section 4.1.4).
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::ClientHello => 1,
            Self::ServerHello | Self::HelloRetryRequest => 2,
            Self::NewSessionTicket => 4,
            Self::EndOfEarlyData => 5,
            Self::EncryptedExtensions => 8,
            Self::Certificate => 11,
            Self::CertificateRequest => 13,
            Self::CertificateVerify => 15,
            Self::Finished => 20,
            Self::KeyUpdate => 24,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|handshake_type| handshake_type.code() == code)
    }
}

impl fmt::Display for HandshakeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// A handshake message, as received.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it is made once for each message and never stored")]
pub(crate) enum Message<'a> {
    ClientHello(ClientHello<'a>),
    ServerHello(ServerHello<'a>),
    HelloRetryRequest(HelloRetryRequest<'a>),
    NewSessionTicket(NewSessionTicket),
    EndOfEarlyData,
    EncryptedExtensions(EncryptedExtensions<'a>),
    Certificate(Certificate<'a>),
    CertificateRequest(CertificateRequest<'a>),
    CertificateVerify(CertificateVerify<'a>),
    Finished(Finished<'a>),
    KeyUpdate(KeyUpdate),
}

impl<'a> Message<'a> {
    /// Reads one whole message, header included.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Violation> {
        let mut header = Reader::new(bytes, "handshake header");
        let code = header.u8()?;
        let body = header.vector24()?;
        header.finish()?;
        let handshake_type = HandshakeType::from_code(code).ok_or(Violation::UnknownMessage(code))?;
        Ok(match handshake_type {
            HandshakeType::ClientHello => Self::ClientHello(ClientHello::read(body.named("ClientHello"))?),
            HandshakeType::ServerHello | HandshakeType::HelloRetryRequest => Self::read_server_hello(body)?,
            HandshakeType::NewSessionTicket => {
                Self::NewSessionTicket(NewSessionTicket::read(body.named("NewSessionTicket"))?)
            }
            HandshakeType::EndOfEarlyData => {
                body.named("EndOfEarlyData").finish()?;
                Self::EndOfEarlyData
            }
            HandshakeType::EncryptedExtensions => {
                Self::EncryptedExtensions(EncryptedExtensions::read(body.named("EncryptedExtensions"))?)
            }
            HandshakeType::Certificate => Self::Certificate(Certificate::read(body.named("Certificate"))?),
            HandshakeType::CertificateRequest => {
                Self::CertificateRequest(CertificateRequest::read(body.named("CertificateRequest"))?)
            }
            HandshakeType::CertificateVerify => {
                Self::CertificateVerify(CertificateVerify::read(body.named("CertificateVerify"))?)
            }
            HandshakeType::Finished => Self::Finished(Finished::read(body)),
            HandshakeType::KeyUpdate => Self::KeyUpdate(KeyUpdate::read(body.named("KeyUpdate"))?),
        })
    }

    /// A ServerHello with the one random value that makes it a HelloRetryRequest (RFC 8446, Section 4.1.3).
    fn read_server_hello(body: Reader<'a>) -> Result<Self, Violation> {
        if hello_retry_request::is_one(body) {
            return Ok(Self::HelloRetryRequest(HelloRetryRequest::read(body.named("HelloRetryRequest"))?));
        }
        Ok(Self::ServerHello(ServerHello::read(body.named("ServerHello"))?))
    }

    pub(crate) fn handshake_type(&self) -> HandshakeType {
        match self {
            Self::ClientHello(_) => HandshakeType::ClientHello,
            Self::ServerHello(_) => HandshakeType::ServerHello,
            Self::HelloRetryRequest(_) => HandshakeType::HelloRetryRequest,
            Self::NewSessionTicket(_) => HandshakeType::NewSessionTicket,
            Self::EndOfEarlyData => HandshakeType::EndOfEarlyData,
            Self::EncryptedExtensions(_) => HandshakeType::EncryptedExtensions,
            Self::Certificate(_) => HandshakeType::Certificate,
            Self::CertificateRequest(_) => HandshakeType::CertificateRequest,
            Self::CertificateVerify(_) => HandshakeType::CertificateVerify,
            Self::Finished(_) => HandshakeType::Finished,
            Self::KeyUpdate(_) => HandshakeType::KeyUpdate,
        }
    }
}

/// Writes a whole message: type, length, body.
pub(crate) fn write(
    handshake_type: HandshakeType,
    body: impl FnOnce(&mut Writer),
) -> Result<Vec<u8>, TooLong> {
    let mut w = Writer::default();
    w.u8(handshake_type.code());
    w.vector24(body);
    w.finish()
}

#[cfg(test)]
mod tests;
