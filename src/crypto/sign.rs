//! Private keys: PKCS#8, SEC1 and PKCS#1, in PEM and DER, and the signatures they make.
//!
//! The engine never holds one: it asks for a signature (`Step::Sign`), and whoever holds the key answers.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use der::{
    Decode, Reader, Tag, Tagged,
    asn1::{BitStringRef, ObjectIdentifier, OctetStringRef},
};
use ring::{
    rand::SystemRandom,
    signature::{self as ring_signature, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair},
};

use super::{
    algorithm_identifier::{AlgorithmIdentifier, curve, explicit},
    der_reader::DerReader,
    pem,
    public_key::{
        KeyAlgorithm, KeyError, PublicKey, SignatureAlgorithm, SignatureHash, check_rsa_private_key,
    },
    secret::{CURVE_STACK, without_trace},
    signature_scheme::SignatureScheme,
};

/// The PEM labels of private keys.
const LABELS: [&str; 3] = ["PRIVATE KEY", "EC PRIVATE KEY", "RSA PRIVATE KEY"];

/// A private key that signs.
///
/// ring does not wipe it when it is dropped; it is boxed, so that at least a move leaves no other copy.
pub struct SigningKey {
    algorithm: KeyAlgorithm,
    key: Box<Key>,
}

enum Key {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// The scheme does not go with the key, or the system gave no randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SigningError;

impl SigningKey {
    /// Reads the first private key of a PEM text; other blocks (EC PARAMETERS, certificates) are passed over.
    pub fn from_pem(text: &[u8]) -> Result<Self, KeyError> {
        for block in pem::Blocks::new(text) {
            let block = block.map_err(|_| KeyError::Malformed)?;
            match block.label {
                "ENCRYPTED PRIVATE KEY" => return Err(KeyError::Encrypted),
                _ if block.encrypted => return Err(KeyError::Encrypted),
                label if LABELS.contains(&label) => return Self::from_der(block.contents.expose()),
                _ => {}
            }
        }
        Err(KeyError::Missing)
    }

    /// Reads a private key in DER: PKCS#8 (RFC 5958), SEC1 (RFC 5915) or PKCS#1 (RFC 8017).
    ///
    /// All three are a SEQUENCE that opens with a version; what follows it tells them apart.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        without_trace::<CURVE_STACK, _>(|| Self::read(der))
    }

    fn read(der: &[u8]) -> Result<Self, KeyError> {
        let mut reader = DerReader::new(der);
        let body = reader.decode::<der::asn1::AnyRef<'_>>()?;
        reader.finish()?;
        if body.tag() != Tag::Sequence {
            return Err(KeyError::Malformed);
        }
        let mut inner = DerReader::new(body.value());
        if Tag::peek(&inner)? == Tag::Sequence {
            return Err(KeyError::Encrypted);
        }
        let version: u8 = inner.decode()?;
        match (Tag::peek(&inner)?, version) {
            (Tag::Sequence, 0 | 1) => Self::from_pkcs8(inner),
            (Tag::OctetString, 1) => Self::from_sec1(der, None),
            (Tag::Integer, 0) => Self::from_pkcs1(der, KeyAlgorithm::Rsa),
            _ => Err(KeyError::Malformed),
        }
    }

    /// OneAsymmetricKey after its version (RFC 5958, Section 2).
    fn from_pkcs8(mut fields: DerReader<'_>) -> Result<Self, KeyError> {
        let algorithm = AlgorithmIdentifier::decode(&mut fields)?.key()?;
        let private_key = <&OctetStringRef>::decode(&mut fields)?.as_bytes();
        match algorithm {
            KeyAlgorithm::Rsa | KeyAlgorithm::RsaPss(_) => Self::from_pkcs1(private_key, algorithm),
            KeyAlgorithm::EcdsaP256 | KeyAlgorithm::EcdsaP384 => {
                Self::from_sec1(private_key, Some(algorithm))
            }
            KeyAlgorithm::Ed25519 => Self::from_ed25519(private_key),
        }
    }

    /// ECPrivateKey (RFC 5915, Section 3); within PKCS#8 the curve stands outside.
    fn from_sec1(der: &[u8], outer: Option<KeyAlgorithm>) -> Result<Self, KeyError> {
        let mut reader = DerReader::new(der);
        let (private_key, parameters, public_key) = reader.sequence(|r: &mut DerReader<'_>| {
            let _version: u8 = r.decode()?;
            let private_key = <&OctetStringRef>::decode(r)?.as_bytes();
            let parameters = explicit(r, 0, |r| r.decode::<ObjectIdentifier>())?;
            let public_key = explicit(r, 1, |r| r.decode::<BitStringRef<'_>>())?;
            Ok::<_, der::Error>((private_key, parameters, public_key))
        })?;
        reader.finish()?;
        let inner = parameters.map(curve).transpose()?;
        let algorithm = outer.or(inner).ok_or(KeyError::Algorithm)?;
        let public_key = public_key.and_then(|k| k.as_bytes()).ok_or(KeyError::NoPublicKey)?;
        let ring_algorithm = match algorithm {
            KeyAlgorithm::EcdsaP384 => &ring_signature::ECDSA_P384_SHA384_ASN1_SIGNING,
            _ => &ring_signature::ECDSA_P256_SHA256_ASN1_SIGNING,
        };
        let random = SystemRandom::new();
        EcdsaKeyPair::from_private_key_and_public_key(ring_algorithm, private_key, public_key, &random)
            .map(|key| Self { algorithm, key: Box::new(Key::Ecdsa(key)) })
            .map_err(|_| KeyError::Inconsistent)
    }

    /// RSAPrivateKey (RFC 8017, Section A.1.2).
    fn from_pkcs1(der: &[u8], algorithm: KeyAlgorithm) -> Result<Self, KeyError> {
        check_rsa_private_key(der)?;
        let key = RsaKeyPair::from_der(der).map_err(|_| KeyError::Inconsistent)?;
        Ok(Self { algorithm, key: Box::new(Key::Rsa(key)) })
    }

    /// CurvePrivateKey (RFC 8410, Section 7).
    fn from_ed25519(der: &[u8]) -> Result<Self, KeyError> {
        let seed = <&OctetStringRef>::from_der(der)?.as_bytes();
        let key = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::Malformed)?;
        Ok(Self { algorithm: KeyAlgorithm::Ed25519, key: Box::new(Key::Ed25519(key)) })
    }

    /// The kind of key.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// Whether this is the private half of a certificate's key.
    pub fn fits(&self, public: &PublicKey) -> bool {
        self.public_bytes() == public.as_bytes()
    }

    fn public_bytes(&self) -> &[u8] {
        match &*self.key {
            Key::Rsa(key) => key.public().as_ref(),
            Key::Ecdsa(key) => key.public_key().as_ref(),
            Key::Ed25519(key) => key.public_key().as_ref(),
        }
    }

    /// Signs `message` in `scheme`.
    pub fn sign(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        if !self.algorithm.schemes().contains(&scheme) {
            return Err(SigningError);
        }
        without_trace::<CURVE_STACK, _>(|| self.sign_in(scheme, message))
    }

    fn sign_in(&self, scheme: SignatureScheme, message: &[u8]) -> Result<Vec<u8>, SigningError> {
        let random = SystemRandom::new();
        match &*self.key {
            Key::Rsa(key) => sign_rsa(key, scheme, message, &random),
            Key::Ecdsa(key) => {
                key.sign(&random, message).map(|s| s.as_ref().into()).map_err(|_| SigningError)
            }
            Key::Ed25519(key) => Ok(key.sign(message).as_ref().into()),
        }
    }
}

fn sign_rsa(
    key: &RsaKeyPair,
    scheme: SignatureScheme,
    message: &[u8],
    random: &SystemRandom,
) -> Result<Vec<u8>, SigningError> {
    let padding: &dyn ring_signature::RsaEncoding = match scheme.algorithm() {
        SignatureAlgorithm::RsaPss(SignatureHash::Sha256) => &ring_signature::RSA_PSS_SHA256,
        SignatureAlgorithm::RsaPss(SignatureHash::Sha384) => &ring_signature::RSA_PSS_SHA384,
        SignatureAlgorithm::RsaPss(SignatureHash::Sha512) => &ring_signature::RSA_PSS_SHA512,
        _ => return Err(SigningError),
    };
    let mut signature = alloc::vec![0; key.public().modulus_len()];
    key.sign(padding, random, message, &mut signature).map_err(|_| SigningError)?;
    Ok(signature)
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({:?})", self.algorithm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_rsa_key_is_refused_for_its_length() {
        let pem = include_bytes!("../../tests/vectors/x509/key-rsa-1024.pem");
        assert_eq!(SigningKey::from_pem(pem).err(), Some(KeyError::RsaSize(1024)));
    }
}
