//! The server's state machine: RFC 8446, Section A.2.
//!
//! ```text
//!                              START <-----+
//!               Recv ClientHello |         | Send HelloRetryRequest
//!                                v         | (once: WaitSecondClientHello)
//!                             RECVD_CH ----+
//!                                | [Find the PSK]
//!                                | Select parameters
//!                                v
//!                             NEGOTIATED
//!                                | K_recv = handshake
//!                                | Send ServerHello
//!                                | K_send = handshake
//!                                | Send EncryptedExtensions
//!                                | [Send CertificateRequest]
//! Can send                       | [Send Certificate, and wait for a signature + CertificateVerify]
//! app data                       | Send Finished
//! after   -->                    | K_send = application
//! here                  +--------+--------+
//!              No auth  |                 | Client auth
//!                       |                 v
//!                       |             WAIT_CERT
//!                       |        Recv |       | Recv Certificate
//!                       |       empty |       v
//!                       | Certificate |    WAIT_CV
//!                       |             |       | Recv CertificateVerify
//!                       |             v       |
//!                       +-> WAIT_FINISHED <---+
//!                                | Recv Finished
//!                                | K_recv = application
//!                                v
//!                            CONNECTED
//! ```
//! There is no 0-RTT, so there is no WAIT_EOED. WAIT_FLIGHT2 only forks, so it is no state here. K_recv comes first (`exchange`): it
//! refuses a ClientHello with bytes behind it in its record. The session, and so app data, is there in CONNECTED alone.

mod authentication;
mod key_exchange;
mod negotiate;
mod server_parameters;

use alloc::{boxed::Box, sync::Arc};

use authentication::{WaitCertificate, WaitCertificateVerify, WaitFinished};
use key_exchange::{WaitClientHello, WaitSecondClientHello};

pub(super) use key_exchange::WaitPsk;
pub(super) use server_parameters::WaitSignature;

use super::{
    Answer,
    config::ServerConfig,
    error::{Error, LocalError, Violation},
    message::{HandshakeType, Message},
    record::Records,
    session::Session,
};
use crate::crypto::{certificate::UnixTime, random::Random};

/// What every state after the ServerHello has.
type Protected = super::authentication::Protected<ServerConfig>;

/// Where a server stands: each state holds exactly what exists then.
#[derive(Debug)]
pub(super) enum State {
    WaitClientHello(WaitClientHello),
    WaitSecondClientHello(WaitSecondClientHello),
    WaitPsk(WaitPsk),
    WaitSignature(WaitSignature),
    WaitCertificate(WaitCertificate),
    WaitCertificateVerify(WaitCertificateVerify),
    WaitFinished(WaitFinished),
    Connected(Box<Session>),
}

use HandshakeType as T;
use State::{
    Connected, WaitCertificate as WaitCert, WaitCertificateVerify as WaitCv, WaitClientHello as WaitCh,
    WaitFinished as WaitFin, WaitSecondClientHello as WaitSecondCh,
};

impl State {
    pub(super) fn start(config: Arc<ServerConfig>, random: Box<dyn Random>, now: UnixTime) -> Self {
        WaitCh(WaitClientHello::new(config, random, now))
    }

    /// Every transition that a server can make, and nothing else (RFC 8446, Section A.2).
    pub(super) fn step(self, m: Message<'_>, records: &mut Records) -> Result<Self, Error> {
        Ok(match (self, m.handshake_type) {
            (WaitCh(s), T::ClientHello) => s.on_client_hello(m, records)?,
            (WaitSecondCh(s), T::ClientHello) => s.on_client_hello(m, records)?,
            (WaitCert(s), T::Certificate) => s.on_certificate(m)?,
            (WaitCv(s), T::CertificateVerify) => WaitFin(s.on_certificate_verify(m)?),
            (WaitFin(s), T::Finished) => Connected(s.on_finished(m, records)?),
            (state, handshake_type) => return Err(state.unexpected(handshake_type)),
        })
    }

    /// The answers to the two questions a server asks.
    pub(super) fn answer(self, answer: Answer<'_>, records: &mut Records) -> Result<Self, Error> {
        match (self, answer) {
            (Self::WaitPsk(s), Answer::Psk(index, psk)) => s.on_psk(Some((index, psk)), records),
            (Self::WaitPsk(s), Answer::NoPsk) => s.on_psk(None, records),
            (Self::WaitSignature(s), Answer::Signature(signature)) => s.on_signature(signature, records),
            _ => Err(Error::Local(LocalError::Misuse)),
        }
    }

    fn unexpected(&self, message: HandshakeType) -> Error {
        Violation::UnexpectedMessage { message, state: self.name() }.into()
    }

    /// The state's name in Section A.2.
    fn name(&self) -> &'static str {
        match self {
            Self::WaitClientHello(_) | Self::WaitSecondClientHello(_) => "START",
            Self::WaitPsk(_) => "RECVD_CH",
            Self::WaitSignature(_) => "NEGOTIATED",
            Self::WaitCertificate(_) => "WAIT_CERT",
            Self::WaitCertificateVerify(_) => "WAIT_CV",
            Self::WaitFinished(_) => "WAIT_FINISHED",
            Self::Connected(_) => "CONNECTED",
        }
    }
}
