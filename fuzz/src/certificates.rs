//! Certificates as small as they can be: DER by hand, and one key that signs for everybody.

use handclasp::crypto::x509::TrustStore;
use ring::signature::{Ed25519KeyPair, KeyPair};

/// The contents of a constructed or primitive value behind its tag and length.
pub fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let contents = parts.concat();
    let length = contents.len();
    let mut der = vec![tag];
    match length {
        0..=127 => der.push(length as u8),
        128..=255 => der.extend_from_slice(&[0x81, length as u8]),
        _ => der.extend_from_slice(&[0x82, (length >> 8) as u8, length as u8]),
    }
    der.extend_from_slice(&contents);
    der
}

const SEQUENCE: u8 = 0x30;
const ED25519: &[u8] = b"\x30\x05\x06\x03\x2b\x65\x70";
const BEGINNING: &[u8] = b"\x17\x0d200101000000Z\x17\x0d400101000000Z";

fn pair() -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(&[3; 32]).expect("32 bytes")
}

/// SubjectPublicKeyInfo of the one key.
pub fn spki() -> Vec<u8> {
    tlv(SEQUENCE, &[ED25519, &tlv(3, &[&[0], pair().public_key().as_ref()])])
}

/// A name of one commonName.
pub fn name(common: &str) -> Vec<u8> {
    let attribute = tlv(SEQUENCE, &[b"\x06\x03\x55\x04\x03", &tlv(12, &[common.as_bytes()])]);
    tlv(SEQUENCE, &[&tlv(0x31, &[&attribute])])
}

/// An extension of id-ce (2.5.29).
pub fn extension(arc: u8, critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { b"\x01\x01\xff" } else { b"" };
    tlv(SEQUENCE, &[&[6, 3, 0x55, 0x1d, arc], critical, &tlv(4, &[value])])
}

/// A TBSCertificate under the one key.
pub fn to_be_signed(issuer: &str, subject: &str, extensions: &[Vec<u8>]) -> Vec<u8> {
    let extensions = tlv(SEQUENCE, &extensions.iter().map(Vec::as_slice).collect::<Vec<_>>());
    tlv(
        SEQUENCE,
        &[
            b"\xa0\x03\x02\x01\x02\x02\x01\x05",
            ED25519,
            &name(issuer),
            &tlv(SEQUENCE, &[BEGINNING]),
            &name(subject),
            &spki(),
            &tlv(0xa3, &[&extensions]),
        ],
    )
}

/// subjectKeyIdentifier and authorityKeyIdentifier: everybody has the one key.
pub fn key_identifiers() -> [Vec<u8>; 2] {
    [extension(14, false, b"\x04\x02id"), extension(35, false, b"\x30\x04\x80\x02id")]
}

/// The extensions of a CA with some more.
pub fn authority_extensions(more: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut extensions = key_identifiers().to_vec();
    extensions.push(extension(19, true, b"\x30\x03\x01\x01\xff"));
    extensions.push(extension(15, true, b"\x03\x02\x01\x06"));
    extensions.extend_from_slice(more);
    extensions
}

/// The extensions of server.test with some more.
pub fn server_extensions(more: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut extensions = key_identifiers().to_vec();
    extensions.push(extension(17, false, b"\x30\x0d\x82\x0bserver.test"));
    extensions.push(extension(15, true, b"\x03\x02\x07\x80"));
    extensions.push(extension(37, false, b"\x30\x0a\x06\x08\x2b\x06\x01\x05\x05\x07\x03\x01"));
    extensions.extend_from_slice(more);
    extensions
}

/// A TBSCertList of "CN=A" that revokes the serial number 9, and all that have the number 5 if asked to.
pub fn revocations(of_everybody: bool) -> Vec<u8> {
    let serial = if of_everybody { 5 } else { 9 };
    let entry = tlv(SEQUENCE, &[&[2, 1, serial], b"\x17\x0d250101000000Z"]);
    let [_, authority_key_identifier] = key_identifiers();
    let number = extension(20, false, b"\x02\x01\x01");
    let extensions = tlv(SEQUENCE, &[&authority_key_identifier, &number]);
    let parts: [&[u8]; 6] = [
        b"\x02\x01\x01",
        ED25519,
        &name("A"),
        BEGINNING,
        &tlv(SEQUENCE, &[&entry]),
        &tlv(0xa0, &[&extensions]),
    ];
    tlv(SEQUENCE, &parts)
}

/// Signs whatever was to be signed (a certificate or a CRL) with the one key.
pub fn sign(to_be_signed: &[u8]) -> Vec<u8> {
    let signature = pair().sign(to_be_signed);
    tlv(SEQUENCE, &[to_be_signed, ED25519, &tlv(3, &[&[0], signature.as_ref()])])
}

/// The store that trusts "CN=A", who has the one key.
pub fn store() -> TrustStore {
    let mut store = TrustStore::empty();
    store.add(&sign(&to_be_signed("A", "A", &authority_extensions(&[]))), "the anchor");
    assert!(store.len() == 1 && store.set_aside().is_empty(), "{:?}", store.set_aside());
    store
}
