//! Record protection and Finished keys from logged secrets: RFC 8446, Sections 5.2, 7.1 and 7.3, on ring alone, because a peer
//! made of the library's own code would share its mistakes. The tests and the fuzz targets have this file in common.
#![allow(unreachable_pub, reason = "the fuzz targets use it from another crate")]

use std::{collections::BTreeMap, fmt, sync::Mutex};

use handclasp::{
    crypto::{hash::Hash, suite::CipherSuite},
    engine::{Role, config::KeyLog},
};
use ring::{
    aead::{self, Aad, LessSafeKey, Nonce, UnboundKey},
    digest, hkdf, hmac,
};

/// The secrets of a handshake, by their NSS labels.
#[derive(Default)]
pub struct Secrets(Mutex<BTreeMap<String, Vec<u8>>>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(..)")
    }
}

impl Secrets {
    /// The secret of a label, once it exists.
    pub fn get(&self, label: &str) -> Option<Vec<u8>> {
        self.0.lock().expect("nobody panicked").get(label).cloned()
    }

    /// The secret that protects what this role sends during the handshake.
    pub fn handshake(&self, sender: Role) -> Option<Vec<u8>> {
        self.get(match sender {
            Role::Client => "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
            Role::Server => "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        })
    }
}

impl KeyLog for Secrets {
    fn log(&self, label: &str, _client_random: &[u8; 32], secret: &[u8]) {
        self.0.lock().expect("nobody panicked").insert(label.into(), secret.into());
    }
}

/// One direction under one traffic secret.
pub struct Protection {
    suite: CipherSuite,
    secret: Vec<u8>,
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
}

impl Protection {
    /// The first generation of a secret.
    pub fn new(suite: CipherSuite, secret: &[u8]) -> Self {
        let algorithm = match suite {
            CipherSuite::Aes128GcmSha256 => &aead::AES_128_GCM,
            CipherSuite::Aes256GcmSha384 => &aead::AES_256_GCM,
            CipherSuite::Chacha20Poly1305Sha256 => &aead::CHACHA20_POLY1305,
        };
        let key = expand_label(suite.hash(), secret, b"key", b"", algorithm.key_len());
        let iv = expand_label(suite.hash(), secret, b"iv", b"", 12);
        let key = LessSafeKey::new(UnboundKey::new(algorithm, &key).expect("the algorithm's key length"));
        Self { suite, secret: secret.into(), key, iv: iv.try_into().expect("12 bytes"), sequence: 0 }
    }

    /// The same, at another record.
    pub fn at(self, sequence: u64) -> Self {
        Self { sequence, ..self }
    }

    /// The generation after a KeyUpdate.
    pub fn next(&self) -> Self {
        let hash = self.suite.hash();
        Self::new(self.suite, &expand_label(hash, &self.secret, b"traffic upd", b"", hash.length()))
    }

    /// A record with this content, padded with zeros.
    pub fn seal(&mut self, content_type: u8, content: &[u8], padding: usize) -> Vec<u8> {
        self.seal_inner([content, &[content_type], &vec![0; padding]].concat())
    }

    /// A record with this TLSInnerPlaintext, well-formed or not.
    pub fn seal_inner(&mut self, mut inner: Vec<u8>) -> Vec<u8> {
        let length = u16::try_from(inner.len() + 16).expect("a record's length").to_be_bytes();
        let header = [23, 3, 3, length[0], length[1]];
        let nonce = self.nonce();
        self.key.seal_in_place_append_tag(nonce, Aad::from(header), &mut inner).expect("a short plaintext");
        [&header[..], &inner].concat()
    }

    /// The content type and content of a record's body.
    pub fn open(&mut self, header: &[u8], body: &[u8]) -> Option<(u8, Vec<u8>)> {
        let mut body = body.to_vec();
        let nonce = self.nonce();
        let inner = self.key.open_in_place(nonce, Aad::from(header), &mut body).ok()?;
        let end = inner.iter().rposition(|byte| *byte != 0)?;
        Some((inner[end], inner[..end].to_vec()))
    }

    fn nonce(&mut self) -> Nonce {
        let mut nonce = self.iv;
        nonce.iter_mut().rev().zip(self.sequence.to_le_bytes()).for_each(|(byte, s)| *byte ^= s);
        self.sequence += 1;
        Nonce::assume_unique_for_key(nonce)
    }
}

/// verify_data under a traffic secret or a binder key.
pub fn finished(hash: Hash, base: &[u8], transcript_hash: &[u8]) -> Vec<u8> {
    let key = expand_label(hash, base, b"finished", b"", hash.length());
    mac(hash, &key, transcript_hash)
}

/// The key of an external PSK's binders.
pub fn binder_key(hash: Hash, psk: &[u8]) -> Vec<u8> {
    let early = mac(hash, &vec![0; hash.length()], psk);
    expand_label(hash, &early, b"ext binder", &hash_of(hash, &[]), hash.length())
}

/// The hash of some messages.
pub fn hash_of(hash: Hash, messages: &[&[u8]]) -> Vec<u8> {
    let algorithm = match hash {
        Hash::Sha256 => &digest::SHA256,
        Hash::Sha384 => &digest::SHA384,
    };
    let mut context = digest::Context::new(algorithm);
    messages.iter().for_each(|message| context.update(message));
    context.finish().as_ref().into()
}

fn mac(hash: Hash, key: &[u8], message: &[u8]) -> Vec<u8> {
    let algorithm = match hash {
        Hash::Sha256 => hmac::HMAC_SHA256,
        Hash::Sha384 => hmac::HMAC_SHA384,
    };
    hmac::sign(&hmac::Key::new(algorithm, key), message).as_ref().into()
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-Expand-Label (Section 7.1).
pub fn expand_label(hash: Hash, secret: &[u8], label: &[u8], context: &[u8], length: usize) -> Vec<u8> {
    let algorithm = match hash {
        Hash::Sha256 => hkdf::HKDF_SHA256,
        Hash::Sha384 => hkdf::HKDF_SHA384,
    };
    let length_bytes = u16::try_from(length).expect("a short output").to_be_bytes();
    let label_length = [u8::try_from(6 + label.len()).expect("a short label")];
    let context_length = [u8::try_from(context.len()).expect("a short context")];
    let info = [&length_bytes[..], &label_length, b"tls13 ", label, &context_length, context];
    let mut output = vec![0; length];
    let prk = hkdf::Prk::new_less_safe(algorithm, secret);
    prk.expand(&info, Length(length)).and_then(|okm| okm.fill(&mut output)).expect("a short output");
    output
}
