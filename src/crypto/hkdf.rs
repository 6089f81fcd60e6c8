//! HKDF (RFC 5869) and HKDF-Expand-Label (RFC 8446, Section 7.1) over ring's HMAC.
//!
//! ring's own HKDF keeps its outputs opaque; kTLS needs the bytes, and ours are wiped.

use alloc::boxed::Box;

use ring::hmac;

use super::{
    hash::{Hash, MAX_DIGEST_LENGTH},
    secret::{Overwritten, Secret, words},
};

/// The longest `HkdfLabel`: length, label and context with their length bytes (RFC 8446, Section 7.1).
const MAX_INFO_LENGTH: usize = 2 + 1 + 255 + 1 + 255;

/// The same where the label is one of RFC 8446's own and the context a hash, and the counter of HKDF-Expand.
const MAX_SHORT_INFO_LENGTH: usize = 2 + 1 + 18 + 1 + MAX_DIGEST_LENGTH + 1;

/// Extracts a pseudorandom key of `Hash.length` bytes from `input` (RFC 5869, Section 2.2).
///
/// Like all that is here, it leaves traces on the stack, which its caller wipes once for several steps ([`super::secret::without_trace`]).
pub(crate) fn extract(hash: Hash, salt: &[u8], input: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hash.hmac(), salt), input)
}

/// A secret that others are expanded from: as an HMAC key it is made once for all of them.
///
/// It lives on the stack of a computation without trace, or in a [`BoxedExpander`].
pub(crate) struct Expander {
    hash: Hash,
    key: hmac::Key,
}

/// An [`Expander`] to keep: ring does not wipe its key.
pub(super) type BoxedExpander = Box<Overwritten<Expander, { words::<Expander>() }>>;

impl Expander {
    pub(crate) fn new(hash: Hash, secret: &[u8]) -> Self {
        Self { hash, key: hmac::Key::new(hash.hmac(), secret) }
    }

    /// What HKDF-Extract gives, to expand.
    pub(super) fn extract(hash: Hash, salt: &[u8], input: &[u8]) -> Self {
        Self::new(hash, extract(hash, salt, input).as_ref())
    }

    pub(super) fn boxed(self) -> BoxedExpander {
        Box::new(Overwritten::new(self))
    }

    pub(super) fn hash(&self) -> Hash {
        self.hash
    }

    /// Expands the secret into `length` bytes bound to a label and a context (RFC 8446, Section 7.1).
    ///
    /// ```text
    /// HKDF-Expand-Label(Secret, Label, Context, Length) = HKDF-Expand(Secret, HkdfLabel, Length)
    /// ```
    /// `label` is given without its prefix "tls13 ". An output longer than 255 hash lengths cannot be asked for:
    /// every caller asks for a hash, a key, an IV or an exporter's length, which [`super::key_schedule`] bounds.
    pub(crate) fn label(&self, label: &[u8], context: &[u8], length: u16) -> Secret {
        let mut info = [0; MAX_INFO_LENGTH];
        let info = write_hkdf_label(&mut info, label, context, length, &[]);
        self.expand(info, usize::from(length))
    }

    /// The same for at most `Hash.length` bytes, which the output begins with, and a label of RFC 8446's own; on the stack, for a
    /// further step.
    pub(super) fn short_label(&self, label: &[u8], context: &[u8], length: u16) -> hmac::Tag {
        let mut info = [0; MAX_SHORT_INFO_LENGTH];
        // T(1) = HMAC-Hash(PRK, info | 0x01), in one call.
        hmac::sign(&self.key, write_hkdf_label(&mut info, label, context, length, &[1]))
    }

    /// HKDF-Expand (RFC 5869, Section 2.3).
    pub(super) fn expand(&self, info: &[u8], length: usize) -> Secret {
        let mut output = Secret::zeroed(length);
        let mut previous = None;
        for (chunk, counter) in output.expose_mut().chunks_mut(self.hash.length()).zip(1_u8..=255) {
            let block = self.block(previous.as_ref(), info, counter);
            chunk.copy_from_slice(block.as_ref().split_at(chunk.len()).0);
            previous = Some(block);
        }
        output
    }

    /// T(counter), from the one before.
    fn block(&self, previous: Option<&hmac::Tag>, info: &[u8], counter: u8) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.key);
        previous.into_iter().for_each(|previous| context.update(previous.as_ref()));
        context.update(info);
        context.update(&[counter]);
        context.sign()
    }
}

/// Writes the struct HkdfLabel and an `end` into `buffer` and returns the part written (RFC 8446, Section 7.1).
///
/// ```text
/// struct {
///     uint16 length = Length;
///     opaque label<7..255> = "tls13 " + Label;
///     opaque context<0..255> = Context;
/// } HkdfLabel;
/// ```
fn write_hkdf_label<'a>(
    buffer: &'a mut [u8],
    label: &[u8],
    context: &[u8],
    length: u16,
    end: &[u8],
) -> &'a [u8] {
    const PREFIX: &[u8] = b"tls13 ";
    let label_length =
        u8::try_from(PREFIX.len().saturating_add(label.len())).expect("labels are constants below 249 bytes");
    let context_length = u8::try_from(context.len()).expect("contexts are hashes");
    let parts: [&[u8]; 7] =
        [&length.to_be_bytes(), &[label_length], PREFIX, label, &[context_length], context, end];
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

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5869, Appendix A.1: test case 1 with SHA-256.
    #[test]
    fn rfc5869_test_case_1() {
        let salt: [u8; 13] = core::array::from_fn(|i| i as u8);
        let info: [u8; 10] = core::array::from_fn(|i| 0xf0 + i as u8);
        let prk = extract(Hash::Sha256, &salt, &[0x0b; 22]);
        assert_eq!(prk.as_ref()[..4], [0x07, 0x77, 0x09, 0x36]);
        let okm = Expander::new(Hash::Sha256, prk.as_ref()).expand(&info, 42);
        assert_eq!(okm.expose()[..4], [0x3c, 0xb2, 0x5f, 0x25]);
        assert_eq!(okm.expose()[32..], [0x34, 0x00, 0x72, 0x08, 0xd5, 0xb8, 0x87, 0x18, 0x58, 0x65]);
    }
}
