//! The TLS 1.3 handshake as a state machine without I/O: it asks, and never holds.
//!
//! A [`Handshake`] is a deterministic function of its inputs: configuration, time, randomness, the peer's bytes, and the answers to its
//! questions. It never has a file, a socket or a private key. [`Handshake::step`] says what is wanted; the caller does it and reports back.
//!
//! ```text
//!             +---------------------------- step() ----------------------------+
//!             v                                                                |
//!   Send(bytes) -> sent(n)     Receive(n) -> receive(n bytes)                  |
//!   Sign(..)    -> signed(..)  FindPsk(..) -> psk(..) / no_psk()  -------------+
//!   Done(session): the two secrets that kTLS needs      Failed(error): after its alert was handed out
//! ```
//!
//! RFC 8446's Figure 1, the full handshake: on each side of a message the function that sends or takes it, and the file that this stands
//! in. The three files are the three phases; a server sends its own authentication where it sends its parameters.
//!
//! ```text
//! client/                                      Client                           Server                              server/
//!
//! key_exchange      ^ start                    ClientHello                              on_client_hello           ^ key_exchange
//!                   |                          + key_share*                             [on_psk]                  |
//!                   |                          + signature_algorithms*                                            |
//!                   |                          + psk_key_exchange_modes*                                          |
//!                   |                          + pre_shared_key*             -------->                            |
//!                   | on_server_hello                                      ServerHello  exchange                  |
//!                   |                                                     + key_share*                            |
//!                   v                                                + pre_shared_key*                            v
//! server_parameters ^ on_encrypted_extensions                    {EncryptedExtensions}  send_encrypted_extensions ^ server_parameters
//!                   v on_certificate_request                     {CertificateRequest*}  send_certificate_request  |
//! authentication    ^ on_certificate                                    {Certificate*}  send                      |
//!                   | on_certificate_verify                       {CertificateVerify*}  on_signature              |
//!                   | on_finished              <--------                    {Finished}  finish                    v
//!                   | [send_certificate]       {Certificate*}                           on_certificate            ^ authentication
//!                   | [on_signature]           {CertificateVerify*}                     on_certificate_verify     |
//!                   v finish                   {Finished}                    -------->  on_finished               v
//!                                            [Application Data]<->[Application Data]
//! ```
//! Where no share fits (Figure 2) `send_hello_retry_request` answers the first ClientHello, and `on_hello_retry_request` sends the second.
//! `*` and `[]` around a function: not always; `{}`: protected by a handshake traffic secret; `[]`: by an application traffic secret. The
//! figure's application data beside the server's Finished is left out: here a server sends none before the client's.
//!
//! Whatever the peer sends, the engine neither panics nor keeps more than [`HANDSHAKE_MEMORY`]: see the constants in `record` and
//! `message` that bound it.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::indexing_slicing,
        clippy::as_conversions,
        clippy::arithmetic_side_effects,
        clippy::panic
    )
)]

mod alert;
mod authentication;
mod client;
pub(crate) mod codec;
pub mod config;
mod connection;
mod error;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod glimpse;
mod message;
mod psk;
mod record;
mod server;
mod session;
mod transcript;

use alloc::{boxed::Box, sync::Arc};
use core::mem;

pub use alert::AlertDescription;
pub use connection::{Connection, Event};
pub use error::{ConfigError, Error, LocalError, Violation};
pub use glimpse::Glimpse;
pub use message::{ExtensionType, HandshakeType};
#[cfg(feature = "agent")]
pub(crate) use message::{RECORD_SIZE_LIMITS, Side, is_sendable, signed_content};
pub use psk::{ExternalPsk, Psk, PskOffer};
pub use session::{Direction, Peer, Role, Session};

use crate::crypto::{certificate::UnixTime, random::Random, signature_scheme::SignatureScheme};
use config::{ClientConfig, ServerConfig};
use message::Message;
use record::{Content, Records};

/// The most heap, in bytes, that one handshake or one [`Connection`] holds at any time, whatever its peer sends: its configuration, and
/// what the application gives it to send, not counted. A handshake with an honest peer needs less than a tenth of this.
pub const HANDSHAKE_MEMORY: usize = 384 << 10;

/// What a handshake wants next.
#[derive(Debug)]
pub enum Step<'a> {
    /// Write these bytes to the peer, all or part, then call [`Handshake::sent`].
    Send(&'a [u8]),
    /// Read exactly this many bytes, then call [`Handshake::receive`].
    Receive(usize),
    /// Sign this, then call [`Handshake::signed`] or [`Handshake::sign_failed`].
    Sign(SignRequest<'a>),
    /// Look for one of these, then call [`Handshake::psk`] or [`Handshake::no_psk`]. It may be asked again, for fewer, when the
    /// PSK goes with no cipher suite of the client's.
    FindPsk(&'a [PskOffer]),
    /// The handshake is done; handed out once, and every later step is a failure for misuse.
    //= rfc8446#appendix-E.5
    //# TLS implementations MUST provide a way for the application to determine if the handshake has
    //# completed.
    Done(Box<Session>),
    /// The handshake failed, and the peer was told.
    Failed(Error),
}

/// A signature that is wanted.
#[derive(Clone, Debug)]
pub struct SignRequest<'a> {
    /// Which of the configuration's credentials: an index.
    pub credential: usize,
    /// In which scheme.
    pub scheme: SignatureScheme,
    /// What to sign: the content of RFC 8446, Section 4.4.3, not yet hashed.
    pub message: &'a [u8],
}

/// A handshake in progress.
#[derive(Debug)]
pub struct Handshake {
    state: State,
    records: Records,
}

#[derive(Debug)]
enum State {
    Client(client::State),
    Server(server::State),
    Failed(Error),
    /// A handler has the state in its hands.
    InHand,
    /// The session was handed out, and with it the keys: nothing may be protected with them here any more.
    HandedOut,
}

/// An input other than the peer's records: the answer to a question.
enum Answer<'a> {
    Signature(&'a [u8]),
    Psk(usize, Psk),
    NoPsk,
}

impl Handshake {
    /// Starts a client's handshake; its ClientHello is the first step.
    ///
    /// Errors: a configuration that cannot work, or no randomness.
    pub fn client(config: Arc<ClientConfig>, random: Box<dyn Random>, now: UnixTime) -> Result<Self, Error> {
        config.check()?;
        let mut records = Records::client().traced(config.trace.clone());
        //= rfc8446#section-4.1.2
        //# When a client first connects to a server, it is REQUIRED to send the ClientHello as its first TLS
        //# message.
        let state = State::Client(client::State::start(config, random, now, &mut records)?);
        records.flush()?;
        Ok(Self { state, records })
    }

    /// Starts a server's handshake; it waits for a ClientHello.
    ///
    /// Errors: a configuration that cannot work.
    pub fn server(config: Arc<ServerConfig>, random: Box<dyn Random>, now: UnixTime) -> Result<Self, Error> {
        config.check()?;
        let records = Records::server().traced(config.trace.clone());
        Ok(Self { state: State::Server(server::State::start(config, random, now)), records })
    }

    /// Says what is wanted now; the same again until it is done.
    ///
    /// A question comes before what is queued to be sent, so that a flight leaves in one piece.
    pub fn step(&mut self) -> Step<'_> {
        if matches!(
            &self.state,
            State::Client(client::State::Connected(_)) | State::Server(server::State::Connected(_))
        ) {
            return self.finish();
        }
        match &self.state {
            State::Client(client::State::WaitSignature(wait)) => Step::Sign(wait.request()),
            State::Server(server::State::WaitSignature(wait)) => Step::Sign(wait.request()),
            State::Server(server::State::WaitPsk(wait)) => Step::FindPsk(wait.offers()),
            _ if !self.records.outgoing().is_empty() => Step::Send(self.records.outgoing()),
            State::Failed(error) => Step::Failed(error.clone()),
            State::InHand | State::HandedOut => Step::Failed(Error::Local(LocalError::Misuse)),
            State::Client(_) | State::Server(_) => Step::Receive(self.records.wanted()),
        }
    }

    /// The last flight, then the session.
    //= rfc8446#section-2
    //# Application Data MUST NOT be sent prior to sending the Finished message, except as specified in
    //# Section 2.3.
    fn finish(&mut self) -> Step<'_> {
        if !self.records.outgoing().is_empty() {
            return Step::Send(self.records.outgoing());
        }
        self.records.forget();
        match mem::replace(&mut self.state, State::HandedOut) {
            State::Client(client::State::Connected(session))
            | State::Server(server::State::Connected(session)) => Step::Done(session),
            _ => Step::Failed(Error::Local(LocalError::Misuse)),
        }
    }

    /// Takes note that the first `count` bytes of [`Step::Send`] were written.
    pub fn sent(&mut self, count: usize) {
        // What waits behind a question was not handed out yet, nor was more than there is.
        if self.waits_for_an_answer() || count > self.records.outgoing().len() {
            return self.conclude(Err(Error::Local(LocalError::Misuse)));
        }
        self.records.sent(count);
        self.records.release_sent();
    }

    /// Takes exactly the bytes that [`Step::Receive`] asked for.
    pub fn receive(&mut self, bytes: &[u8]) {
        if self.waits_for_an_answer() || self.is_over() {
            return self.conclude(Err(Error::Local(LocalError::Misuse)));
        }
        let result = self.records.receive(bytes).and_then(|content| match content {
            Content::Nothing => Ok(()),
            Content::Handshake => self.take_messages(),
            Content::Alert(AlertDescription::CloseNotify) => Err(Error::Closed),
            Content::Alert(alert) => Err(Error::Alert(alert)),
            Content::ApplicationData(_) => Err(Violation::UnexpectedRecord(record::APPLICATION_DATA).into()),
        });
        self.conclude(result);
    }

    /// Answers [`Step::Sign`].
    pub fn signed(&mut self, signature: &[u8]) {
        self.answer(Answer::Signature(signature));
    }

    /// Answers [`Step::Sign`]: the key did not sign. The handshake fails.
    pub fn sign_failed(&mut self) {
        self.conclude(Err(Error::Local(LocalError::NotSigned)));
    }

    /// Answers [`Step::FindPsk`] with a PSK for the identity at `index`.
    pub fn psk(&mut self, index: usize, psk: Psk) {
        self.answer(Answer::Psk(index, psk));
    }

    /// Answers [`Step::FindPsk`]: none is known.
    pub fn no_psk(&mut self) {
        self.answer(Answer::NoPsk);
    }

    /// Gives up, and tells the peer with this alert; nothing happens once the session was handed out.
    pub fn abort(&mut self, alert: AlertDescription) {
        self.conclude(Err(Error::Local(LocalError::Aborted(alert))));
    }

    fn answer(&mut self, answer: Answer<'_>) {
        let state = mem::replace(&mut self.state, State::InHand);
        let result = match state {
            State::Client(state) => state.answer(answer, &mut self.records).map(State::Client),
            State::Server(state) => state.answer(answer, &mut self.records).map(State::Server),
            other => Ok(other),
        };
        let result = result.map(|state| self.state = state).and_then(|()| self.take_messages());
        self.conclude(result);
    }

    /// Handles every whole message that is there, until a question stands in the way.
    fn take_messages(&mut self) -> Result<(), Error> {
        let received = self.records.take_received();
        let mut rest = &received[..];
        while !self.waits_for_an_answer() {
            let Some(bytes) = self.records.next_message(&mut rest)? else { break };
            let message = Message::read(bytes)?;
            self.state = match mem::replace(&mut self.state, State::InHand) {
                State::Client(state) => State::Client(state.step(message, &mut self.records)?),
                State::Server(state) => State::Server(state.step(message, &mut self.records)?),
                other => other,
            };
        }
        self.records.put_back(received);
        Ok(())
    }

    fn is_over(&self) -> bool {
        matches!(
            self.state,
            State::Failed(_)
                | State::HandedOut
                | State::Client(client::State::Connected(_))
                | State::Server(server::State::Connected(_))
        )
    }

    fn waits_for_an_answer(&self) -> bool {
        matches!(
            self.state,
            State::Client(client::State::WaitSignature(_))
                | State::Server(server::State::WaitSignature(_) | server::State::WaitPsk(_))
        )
    }

    /// Queues what is to be sent: a flight that is complete, or the alert that says why it never will be.
    fn conclude(&mut self, result: Result<(), Error>) {
        let result = match result {
            Ok(()) if self.waits_for_an_answer() => Ok(()),
            Ok(()) => self.records.flush(),
            Err(error) => Err(error),
        };
        let Err(error) = result else { return };
        if matches!(self.state, State::Failed(_) | State::HandedOut) {
            return;
        }
        if let Some(alert) = error.alert() {
            // A key that is used up protects no alert; the error stands either way.
            let _ = self.send_last_alert(alert);
        }
        self.records.forget();
        //= rfc8446#section-6.2
        //# Upon transmission or receipt of a fatal alert message, both parties MUST immediately close the
        //# connection.
        //= rfc8446#section-6.2
        //# MUST close the connection without sending or receiving any additional data.
        self.state = State::Failed(error);
    }

    //= rfc8446#section-6.1
    //# This alert SHOULD be followed by a
    //# "close_notify".
    fn send_last_alert(&mut self, alert: AlertDescription) -> Result<(), Error> {
        self.records.send_alert(alert)?;
        match alert {
            AlertDescription::UserCanceled => self.records.send_alert(AlertDescription::CloseNotify),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod rfc8448;
