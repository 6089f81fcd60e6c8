//! The peer's bytes to handshake messages, alerts and application data.

use alloc::vec::Vec;
use core::mem;

use super::{
    ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, Content, HANDSHAKE, HEADER_LENGTH, MAX_CIPHERTEXT,
    MAX_PLAINTEXT, MAX_USELESS_ALERTS, MAX_USELESS_RECORDS, Records, length_of, protection::Protection,
};
use crate::engine::{
    alert::AlertDescription,
    config::Way,
    error::{Error, LocalError, Violation},
    message::{HEADER_LENGTH as MESSAGE_HEADER_LENGTH, MAX_LENGTH as MAX_MESSAGE_LENGTH},
};

impl Records {
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
        //= rfc8446#section-5.1
        //# This field is deprecated and MUST be ignored for all purposes.
        //= rfc8446#appendix-D
        //# The value of TLSPlaintext.legacy_record_version MUST be ignored by all implementations.
        //= rfc8446#appendix-D.2
        //# Servers will receive various TLS 1.x versions in this field, but its value MUST always be ignored.
        let [content_type, ..] = *header;
        let longest = match content_type {
            CHANGE_CIPHER_SPEC | ALERT | HANDSHAKE => MAX_PLAINTEXT,
            APPLICATION_DATA => MAX_CIPHERTEXT,
            //= rfc8446#section-5
            //# If a TLS implementation receives an unexpected record type, it MUST terminate the connection
            //# with an "unexpected_message" alert.
            //= rfc8446#appendix-D.5
            //# for the reasons enumerated in [RFC6176], and it MUST NOT be negotiated for any reason.
            //= rfc8446#appendix-D.5
            //# Implementations MUST NOT negotiate TLS 1.3 or later using an SSL version 2.0 compatible
            //# CLIENT-HELLO.
            _ => return Err(Violation::UnexpectedRecord(content_type)),
        };
        if length_of(header) > longest {
            //= rfc8446#section-5.1
            //# An endpoint that receives a record that exceeds this length MUST terminate the connection with
            //# a "record_overflow" alert.
            //= rfc8446#section-5.2
            //# with TLSCiphertext.length larger than 2^14 + 256 octets MUST terminate the connection with a
            //# "record_overflow" alert.
            //= rfc8446#section-5.2
            //# An endpoint that receives a record that exceeds this length MUST terminate the connection with
            //# a "record_overflow" alert.
            return Err(Violation::RecordTooLong);
        }
        Ok(())
    }

    fn receive_record(&mut self, header: [u8; HEADER_LENGTH], body: Vec<u8>) -> Result<Content, Error> {
        let [content_type, ..] = header;
        let sequence = self.reading.as_ref().map(Protection::sequence);
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
        match protection.open(header, &mut body, self.receive_limit) {
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
        //= rfc8446#section-5
        //# it MUST be treated as an unexpected record type
        if body != [1] || !self.change_cipher_spec_allowed || self.has_partial_message() {
            return Err(Violation::BadChangeCipherSpec.into());
        }
        //= rfc8446#section-5
        //# MUST simply drop it without further processing.
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
                match self.joined.is_empty() {
                    true => self.joined = body,
                    false => self.joined.extend_from_slice(&body),
                }
                self.unread = self.joined.len();
                self.useless_records = 0;
                Ok(Content::Handshake)
            }
            ALERT => self.receive_alert(&body),
            //= rfc8446#section-5.1
            //# That is, if a handshake message is split over two or more records, there MUST NOT be any other
            //# records between them.
            APPLICATION_DATA if self.reading.is_some() && self.has_partial_message() => {
                Err(Violation::InterleavedRecord.into())
            }
            APPLICATION_DATA if self.reading.is_some() => Ok(Content::ApplicationData(body)),
            _ => Err(Violation::UnexpectedRecord(content_type).into()),
        }
    }

    fn receive_alert(&mut self, body: &[u8]) -> Result<Content, Error> {
        //= rfc8446#section-5.1
        //# In other words, a record with an Alert type MUST contain exactly one message.
        //= rfc8446#section-6
        //# MUST be treated as error alerts when received regardless of the AlertLevel in the message.
        let [_level, description] = *body else { return Err(Violation::MalformedAlert.into()) };
        let description = AlertDescription::from_code(description);
        self.trace_alert(Way::Received, description);
        match description {
            //= rfc8446#section-5.1
            //# Handshake messages MUST NOT be interleaved with other record types.
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
        left.is_some() && length > 0 && !self.has_partial_message()
    }

    /// Takes what was received of handshake messages, to be handled one by one and put back ([`Self::put_back`]).
    pub(crate) fn take_received(&mut self) -> Vec<u8> {
        mem::take(&mut self.joined)
    }

    /// Takes the next whole message, header included, from the front of what was received, if it is there.
    pub(crate) fn next_message<'a>(
        &mut self,
        received: &mut &'a [u8],
    ) -> Result<Option<&'a [u8]>, Violation> {
        let Some([_, a, b, c]) = received.first_chunk::<MESSAGE_HEADER_LENGTH>() else { return Ok(None) };
        let body = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap_or(usize::MAX);
        if body > MAX_MESSAGE_LENGTH {
            return Err(Violation::MessageTooLong);
        }
        let length = body.saturating_add(MESSAGE_HEADER_LENGTH);
        let Some((message, rest)) = received.split_at_checked(length) else { return Ok(None) };
        self.trace_message(Way::Received, message);
        *received = rest;
        self.unread = rest.len();
        Ok(Some(message))
    }

    /// Keeps what was received and not yet taken as messages.
    pub(crate) fn put_back(&mut self, mut received: Vec<u8>) {
        if self.unread > 0 {
            received.drain(..received.len().saturating_sub(self.unread));
            self.joined = received;
        }
    }

    /// Whether the peer began a handshake message and has not ended it, or sent more than the one that is being handled.
    pub(super) fn has_partial_message(&self) -> bool {
        self.unread > 0
    }

    /// Checks that the peer stops after the message that is being handled: only our answer lets it go on, or other keys (Section 5.1).
    pub(crate) fn end_flight(&self) -> Result<(), Violation> {
        if self.has_partial_message() { Err(Violation::KeyChangeInsideRecord) } else { Ok(()) }
    }
}
