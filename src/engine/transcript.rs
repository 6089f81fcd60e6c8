//! The transcript hash (RFC 8446, Section 4.4.1), over messages as they were received or sent, never re-encoded.

use crate::crypto::hash::{Context, Digest, Hash};

/// `HandshakeType` of the synthetic message that replaces the first ClientHello.
const MESSAGE_HASH: u8 = 254;

/// The running hash of all handshake messages, headers included.
#[derive(Clone, Debug)]
pub(crate) struct Transcript(Context);

impl Transcript {
    /// Starts with the first ClientHello, once the hash is known.
    pub(crate) fn new(hash: Hash, client_hello: &[u8]) -> Self {
        let mut transcript = Self(hash.start());
        transcript.add(client_hello);
        transcript
    }

    /// Starts with the first ClientHello replaced by its hash, as a HelloRetryRequest asks.
    ///
    /// ```text
    /// Transcript-Hash(ClientHello1, HelloRetryRequest, ... Mn) =
    ///     Hash(message_hash ||        /* Handshake type */
    ///          00 00 Hash.length  ||  /* Handshake message length (bytes) */
    ///          Hash(ClientHello1) ||  /* Hash of ClientHello1 */
    ///          HelloRetryRequest  || ... || Mn)
    /// ```
    pub(crate) fn after_retry(hash: Hash, client_hello: &[u8]) -> Self {
        let mut transcript = Self::new(hash, &[MESSAGE_HASH, 0]);
        transcript.add(&hash.output_length().to_be_bytes());
        transcript.add(hash.digest(client_hello).as_ref());
        transcript
    }

    pub(crate) fn add(&mut self, message: &[u8]) {
        self.0.update(message);
    }

    /// The hash of everything so far.
    pub(crate) fn hash(&self) -> Digest {
        self.0.clone().finish()
    }

    /// The hash as it would be with a truncated ClientHello added: what a PSK binder covers (Section 4.2.11.2).
    pub(crate) fn hash_with(&self, partial: &[u8]) -> Digest {
        let mut context = self.0.clone();
        context.update(partial);
        context.finish()
    }
}
