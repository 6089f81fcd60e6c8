//! One direction's keys: TLSInnerPlaintext to TLSCiphertext and back (RFC 8446, Section 5.2).
//!
//! ```text
//! struct {
//!     opaque content[TLSPlaintext.length];
//!     ContentType type;
//!     uint8 zeros[length_of_padding];
//! } TLSInnerPlaintext;
//!
//! struct {
//!     ContentType opaque_type = application_data; /* 23 */
//!     ProtocolVersion legacy_record_version = 0x0303; /* TLS v1.2 */
//!     uint16 length;
//!     opaque encrypted_record[TLSCiphertext.length];
//! } TLSCiphertext;
//! ```

use alloc::vec::Vec;

use super::{APPLICATION_DATA, CHANGE_CIPHER_SPEC, HEADER_LENGTH, MAX_PLAINTEXT, header};
use crate::{
    crypto::{
        aead::{RecordKey, TAG_LENGTH},
        key_schedule::TrafficSecret,
    },
    engine::error::{Error, LocalError, Violation},
};

/// The keys of one direction, and the number of its next record.
#[derive(Debug)]
pub(super) struct Protection {
    secret: TrafficSecret,
    /// Derived for the first record: a handshake never has one under the application's secret, unless it fails late.
    key: Option<RecordKey>,
    sequence: u64,
    /// How many records the key may protect; the duty is the sender's (Section 5.5).
    limit: u64,
}

impl Protection {
    pub(super) fn new(secret: &TrafficSecret, sequence: u64) -> Self {
        Self { secret: secret.for_later(), key: None, sequence, limit: secret.suite().record_limit() }
    }

    fn key(&mut self) -> &RecordKey {
        self.key.get_or_insert_with(|| RecordKey::new(&self.secret))
    }

    pub(super) fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Whether the key should be replaced before more is sent under it (Section 5.5).
    pub(super) fn is_used_up(&self) -> bool {
        self.sequence >= self.limit
    }

    /// Opens a TLSCiphertext in place, leaves its content in `body`, and returns the content's type (Section 5.4).
    ///
    /// `limit` is the longest TLSInnerPlaintext, if one was negotiated (RFC 8449).
    pub(super) fn open(
        &mut self,
        header: &[u8; HEADER_LENGTH],
        body: &mut Vec<u8>,
        limit: Option<u16>,
    ) -> Result<u8, Violation> {
        let longest = limit.map_or(MAX_PLAINTEXT.saturating_add(1), usize::from);
        let sequence = self.sequence;
        //= rfc8446#section-5.2
        //# If the decryption fails, the receiver MUST terminate the connection with a "bad_record_mac" alert.
        let inner_plaintext = self.key().open(sequence, header, body).map_err(|_| Violation::BadRecordMac)?;
        self.sequence = sequence.checked_add(1).ok_or(Violation::BadRecordMac)?;
        //= rfc8449#section-4
        //# A TLS endpoint that receives a record larger than its advertised limit MUST generate a fatal
        //# "record_overflow" alert
        //= rfc8446#section-5.4
        //# the full encoded TLSInnerPlaintext MUST NOT exceed 2^14 + 1 octets.
        if inner_plaintext.len() > longest {
            return Err(Violation::RecordTooLong);
        }
        //= rfc8446#section-5.4
        //# Implementations MUST limit their scanning to the cleartext returned from the AEAD decryption.
        let end = end_of_content(inner_plaintext);
        let content_type = inner_plaintext.get(end).copied().filter(|byte| *byte != 0);
        //= rfc8446#section-5.4
        //# If a receiving implementation does not find a non-zero octet in the cleartext, it MUST terminate
        //# the connection with an "unexpected_message" alert.
        let content_type = content_type.ok_or(Violation::NoContentType)?;
        body.truncate(end);
        match content_type {
            CHANGE_CIPHER_SPEC => Err(Violation::BadChangeCipherSpec),
            _ => Ok(content_type),
        }
    }

    /// Appends a fragment as a TLSCiphertext, without padding.
    pub(super) fn seal(
        &mut self,
        content_type: u8,
        fragment: &[u8],
        outgoing: &mut Vec<u8>,
    ) -> Result<(), Error> {
        //= rfc8446#section-5.3
        //# If a TLS implementation would need to wrap a sequence number, it MUST either rekey (Section 4.6.3)
        //# or terminate the connection.
        let (sequence, start) = (self.sequence, outgoing.len());
        self.sequence = sequence.checked_add(1).ok_or(Error::Local(LocalError::Protection))?;
        //= rfc8446#section-5.2
        //# The length MUST NOT exceed 2^14 + 256 bytes.
        let length = fragment.len().saturating_add(1).saturating_add(TAG_LENGTH);
        let header = header(APPLICATION_DATA, 3, length);
        outgoing.reserve(length.saturating_add(HEADER_LENGTH));
        outgoing.extend_from_slice(&header);
        outgoing.extend_from_slice(fragment);
        outgoing.push(content_type);
        let (_, record) = outgoing.split_at_mut(start);
        let (_, inner_plaintext) = record.split_at_mut(HEADER_LENGTH);
        match self.key().seal(sequence, &header, inner_plaintext) {
            Ok(tag) => outgoing.extend_from_slice(tag.as_ref()),
            Err(error) => {
                outgoing.truncate(start);
                return Err(error.into());
            }
        }
        Ok(())
    }
}

/// The index of the last byte that is not zero (or 0), found in a time that depends on the length alone: not on how much is padding.
fn end_of_content(inner_plaintext: &[u8]) -> usize {
    // Eight bytes at a time; zeros after the last change nothing.
    let (words, rest) = inner_plaintext.as_chunks::<8>();
    let mut last = [0; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let (mut place, mut content) = (0, 0);
    for (index, word) in (0_u64..).zip(words.iter().chain([&last])) {
        let word = u64::from_le_bytes(*word);
        let mask = u64::from(word != 0).wrapping_neg();
        (place, content) = (place & !mask | index & mask, content & !mask | word & mask);
    }
    let padding = u64::from(content.leading_zeros() / u8::BITS);
    let end = place.saturating_mul(8).saturating_add(7).saturating_sub(padding);
    usize::try_from(end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    /// Every place in every length up to three words; what is before it does not matter.
    #[test]
    fn the_content_ends_at_the_last_byte_that_is_not_zero() {
        for length in 0..=24 {
            assert_eq!(end_of_content(&vec![0; length]), 0);
            for (end, before) in (0..length).flat_map(|end| [(end, 0), (end, 0x80)]) {
                let mut bytes = vec![0; length];
                bytes[..end].fill(before);
                bytes[end] = 1;
                assert_eq!(end_of_content(&bytes), end, "{bytes:?}");
            }
        }
    }
}
