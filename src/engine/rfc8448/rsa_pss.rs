//! RSASSA-PSS verification (RFC 8017, Section 8.1.2) for the traces' keys of 1024 bits, with SHA-256 and e = 65537.

use alloc::{vec, vec::Vec};

use crate::crypto::hash::Hash;

/// Whether `signature` is one over `message` under the RSA key inside `certificate`.
pub(super) fn verifies(certificate: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let encoded = public(&modulus_of(certificate), signature);
    let digest = Hash::Sha256.digest(message);
    is_encoding(&encoded, digest.as_ref())
}

/// The modulus in the certificate: an INTEGER of 129 bytes, the first of them zero.
fn modulus_of(certificate: &[u8]) -> Vec<u8> {
    let header = [0x02, 0x81, 0x81, 0x00];
    let at = certificate.windows(4).position(|window| window == header).expect("an RSA modulus") + 4;
    certificate[at..at + 128].into()
}

/// EMSA-PSS-VERIFY (RFC 8017, Section 9.1.2) with emBits = 1023 and a salt of 32 bytes.
fn is_encoding(encoded: &[u8], digest: &[u8]) -> bool {
    let (masked, rest) = encoded.split_at(95);
    let (h, trailer) = rest.split_at(32);
    let mask = (0_u32..3)
        .flat_map(|counter| Hash::Sha256.digest(&[h, &counter.to_be_bytes()].concat()).as_ref().to_vec());
    let mut data_block: Vec<u8> = masked.iter().zip(mask).map(|(byte, mask)| byte ^ mask).collect();
    data_block[0] &= 0x7f;
    let (padding, salt) = data_block.split_at(63);
    let expected = Hash::Sha256.digest(&[&[0; 8], digest, salt].concat());
    trailer == [0xbc] && padding == [vec![0; 62], vec![1]].concat() && h == expected.as_ref()
}

/// RSAVP1: signature ^ 65537 mod modulus.
fn public(modulus: &[u8], signature: &[u8]) -> Vec<u8> {
    let (modulus, base) = (limbs(modulus), limbs(signature));
    let power = (0..16).fold(base.clone(), |power, _| multiply(&power, &power, &modulus));
    multiply(&power, &base, &modulus).iter().rev().skip(1).flat_map(|limb| limb.to_be_bytes()).collect()
}

/// Little-endian limbs of 64 bits, and one more for carries.
fn limbs(bytes: &[u8]) -> Vec<u64> {
    let limb = |chunk: &[u8]| chunk.iter().fold(0, |limb, byte| limb << 8 | u64::from(*byte));
    bytes.rchunks(8).map(limb).chain([0]).collect()
}

/// a * b mod n, a bit of `a` at a time.
fn multiply(a: &[u64], b: &[u64], n: &[u64]) -> Vec<u64> {
    let mut product = vec![0; n.len()];
    for limb in a.iter().rev() {
        for bit in (0..64).rev() {
            let doubled = product.clone();
            add(&mut product, &doubled, n);
            if limb >> bit & 1 == 1 {
                add(&mut product, b, n);
            }
        }
    }
    product
}

/// a + b mod n, into a.
fn add(a: &mut [u64], b: &[u64], n: &[u64]) {
    let mut carry = 0;
    for (a, b) in a.iter_mut().zip(b) {
        let sum = u128::from(*a) + u128::from(*b) + carry;
        (*a, carry) = (sum as u64, sum >> 64);
    }
    if a.iter().rev().ge(n.iter().rev()) {
        let mut borrow = false;
        for (a, n) in a.iter_mut().zip(n) {
            let (once, first) = a.overflowing_sub(*n);
            let (twice, second) = once.overflowing_sub(u64::from(borrow));
            (*a, borrow) = (twice, first || second);
        }
    }
}
