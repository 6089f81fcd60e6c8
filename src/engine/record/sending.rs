//! Our handshake messages, alerts and application data to records.

use core::mem;

use super::{
    ALERT, APPLICATION_DATA, CHANGE_CIPHER_SPEC, HANDSHAKE, MAX_CIPHERTEXT, MAX_PLAINTEXT, Records, header,
    protection::Protection,
};
use crate::engine::{alert::AlertDescription, error::Error};

impl Records {
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
    //= rfc8449#section-4
    //# When the "record_size_limit" extension is negotiated, an endpoint MUST NOT generate a protected record
    //# with plaintext that is larger than the RecordSizeLimit value it receives from its peer.
    //= rfc8449#section-4
    //# Even if a larger record size limit is provided by a peer, an endpoint MUST NOT send records larger
    //# than the protocol-defined limit
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
            Some(protection) => protection.seal(content_type, fragment, &mut self.outgoing)?,
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

    /// Whether the writing key should be replaced before more is sent (Section 5.5).
    pub(crate) fn writing_key_is_used_up(&self) -> bool {
        self.writing.as_ref().is_some_and(Protection::is_used_up)
    }
}
