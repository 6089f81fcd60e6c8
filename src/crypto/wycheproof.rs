//! Project Wycheproof's vectors through our own functions, for every primitive in the way we call it; and NIST's where it has none.

use alloc::{string::ToString, vec::Vec};

use super::{
    aead::{RecordKey, TAG_LENGTH},
    hash::Hash,
    hkdf,
    kx::{self, NamedGroup},
    public_key::{PublicKey, SignatureAlgorithm, SignatureHash},
    random::SystemRandom,
    signature_scheme::SignatureScheme,
    suite::CipherSuite,
};
#[cfg(feature = "pq")]
use super::{ml_kem, secret::Secret};

/// What is expected; an "acceptable" vector may go either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    Valid,
    Invalid,
    Acceptable,
}

/// One vector: the key of its group, if it has one, its number, and its fields.
struct Vector<'a> {
    key: &'a str,
    number: &'a str,
    expected: Expected,
    fields: Vec<Vec<u8>>,
}

impl Vector<'_> {
    /// Compares what we did with what was expected.
    fn check(&self, accepted: bool) {
        let agrees = match self.expected {
            Expected::Valid => accepted,
            Expected::Invalid => !accepted,
            Expected::Acceptable => true,
        };
        assert!(agrees, "test {}: {:?}, but accepted: {accepted}", self.number, self.expected);
    }
}

fn hex(text: &str) -> Vec<u8> {
    assert!(text.is_ascii() && (text == "-" || text.len().is_multiple_of(2)));
    let digits = text.as_bytes().chunks_exact(2).filter_map(|pair| core::str::from_utf8(pair).ok());
    digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// The vectors of a file, which holds so many.
fn vectors(text: &str, count: usize) -> Vec<Vector<'_>> {
    let (mut key, mut vectors) = ("-", Vec::new());
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut words = line.split(' ');
        let (number, result) = (words.next().unwrap(), words.next().unwrap());
        if number == "key" {
            key = result;
            continue;
        }
        let expected = match result {
            "valid" => Expected::Valid,
            "invalid" => Expected::Invalid,
            "acceptable" => Expected::Acceptable,
            other => panic!("{other}"),
        };
        vectors.push(Vector { key, number, expected, fields: words.map(hex).collect() });
    }
    assert_eq!(vectors.len(), count);
    vectors
}

macro_rules! file {
    ($name:literal) => {
        include_str!(concat!("../../tests/vectors/wycheproof/", $name, ".txt"))
    };
}

/// Seals and opens each vector as a record with sequence number 0, whose nonce is the IV itself.
fn check_aead(text: &str, count: usize, suite_of: fn(usize) -> CipherSuite) {
    for vector in vectors(text, count) {
        let [key, iv, header, plaintext, ciphertext, tag] = &vector.fields[..] else { panic!("six fields") };
        let record_key = RecordKey::of(suite_of(key.len()), key, iv);
        let mut opened = [&ciphertext[..], tag].concat();
        let result = record_key.open(0, header, &mut opened).map(|plaintext| plaintext.to_vec());
        vector.check(result.as_ref() == Ok(plaintext));
        let mut sealed = plaintext.clone();
        let made = record_key.seal(0, header, &mut sealed).unwrap();
        vector.check(sealed == *ciphertext && made.as_ref() == tag);
        assert_eq!(tag.len(), TAG_LENGTH);
    }
}

//= rfc8446#section-5.2
//= type=test
//# An AEAD algorithm used in TLS 1.3 MUST NOT produce an expansion greater than 255 octets.
//= rfc8446#section-5.3
//= type=test
//# An AEAD algorithm where N_MAX is less than 8 bytes MUST NOT be used with TLS.
#[test]
fn aes_gcm() {
    check_aead(file!("aes_gcm"), 133, |length| match length {
        16 => CipherSuite::Aes128GcmSha256,
        _ => CipherSuite::Aes256GcmSha384,
    });
}

#[test]
fn chacha20_poly1305() {
    check_aead(file!("chacha20_poly1305"), 316, |_| CipherSuite::Chacha20Poly1305Sha256);
}

/// HMAC is what HKDF-Extract computes (RFC 5869, Section 2.2).
#[test]
fn hmac() {
    for (text, hash) in [(file!("hmac_sha256"), Hash::Sha256), (file!("hmac_sha384"), Hash::Sha384)] {
        for vector in vectors(text, 87) {
            let [key, message, tag] = &vector.fields[..] else { panic!("three fields") };
            vector.check(hkdf::extract(hash, key, message).as_ref() == tag);
        }
    }
}

#[test]
fn hkdf() {
    let files = [(file!("hkdf_sha256"), 86, Hash::Sha256), (file!("hkdf_sha384"), 83, Hash::Sha384)];
    for (text, count, hash) in files {
        for vector in vectors(text, count) {
            let [input, salt, info, output] = &vector.fields[..] else { panic!("four fields") };
            // The invalid ones ask for more than 255 hash lengths, which no caller of ours can.
            if vector.expected != Expected::Invalid {
                let secret = hkdf::extract(hash, salt, input);
                let expanded = hkdf::Expander::new(hash, secret.as_ref()).expand(info, output.len());
                vector.check(expanded.expose() == output);
            }
        }
    }
}

/// Gives a private key to ring where it asks for randomness, which is the only way to choose one.
#[expect(deprecated, reason = "ring has no other source of chosen bytes; when it goes, so does this test")]
fn check_exchange(text: &str, count: usize, group: NamedGroup, length: usize) {
    for vector in vectors(text, count) {
        let [public, private, shared] = &vector.fields[..] else { panic!("three fields") };
        let start = private.len().saturating_sub(length);
        let mut bytes = alloc::vec![0; length.saturating_sub(private.len())];
        bytes.extend_from_slice(&private[start..]);
        let random = ring::test::rand::FixedSliceRandom { bytes: &bytes };
        let share = kx::generate(group, &random, &mut SystemRandom).unwrap();
        let secret = share.agree(public);
        // What is accepted is right, and on x25519 not the all-zero secret (RFC 8446, Section 7.4.2).
        let accepted = secret.is_ok();
        if let Ok(secret) = secret {
            assert_eq!(secret.expose(), shared, "test {}", vector.number);
            let is_zero = secret.expose().iter().all(|byte| *byte == 0);
            assert!(!(is_zero && group == NamedGroup::X25519), "test {}", vector.number);
        }
        vector.check(accepted);
    }
}

//= rfc8446#section-7.4.2
//= type=test
//# Implementations MUST check whether the computed Diffie-Hellman shared secret is the all-zero value and
//# abort if so
#[test]
fn x25519() {
    check_exchange(file!("x25519"), 518, NamedGroup::X25519, 32);
}

//= rfc8446#section-4.2.8.2
//= type=test
//# peers MUST validate each other's public value Q by ensuring that the point is a valid point on the
//# elliptic curve.
//= rfc8446#section-7.4.2
//= type=test
//# leading zeros found in this octet string MUST NOT be truncated.
#[test]
fn secp256r1() {
    check_exchange(file!("ecdh_secp256r1_ecpoint"), 355, NamedGroup::Secp256r1, 32);
}

#[test]
fn secp384r1() {
    check_exchange(file!("ecdh_secp384r1_ecpoint"), 790, NamedGroup::Secp384r1, 48);
}

#[cfg(feature = "pq")]
#[test]
fn ml_kem_key_pairs() {
    for vector in vectors(file!("mlkem_768_keygen_seed"), 100) {
        let [seed, public, private] = &vector.fields[..] else { panic!("three fields") };
        let (ours, key) = ml_kem::generate(&Secret::from_slice(seed)).unwrap();
        vector.check(ours == *public && key.expose() == private);
    }
}

/// The invalid keys have a wrong length or a coefficient of q or more.
#[cfg(feature = "pq")]
#[test]
fn ml_kem_encapsulation() {
    for vector in vectors(file!("mlkem_768_encaps"), 265) {
        let [public, message, ciphertext, shared] = &vector.fields[..] else { panic!("four fields") };
        let ours = ml_kem::encapsulate(public, &Secret::from_slice(message));
        vector.check(ours.is_some_and(|(c, secret)| c == *ciphertext && secret.expose() == shared));
    }
}

/// The invalid ones have a wrong length. A ciphertext that was not made for the key is valid, and gives the secret of implicit rejection.
#[cfg(feature = "pq")]
#[test]
fn ml_kem_decapsulation() {
    for vector in vectors(file!("mlkem_768"), 201) {
        let [seed, ciphertext, shared] = &vector.fields[..] else { panic!("three fields") };
        let ours =
            ml_kem::generate(&Secret::from_slice(seed)).and_then(|(_, key)| key.decapsulate(ciphertext));
        vector.check(ours.is_some_and(|secret| secret.expose() == shared));
    }
}

fn check_signatures(text: &str, count: usize, algorithm: SignatureAlgorithm) {
    for vector in vectors(text, count) {
        let [message, signature] = &vector.fields[..] else { panic!("two fields") };
        let key =
            PublicKey::from_spki(&hex(vector.key)).unwrap_or_else(|error| panic!("{}", error.to_string()));
        vector.check(key.verify(algorithm, message, signature).is_ok());
    }
}

//= rfc8446#section-4.2.3
//= type=test
//# The length of the Salt MUST be equal to the length of the output of the digest algorithm.
//= rfc8446#section-4.2.3
//= type=test
//# The length of the Salt MUST be equal to the length of the digest algorithm.
//= rfc8446#section-9.1
//= type=test
//# MUST support digital signatures with rsa_pkcs1_sha256 (for certificates), rsa_pss_rsae_sha256 (for
//# CertificateVerify and certificates), and ecdsa_secp256r1_sha256.
#[test]
fn signatures() {
    use SignatureAlgorithm::{Ecdsa, Ed25519, RsaPkcs1, RsaPss};
    use SignatureHash::{Sha256, Sha384, Sha512};
    check_signatures(file!("ecdsa_secp256r1_sha256"), 484, Ecdsa(Sha256));
    let nists = include_str!("../../tests/vectors/nist/ecdsa_secp256r1_sha384.txt");
    check_signatures(nists, 15, Ecdsa(Sha384));
    check_signatures(file!("ecdsa_secp384r1_sha384"), 504, Ecdsa(Sha384));
    check_signatures(file!("ecdsa_secp384r1_sha256"), 472, Ecdsa(Sha256));
    check_signatures(file!("ed25519"), 151, Ed25519);
    check_signatures(file!("rsa_signature_2048_sha256"), 259, RsaPkcs1(Sha256));
    check_signatures(file!("rsa_signature_3072_sha256"), 259, RsaPkcs1(Sha256));
    check_signatures(file!("rsa_signature_4096_sha256"), 258, RsaPkcs1(Sha256));
    check_signatures(file!("rsa_signature_2048_sha384"), 258, RsaPkcs1(Sha384));
    check_signatures(file!("rsa_signature_3072_sha384"), 259, RsaPkcs1(Sha384));
    check_signatures(file!("rsa_signature_4096_sha384"), 259, RsaPkcs1(Sha384));
    check_signatures(file!("rsa_signature_2048_sha512"), 259, RsaPkcs1(Sha512));
    check_signatures(file!("rsa_signature_3072_sha512"), 260, RsaPkcs1(Sha512));
    check_signatures(file!("rsa_signature_4096_sha512"), 259, RsaPkcs1(Sha512));
    check_signatures(file!("rsa_pss_2048_sha256_mgf1_32"), 108, RsaPss(Sha256));
    check_signatures(file!("rsa_pss_2048_sha256_mgf1_32_params"), 108, RsaPss(Sha256));
    check_signatures(file!("rsa_pss_3072_sha256_mgf1_32"), 108, RsaPss(Sha256));
    check_signatures(file!("rsa_pss_3072_sha256_mgf1_32_params"), 108, RsaPss(Sha256));
    check_signatures(file!("rsa_pss_4096_sha256_mgf1_32"), 108, RsaPss(Sha256));
    check_signatures(file!("rsa_pss_2048_sha384_mgf1_48"), 141, RsaPss(Sha384));
    check_signatures(file!("rsa_pss_4096_sha384_mgf1_48"), 141, RsaPss(Sha384));
    check_signatures(file!("rsa_pss_4096_sha512_mgf1_64"), 179, RsaPss(Sha512));
    check_signatures(file!("rsa_pss_4096_sha512_mgf1_64_params"), 179, RsaPss(Sha512));
}

/// The valid signatures of a file are refused all the same, because of their parameters or of their key's.
fn check_refused(text: &str, count: usize, hash: SignatureHash) {
    let valid = vectors(text, count).into_iter().filter(|vector| vector.expected == Expected::Valid);
    for vector in valid {
        let [message, signature] = &vector.fields[..] else { panic!("two fields") };
        let verified = PublicKey::from_spki(&hex(vector.key))
            .is_ok_and(|key| key.verify(SignatureAlgorithm::RsaPss(hash), message, signature).is_ok());
        assert!(!verified, "test {}", vector.number);
    }
}

/// TLS has no RSASSA-PSS but with one hash for both and a salt of its length (RFC 8446, Section 4.2.3).
#[test]
fn signatures_with_other_parameters() {
    check_refused(file!("rsa_pss_2048_sha256_mgf1_0"), 103, SignatureHash::Sha256);
    check_refused(file!("rsa_pss_2048_sha256_mgf1_0_params"), 103, SignatureHash::Sha256);
    check_refused(file!("rsa_pss_2048_sha512_mgf1sha256_32_params"), 178, SignatureHash::Sha512);
}

//= rfc8446#section-4.2.3
//= type=test
//# If the public key is carried in an X.509 certificate, it MUST use the rsaEncryption OID [RFC5280].
//= rfc8446#section-4.2.3
//= type=test
//# If the public key is carried in an X.509 certificate, it MUST use the RSASSA-PSS OID [RFC5756].
#[test]
fn rsa_keys_sign_in_the_schemes_of_their_identifier() {
    for (text, prefix) in [
        (file!("rsa_pss_2048_sha256_mgf1_32"), "rsa_pss_rsae_"),
        (file!("rsa_pss_2048_sha256_mgf1_32_params"), "rsa_pss_pss_sha256"),
    ] {
        let key = text.lines().find_map(|line| line.strip_prefix("key ")).unwrap();
        let key = PublicKey::from_spki(&hex(key)).unwrap_or_else(|error| panic!("{}", error.to_string()));
        for scheme in SignatureScheme::CERTIFICATE {
            assert_eq!(key.fits(scheme), scheme.name().starts_with(prefix), "{scheme:?}");
        }
    }
}
