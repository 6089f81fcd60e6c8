//! Private keys, in every form in which files and ring have them.

use std::path::{Path, PathBuf};

use der::{Decode, Reader, SliceReader, asn1::UintRef};
use handclasp::crypto::pem::Blocks;
use ring::digest;

use crate::subject::{Case, MASK, MASKED_SEED};

/// The file of a key in PKCS#8 and PEM; its certificate is beside it, and has the public key.
#[derive(Clone, Copy)]
pub(crate) struct KeyFile {
    path: &'static str,
    /// How SubjectPublicKeyInfo begins (RFC 5480, RFC 3279), and how long it is.
    pub(crate) spki_head: &'static [u8],
    pub(crate) spki_length: usize,
}

impl KeyFile {
    pub(crate) fn path(self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join(self.path)
    }
}

const P256: KeyFile = KeyFile {
    path: "tests/vectors/agent/server.key",
    spki_head: b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00",
    spki_length: 91,
};
const P384: KeyFile = KeyFile {
    path: "benches/certificates/p384-server.key",
    spki_head:
        b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00",
    spki_length: 120,
};
const RSA: KeyFile = KeyFile {
    path: "benches/certificates/rsa2048-server.key",
    spki_head:
        b"\x30\x82\x01\x22\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00\x03\x82\x01\x0f\x00",
    spki_length: 294,
};

/// Where a case has its private key from; the Ed25519 key is in this program, masked.
pub(crate) fn file(case: Case) -> Option<KeyFile> {
    match case {
        Case::Certificate => Some(P256),
        Case::P384 => Some(P384),
        Case::Rsa => Some(RSA),
        Case::Mutual | Case::Psk | Case::ImportedPsk => None,
    }
}

/// The private key as its file has it, and as ring keeps it; of an RSA key also what one of its signatures shows of it.
pub(crate) fn needles(case: Case, signature: Option<&[u8]>) -> Vec<(&'static str, Vec<u8>)> {
    match case {
        // PKCS#8, and in it SEC1, begin with so many bytes that are the same in all keys of the curve.
        Case::Certificate => curve_needles(P256, 36, &P256_ORDER),
        Case::P384 => curve_needles(P384, 35, &P384_ORDER),
        Case::Mutual => ed25519_needles(),
        Case::Rsa => rsa_needles(signature.expect("the server signed")),
        Case::Psk | Case::ImportedPsk => Vec::new(),
    }
}

/// The contents of a key file, and some characters of a line of its base64.
fn read(file: KeyFile, line: usize, characters: std::ops::Range<usize>) -> (Vec<u8>, Vec<u8>) {
    let text = std::fs::read(file.path()).expect("the key file");
    let block = Blocks::new(&text).next().expect("a block").expect("PEM");
    let line = text.split(|byte| *byte == b'\n').nth(line).expect("a line");
    (block.contents.expose().into(), line[characters].into())
}

fn curve_needles(file: KeyFile, at: usize, order: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    // Characters 48 to 64 of the first line of base64 are 12 bytes of the scalar.
    let (contents, text) = read(file, 1, 48..64);
    let scalar = &contents[at..at + order.len()];
    let in_rings_form = limbs(&doubled(scalar, 8 * order.len(), order));
    vec![
        ("private key", scalar.into()),
        ("private key in ring's form", in_rings_form),
        ("private key in PEM", text),
    ]
}

fn ed25519_needles() -> Vec<(&'static str, Vec<u8>)> {
    let seed = MASKED_SEED.map(|byte| byte ^ MASK);
    // RFC 8032, Section 5.1.5: the first and the last byte of the scalar are changed, and the prefix not.
    let hash = digest::digest(&digest::SHA512, &seed);
    vec![
        ("private key", seed.into()),
        ("private key in ring's form", hash.as_ref()[1..31].into()),
        ("prefix of the private key", hash.as_ref()[32..].into()),
    ]
}

/// The numbers of RSAPrivateKey (RFC 8017, Section A.1.2), and what ring makes of them: words in the machine's order; 1 times R^3 modulo
/// each prime, and qInv times R modulo p, for Montgomery's multiplication; and when it signs, the signature modulo each prime: who has one
/// of these and the signature has the key.
fn rsa_needles(signature: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let (contents, text) = read(RSA, 12, 0..64);
    let [_, _, d, p, q, dp, dq, q_inverse] = rsa_numbers(&contents);
    let bits = 8 * p.len();
    let mut one = vec![0; p.len()];
    one[p.len() - 1] = 1;
    vec![
        ("private key in PEM", text),
        ("p", limbs(&p)),
        ("q", limbs(&q)),
        ("dP", limbs(&dp)),
        ("dQ", limbs(&dq)),
        ("R^3 mod p", limbs(&doubled(&one, 3 * bits, &p))),
        ("R^2 mod p", limbs(&doubled(&one, 2 * bits, &p))),
        ("R^3 mod q", limbs(&doubled(&one, 3 * bits, &q))),
        ("R^2 mod q", limbs(&doubled(&one, 2 * bits, &q))),
        ("qInv in ring's form", limbs(&doubled(&q_inverse, bits, &p))),
        ("d", limbs(&d)),
        ("qInv", limbs(&q_inverse)),
        ("a signature mod p", limbs(&reduced(signature, &p))),
        ("a signature mod q", limbs(&reduced(signature, &q))),
    ]
}

/// n, e, d, p, q, dP, dQ and qInv of a PKCS#8 file.
fn rsa_numbers(pkcs8: &[u8]) -> [Vec<u8>; 8] {
    // A version, an AlgorithmIdentifier, and an OCTET STRING with a SEQUENCE, whose first is another version.
    let mut reader = SliceReader::new(&pkcs8[26..]).expect("RSAPrivateKey");
    reader
        .sequence(|numbers: &mut SliceReader<'_>| {
            u8::decode(numbers)?;
            let mut next = || UintRef::decode(numbers).map(|number| number.as_bytes().to_vec());
            Ok::<_, der::Error>([next()?, next()?, next()?, next()?, next()?, next()?, next()?, next()?])
        })
        .expect("eight numbers")
}

/// The order of P-256 (FIPS 186-5), big-endian like all numbers here.
const P256_ORDER: [u8; 32] = *b"\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xbc\xe6\xfa\xad\xa7\x17\x9e\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51";
/// The order of P-384.
const P384_ORDER: [u8; 48] = *b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xc7\x63\x4d\x81\xf4\x37\x2d\xdf\x58\x1a\x0d\xb2\x48\xb0\xa7\x7a\xec\xec\x19\x6a\xcc\xc5\x29\x73";

/// In memory: little-endian.
fn limbs(number: &[u8]) -> Vec<u8> {
    number.iter().rev().copied().collect()
}

/// A number of the modulus's length times a power of two, reduced: with the modulus's own size, Montgomery's form.
fn doubled(number: &[u8], times: usize, modulus: &[u8]) -> Vec<u8> {
    let mut value = [&vec![0; modulus.len() - number.len()], number].concat();
    (0..times).for_each(|_| shift_in(&mut value, 0, modulus));
    value
}

fn reduced(number: &[u8], modulus: &[u8]) -> Vec<u8> {
    let mut value = vec![0; modulus.len()];
    let bits = number.iter().flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1));
    bits.for_each(|bit| shift_in(&mut value, bit, modulus));
    value
}

/// Doubles a reduced value and adds a bit.
fn shift_in(value: &mut [u8], bit: u8, modulus: &[u8]) {
    let carry = value[0] >> 7;
    for at in 0..value.len() {
        value[at] = value[at] << 1 | value.get(at + 1).map_or(bit, |next| next >> 7);
    }
    if carry == 1 || value[..] >= modulus[..] {
        let mut borrow = false;
        for (byte, modulus) in value.iter_mut().zip(modulus).rev() {
            let (difference, less) = byte.overflowing_sub(*modulus);
            let (difference, again) = difference.overflowing_sub(borrow.into());
            (*byte, borrow) = (difference, less || again);
        }
    }
}
