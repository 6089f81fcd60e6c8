//! The ghost handshake: exactly the calls of ring (and, for X25519MLKEM768, of libcrux) that one side needs, in order, and nothing else.
//!
//! Nothing is computed twice, and nothing that is known beforehand: one HMAC key for all that hangs off a secret, one getrandom for
//! ClientHello.random and session_id, no Early Secret where there is no PSK (it is a constant). A PSK comes as its Early Secret, and what
//! a session hands out is there: two traffic secrets and the exporter's.

use std::hint::black_box;

use handclasp::crypto::hash::Hash;
use libcrux_ml_kem::mlkem768::{self, MlKem768Ciphertext, MlKem768PublicKey};
use ring::{
    aead::{self, Aad, LessSafeKey, Nonce, UnboundKey},
    agreement::{self, EphemeralPrivateKey, UnparsedPublicKey},
    digest, hmac,
    rand::{SecureRandom, SystemRandom},
};

use crate::{
    lengths::Lengths,
    meter::{Meter, Side, Sides},
    scenario::Scenario,
    signatures::{Signed, Signer, Truth},
};

/// What the calls are given in place of messages and labels.
static BYTES: [u8; 1 << 14] = [7; 1 << 14];

/// How long the content of a CertificateVerify is (RFC 8446, Section 4.4.3).
pub const CONTENT: usize = 64 + 33 + 1 + 32;

/// One flow, without its protocol.
pub struct Floor<'a> {
    scenario: &'a Scenario,
    lengths: Lengths,
    digest: &'static digest::Algorithm,
    hmac: hmac::Algorithm,
    aead: &'static aead::Algorithm,
    /// Each side's long-term key, and what its CertificateVerify proves.
    signers: Sides<Option<(Signer, Truth)>>,
    /// The signatures in each side's chain.
    chains: Sides<Vec<Signed>>,
    point: Vec<u8>,
    encapsulation_key: MlKem768PublicKey,
    ciphertext: MlKem768Ciphertext,
    opener: LessSafeKey,
    /// Each side's flight, to be opened by the other.
    sealed: Sides<Vec<u8>>,
}

/// HMAC keys of the secrets that both sides derive before the first protected record.
struct HandshakeSecrets {
    client: hmac::Key,
    server: hmac::Key,
    master: hmac::Key,
}

/// The keys of one direction.
struct Direction {
    record: LessSafeKey,
    finished: hmac::Key,
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([7; 12])
}

impl<'a> Floor<'a> {
    pub fn new(scenario: &'a Scenario, lengths: Lengths) -> Self {
        let (digest, hmac, aead) = match scenario.psk {
            Some(Hash::Sha384) => (&digest::SHA384, hmac::HMAC_SHA384, &aead::AES_256_GCM),
            _ => (&digest::SHA256, hmac::HMAC_SHA256, &aead::AES_128_GCM),
        };
        let (certificates, signs) = (&scenario.certificates, scenario.signs());
        let signer = |signs: bool, material| {
            signs.then(|| {
                let signer = Signer::new(material);
                let truth = Truth::of(&signer, material);
                (signer, truth)
            })
        };
        let chain = |signs: bool, material| {
            if signs && !scenario.remembered { Signed::in_chain(material) } else { vec![] }
        };
        let random = SystemRandom::new();
        let key = EphemeralPrivateKey::generate(&agreement::X25519, &random).expect("randomness");
        let pair = mlkem768::generate_key_pair([7; 64]);
        let opener = LessSafeKey::new(UnboundKey::new(aead, &BYTES[..aead.key_len()]).expect("its length"));
        let seal = |length: usize| {
            let mut record = BYTES[..length].to_vec();
            opener
                .seal_in_place_append_tag(nonce(), Aad::from(&BYTES[..5]), &mut record)
                .expect("it is short");
            record
        };
        let sealed = Sides { client: seal(lengths.flights.client), server: seal(lengths.flights.server) };
        Self {
            scenario,
            lengths,
            digest,
            hmac,
            aead,
            signers: Sides {
                client: signer(signs.client, &certificates.client),
                server: signer(signs.server, &certificates.server),
            },
            chains: Sides {
                client: chain(signs.client, &certificates.client),
                server: chain(signs.server, &certificates.server),
            },
            point: key.compute_public_key().expect("a point").as_ref().to_vec(),
            ciphertext: mlkem768::encapsulate(pair.public_key(), [7; 32]).0,
            encapsulation_key: pair.public_key().clone(),
            opener,
            sealed,
        }
    }

    /// One handshake's primitives, first the client's, then the server's.
    pub fn run(&self, meter: &mut impl Meter) {
        let Sides { mut client, mut server } = self.sealed.clone();
        meter.measure(Side::Client, || self.client(&mut server));
        meter.measure(Side::Server, || self.server(&mut client, &mut server));
    }

    fn client(&self, incoming: &mut [u8]) {
        let random = SystemRandom::new();
        // ClientHello.random and session_id.
        random.fill(&mut [0; 64]).expect("randomness");
        if self.scenario.retry {
            public_key(&agreement::ECDH_P256);
        }
        let key = public_key(&agreement::X25519);
        let pair = self.scenario.hybrid.then(|| {
            let mut seed = [0; 64];
            random.fill(&mut seed).expect("randomness");
            mlkem768::generate_key_pair(seed)
        });
        let early = self.scenario.psk.map(|_| self.binder());
        let mut transcript = self.hello();
        if let Some(pair) = pair {
            black_box(mlkem768::decapsulate(pair.private_key(), &self.ciphertext));
        }
        let shared = agree(key, &self.point);
        let secrets = self.handshake_secrets(early, &shared, &transcript);
        let receiving = self.direction(&secrets.server);
        let sending = self.direction(&secrets.client);
        self.open(incoming);
        self.receive_authentication(Side::Server, &mut transcript);
        self.verify_finished(&receiving, &mut transcript);
        self.application(&secrets.master, &transcript);
        self.send_authentication(Side::Client, &mut transcript);
        self.send_finished(&sending, &mut transcript);
        self.seal(&sending, &mut incoming[..self.lengths.flights.client]);
    }

    fn server(&self, incoming: &mut [u8], outgoing: &mut [u8]) {
        let random = SystemRandom::new();
        // ServerHello.random.
        random.fill(&mut [0; 32]).expect("randomness");
        let early = self.scenario.psk.map(|_| self.binder());
        if self.scenario.hybrid {
            let mut message = [0; 32];
            random.fill(&mut message).expect("randomness");
            assert!(mlkem768::validate_public_key(&self.encapsulation_key));
            black_box(mlkem768::encapsulate(&self.encapsulation_key, message));
        }
        let shared = agree(public_key(&agreement::X25519), &self.point);
        let mut transcript = self.hello();
        let secrets = self.handshake_secrets(early, &shared, &transcript);
        let receiving = self.direction(&secrets.client);
        let sending = self.direction(&secrets.server);
        self.send_authentication(Side::Server, &mut transcript);
        self.send_finished(&sending, &mut transcript);
        self.seal(&sending, outgoing);
        self.application(&secrets.master, &transcript);
        self.open(incoming);
        self.receive_authentication(Side::Client, &mut transcript);
        self.verify_finished(&receiving, &mut transcript);
    }

    /// The transcript up to the ServerHello.
    fn hello(&self) -> digest::Context {
        let lengths = &self.lengths;
        let mut transcript = digest::Context::new(self.digest);
        if self.scenario.retry {
            let first = digest::digest(self.digest, &BYTES[..lengths.first_client_hello]);
            transcript.update(&BYTES[..4]);
            transcript.update(first.as_ref());
            transcript.update(&BYTES[..lengths.hello_retry_request]);
        }
        transcript.update(&BYTES[..lengths.client_hello]);
        transcript.update(&BYTES[..lengths.server_hello]);
        transcript
    }

    /// The PSK's binder, made or verified; the Early Secret's key, for what follows.
    fn binder(&self) -> hmac::Key {
        let early = hmac::Key::new(self.hmac, &BYTES[..self.digest.output_len()]);
        let binder_key = self.secret(&early);
        let finished = self.without_context(&binder_key);
        let hash = digest::digest(self.digest, &BYTES[..self.lengths.client_hello]);
        black_box(hmac::sign(&finished, hash.as_ref()));
        early
    }

    fn handshake_secrets(
        &self,
        early: Option<hmac::Key>,
        shared: &[u8],
        transcript: &digest::Context,
    ) -> HandshakeSecrets {
        black_box(fork(transcript));
        let salt = match &early {
            Some(early) => self.secret(early),
            None => hmac::Key::new(self.hmac, &BYTES[..self.digest.output_len()]),
        };
        let handshake = hmac::Key::new(self.hmac, hmac::sign(&salt, shared).as_ref());
        let (client, server) = (self.secret(&handshake), self.secret(&handshake));
        let derived = self.secret(&handshake);
        let zeros = &BYTES[..self.digest.output_len()];
        let master = hmac::Key::new(self.hmac, hmac::sign(&derived, zeros).as_ref());
        HandshakeSecrets { client, server, master }
    }

    /// Two traffic secrets and the exporter's.
    fn application(&self, master: &hmac::Key, transcript: &digest::Context) {
        black_box(fork(transcript));
        for _ in 0..3 {
            black_box(hmac::sign(master, &BYTES[..23 + self.digest.output_len()]));
        }
    }

    /// Derive-Secret, and the HMAC key of what it gives.
    fn secret(&self, from: &hmac::Key) -> hmac::Key {
        let secret = hmac::sign(from, &BYTES[..23 + self.digest.output_len()]);
        hmac::Key::new(self.hmac, secret.as_ref())
    }

    /// HKDF-Expand-Label without a context, and the HMAC key of what it gives.
    fn without_context(&self, from: &hmac::Key) -> hmac::Key {
        hmac::Key::new(self.hmac, hmac::sign(from, &BYTES[..19]).as_ref())
    }

    fn record_key(&self, secret: &hmac::Key) -> LessSafeKey {
        let key = hmac::sign(secret, &BYTES[..14]);
        black_box(hmac::sign(secret, &BYTES[..13]));
        let key = UnboundKey::new(self.aead, &key.as_ref()[..self.aead.key_len()]);
        LessSafeKey::new(key.expect("the key has its length"))
    }

    fn direction(&self, secret: &hmac::Key) -> Direction {
        Direction { record: self.record_key(secret), finished: self.without_context(secret) }
    }

    fn open(&self, incoming: &mut [u8]) {
        // With a key that fits: those of a ghost are made, and fit nothing.
        self.opener.open_in_place(nonce(), Aad::from(&BYTES[..5]), incoming).expect("it was sealed for us");
    }

    fn seal(&self, keys: &Direction, record: &mut [u8]) {
        let tag = keys.record.seal_in_place_separate_tag(nonce(), Aad::from(&BYTES[..5]), record);
        let _ = black_box(tag.expect("it is short"));
    }

    /// A Certificate and its CertificateVerify, or what is there without them.
    fn receive_authentication(&self, side: Side, transcript: &mut digest::Context) {
        let truth = self.signers.get(side).as_ref().map(|(_, truth)| truth);
        transcript.update(&BYTES[..self.before_certificate_verify(side)]);
        let Some(truth) = truth else { return };
        black_box(fork(transcript));
        self.chains.get(side).iter().for_each(Signed::verify);
        truth.verify();
        transcript.update(&BYTES[..truth.message_length()]);
    }

    fn send_authentication(&self, side: Side, transcript: &mut digest::Context) {
        transcript.update(&BYTES[..self.before_certificate_verify(side)]);
        let Some((signer, truth)) = self.signers.get(side) else { return };
        black_box(fork(transcript));
        signer.sign(&BYTES[..CONTENT]);
        transcript.update(&BYTES[..truth.message_length()]);
    }

    /// How many bytes of a flight stand before its CertificateVerify, or before its Finished.
    fn before_certificate_verify(&self, side: Side) -> usize {
        let flight = *self.lengths.flights.get(side);
        let proof = self.signers.get(side).as_ref().map_or(0, |(_, truth)| truth.message_length());
        flight - proof - self.finished_length()
    }

    fn finished_length(&self) -> usize {
        4 + self.digest.output_len()
    }

    fn verify_finished(&self, keys: &Direction, transcript: &mut digest::Context) {
        let expected = &BYTES[..self.digest.output_len()];
        black_box(hmac::verify(&keys.finished, fork(transcript).as_ref(), expected)).expect_err("a ghost's");
        transcript.update(&BYTES[..self.finished_length()]);
    }

    fn send_finished(&self, keys: &Direction, transcript: &mut digest::Context) {
        black_box(hmac::sign(&keys.finished, fork(transcript).as_ref()));
        transcript.update(&BYTES[..self.finished_length()]);
    }
}

fn fork(transcript: &digest::Context) -> digest::Digest {
    transcript.clone().finish()
}

/// A new key, and its public half: which the caller may look at or not, it is computed.
fn public_key(algorithm: &'static agreement::Algorithm) -> EphemeralPrivateKey {
    let key = EphemeralPrivateKey::generate(algorithm, &SystemRandom::new()).expect("randomness");
    black_box(key.compute_public_key().expect("a point"));
    key
}

fn agree(key: EphemeralPrivateKey, peer: &[u8]) -> [u8; 32] {
    let peer = UnparsedPublicKey::new(&agreement::X25519, peer);
    agreement::agree_ephemeral(key, &peer, |secret| secret.try_into().expect("32 bytes")).expect("a point")
}
