//! Public keys of certificates, and the signatures they verify.

use alloc::boxed::Box;
use core::fmt;

use der::{
    Decode, Reader,
    asn1::{BitStringRef, UintRef},
};
use ring::signature as ring_signature;

use super::{
    algorithm_identifier::AlgorithmIdentifier, der_reader::DerReader, signature_scheme::SignatureScheme,
};

/// RSA moduli in bits: below is weak, above costs a peer nothing to send and us much to verify.
const RSA_BITS: core::ops::RangeInclusive<usize> = 2048..=4096;

/// A hash of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureHash {
    /// SHA-256
    Sha256,
    /// SHA-384
    Sha384,
    /// SHA-512
    Sha512,
}

/// The algorithm of a signature, without the curve: in a certificate any curve goes with any hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureAlgorithm {
    /// RSASSA-PKCS1-v1_5
    RsaPkcs1(SignatureHash),
    /// RSASSA-PSS: MGF1 with the same hash, and a salt as long as the hash
    RsaPss(SignatureHash),
    /// ECDSA
    Ecdsa(SignatureHash),
    /// Ed25519
    Ed25519,
}

/// The kind of a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyAlgorithm {
    /// rsaEncryption
    Rsa,
    /// id-RSASSA-PSS, restricted to one hash if its parameters say so (RFC 4055, Section 1.2)
    RsaPss(Option<SignatureHash>),
    /// id-ecPublicKey on secp256r1
    EcdsaP256,
    /// id-ecPublicKey on secp384r1
    EcdsaP384,
    /// id-Ed25519
    Ed25519,
}

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// It is not well-formed DER, or not of the structure it should have.
    Malformed,
    /// Its algorithm or curve is not supported.
    Algorithm,
    /// The hash of a signature is MD5 or SHA-1.
    WeakHash,
    /// RSA with fewer than 2048 or more than 4096 bits, or a number of bits that no key generator chooses: the number.
    RsaSize(usize),
    /// An EC private key without its public key (`openssl pkcs8` or `openssl ec` write it).
    NoPublicKey,
    /// The private key is encrypted.
    Encrypted,
    /// Its parts do not fit together.
    Inconsistent,
    /// There is no private key in the file.
    Missing,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed => f.write_str("the key is malformed"),
            Self::Algorithm => {
                f.write_str("the key's algorithm is not supported (RSA, P-256, P-384 and Ed25519 are)")
            }
            Self::WeakHash => f.write_str("MD5 and SHA-1 are broken"),
            Self::RsaSize(bits) => {
                write!(f, "an RSA key of {bits} bits is not of whole octets in {RSA_BITS:?}")
            }
            Self::NoPublicKey => {
                f.write_str("the EC private key lacks its public key (convert it with `openssl pkey`)")
            }
            Self::Encrypted => f.write_str("the private key is encrypted (decrypt it with `openssl pkey`)"),
            Self::Inconsistent => f.write_str("the private key's parts do not fit together"),
            Self::Missing => f.write_str("no private key found"),
        }
    }
}

impl From<der::Error> for KeyError {
    fn from(_: der::Error) -> Self {
        Self::Malformed
    }
}

/// A signature did not verify, or its algorithm does not go with the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSignature;

/// A public key from a certificate.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    algorithm: KeyAlgorithm,
    /// RSAPublicKey in DER, an uncompressed point, or 32 bytes of Ed25519: what `subjectPublicKey` holds.
    bytes: Bytes,
}

/// The longest point of a curve of ours, on secp384r1.
const MAX_POINT: usize = 97;

/// The bytes of a key; those of elliptic curves need no heap.
#[derive(Clone, PartialEq, Eq)]
enum Bytes {
    /// So many, with zeros after them.
    Few(usize, [u8; MAX_POINT]),
    Many(Box<[u8]>),
}

impl From<&[u8]> for Bytes {
    fn from(bytes: &[u8]) -> Self {
        let mut few = [0; MAX_POINT];
        match few.get_mut(..bytes.len()) {
            Some(place) => {
                place.copy_from_slice(bytes);
                Self::Few(bytes.len(), few)
            }
            None => Self::Many(bytes.into()),
        }
    }
}

impl Bytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Few(length, bytes) => bytes.get(..*length).unwrap_or_default(),
            Self::Many(bytes) => bytes,
        }
    }
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo in DER (RFC 5280, Section 4.1.2.7).
    pub fn from_spki(spki: &[u8]) -> Result<Self, KeyError> {
        let mut reader = DerReader::new(spki);
        let (algorithm, key) = reader.sequence(|r| {
            let algorithm = AlgorithmIdentifier::decode(r)?;
            Ok::<_, der::Error>((algorithm, r.decode::<BitStringRef<'_>>()?))
        })?;
        reader.finish()?;
        let bytes = key.as_bytes().ok_or(KeyError::Malformed)?;
        Self::new(algorithm.key()?, bytes)
    }

    pub(crate) fn new(algorithm: KeyAlgorithm, bytes: &[u8]) -> Result<Self, KeyError> {
        let well_formed = match algorithm {
            KeyAlgorithm::Rsa | KeyAlgorithm::RsaPss(_) => {
                check_rsa_size(rsa_modulus_bits(bytes)?)?;
                true
            }
            KeyAlgorithm::EcdsaP256 => bytes.len() == 65 && bytes.first() == Some(&4),
            KeyAlgorithm::EcdsaP384 => bytes.len() == 97 && bytes.first() == Some(&4),
            KeyAlgorithm::Ed25519 => bytes.len() == 32,
        };
        if well_formed { Ok(Self { algorithm, bytes: bytes.into() }) } else { Err(KeyError::Malformed) }
    }

    /// The kind of key.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The bits of its modulus, if it is one of RSA.
    pub fn rsa_bits(&self) -> Option<usize> {
        match self.algorithm {
            KeyAlgorithm::Rsa | KeyAlgorithm::RsaPss(_) => rsa_modulus_bits(self.as_bytes()).ok(),
            _ => None,
        }
    }

    /// The bytes of `subjectPublicKey`.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    /// Verifies a signature of a certificate or a CRL: any hash goes with any curve.
    pub fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        let ring_algorithm = self.ring_algorithm(algorithm).ok_or(BadSignature)?;
        ring_signature::UnparsedPublicKey::new(ring_algorithm, self.as_bytes())
            .verify(message, signature)
            .map_err(|_| BadSignature)
    }

    /// Whether a CertificateVerify under this key may use `scheme` (RFC 8446, Section 4.2.3: the curve is part of it).
    pub fn fits(&self, scheme: SignatureScheme) -> bool {
        self.algorithm.schemes().contains(&scheme)
    }

    /// Verifies a signature of a TLS message; a scheme that does not fit the key fails.
    pub fn verify_scheme(
        &self,
        scheme: SignatureScheme,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        if !self.fits(scheme) {
            return Err(BadSignature);
        }
        self.verify(scheme.algorithm(), message, signature)
    }

    fn ring_algorithm(
        &self,
        algorithm: SignatureAlgorithm,
    ) -> Option<&'static dyn ring_signature::VerificationAlgorithm> {
        use KeyAlgorithm as K;
        use SignatureAlgorithm as A;
        use SignatureHash::{Sha256, Sha384, Sha512};
        Some(match (self.algorithm, algorithm) {
            (K::Rsa, A::RsaPkcs1(Sha256)) => &ring_signature::RSA_PKCS1_2048_8192_SHA256,
            (K::Rsa, A::RsaPkcs1(Sha384)) => &ring_signature::RSA_PKCS1_2048_8192_SHA384,
            (K::Rsa, A::RsaPkcs1(Sha512)) => &ring_signature::RSA_PKCS1_2048_8192_SHA512,
            //= rfc8446#section-4.2.3
            //# the parameters in the signature MUST be identical to those in the public key.
            (K::RsaPss(Some(only)), A::RsaPss(hash)) if only != hash => return None,
            //= rfc8446#section-4.2.3
            //# The length of the Salt MUST be equal to the length of the output of the digest algorithm.
            //= rfc8446#section-4.2.3
            //# The length of the Salt MUST be equal to the length of the digest algorithm.
            (K::Rsa | K::RsaPss(_), A::RsaPss(Sha256)) => &ring_signature::RSA_PSS_2048_8192_SHA256,
            (K::Rsa | K::RsaPss(_), A::RsaPss(Sha384)) => &ring_signature::RSA_PSS_2048_8192_SHA384,
            (K::Rsa | K::RsaPss(_), A::RsaPss(Sha512)) => &ring_signature::RSA_PSS_2048_8192_SHA512,
            (K::EcdsaP256, A::Ecdsa(Sha256)) => &ring_signature::ECDSA_P256_SHA256_ASN1,
            (K::EcdsaP256, A::Ecdsa(Sha384)) => &ring_signature::ECDSA_P256_SHA384_ASN1,
            (K::EcdsaP384, A::Ecdsa(Sha256)) => &ring_signature::ECDSA_P384_SHA256_ASN1,
            (K::EcdsaP384, A::Ecdsa(Sha384)) => &ring_signature::ECDSA_P384_SHA384_ASN1,
            (K::Ed25519, A::Ed25519) => &ring_signature::ED25519,
            _ => return None,
        })
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({:?})", self.algorithm)
    }
}

impl KeyAlgorithm {
    /// The schemes in which a key of this kind signs TLS messages, the preferred one first.
    pub fn schemes(self) -> &'static [SignatureScheme] {
        use SignatureScheme as S;
        match self {
            //= rfc8446#section-4.2.3
            //# If the public key is carried in an X.509 certificate, it MUST use the rsaEncryption OID
            //# [RFC5280].
            //= rfc8446#section-4.4.3
            //# RSA signatures MUST use an RSASSA-PSS algorithm
            Self::Rsa => &[S::RsaPssRsaeSha256, S::RsaPssRsaeSha384, S::RsaPssRsaeSha512],
            //= rfc8446#section-4.2.3
            //# If the public key is carried in an X.509 certificate, it MUST use the RSASSA-PSS OID
            //# [RFC5756].
            Self::RsaPss(None) => &[S::RsaPssPssSha256, S::RsaPssPssSha384, S::RsaPssPssSha512],
            Self::RsaPss(Some(SignatureHash::Sha256)) => &[S::RsaPssPssSha256],
            Self::RsaPss(Some(SignatureHash::Sha384)) => &[S::RsaPssPssSha384],
            Self::RsaPss(Some(SignatureHash::Sha512)) => &[S::RsaPssPssSha512],
            Self::EcdsaP256 => &[S::EcdsaSecp256r1Sha256],
            Self::EcdsaP384 => &[S::EcdsaSecp384r1Sha384],
            Self::Ed25519 => &[S::Ed25519],
        }
    }
}

impl SignatureScheme {
    /// The scheme's algorithm, without its curve.
    pub fn algorithm(self) -> SignatureAlgorithm {
        use SignatureAlgorithm::{Ecdsa, RsaPkcs1, RsaPss};
        use SignatureHash::{Sha256, Sha384, Sha512};
        match self {
            Self::RsaPkcs1Sha256 => RsaPkcs1(Sha256),
            Self::RsaPkcs1Sha384 => RsaPkcs1(Sha384),
            Self::RsaPkcs1Sha512 => RsaPkcs1(Sha512),
            Self::EcdsaSecp256r1Sha256 => Ecdsa(Sha256),
            Self::EcdsaSecp384r1Sha384 => Ecdsa(Sha384),
            Self::RsaPssRsaeSha256 | Self::RsaPssPssSha256 => RsaPss(Sha256),
            Self::RsaPssRsaeSha384 | Self::RsaPssPssSha384 => RsaPss(Sha384),
            Self::RsaPssRsaeSha512 | Self::RsaPssPssSha512 => RsaPss(Sha512),
            Self::Ed25519 => SignatureAlgorithm::Ed25519,
        }
    }
}

fn check_rsa_size(bits: usize) -> Result<(), KeyError> {
    if RSA_BITS.contains(&bits) && bits.is_multiple_of(8) { Ok(()) } else { Err(KeyError::RsaSize(bits)) }
}

/// Refuses an RSAPrivateKey for the size of its modulus (RFC 8017, Section A.1.2).
pub(crate) fn check_rsa_private_key(der: &[u8]) -> Result<(), KeyError> {
    let modulus = DerReader::new(der).sequence(|r| {
        let _version: u8 = r.decode()?;
        let modulus = UintRef::decode(r)?;
        r.drain(r.remaining_len())?;
        Ok::<_, der::Error>(modulus)
    })?;
    check_rsa_size(bits(modulus))
}

/// The size of the modulus of an RSAPublicKey (RFC 8017, Section A.1.1).
fn rsa_modulus_bits(rsa_public_key: &[u8]) -> Result<usize, KeyError> {
    let mut reader = DerReader::new(rsa_public_key);
    let modulus = reader.sequence(|r| {
        let modulus = UintRef::decode(r)?;
        let _exponent = UintRef::decode(r)?;
        Ok::<_, der::Error>(modulus)
    })?;
    reader.finish()?;
    Ok(bits(modulus))
}

fn bits(number: UintRef<'_>) -> usize {
    let bytes = number.as_bytes();
    let leading = bytes.first().map_or(0, |b| usize::try_from(b.leading_zeros()).unwrap_or(0));
    bytes.len().saturating_mul(8).saturating_sub(leading)
}

#[cfg(test)]
mod tests {
    use super::*;

    //= rfc8446#section-4.2.3
    //= type=test
    //# the parameters in the signature MUST be identical to those in the public key.
    #[test]
    fn a_key_for_one_hash_verifies_with_no_other() {
        use SignatureHash::{Sha256, Sha384, Sha512};
        for only in [Sha256, Sha384, Sha512] {
            let key = PublicKey { algorithm: KeyAlgorithm::RsaPss(Some(only)), bytes: Bytes::from(&[][..]) };
            for hash in [Sha256, Sha384, Sha512] {
                assert_eq!(key.ring_algorithm(SignatureAlgorithm::RsaPss(hash)).is_some(), hash == only);
            }
            assert!(key.ring_algorithm(SignatureAlgorithm::RsaPkcs1(only)).is_none());
        }
    }
}
