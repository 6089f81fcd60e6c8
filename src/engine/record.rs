//! The record layer (RFC 8446, Section 5): records to handshake messages and back, and the keys of both directions.
//!
//! ```text
//! K_recv   receive_with    replaces the keys for reading; the only door, so the alignment rule of Section 5.1 is checked here
//! K_send   send_with       replaces the keys for writing, after everything queued under the old ones
//! ```
//!
//! Reads are exact: five bytes of header, then the announced length. Bytes read past the last handshake record would be lost to the
//! kernel for ever; a handshake message may not span a key change, so kTLS starts on a record boundary by construction.

use alloc::vec::Vec;
use core::mem;

use super::{
    alert::AlertDescription,
    error::{Error, LocalError, Violation},
    message::HEADER_LENGTH as MESSAGE_HEADER_LENGTH,
};
use crate::crypto::{
    aead::{RecordKey, TAG_LENGTH},
    key_schedule::TrafficSecret,
};

/// `ContentType`, legacy_record_version, length.
const HEADER_LENGTH: usize = 5;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
pub(crate) const APPLICATION_DATA: u8 = 23;

/// The longest TLSPlaintext.fragment (Section 5.1).
const MAX_PLAINTEXT: usize = 1 << 14;

/// The longest TLSCiphertext.encrypted_record (Section 5.2).
const MAX_CIPHERTEXT: usize = MAX_PLAINTEXT + 256;

/// The longest handshake message; certificate lists of real peers are far below.
const MAX_HANDSHAKE_MESSAGE: usize = 1 << 16;

/// Records that bring nothing (empty application data, change_cipher_spec), in a row.
pub(crate) const MAX_USELESS_RECORDS: u8 = 32;

/// The same for user_canceled alerts: a peer has a reason for one (Section 6.1), and Java's uses it as a half-close.
const MAX_USELESS_ALERTS: u8 = 4;

/// Undecryptable bytes passed over after an early_data extension, which we never accept (Section 4.2.10).
const MAX_SKIPPED_EARLY_DATA: usize = 1 << 14;

/// The keys of one direction, and the number of its next record.
#[derive(Debug)]
struct Protection {
    key: RecordKey,
    sequence: u64,
    /// How many records the key may protect; the duty is the sender's (Section 5.5).
    limit: u64,
}

impl Protection {
    fn new(secret: &TrafficSecret) -> Self {
        Self { key: RecordKey::new(secret), sequence: 0, limit: secret.suite().record_limit() }
    }
}

/// What a record brought, beside handshake bytes, which are joined here.
#[derive(Debug)]
pub(crate) enum Content {
    /// Nothing to act on.
    Nothing,
    /// Bytes of handshake messages: there may be a whole one now.
    Handshake,
    /// An alert that ends the connection.
    Alert(AlertDescription),
    /// Application data: the plaintext is the record's body.
    ApplicationData(Vec<u8>),
}

/// Both directions of the record layer.
#[derive(Debug, Default)]
pub(crate) struct Records {
    reading: Option<Protection>,
    writing: Option<Protection>,
    /// The header of the record being read, once it is there.
    header: Option<[u8; HEADER_LENGTH]>,
    /// Handshake bytes; the first `taken` are gone as messages.
    joined: Vec<u8>,
    taken: usize,
    /// Handshake messages that wait to share a record.
    queued: Vec<u8>,
    /// Records to hand out; the first `sent` bytes are gone.
    outgoing: Vec<u8>,
    sent: usize,
    /// Whether the next record says TLS 1.0, as a first ClientHello does for middleboxes that look (Section 5.1).
    says_tls10: bool,
    is_server: bool,
    change_cipher_spec_allowed: bool,
    change_cipher_spec_owed: bool,
    useless_records: u8,
    early_data_left: usize,
    /// The longest TLSInnerPlaintext, content type and padding included, in each direction (RFC 8449).
    receive_limit: Option<u16>,
    send_limit: Option<u16>,
}

impl Records {
    /// A client's records, before its ClientHello.
    pub(crate) fn client() -> Self {
        Self { says_tls10: true, ..Self::default() }
    }

    /// A server's records, before the ClientHello.
    pub(crate) fn server() -> Self {
        Self { is_server: true, ..Self::default() }
    }

    /// Starts with the keys of a finished handshake.
    pub(crate) fn connected(
        (read, read_sequence): (&TrafficSecret, u64),
        (write, write_sequence): (&TrafficSecret, u64),
        receive_limit: Option<u16>,
        send_limit: Option<u16>,
    ) -> Self {
        Self {
            reading: Some(Protection { sequence: read_sequence, ..Protection::new(read) }),
            writing: Some(Protection { sequence: write_sequence, ..Protection::new(write) }),
            receive_limit,
            send_limit,
            ..Self::default()
        }
    }

    /// How many bytes of the peer are wanted next: never more than belong to one record.
    pub(crate) fn wanted(&self) -> usize {
        self.header.map_or(HEADER_LENGTH, |header| length_of(&header))
    }

    /// Takes exactly the bytes that were wanted.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Result<Content, Error> {
        if bytes.len() != self.wanted() {
            return Err(Error::Local(LocalError::Misuse));
        }
        let Some(header) = self.header.take() else {
            let header = bytes.try_into().map_err(|_| Error::Local(LocalError::Misuse))?;
            self.check_header(&header)?;
            if length_of(&header) > 0 {
                self.header = Some(header);
                return Ok(Content::Nothing);
            }
            return self.receive_record(header, Vec::new());
        };
        self.receive_record(header, bytes.into())
    }

    /// Refuses a record by its header alone: before a stranger makes us wait for its body.
    fn check_header(&self, header: &[u8; HEADER_LENGTH]) -> Result<(), Violation> {
        let [content_type, ..] = *header;
        let longest = match content_type {
            CHANGE_CIPHER_SPEC | ALERT | HANDSHAKE => MAX_PLAINTEXT,
            APPLICATION_DATA => MAX_CIPHERTEXT,
            _ => return Err(Violation::UnexpectedRecord(content_type)),
        };
        if length_of(header) > longest {
            return Err(Violation::RecordTooLong);
        }
        Ok(())
    }

    fn receive_record(&mut self, header: [u8; HEADER_LENGTH], body: Vec<u8>) -> Result<Content, Error> {
        let [content_type, ..] = header;
        let sequence = self.reading.as_ref().map(|protection| protection.sequence);
        match (content_type, sequence) {
            (CHANGE_CIPHER_SPEC, _) => self.receive_change_cipher_spec(&body),
            (APPLICATION_DATA, Some(_)) => self.receive_protected(&header, body),
            (APPLICATION_DATA, None) if self.skips_early_data(body.len()) => Ok(Content::Nothing),
            // A client that failed before it had keys tells us why in the clear; a server never does once we have keys.
            (ALERT, Some(0)) if self.is_server && self.change_cipher_spec_allowed => {
                self.receive_alert(&body)
            }
            (_, None) => self.receive_content(content_type, body),
            _ => Err(Violation::UnexpectedRecord(content_type).into()),
        }
    }

    fn receive_protected(
        &mut self,
        header: &[u8; HEADER_LENGTH],
        mut body: Vec<u8>,
    ) -> Result<Content, Error> {
        let length = body.len();
        let Some(protection) = &mut self.reading else { return Err(Error::Local(LocalError::Misuse)) };
        match unprotect(protection, header, &mut body, self.receive_limit) {
            Err(Violation::BadRecordMac) if self.skips_early_data(length) => Ok(Content::Nothing),
            Err(violation) => Err(violation.into()),
            Ok(inner_type) => {
                self.early_data_left = 0;
                self.receive_content(inner_type, body)
            }
        }
    }

    //= rfc8446#section-5
    //# An implementation which receives any other
    //# change_cipher_spec value or which receives a protected
    //# change_cipher_spec record MUST abort the handshake with an
    //# "unexpected_message" alert.
    fn receive_change_cipher_spec(&mut self, body: &[u8]) -> Result<Content, Error> {
        if body != [1] || !self.change_cipher_spec_allowed || self.has_partial_message() {
            return Err(Violation::BadChangeCipherSpec.into());
        }
        self.count_useless_record(MAX_USELESS_RECORDS)?;
        Ok(Content::Nothing)
    }

    fn receive_content(&mut self, content_type: u8, body: Vec<u8>) -> Result<Content, Error> {
        match content_type {
            //= rfc8446#section-5.4
            //# Implementations MUST NOT send Handshake and Alert records that have a zero-length
            //# TLSInnerPlaintext.content; if such a message is received, the
            //# receiving implementation MUST terminate the connection with an
            //# "unexpected_message" alert.
            HANDSHAKE | ALERT if body.is_empty() => Err(Violation::EmptyRecord.into()),
            HANDSHAKE => {
                self.joined.extend_from_slice(&body);
                self.useless_records = 0;
                Ok(Content::Handshake)
            }
            ALERT => self.receive_alert(&body),
            APPLICATION_DATA if self.reading.is_some() && self.has_partial_message() => {
                Err(Violation::InterleavedRecord.into())
            }
            APPLICATION_DATA if self.reading.is_some() => Ok(Content::ApplicationData(body)),
            _ => Err(Violation::UnexpectedRecord(content_type).into()),
        }
    }

    fn receive_alert(&mut self, body: &[u8]) -> Result<Content, Error> {
        let [_level, description] = *body else { return Err(Violation::MalformedAlert.into()) };
        match AlertDescription::from_code(description) {
            AlertDescription::UserCanceled if self.has_partial_message() => {
                Err(Violation::InterleavedRecord.into())
            }
            AlertDescription::UserCanceled => {
                self.count_useless_record(MAX_USELESS_ALERTS)?;
                Ok(Content::Nothing)
            }
            description => Ok(Content::Alert(description)),
        }
    }

    /// Counts a record that brings nothing: a change_cipher_spec, a user_canceled, empty application data.
    pub(crate) fn count_useless_record(&mut self, limit: u8) -> Result<(), Violation> {
        self.useless_records = self.useless_records.saturating_add(1);
        if self.useless_records > limit { Err(Violation::TooManyUselessRecords) } else { Ok(()) }
    }

    /// Takes note that a record brought application data.
    pub(crate) fn count_useful_record(&mut self) {
        self.useless_records = 0;
    }

    fn skips_early_data(&mut self, length: usize) -> bool {
        let left = self.early_data_left.checked_sub(length);
        self.early_data_left = left.unwrap_or(0);
        left.is_some() && length > 0
    }

    /// Takes the next whole handshake message, header included, if it is there.
    pub(crate) fn take_message(&mut self) -> Result<Option<Vec<u8>>, Violation> {
        let unread = self.joined.get(self.taken..).unwrap_or_default();
        let Some([_, a, b, c]) = unread.first_chunk::<MESSAGE_HEADER_LENGTH>() else { return Ok(None) };
        let body = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap_or(usize::MAX);
        if body > MAX_HANDSHAKE_MESSAGE {
            return Err(Violation::MessageTooLong);
        }
        let Some(message) = unread.get(..body.saturating_add(MESSAGE_HEADER_LENGTH)) else { return Ok(None) };
        let message = Vec::from(message);
        self.taken = self.taken.saturating_add(message.len());
        if self.taken >= MAX_PLAINTEXT || self.taken == self.joined.len() {
            self.joined.drain(..self.taken);
            self.taken = 0;
        }
        Ok(Some(message))
    }

    /// Whether the peer began a handshake message and has not ended it, or sent more than the one that is being handled.
    fn has_partial_message(&self) -> bool {
        self.joined.len() > self.taken
    }

    /// Checks that the peer stops after the message that is being handled: only our answer lets it go on.
    pub(crate) fn end_flight(&self) -> Result<(), Violation> {
        if self.has_partial_message() { Err(Violation::KeyChangeInsideRecord) } else { Ok(()) }
    }

    /// K_recv: the peer's records are protected by this secret from now on.
    //= rfc8446#section-5.1
    //# Handshake messages MUST NOT span key changes.  Implementations
    //# MUST verify that all messages immediately preceding a key change
    //# align with a record boundary; if not, then they MUST terminate the
    //# connection with an "unexpected_message" alert.
    pub(crate) fn receive_with(&mut self, secret: &TrafficSecret) -> Result<(), Violation> {
        if self.has_partial_message() {
            return Err(Violation::KeyChangeInsideRecord);
        }
        self.reading = Some(Protection::new(secret));
        Ok(())
    }

    /// K_send: our records are protected by this secret from now on.
    pub(crate) fn send_with(&mut self, secret: &TrafficSecret) -> Result<(), Error> {
        self.flush()?;
        self.writing = Some(Protection::new(secret));
        Ok(())
    }

    /// Allows or forbids the peer's change_cipher_spec records: from the first ClientHello to its Finished (Section 5).
    pub(crate) fn allow_change_cipher_spec(&mut self, allowed: bool) {
        self.change_cipher_spec_allowed = allowed;
    }

    /// Sends a change_cipher_spec (Section D.4).
    pub(crate) fn send_change_cipher_spec(&mut self) -> Result<(), Error> {
        self.flush()?;
        self.write_change_cipher_spec();
        Ok(())
    }

    /// Sends a change_cipher_spec before our next record, be it a handshake message or an alert (Section D.4).
    pub(crate) fn owe_change_cipher_spec(&mut self) {
        self.change_cipher_spec_owed = true;
    }

    /// Writes a change_cipher_spec, which is never protected.
    fn write_change_cipher_spec(&mut self) {
        self.outgoing.extend_from_slice(&header(CHANGE_CIPHER_SPEC, 3, 1));
        self.outgoing.push(1);
    }

    /// Passes over the 0-RTT records that an early_data extension announces and that we cannot read, or no longer does.
    pub(crate) fn skip_early_data(&mut self, announced: bool) {
        self.early_data_left = if announced { MAX_SKIPPED_EARLY_DATA } else { 0 };
    }

    /// Applies the limits that record_size_limit negotiated, content type included.
    pub(crate) fn limit_record_size(&mut self, ours: u16, peers: u16) {
        self.receive_limit = Some(ours);
        self.send_limit = Some(peers);
    }

    /// Queues a handshake message; messages of one flight share records.
    pub(crate) fn send(&mut self, message: &[u8]) {
        self.queued.extend_from_slice(message);
    }

    /// Turns the queued messages into records.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        let queued = mem::take(&mut self.queued);
        for fragment in queued.chunks(self.fragment_length()) {
            self.write_record(HANDSHAKE, fragment)?;
        }
        Ok(())
    }

    /// Writes an alert at once.
    pub(crate) fn send_alert(&mut self, alert: AlertDescription) -> Result<(), Error> {
        self.flush()?;
        self.write_record(ALERT, &alert.message())
    }

    /// Writes one record of application data, of at most [`Self::fragment_length`] bytes.
    pub(crate) fn send_application_data(&mut self, fragment: &[u8]) -> Result<(), Error> {
        self.write_record(APPLICATION_DATA, fragment)
    }

    /// The longest content of one record.
    pub(crate) fn fragment_length(&self) -> usize {
        match (self.send_limit, &self.writing) {
            (Some(limit), Some(_)) => usize::from(limit.saturating_sub(1)).clamp(1, MAX_PLAINTEXT),
            _ => MAX_PLAINTEXT,
        }
    }

    fn write_record(&mut self, content_type: u8, fragment: &[u8]) -> Result<(), Error> {
        if mem::take(&mut self.change_cipher_spec_owed) {
            self.write_change_cipher_spec();
        }
        match &mut self.writing {
            None => {
                let minor = if mem::take(&mut self.says_tls10) { 1 } else { 3 };
                self.outgoing.extend_from_slice(&header(content_type, minor, fragment.len()));
                self.outgoing.extend_from_slice(fragment);
            }
            Some(protection) => protect(protection, content_type, fragment, &mut self.outgoing)?,
        }
        Ok(())
    }

    /// The records that wait to be sent.
    pub(crate) fn outgoing(&self) -> &[u8] {
        self.outgoing.split_at_checked(self.sent).map_or(&[], |(_, unsent)| unsent)
    }

    /// Takes note that so many bytes were sent.
    pub(crate) fn sent(&mut self, count: usize) {
        self.sent = self.sent.saturating_add(count).min(self.outgoing.len());
        if self.sent >= MAX_CIPHERTEXT || self.sent == self.outgoing.len() {
            self.outgoing.drain(..self.sent);
            self.sent = 0;
        }
    }

    /// Forgets the keys and what was received under them; what waits to be sent stays.
    //= rfc8446#section-6
    //# Servers and clients MUST forget
    //# the secret values and keys established in failed connections, with
    //# the exception of the PSKs associated with session tickets, which
    //# SHOULD be discarded if possible.
    pub(crate) fn forget(&mut self) {
        let outgoing = mem::take(&mut self.outgoing);
        *self = Self { outgoing, sent: self.sent, ..Self::default() };
    }

    /// Whether the writing key should be replaced before more is sent (Section 5.5).
    pub(crate) fn writing_key_is_used_up(&self) -> bool {
        self.writing.as_ref().is_some_and(|protection| protection.sequence >= protection.limit)
    }
}

fn length_of(header: &[u8; HEADER_LENGTH]) -> usize {
    let [_, _, _, high, low] = *header;
    usize::from(u16::from_be_bytes([high, low]))
}

fn header(content_type: u8, minor: u8, length: usize) -> [u8; HEADER_LENGTH] {
    let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    [content_type, 3, minor, high, low]
}

/// Opens a TLSCiphertext in place, leaves its content in `body`, and returns the content's type (Section 5.4).
fn unprotect(
    protection: &mut Protection,
    header: &[u8; HEADER_LENGTH],
    body: &mut Vec<u8>,
    limit: Option<u16>,
) -> Result<u8, Violation> {
    let longest = limit.map_or(MAX_PLAINTEXT.saturating_add(1), usize::from);
    let inner_plaintext =
        protection.key.open(protection.sequence, header, body).map_err(|_| Violation::BadRecordMac)?;
    protection.sequence = protection.sequence.checked_add(1).ok_or(Violation::BadRecordMac)?;
    if inner_plaintext.len() > longest {
        return Err(Violation::RecordTooLong);
    }
    let end = inner_plaintext.iter().rposition(|byte| *byte != 0).ok_or(Violation::NoContentType)?;
    let content_type = inner_plaintext.get(end).copied().ok_or(Violation::NoContentType)?;
    body.truncate(end);
    match content_type {
        CHANGE_CIPHER_SPEC => Err(Violation::BadChangeCipherSpec),
        _ => Ok(content_type),
    }
}

/// Appends a fragment as a TLSCiphertext, without padding.
fn protect(
    protection: &mut Protection,
    content_type: u8,
    fragment: &[u8],
    outgoing: &mut Vec<u8>,
) -> Result<(), Error> {
    if protection.sequence == u64::MAX {
        return Err(Error::Local(LocalError::Protection));
    }
    let length = fragment.len().saturating_add(1).saturating_add(TAG_LENGTH);
    let mut record = Vec::with_capacity(HEADER_LENGTH.saturating_add(length));
    record.extend_from_slice(&header(APPLICATION_DATA, 3, length));
    record.extend_from_slice(fragment);
    record.push(content_type);
    protection.key.seal(protection.sequence, &mut record, HEADER_LENGTH)?;
    protection.sequence = protection.sequence.saturating_add(1);
    outgoing.extend_from_slice(&record);
    Ok(())
}

#[cfg(test)]
mod entry {
    //! Where the traces of RFC 8448 enter.
    use super::*;

    impl Records {
        /// Drops what waits to be sent, to put another's message in its place.
        pub(in crate::engine) fn forget_unsent(&mut self) {
            self.queued.clear();
            self.sent(self.outgoing.len());
        }
    }
}
