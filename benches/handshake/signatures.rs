//! The signatures of a handshake, made and verified by ring alone.

use std::hint::black_box;

use handclasp::crypto::x509;
use ring::{
    rand::SystemRandom,
    signature::{self, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair, UnparsedPublicKey, VerificationAlgorithm},
};

use crate::{
    floor::CONTENT,
    material::{Kind, Material},
};

/// A long-term key.
pub enum Signer {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl Signer {
    pub fn new(material: &Material) -> Self {
        let key = material.key();
        let der = key.secret_pkcs8_der();
        let ecdsa =
            |algorithm| EcdsaKeyPair::from_pkcs8(algorithm, der, &SystemRandom::new()).expect("a key");
        match material.kind {
            Kind::P256 => Self::Ecdsa(ecdsa(&signature::ECDSA_P256_SHA256_ASN1_SIGNING)),
            Kind::P384 => Self::Ecdsa(ecdsa(&signature::ECDSA_P384_SHA384_ASN1_SIGNING)),
            Kind::Rsa2048 => Self::Rsa(RsaKeyPair::from_pkcs8(der).expect("a key")),
            Kind::Ed25519 => Self::Ed25519(Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).expect("a key")),
        }
    }

    pub fn sign(&self, content: &[u8]) {
        black_box(self.signature(content, &mut [0; 256]));
    }

    fn signature(&self, content: &[u8], room: &mut [u8; 256]) -> usize {
        let random = SystemRandom::new();
        let mut copy = |bytes: &[u8]| {
            room[..bytes.len()].copy_from_slice(bytes);
            bytes.len()
        };
        match self {
            Self::Ecdsa(key) => copy(key.sign(&random, content).expect("randomness").as_ref()),
            Self::Ed25519(key) => copy(key.sign(content).as_ref()),
            Self::Rsa(key) => {
                key.sign(&signature::RSA_PSS_SHA256, &random, content, room).expect("randomness");
                room.len()
            }
        }
    }
}

/// A signature that is right.
pub struct Signed {
    algorithm: &'static dyn VerificationAlgorithm,
    key: Vec<u8>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl Signed {
    pub fn verify(&self) {
        let key = UnparsedPublicKey::new(self.algorithm, &self.key);
        key.verify(&self.message, &self.signature).expect("it is right");
    }

    /// Those in the certificates of a chain, up to its authority's.
    pub fn in_chain(material: &Material) -> Vec<Self> {
        let chain = material.certificates();
        let authority = material.authority();
        let issuers = chain.iter().skip(1).chain([&authority]);
        chain
            .iter()
            .zip(issuers)
            .map(|(der, issuer)| Self::in_certificate(material.kind, der, issuer))
            .collect()
    }

    fn in_certificate(kind: Kind, der: &[u8], issuer: &[u8]) -> Self {
        let (_, certificate, _) = value(der);
        let (message, _, rest) = value(certificate);
        let (_, _, rest) = value(rest);
        let (_, signature, _) = value(rest);
        Self {
            algorithm: match kind {
                Kind::P256 => &signature::ECDSA_P256_SHA256_ASN1,
                Kind::P384 => &signature::ECDSA_P384_SHA384_ASN1,
                Kind::Rsa2048 => &signature::RSA_PKCS1_2048_8192_SHA256,
                Kind::Ed25519 => &signature::ED25519,
            },
            key: x509::public_key(issuer).expect("a key").as_bytes().to_vec(),
            message: message.to_vec(),
            // After the number of unused bits.
            signature: signature[1..].to_vec(),
        }
    }
}

/// The first DER value: all of it, its contents, and what follows it.
fn value(der: &[u8]) -> (&[u8], &[u8], &[u8]) {
    let (header, length) = match der[1] {
        length @ 0..=0x7f => (2, usize::from(length)),
        0x81 => (3, usize::from(der[2])),
        _ => (4, usize::from(u16::from_be_bytes([der[2], der[3]]))),
    };
    let (whole, rest) = der.split_at(header + length);
    (whole, &whole[header..], rest)
}

/// What a CertificateVerify proves.
pub struct Truth(Signed);

impl Truth {
    pub fn of(signer: &Signer, material: &Material) -> Self {
        let (message, mut room) = (vec![7; CONTENT], [0; 256]);
        let length = signer.signature(&message, &mut room);
        let key = x509::public_key(&material.certificates()[0]).expect("a key").as_bytes().to_vec();
        let algorithm: &'static dyn VerificationAlgorithm = match material.kind {
            Kind::P256 => &signature::ECDSA_P256_SHA256_ASN1,
            Kind::P384 => &signature::ECDSA_P384_SHA384_ASN1,
            Kind::Rsa2048 => &signature::RSA_PSS_2048_8192_SHA256,
            Kind::Ed25519 => &signature::ED25519,
        };
        Self(Signed { algorithm, key, message, signature: room[..length].to_vec() })
    }

    pub fn verify(&self) {
        self.0.verify();
    }

    /// How long the message is: header, scheme, and the signature with its length.
    pub fn message_length(&self) -> usize {
        4 + 2 + 2 + self.0.signature.len()
    }
}
