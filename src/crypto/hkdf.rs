//! HKDF (RFC 5869) and HKDF-Expand-Label (RFC 8446, Section 7.1) over ring's HMAC.
//!
//! ring's own HKDF keeps its outputs opaque; kTLS needs the bytes, and ours are wiped.

use ring::hmac;

use super::{
    hash::{Hash, MAX_DIGEST_LENGTH},
    secret::{CIPHER_STACK, Secret, without_trace},
};

/// The longest `HkdfLabel`: length, label and context with their length bytes (RFC 8446, Section 7.1).
const MAX_INFO_LENGTH: usize = 2 + 1 + 255 + 1 + 255;

/// Extracts a pseudorandom key of `Hash.length` bytes from `input` (RFC 5869, Section 2.2).
pub(crate) fn extract(hash: Hash, salt: &[u8], input: &[u8]) -> Secret {
    without_trace::<CIPHER_STACK, _>(|| {
        let tag = hmac::sign(&hmac::Key::new(hash.hmac(), salt), input);
        Secret::from_slice(tag.as_ref())
    })
}

/// Expands `secret` into `length` bytes bound to a label and a context (RFC 8446, Section 7.1).
///
/// ```text
/// HKDF-Expand-Label(Secret, Label, Context, Length) = HKDF-Expand(Secret, HkdfLabel, Length)
/// ```
/// `label` is given without its prefix "tls13 ". An output longer than 255 hash lengths cannot be asked for:
/// every caller asks for a hash, a key, an IV or an exporter's length, which [`super::key_schedule`] bounds.
pub(crate) fn expand_label(hash: Hash, secret: &Secret, label: &[u8], context: &[u8], length: u16) -> Secret {
    let mut info = [0; MAX_INFO_LENGTH];
    let info = write_hkdf_label(&mut info, label, context, length);
    expand(hash, secret, info, usize::from(length))
}

/// Writes the struct HkdfLabel into `buffer` and returns the part written (RFC 8446, Section 7.1).
fn write_hkdf_label<'a>(buffer: &'a mut [u8], label: &[u8], context: &[u8], length: u16) -> &'a [u8] {
    const PREFIX: &[u8] = b"tls13 ";
    let label_length =
        u8::try_from(PREFIX.len().saturating_add(label.len())).expect("labels are constants below 249 bytes");
    let context_length = u8::try_from(context.len()).expect("contexts are hashes");
    let parts: [&[u8]; 6] =
        [&length.to_be_bytes(), &[label_length], PREFIX, label, &[context_length], context];
    let capacity = buffer.len();
    let mut free = &mut *buffer;
    for part in parts {
        let (here, rest) = free.split_at_mut(part.len());
        here.copy_from_slice(part);
        free = rest;
    }
    let used = capacity.saturating_sub(free.len());
    buffer.split_at(used).0
}

/// HKDF-Expand (RFC 5869, Section 2.3).
pub(super) fn expand(hash: Hash, secret: &Secret, info: &[u8], length: usize) -> Secret {
    let mut output = Secret::zeroed(length);
    without_trace::<CIPHER_STACK, _>(|| expand_into(hash, secret, info, output.expose_mut()));
    output
}

fn expand_into(hash: Hash, secret: &Secret, info: &[u8], output: &mut [u8]) {
    let key = hmac::Key::new(hash.hmac(), secret.expose());
    let mut previous = [0; MAX_DIGEST_LENGTH];
    let mut previous_length = 0;
    for (chunk, counter) in output.chunks_mut(hash.length()).zip(1_u8..=255) {
        let mut context = hmac::Context::with_key(&key);
        context.update(previous.split_at(previous_length).0);
        context.update(info);
        context.update(&[counter]);
        let tag = context.sign();
        previous_length = hash.length();
        previous.split_at_mut(previous_length).0.copy_from_slice(tag.as_ref());
        chunk.copy_from_slice(tag.as_ref().split_at(chunk.len()).0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5869, Appendix A.1: test case 1 with SHA-256.
    #[test]
    fn rfc5869_test_case_1() {
        let salt: [u8; 13] = core::array::from_fn(|i| i as u8);
        let info: [u8; 10] = core::array::from_fn(|i| 0xf0 + i as u8);
        let prk = extract(Hash::Sha256, &salt, &[0x0b; 22]);
        assert_eq!(prk.expose()[..4], [0x07, 0x77, 0x09, 0x36]);
        let okm = expand(Hash::Sha256, &prk, &info, 42);
        assert_eq!(okm.expose()[..4], [0x3c, 0xb2, 0x5f, 0x25]);
        assert_eq!(okm.expose()[32..], [0x34, 0x00, 0x72, 0x08, 0xd5, 0xb8, 0x87, 0x18, 0x58, 0x65]);
    }
}
