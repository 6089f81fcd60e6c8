//! The client's state machine: RFC 8446, Section A.1, without early data, and with K_send as soon as its note wants it, for alerts.
//!
//! ```text
//!                              START
//!               Send ClientHello |                 <----+ Recv HelloRetryRequest, send ClientHello
//!                                v                      |   (once: WaitSecondServerHello)
//!                             WAIT_SH ------------------+
//!                                | Recv ServerHello
//!                                | K_recv = K_send = handshake
//!                                V
//!                             WAIT_EE
//!                                | Recv EncryptedExtensions
//!                       +--------+--------+
//!                 Using |                 | Using certificate
//!                   PSK |                 v
//!                       |            WAIT_CERT_CR
//!                       |        Recv |       | Recv CertificateRequest
//!                       | Certificate |       v
//!                       |             |    WAIT_CERT     (WaitCertificate, too: it keeps the request)
//!                       |             |       | Recv Certificate
//!                       |             v       v
//!                       |              WAIT_CV
//!                       |                 | Recv CertificateVerify
//!                       +> WAIT_FINISHED <+
//!                              | Recv Finished
//!                              | [Send Certificate, and wait for a signature [+ CertificateVerify]]
//!  Can send                    | Send Finished
//!  app data after here  -->    v K_send = K_recv = application
//!                          CONNECTED
//! ```

mod authentication;
mod key_exchange;
mod server_parameters;

use alloc::{boxed::Box, sync::Arc};

pub(super) use authentication::WaitSignature;
use authentication::{WaitCertificate, WaitCertificateVerify, WaitFinished};
use key_exchange::{WaitSecondServerHello, WaitServerHello};
use server_parameters::WaitEncryptedExtensions;

use super::{
    Answer,
    config::ClientConfig,
    error::{Error, LocalError, Violation},
    message::{HandshakeType, Message},
    record::Records,
    session::Session,
};
use crate::crypto::{certificate::UnixTime, random::Random};

/// What every state after the ServerHello has.
type Protected = super::authentication::Protected<ClientConfig>;

/// Where a client stands: each state holds exactly what exists then.
#[derive(Debug)]
pub(super) enum State {
    WaitServerHello(WaitServerHello),
    WaitSecondServerHello(WaitSecondServerHello),
    WaitEncryptedExtensions(WaitEncryptedExtensions),
    WaitCertificate(WaitCertificate),
    WaitCertificateVerify(WaitCertificateVerify),
    WaitFinished(WaitFinished),
    WaitSignature(WaitSignature),
    Connected(Box<Session>),
}

use HandshakeType as T;
use State::{
    Connected, WaitCertificate as WaitCert, WaitCertificateVerify as WaitCv,
    WaitEncryptedExtensions as WaitEe, WaitFinished as WaitFin, WaitSecondServerHello as WaitSecondSh,
    WaitServerHello as WaitSh,
};

impl State {
    /// Sends the ClientHello.
    pub(super) fn start(
        config: Arc<ClientConfig>,
        random: Box<dyn Random>,
        now: UnixTime,
        records: &mut Records,
    ) -> Result<Self, Error> {
        Ok(WaitSh(WaitServerHello::start(config, random, now, records)?))
    }

    /// Every transition that a client can make, and nothing else (RFC 8446, Section A.1).
    pub(super) fn step(self, m: Message<'_>, records: &mut Records) -> Result<Self, Error> {
        Ok(match (self, m.handshake_type) {
            (WaitSh(s), T::HelloRetryRequest) => WaitSecondSh(s.on_hello_retry_request(m, records)?),
            (WaitSh(s), T::ServerHello) => WaitEe(s.on_server_hello(m, records)?),
            //= rfc8446#section-4.1.4
            //# it MUST abort the handshake with an "unexpected_message" alert.
            (WaitSecondSh(s), T::ServerHello) => WaitEe(s.on_server_hello(m, records)?),
            (WaitEe(s), T::EncryptedExtensions) => s.on_encrypted_extensions(m, records)?,
            (WaitCert(s), T::CertificateRequest) if !s.was_requested() => {
                WaitCert(s.on_certificate_request(m)?)
            }
            (WaitCert(s), T::Certificate) => WaitCv(s.on_certificate(m)?),
            (WaitCv(s), T::CertificateVerify) => WaitFin(s.on_certificate_verify(m)?),
            (WaitFin(s), T::Finished) => s.on_finished(m, records)?,
            //= rfc8446#section-4
            //# A peer which receives a handshake message in an unexpected order MUST abort the handshake with
            //# an "unexpected_message" alert.
            //= rfc8446#section-4.5
            //# Servers MUST NOT send this message, and clients receiving it MUST terminate the connection
            //# with an "unexpected_message" alert.
            //= rfc8446#section-4.6.3
            //# Implementations that receive a KeyUpdate message prior to receiving a Finished message MUST
            //# terminate the connection with an "unexpected_message" alert.
            (state, handshake_type) => return Err(state.unexpected(handshake_type)),
        })
    }

    /// The answer to the one question a client asks.
    pub(super) fn answer(self, answer: Answer<'_>, records: &mut Records) -> Result<Self, Error> {
        match (self, answer) {
            (Self::WaitSignature(s), Answer::Signature(signature)) => {
                Ok(Connected(s.on_signature(signature, records)?))
            }
            _ => Err(Error::Local(LocalError::Misuse)),
        }
    }

    fn unexpected(&self, message: HandshakeType) -> Error {
        Violation::UnexpectedMessage { message, state: self.name() }.into()
    }

    /// The state's name in Section A.1.
    fn name(&self) -> &'static str {
        match self {
            Self::WaitServerHello(_) | Self::WaitSecondServerHello(_) => "WAIT_SH",
            Self::WaitEncryptedExtensions(_) => "WAIT_EE",
            Self::WaitCertificate(s) if s.was_requested() => "WAIT_CERT",
            Self::WaitCertificate(_) => "WAIT_CERT_CR",
            Self::WaitCertificateVerify(_) => "WAIT_CV",
            Self::WaitFinished(_) | Self::WaitSignature(_) => "WAIT_FINISHED",
            Self::Connected(_) => "CONNECTED",
        }
    }
}

#[cfg(test)]
#[path = "../rfc8448/entry/client.rs"]
mod entry;
