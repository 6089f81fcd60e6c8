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
#[cfg(feature = "agent")]
pub(crate) use certificate::is_sendable;
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

/// The longest body of a handshake message; certificate lists of real peers are far below.
pub(crate) const MAX_LENGTH: usize = 1 << 16;

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
    //= rfc8446#appendix-B
    //# TLS 1.3 implementations MUST NOT send them but might receive them from older TLS implementations.
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

    fn name(self) -> &'static str {
        match self {
            Self::ClientHello => "ClientHello",
            Self::ServerHello => "ServerHello",
            Self::HelloRetryRequest => "HelloRetryRequest",
            Self::NewSessionTicket => "NewSessionTicket",
            Self::EndOfEarlyData => "EndOfEarlyData",
            Self::EncryptedExtensions => "EncryptedExtensions",
            Self::Certificate => "Certificate",
            Self::CertificateRequest => "CertificateRequest",
            Self::CertificateVerify => "CertificateVerify",
            Self::Finished => "Finished",
            Self::KeyUpdate => "KeyUpdate",
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|handshake_type| handshake_type.code() == code)
    }
}

impl fmt::Display for HandshakeType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A handshake message as received: its header is read, its body not yet, for the state says first whether it is expected.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Message<'a> {
    pub(crate) handshake_type: HandshakeType,
    pub(crate) body: Reader<'a>,
    /// All of it, header included: what goes into the transcript.
    pub(crate) bytes: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads the header of one whole message.
    ///
    /// A ServerHello with the one random value that makes it a HelloRetryRequest is one (RFC 8446, Section 4.1.3).
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self, Violation> {
        let mut header = Reader::new(bytes, "handshake header");
        let code = header.u8()?;
        let body = header.vector24()?;
        header.finish()?;
        let handshake_type = match HandshakeType::from_code(code) {
            //= rfc8446#section-4.1.3
            //# implementations MUST first examine the Random value and, if it matches this value, process it
            //# as described in Section 4.1.4).
            Some(HandshakeType::ServerHello) if hello_retry_request::is_one(body) => {
                HandshakeType::HelloRetryRequest
            }
            Some(handshake_type) => handshake_type,
            None => return Err(Violation::UnknownMessage(code)),
        };
        Ok(Self { handshake_type, body: body.named(handshake_type.name()), bytes })
    }

    /// Reads the body too, whichever it is, and forgets it.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn read_body(self) -> Result<(), Violation> {
        let body = self.body;
        match self.handshake_type {
            HandshakeType::ClientHello => ClientHello::read(body).map(|_| ()),
            HandshakeType::ServerHello => ServerHello::read(body).map(|_| ()),
            HandshakeType::HelloRetryRequest => HelloRetryRequest::read(body).map(|_| ()),
            HandshakeType::NewSessionTicket => NewSessionTicket::read(body).map(|_| ()),
            HandshakeType::EndOfEarlyData => Ok(body.finish()?),
            HandshakeType::EncryptedExtensions => EncryptedExtensions::read(body).map(|_| ()),
            HandshakeType::Certificate => Certificate::read(body).map(|_| ()),
            HandshakeType::CertificateRequest => CertificateRequest::read(body).map(|_| ()),
            HandshakeType::CertificateVerify => CertificateVerify::read(body).map(|_| ()),
            HandshakeType::Finished => Ok(()),
            HandshakeType::KeyUpdate => KeyUpdate::read(body).map(|_| ()),
        }
    }
}

/// Writes a whole message: type, length, body.
pub(crate) fn write(
    handshake_type: HandshakeType,
    body: impl FnOnce(&mut Writer),
) -> Result<Vec<u8>, TooLong> {
    /// Enough for any message but a long chain, or a hybrid's key share.
    const ROOM: usize = 1 << 9;
    append(Vec::with_capacity(ROOM), handshake_type, body)
}

/// Writes a whole message after others.
pub(crate) fn append(
    messages: Vec<u8>,
    handshake_type: HandshakeType,
    body: impl FnOnce(&mut Writer),
) -> Result<Vec<u8>, TooLong> {
    let mut w = Writer::after(messages);
    w.u8(handshake_type.code());
    w.vector24(body);
    w.finish()
}

#[cfg(test)]
mod tests;
