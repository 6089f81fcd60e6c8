//! Issues certificates and CRLs for tests: any field and any extension can be given, sane or not.
#![allow(dead_code, reason = "each test binary uses its own part")]

use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};

pub const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
pub const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
pub const SUBJECT_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 14];
pub const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
pub const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 17];
pub const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
pub const CRL_NUMBER: &[u8] = &[0x55, 0x1d, 20];
pub const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 30];
pub const CERTIFICATE_POLICIES: &[u8] = &[0x55, 0x1d, 32];
pub const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 35];
pub const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
const ID_EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const SECP256R1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const ECDSA_WITH_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];

/// One DER value.
pub fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len();
    let mut der = match length {
        0..=0x7f => vec![tag, length as u8],
        0x80..=0xff => vec![tag, 0x81, length as u8],
        0x100..=0xffff => vec![tag, 0x82, (length >> 8) as u8, length as u8],
        _ => vec![tag, 0x83, (length >> 16) as u8, (length >> 8) as u8, length as u8],
    };
    der.extend(contents);
    der
}

pub fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

pub fn oid(bytes: &[u8]) -> Vec<u8> {
    tlv(6, bytes)
}

pub fn name(common_name: &str) -> Vec<u8> {
    sequence(&[tlv(0x31, &sequence(&[oid(&[0x55, 4, 3]), tlv(0x0c, common_name.as_bytes())]))])
}

/// A P-256 key.
pub struct Key(EcdsaKeyPair);

impl Key {
    pub fn generate() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
        Self(EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref(), &random).unwrap())
    }

    fn spki(&self) -> Vec<u8> {
        let algorithm = sequence(&[oid(ID_EC_PUBLIC_KEY), oid(SECP256R1)]);
        sequence(&[algorithm, bit_string(self.0.public_key().as_ref())])
    }

    pub fn identifier(&self) -> &[u8] {
        &self.0.public_key().as_ref()[1..9]
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }
}

fn bit_string(bytes: &[u8]) -> Vec<u8> {
    tlv(3, &[&[0], bytes].concat())
}

/// The fields of a certificate to be, each in DER, and its extensions one by one.
pub struct Parts {
    pub version: Vec<u8>,
    pub serial: Vec<u8>,
    /// The signature algorithm as the signed part names it.
    pub signature: Vec<u8>,
    pub issuer: Vec<u8>,
    pub validity: Vec<u8>,
    pub subject: Vec<u8>,
    pub spki: Vec<u8>,
    pub unique_identifiers: Vec<u8>,
    pub extensions: Vec<Vec<u8>>,
    /// The signature algorithm as it stands beside the signature.
    pub algorithm: Vec<u8>,
}

impl Parts {
    fn sign(self, key: &Key) -> Vec<u8> {
        let Self { version, serial, signature, issuer, validity, subject, spki, .. } = self;
        let extensions = tlv(0xa3, &sequence(&self.extensions));
        let last = [self.unique_identifiers, extensions].concat();
        let tbs = sequence(&[version, serial, signature, issuer, validity, subject, spki, last]);
        signed(tbs, self.algorithm, key)
    }
}

/// A certificate or a CRL: what is signed, with which algorithm, and the signature.
fn signed(tbs: Vec<u8>, algorithm: Vec<u8>, key: &Key) -> Vec<u8> {
    let signature = key.sign(&tbs);
    sequence(&[tbs, algorithm, bit_string(&signature)])
}

/// A certificate to be.
#[derive(Clone)]
pub struct Template<'k> {
    pub subject: String,
    pub key: &'k Key,
    pub serial: u8,
    /// Years: from the first of January of the one to that of the other.
    pub years: (u16, u16),
    /// Whether it is a CA's, and its pathLenConstraint.
    pub ca: Option<Option<u8>>,
    /// Whether it names its key and its issuer's.
    pub key_identifiers: bool,
    pub purposes: Vec<&'static [u8]>,
    /// dNSNames.
    pub names: Vec<String>,
    /// dNSNames of nameConstraints.
    pub permitted: Vec<String>,
    pub excluded: Vec<String>,
    /// Further extensions: object identifier, critical, contents.
    pub others: Vec<(&'static [u8], bool, Vec<u8>)>,
}

impl<'k> Template<'k> {
    pub fn new(subject: &str, key: &'k Key) -> Self {
        Self {
            subject: subject.into(),
            key,
            serial: 1,
            years: (2020, 2040),
            ca: None,
            key_identifiers: true,
            purposes: Vec::new(),
            names: Vec::new(),
            permitted: Vec::new(),
            excluded: Vec::new(),
            others: Vec::new(),
        }
    }

    /// Issues it.
    pub fn issue(&self, issuer: &str, issuer_key: &Key) -> Vec<u8> {
        self.issue_edited(issuer, issuer_key, |_| {})
    }

    /// Issues it after a change of its parts.
    pub fn issue_edited(&self, issuer: &str, issuer_key: &Key, edit: impl FnOnce(&mut Parts)) -> Vec<u8> {
        let time = |year: u16| tlv(0x17, format!("{:02}0101000000Z", year % 100).as_bytes());
        let algorithm = sequence(&[oid(ECDSA_WITH_SHA256)]);
        let mut parts = Parts {
            version: tlv(0xa0, &tlv(2, &[2])),
            serial: tlv(2, &[self.serial]),
            signature: algorithm.clone(),
            issuer: name(issuer),
            validity: sequence(&[time(self.years.0), time(self.years.1)]),
            subject: name(&self.subject),
            spki: self.key.spki(),
            unique_identifiers: Vec::new(),
            extensions: self.extensions(issuer_key),
            algorithm,
        };
        edit(&mut parts);
        parts.sign(issuer_key)
    }

    fn extensions(&self, issuer_key: &Key) -> Vec<Vec<u8>> {
        let mut extensions = Vec::new();
        if self.key_identifiers {
            let issuers = sequence(&[tlv(0x80, issuer_key.identifier())]);
            extensions.push(extension(SUBJECT_KEY_IDENTIFIER, false, &tlv(4, self.key.identifier())));
            extensions.push(extension(AUTHORITY_KEY_IDENTIFIER, false, &issuers));
        }
        let usage: &[u8] = if self.ca.is_some() { &[1, 6] } else { &[7, 0x80] };
        extensions.push(extension(KEY_USAGE, true, &tlv(3, usage)));
        if let Some(path_length) = self.ca {
            let limit = path_length.map(|limit| tlv(2, &[limit])).unwrap_or_default();
            extensions.push(extension(BASIC_CONSTRAINTS, true, &sequence(&[tlv(1, &[0xff]), limit])));
        }
        if !self.purposes.is_empty() {
            let purposes: Vec<_> = self.purposes.iter().map(|purpose| oid(purpose)).collect();
            extensions.push(extension(EXTENDED_KEY_USAGE, false, &sequence(&purposes)));
        }
        if !self.names.is_empty() {
            let names: Vec<_> = self.names.iter().map(|name| tlv(0x82, name.as_bytes())).collect();
            extensions.push(extension(SUBJECT_ALT_NAME, false, &sequence(&names)));
        }
        if !(self.permitted.is_empty() && self.excluded.is_empty()) {
            let lists = [subtrees(0xa0, &self.permitted), subtrees(0xa1, &self.excluded)];
            extensions.push(extension(NAME_CONSTRAINTS, true, &sequence(&lists)));
        }
        let others = self.others.iter().map(|(id, critical, contents)| extension(id, *critical, contents));
        extensions.extend(others);
        extensions
    }
}

pub fn extension(id: &[u8], critical: bool, contents: &[u8]) -> Vec<u8> {
    let critical = if critical { tlv(1, &[0xff]) } else { Vec::new() };
    sequence(&[oid(id), critical, tlv(4, contents)])
}

fn subtrees(tag: u8, names: &[String]) -> Vec<u8> {
    if names.is_empty() {
        return Vec::new();
    }
    let subtrees: Vec<_> = names.iter().map(|name| sequence(&[tlv(0x82, name.as_bytes())])).collect();
    tlv(tag, &subtrees.concat())
}

/// A CRL to be: issued in 2030, for a year.
pub struct Crl {
    /// Of version 2; empty for one of version 1.
    pub version: Vec<u8>,
    /// The signature algorithm as the signed part names it.
    pub signature: Vec<u8>,
    pub issuer: Vec<u8>,
    pub this_update: Vec<u8>,
    pub next_update: Vec<u8>,
    /// revokedCertificates, or nothing.
    pub revoked: Vec<u8>,
    pub extensions: Vec<Vec<u8>>,
}

impl Crl {
    pub fn new(issuer: &str) -> Self {
        Self {
            version: tlv(2, &[1]),
            signature: sequence(&[oid(ECDSA_WITH_SHA256)]),
            issuer: name(issuer),
            this_update: tlv(0x17, b"300101000000Z"),
            next_update: tlv(0x17, b"310101000000Z"),
            revoked: Vec::new(),
            extensions: vec![extension(CRL_NUMBER, false, &tlv(2, &[1]))],
        }
    }

    /// Issues it.
    pub fn issue(self, key: &Key) -> Vec<u8> {
        let Self { version, signature, issuer, this_update, next_update, revoked, .. } = self;
        let extensions = match self.extensions.as_slice() {
            [] => Vec::new(),
            extensions => tlv(0xa0, &sequence(extensions)),
        };
        let tbs = sequence(&[version, signature, issuer, this_update, next_update, revoked, extensions]);
        signed(tbs, sequence(&[oid(ECDSA_WITH_SHA256)]), key)
    }
}

/// An entry of revokedCertificates.
pub fn revoked(serial: &[u8], extensions: &[Vec<u8>]) -> Vec<u8> {
    let extensions = if extensions.is_empty() { Vec::new() } else { sequence(extensions) };
    sequence(&[tlv(2, serial), tlv(0x17, b"290101000000Z"), extensions])
}
