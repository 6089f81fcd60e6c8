//! The secrets of a handshake, in every form in which they would be of use to somebody.

use std::collections::HashMap;

use handclasp::crypto::hash::Hash;
use libcrux_ml_kem::mlkem768;
use ring::{agreement, hmac};

use crate::{
    image::Image,
    private_key,
    subject::{Case, IDENTITY, MASK, MASKED_PSK, shared},
};

/// So many bytes in a row are no accident, and a freed block of the heap still shows them behind its first words.
const WINDOW: usize = 8;

/// How many bytes of a decapsulation key are secret from the first on: three polynomials of 256 coefficients of 12 bits.
const DECAPSULATION_VECTOR: usize = 1152;

/// What is looked for.
#[derive(Default)]
pub(crate) struct Needles {
    secrets: Vec<(String, Vec<u8>)>,
    public_keys: Vec<Vec<u8>>,
    signature: Option<Vec<u8>>,
}

impl Needles {
    /// Takes a secret that the process told.
    pub(crate) fn hear(&mut self, label: &str, masked: &str) {
        let bytes = masked.as_bytes().chunks(2).map(|pair| {
            u8::from_str_radix(std::str::from_utf8(pair).expect("hexadecimal"), 16).expect("hexadecimal")
                ^ MASK
        });
        let bytes = bytes.collect();
        match label {
            "signature" => self.signature = Some(bytes),
            "given-up-signature" => {}
            _ if label.ends_with("x25519-public-key") => self.public_keys.push(bytes),
            _ => self.add(label, bytes),
        }
    }

    fn add(&mut self, label: &str, secret: Vec<u8>) {
        self.secrets.push((label.into(), secret));
    }

    pub(crate) fn len(&self) -> usize {
        self.secrets.len()
    }

    pub(crate) fn has(&self, label: &str) -> bool {
        self.secrets.iter().any(|secret| secret.0 == label)
    }

    fn told(&self, label: &str) -> Vec<u8> {
        self.secrets.iter().find(|secret| secret.0 == label).expect("it was told").1.clone()
    }

    /// Adds what the process had to compute on the way (RFC 8446, Section 7.1), computed here anew, and what it was given.
    pub(crate) fn derive(&mut self, case: Case) {
        let schedule = Schedule(case.suite().hash());
        let psk = self.psk(case);
        let zeros = vec![0; schedule.0.length()];
        let early = schedule.extract(&zeros, psk.as_ref().unwrap_or(&zeros));
        if psk.is_some() {
            let label = if case == Case::Psk { "ext binder" } else { "imp binder" };
            let binder = schedule.derive(&early, label);
            self.add("binder finished key", schedule.expand(&binder, "finished", b"", zeros.len()));
            self.add("binder key", binder);
            self.add("Early Secret", early.clone());
        }
        let salt = schedule.derive(&early, "derived");
        let handshake = schedule.extract(&salt, &self.told(&shared(case.group())));
        let next_salt = schedule.derive(&handshake, "derived");
        let master = schedule.extract(&next_salt, &zeros);
        if psk.is_some() {
            self.add("derived from Early Secret", salt);
        }
        self.add("Handshake Secret", handshake);
        self.add("derived from Handshake Secret", next_salt);
        self.add("Master Secret", master);
        for side in ["CLIENT", "SERVER"] {
            self.derive_traffic(&schedule, &format!("{side}_HANDSHAKE_TRAFFIC_SECRET"), case);
            self.derive_traffic(&schedule, &format!("{side}_TRAFFIC_SECRET_0"), case);
        }
        for (label, secret) in private_key::needles(case, self.signature.as_deref()) {
            self.add(label, secret);
        }
        self.add_decapsulation_keys();
    }

    fn psk(&mut self, case: Case) -> Option<Vec<u8>> {
        let psk = MASKED_PSK.map(|byte| byte ^ MASK).to_vec();
        match case {
            Case::Certificate | Case::Mutual | Case::Rsa | Case::P384 => return None,
            Case::Psk => self.add("PSK", psk.clone()),
            Case::ImportedPsk => {
                // RFC 9258, Section 5.1: external_identity, context, target_protocol TLS 1.3, target_kdf HKDF_SHA384.
                let identity = [&[0, 18], IDENTITY, &[0, 0, 3, 4, 0, 2]].concat();
                let schedule = Schedule(Hash::Sha256);
                let extracted = schedule.extract(b"", &psk);
                let hash = Hash::Sha256.digest(&identity);
                let imported = schedule.expand(&extracted, "derived psk", hash.as_ref(), 48);
                self.add("external PSK", psk);
                self.add("epskx", extracted);
                self.add("PSK", imported.clone());
                return Some(imported);
            }
        }
        Some(psk)
    }

    fn derive_traffic(&mut self, schedule: &Schedule, label: &str, case: Case) {
        let secret = self.told(label);
        let key_length = usize::from(case.suite().key_length());
        self.add(&format!("key of {label}"), schedule.expand(&secret, "key", b"", key_length));
        self.add(&format!("iv of {label}"), schedule.expand(&secret, "iv", b"", 12));
        let length = schedule.0.length();
        if label.contains("HANDSHAKE") {
            self.add(&format!("finished key of {label}"), schedule.expand(&secret, "finished", b"", length));
        } else {
            let next = schedule.expand(&secret, "traffic upd", b"", length);
            self.add(&format!("next key of {label}"), schedule.expand(&next, "key", b"", key_length));
            self.add(&format!("next of {label}"), next);
        }
    }

    fn add_decapsulation_keys(&mut self) {
        let is_seed = |secret: &&(String, Vec<u8>)| secret.0.ends_with("ML-KEM-seed");
        let seeds: Vec<_> = self.secrets.iter().filter(is_seed).cloned().collect();
        for (label, seed) in seeds {
            let pair = mlkem768::generate_key_pair(seed.try_into().expect("64 bytes"));
            // Behind the secret vector are the encapsulation key, its hash, and the seed's second half (FIPS 203, Algorithm 16).
            self.add(&label.replace("seed", "decapsulation-key"), pair.sk()[..DECAPSULATION_VECTOR].into());
        }
    }

    /// What is found: under its label and form, how many bytes in all.
    pub(crate) fn search(&self, image: &Image) -> Vec<(String, usize)> {
        let forms: Vec<_> = self.secrets.iter().flat_map(|(label, secret)| forms(label, secret)).collect();
        let mut windows = HashMap::new();
        for (index, (_, bytes)) in forms.iter().enumerate() {
            for window in bytes.windows(WINDOW) {
                windows.entry(<[u8; WINDOW]>::try_from(window).expect("its length")).or_insert(index);
            }
        }
        let mut found = vec![0; forms.len()];
        for mapping in image.mappings() {
            count(mapping, &windows, &mut found);
        }
        let found = forms.into_iter().zip(found).filter(|(_, bytes)| *bytes > 0);
        found.map(|((label, _), bytes)| (label, bytes)).collect()
    }

    /// Ephemeral private keys, which nobody told: any 32 random bytes whose x25519 public key was sent.
    #[expect(deprecated, reason = "ring has no other source of chosen bytes")]
    pub(crate) fn search_ephemeral_keys(&self, image: &Image) -> Option<(String, usize)> {
        let is_key = |bytes: &[u8]| {
            let random = ring::test::rand::FixedSliceRandom { bytes };
            let key =
                agreement::EphemeralPrivateKey::generate(&agreement::X25519, &random).expect("32 bytes");
            let public = key.compute_public_key().expect("a key");
            self.public_keys.iter().any(|sent| sent == public.as_ref())
        };
        let words = image.mappings().flat_map(|mapping| {
            (0..mapping.len().saturating_sub(31)).step_by(8).map(|at| &mapping[at..at + 32])
        });
        let found = words.filter(|bytes| looks_random(bytes) && is_key(bytes)).count();
        (found > 0).then(|| ("ephemeral private key".into(), 32 * found))
    }
}

/// 32 random bytes have 30 different values on the average.
fn looks_random(bytes: &[u8]) -> bool {
    let mut seen = [false; 256];
    bytes.iter().for_each(|byte| seen[usize::from(*byte)] = true);
    seen.iter().filter(|seen| **seen).count() >= 24
}

/// Adds to `found` how many bytes of each form the mapping shows.
fn count(mapping: &[u8], windows: &HashMap<[u8; WINDOW], usize>, found: &mut [usize]) {
    let mut begins = vec![false; 1 << 16];
    windows.keys().for_each(|window| begins[usize::from(u16::from_le_bytes([window[0], window[1]]))] = true);
    let mut counted_to = 0;
    for (at, window) in mapping.windows(WINDOW).enumerate() {
        if begins[usize::from(u16::from_le_bytes([window[0], window[1]]))]
            && let Some(index) = windows.get(window)
        {
            found[*index] += at + WINDOW - counted_to.max(at);
            counted_to = at + WINDOW;
        }
    }
}

/// A secret as it is, and as a hash or an HMAC holds it: its words in the machine's order, and its padded blocks (RFC 2104).
fn forms(label: &str, secret: &[u8]) -> Vec<(String, Vec<u8>)> {
    let swapped = |size| secret.chunks(size).flat_map(|word| word.iter().rev().copied()).collect();
    let padded = |pad: u8| secret.iter().map(|byte| byte ^ pad).collect();
    vec![
        (label.into(), secret.into()),
        (format!("{label}, 32-bit words"), swapped(4)),
        (format!("{label}, 64-bit words"), swapped(8)),
        (format!("{label}, reversed"), swapped(secret.len())),
        (format!("{label}, inner pad"), padded(0x36)),
        (format!("{label}, outer pad"), padded(0x5c)),
    ]
}

/// HKDF and the key schedule's steps, of this program's own.
struct Schedule(Hash);

impl Schedule {
    fn hmac(&self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        let algorithm = if self.0 == Hash::Sha256 { hmac::HMAC_SHA256 } else { hmac::HMAC_SHA384 };
        hmac::sign(&hmac::Key::new(algorithm, key), &parts.concat()).as_ref().into()
    }

    fn extract(&self, salt: &[u8], input: &[u8]) -> Vec<u8> {
        self.hmac(salt, &[input])
    }

    /// HKDF-Expand-Label of no more than a hash.
    fn expand(&self, secret: &[u8], label: &str, context: &[u8], length: usize) -> Vec<u8> {
        let label = [b"tls13 ", label.as_bytes()].concat();
        let short = |length: usize| u8::try_from(length).expect("short");
        let info =
            [&[0, short(length), short(label.len())], &label[..], &[short(context.len())], context, &[1]];
        let mut output = self.hmac(secret, &info);
        output.truncate(length);
        output
    }

    fn derive(&self, secret: &[u8], label: &str) -> Vec<u8> {
        self.expand(secret, label, self.0.digest(b"").as_ref(), self.0.length())
    }
}
