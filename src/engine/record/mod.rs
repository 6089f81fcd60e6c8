//! The record layer (RFC 8446, Section 5): records to handshake messages and back, and the keys of both directions.
//!
//! ```text
//! struct {
//!     ContentType type;
//!     ProtocolVersion legacy_record_version;
//!     uint16 length;
//!     opaque fragment[TLSPlaintext.length];
//! } TLSPlaintext;
//!
//! enum { invalid(0), change_cipher_spec(20), alert(21), handshake(22), application_data(23), (255) } ContentType;
//! ```
//! What a record looks like once there are keys is drawn in `protection`. The two moments when they change (Appendix A):
//!
//! ```text
//! K_recv   receive_with    replaces the keys for reading, and so checks the alignment rule of Section 5.1; the application's keys are
//!                          the session's: after the peer's Finished, end_flight checks it
//! K_send   send_with       replaces the keys for writing, after everything queued under the old ones
//! ```
//!
//! `receiving` takes the peer's bytes, `sending` gives ours out, `protection` opens and seals.
//!
//! Reads are exact: five bytes of header, then the announced length. Bytes read past the last handshake record would be lost to the
//! kernel for ever; a handshake message may not span a key change, so kTLS starts on a record boundary by construction.

mod protection;
mod receiving;
mod sending;

use alloc::{sync::Arc, vec::Vec};
use core::mem;

use super::{
    alert::AlertDescription,
    config::{Trace, Way},
    error::{Error, Violation},
    glimpse::Glimpse,
    message::Message,
};
use crate::crypto::key_schedule::TrafficSecret;
use protection::Protection;

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

/// Records that bring nothing (empty application data, change_cipher_spec), in a row.
pub(crate) const MAX_USELESS_RECORDS: u8 = 32;

/// The same for user_canceled alerts: a peer has a reason for one (Section 6.1), and Java's uses it as a half-close.
const MAX_USELESS_ALERTS: u8 = 4;

/// Undecryptable bytes passed over after an early_data extension, which we never accept (Section 4.2.10).
const MAX_SKIPPED_EARLY_DATA: usize = 1 << 14;

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
    /// Handshake bytes that were received, unless somebody handles them.
    joined: Vec<u8>,
    /// How many handshake bytes are not yet taken as messages.
    unread: usize,
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
    trace: Option<Arc<dyn Trace>>,
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

    /// Lets somebody watch what passes.
    pub(crate) fn traced(self, trace: Option<Arc<dyn Trace>>) -> Self {
        Self { trace, ..self }
    }

    /// Starts with the keys of a finished handshake.
    pub(crate) fn connected(
        (read, read_sequence): (&TrafficSecret, u64),
        (write, write_sequence): (&TrafficSecret, u64),
        receive_limit: Option<u16>,
        send_limit: Option<u16>,
    ) -> Self {
        Self {
            reading: Some(Protection::new(read, read_sequence)),
            //= rfc8446#section-5.1
            //# Note that Application Data records MUST NOT be written to the wire unprotected (see Section 2
            //# for details).
            writing: Some(Protection::new(write, write_sequence)),
            receive_limit,
            send_limit,
            ..Self::default()
        }
    }

    /// K_recv: the peer's records are protected by this secret from now on.
    //= rfc8446#section-5.1
    //# Handshake messages MUST NOT span key changes.  Implementations
    //# MUST verify that all messages immediately preceding a key change
    //# align with a record boundary; if not, then they MUST terminate the
    //# connection with an "unexpected_message" alert.
    pub(crate) fn receive_with(&mut self, secret: &TrafficSecret) -> Result<(), Violation> {
        self.end_flight()?;
        self.reading = Some(Protection::new(secret, 0));
        Ok(())
    }

    /// K_send: our records are protected by this secret from now on.
    pub(crate) fn send_with(&mut self, secret: &TrafficSecret) -> Result<(), Error> {
        //= rfc8446#section-5.1
        //# implementations MUST send these messages in alignment with a record boundary.
        self.flush()?;
        //= rfc8446#section-5.3
        //# the first record transmitted under a particular traffic key MUST use sequence number 0.
        self.writing = Some(Protection::new(secret, 0));
        Ok(())
    }

    /// Allows the peer's change_cipher_spec records: from the first ClientHello to its Finished (Section 5).
    pub(crate) fn allow_change_cipher_spec(&mut self) {
        self.change_cipher_spec_allowed = true;
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

    /// Forgets the keys and what was received under them; what waits to be sent stays.
    //= rfc8446#section-6
    //# Servers and clients MUST forget
    //# the secret values and keys established in failed connections, with
    //# the exception of the PSKs associated with session tickets, which
    //# SHOULD be discarded if possible.
    pub(crate) fn forget(&mut self) {
        let (outgoing, trace) = (mem::take(&mut self.outgoing), self.trace.take());
        *self = Self { outgoing, sent: self.sent, trace, ..Self::default() };
    }

    fn trace_message(&self, way: Way, message: &[u8]) {
        let Some(trace) = &self.trace else { return };
        let protection = if way == Way::Sent { &self.writing } else { &self.reading };
        if let Ok(message) = Message::read(message) {
            trace.message(way, &Glimpse::new(&message, protection.is_some()));
        }
    }

    fn trace_alert(&self, way: Way, alert: AlertDescription) {
        self.trace.iter().for_each(|trace| trace.alert(way, alert));
    }
}

fn length_of(header: &[u8; HEADER_LENGTH]) -> usize {
    let [_, _, _, high, low] = *header;
    usize::from(u16::from_be_bytes([high, low]))
}

fn header(content_type: u8, minor: u8, length: usize) -> [u8; HEADER_LENGTH] {
    let [high, low] = u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes();
    //= rfc8446#appendix-D.5
    //# Implementations MUST NOT send any records with a version less than 0x0300.
    [content_type, 3, minor, high, low]
}

#[cfg(test)]
#[path = "../rfc8448/entry/record.rs"]
mod entry;
