//! A finished session in user space, over the same record layer: for programs without kTLS, and for tests. The agent does not use it.

use alloc::vec::Vec;

use super::{
    alert::AlertDescription,
    error::{Error, LocalError, Violation},
    message::{HandshakeType, KeyUpdate, Message, NewSessionTicket},
    record::{Content, MAX_USELESS_RECORDS, Records},
    session::{Role, Session},
};
use crate::crypto::key_schedule::TrafficSecret;

/// KeyUpdates of the peer in a row, without application data between them.
const MAX_KEY_UPDATES: u8 = 32;

/// What the peer's bytes brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing for the application.
    Nothing,
    /// Application data.
    Data(Vec<u8>),
    /// The peer will send nothing more (close_notify).
    Closed,
}

/// A connection that carries application data.
///
/// An end of the stream before [`Event::Closed`] is a truncation: data is missing, and the caller must say so (RFC 8446, Section 6.1).
///
/// It asks for bytes exactly as a handshake does: send [`Connection::outgoing`], then tell [`Connection::sent`]; read
/// [`Connection::wanted`] bytes, then give them to [`Connection::receive`].
#[derive(Debug)]
pub struct Connection {
    role: Role,
    records: Records,
    /// `None` once the connection has failed: the keys are forgotten then.
    secrets: Option<Secrets>,
    key_updates: u8,
    /// The peer asked for a KeyUpdate, and waits for it.
    key_update_owed: bool,
    end: Option<Result<(), Error>>,
    closed: bool,
}

/// The traffic secrets of both directions.
#[derive(Debug)]
struct Secrets {
    receiving: TrafficSecret,
    sending: TrafficSecret,
}

impl Connection {
    /// Goes on where a handshake ended.
    pub fn new(session: Session) -> Self {
        let Session { role, tx, rx, record_size_limit, peer_record_size_limit, .. } = session;
        let records = Records::connected(
            (&rx.secret, rx.next_sequence),
            (&tx.secret, tx.next_sequence),
            record_size_limit,
            peer_record_size_limit,
        );
        Self {
            role,
            records,
            secrets: Some(Secrets { receiving: rx.secret, sending: tx.secret }),
            key_updates: 0,
            key_update_owed: false,
            end: None,
            closed: false,
        }
    }

    /// The bytes to send now.
    pub fn outgoing(&self) -> &[u8] {
        self.records.outgoing()
    }

    /// Takes note that so many of them were sent.
    pub fn sent(&mut self, count: usize) {
        self.records.sent(count);
    }

    /// How many bytes to read next: exactly so many.
    pub fn wanted(&self) -> usize {
        self.records.wanted()
    }

    /// Takes exactly the bytes that were wanted.
    ///
    /// Errors: the peer's violation, or its alert; the connection is over then, and the alert for it waits in [`Self::outgoing`].
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Event, Error> {
        match &self.end {
            //= rfc8446#section-6.1
            //# Any data received after a closure alert has been received MUST be ignored.
            Some(Ok(())) => return Ok(Event::Closed),
            Some(Err(error)) => return Err(error.clone()),
            None => {}
        }
        let result = self.receive_record(bytes);
        match &result {
            Ok(Event::Closed) => self.end = Some(Ok(())),
            Ok(_) => {}
            Err(error) => self.fail(error),
        }
        result
    }

    //= rfc8446#section-6
    //# MUST NOT allow any further data to be sent or received on the connection.
    fn fail(&mut self, error: &Error) {
        if let (Some(alert), false) = (error.alert(), self.closed) {
            // The connection is over, with its alert or without.
            let _ = self.records.send_alert(alert);
        }
        self.records.forget();
        self.secrets = None;
        self.closed = true;
        self.end = Some(Err(error.clone()));
    }

    fn receive_record(&mut self, bytes: &[u8]) -> Result<Event, Error> {
        match self.records.receive(bytes)? {
            Content::Nothing => Ok(Event::Nothing),
            Content::ApplicationData(data) if data.is_empty() => {
                self.records.count_useless_record(MAX_USELESS_RECORDS)?;
                Ok(Event::Nothing)
            }
            Content::ApplicationData(data) => {
                self.records.count_useful_record();
                self.key_updates = 0;
                Ok(Event::Data(data))
            }
            //= rfc8446#section-6.1
            //# the TLS implementation MUST receive a "close_notify" alert before indicating end-of-data to
            //# the application layer.
            Content::Alert(AlertDescription::CloseNotify) => Ok(Event::Closed),
            Content::Alert(alert) => Err(Error::Alert(alert)),
            Content::Handshake => {
                let received = self.records.take_received();
                let mut rest = &received[..];
                while let Some(message) = self.records.next_message(&mut rest)? {
                    self.receive_message(Message::read(message)?)?;
                }
                self.records.put_back(received);
                Ok(Event::Nothing)
            }
        }
    }

    /// The messages after the handshake (RFC 8446, Section 4.6): tickets are ignored, certificates are not asked for.
    fn receive_message(&mut self, message: Message<'_>) -> Result<(), Error> {
        match (message.handshake_type, self.role) {
            (HandshakeType::KeyUpdate, _) => self.receive_key_update(KeyUpdate::read(message.body)?),
            (HandshakeType::NewSessionTicket, Role::Client) => {
                NewSessionTicket::read(message.body)?;
                Ok(())
            }
            //= rfc8446#section-4.1.2
            //# if a server has negotiated TLS 1.3 and receives a ClientHello at any other time, it MUST
            //# terminate the connection with an "unexpected_message" alert.
            //= rfc8446#section-4.6.2
            //# without having sent the "post_handshake_auth" extension MUST send an "unexpected_message"
            //# fatal alert.
            (message, _) => Err(Violation::UnexpectedMessage { message, state: "CONNECTED" }.into()),
        }
    }

    /// RFC 8446, Section 4.6.3: the next generation for receiving, and for sending if the peer asks.
    //= rfc8446#section-4.6.3
    //# This mechanism allows either side to force an update to the
    //# entire connection, but causes an implementation which receives
    //# multiple KeyUpdates while it is silent to respond with a single
    //# update.
    fn receive_key_update(&mut self, update: KeyUpdate) -> Result<(), Error> {
        self.key_updates = self.key_updates.saturating_add(1);
        if self.key_updates > MAX_KEY_UPDATES {
            return Err(Violation::TooManyKeyUpdates.into());
        }
        let secrets = self.secrets.as_mut().ok_or(Error::Local(LocalError::Misuse))?;
        //= rfc8446#section-4.6.3
        //# Upon receiving a KeyUpdate, the receiver MUST update its receiving keys.
        secrets.receiving = secrets.receiving.next();
        //= rfc8446#section-4.6.3
        //# both sides MUST enforce that a KeyUpdate with the old key is received before accepting any
        //# messages encrypted with the new key.
        self.records.receive_with(&secrets.receiving)?;
        self.key_update_owed |= update == KeyUpdate::Requested;
        Ok(())
    }

    fn send_key_update(&mut self, update: KeyUpdate) -> Result<(), Error> {
        self.key_update_owed &= update == KeyUpdate::Requested;
        //= rfc8446#section-4.6.3
        //# Both sender and receiver MUST encrypt their KeyUpdate messages with the old keys.
        self.records.write(HandshakeType::KeyUpdate, |w| update.write(w))?;
        let secrets = self.secrets.as_mut().ok_or(Error::Local(LocalError::Misuse))?;
        //= rfc8446#section-4.6.3
        //# the sender SHALL send all its traffic using the next generation of keys
        secrets.sending = secrets.sending.next();
        self.records.send_with(&secrets.sending)
    }

    /// Queues application data.
    ///
    /// Errors: after [`Self::close`], or when a record cannot be protected.
    pub fn write(&mut self, data: &[u8]) -> Result<(), Error> {
        if self.closed {
            return Err(Error::Local(LocalError::Misuse));
        }
        for fragment in data.chunks(self.records.fragment_length()) {
            //= rfc8446#section-4.6.3
            //# the receiver MUST send a KeyUpdate of its own with request_update set to
            //# "update_not_requested" prior to sending its next Application Data record.
            if self.key_update_owed || self.records.writing_key_is_used_up() {
                self.send_key_update(KeyUpdate::NotRequested)?;
            }
            self.records.send_application_data(fragment)?;
        }
        Ok(())
    }

    /// Changes our sending keys, and asks the peer to change its own if `request_peer` (RFC 8446, Section 4.6.3).
    pub fn update_keys(&mut self, request_peer: bool) -> Result<(), Error> {
        if self.closed {
            return Err(Error::Local(LocalError::Misuse));
        }
        self.send_key_update(if request_peer { KeyUpdate::Requested } else { KeyUpdate::NotRequested })
    }

    /// Ends the connection with an alert of the caller's choice: nothing more is sent or received.
    pub fn abort(&mut self, alert: AlertDescription) {
        self.fail(&Error::Local(LocalError::Aborted(alert)));
    }

    /// Queues close_notify: we send nothing more; the peer still may.
    pub fn close(&mut self) -> Result<(), Error> {
        if core::mem::replace(&mut self.closed, true) {
            return Ok(());
        }
        //= rfc8446#section-6.1
        //# Each party MUST send a "close_notify" alert before closing its write side of the connection
        self.records.send_alert(AlertDescription::CloseNotify)
    }
}
