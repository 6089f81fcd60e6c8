//! AlgorithmIdentifier (RFC 5280, Section 4.1.1.2): which keys and which signatures are known.

use der::{
    Reader, Tag, Tagged,
    asn1::{AnyRef, ObjectIdentifier},
};

use super::{
    der_reader::DerReader,
    public_key::{KeyAlgorithm, KeyError, SignatureAlgorithm, SignatureHash},
};

const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const RSASSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");
const MGF1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.8");
const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const SECP256R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const SECP384R1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
const SHA256_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const SHA384_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const SHA512_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const MD5_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.4");
const SHA1_WITH_RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.5");
const ECDSA_WITH_SHA1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.1");
const ECDSA_WITH_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_WITH_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");

/// An AlgorithmIdentifier: of a key or of a signature (RFC 5280, Section 4.1.1.2).
#[derive(Clone, Copy, Debug)]
pub struct AlgorithmIdentifier<'a> {
    oid: ObjectIdentifier,
    parameters: Option<AnyRef<'a>>,
}

impl<'a> AlgorithmIdentifier<'a> {
    /// Reads an AlgorithmIdentifier from DER.
    pub fn decode<R: Reader<'a>>(reader: &mut R) -> Result<Self, der::Error> {
        reader.sequence(|r| Ok(Self { oid: r.decode()?, parameters: r.decode()? }))
    }

    /// The kind of key it names.
    //= rfc5280#section-1
    //# conforming implementations that use the algorithms identified in [RFC3279], [RFC4055], and [RFC4491]
    //# MUST identify and encode the public key materials and digital signatures as described in those
    //# specifications.
    pub fn key(&self) -> Result<KeyAlgorithm, KeyError> {
        match (self.oid, self.parameters) {
            (RSA_ENCRYPTION, Some(p)) if p.is_null() => Ok(KeyAlgorithm::Rsa),
            (RSASSA_PSS, None) => Ok(KeyAlgorithm::RsaPss(None)),
            (RSASSA_PSS, Some(p)) => Ok(KeyAlgorithm::RsaPss(Some(pss_hash(p)?))),
            (EC_PUBLIC_KEY, Some(p)) if p.tag() == Tag::ObjectIdentifier => {
                curve(p.decode_as().map_err(|_| KeyError::Malformed)?)
            }
            (ED25519, None) => Ok(KeyAlgorithm::Ed25519),
            (RSA_ENCRYPTION | ED25519, _) => Err(KeyError::Malformed),
            _ => Err(KeyError::Algorithm),
        }
    }

    /// The signature algorithm it names: SHA-1, MD5, DSA and everything else that is not ours is an error.
    ///
    /// The parameters of RSASSA-PKCS1-v1_5 are NULL, or by mistake absent (RFC 4055, Section 5, wants both accepted), those of ECDSA and
    /// Ed25519 absent (RFC 5758, Section 3.2; RFC 8410, Section 3).
    //= rfc5280#section-1
    //# conforming implementations that use the algorithms identified in [RFC3279], [RFC4055], and [RFC4491]
    //# MUST identify and encode the public key materials and digital signatures as described in those
    //# specifications.
    pub fn signature(&self) -> Result<SignatureAlgorithm, KeyError> {
        use SignatureAlgorithm as A;
        use SignatureHash::{Sha256, Sha384, Sha512};
        //= rfc8446#section-4.4.2.3
        //# The certificates MUST be signed using an acceptable signature algorithm
        let algorithm = match self.oid {
            SHA256_WITH_RSA => A::RsaPkcs1(Sha256),
            SHA384_WITH_RSA => A::RsaPkcs1(Sha384),
            SHA512_WITH_RSA => A::RsaPkcs1(Sha512),
            RSASSA_PSS => A::RsaPss(pss_hash(self.parameters.ok_or(KeyError::Malformed)?)?),
            ECDSA_WITH_SHA256 => A::Ecdsa(Sha256),
            ECDSA_WITH_SHA384 => A::Ecdsa(Sha384),
            ED25519 => A::Ed25519,
            //= rfc8446#section-4.4.2.4
            //# using an MD5 hash MUST abort the handshake with a "bad_certificate" alert.
            MD5_WITH_RSA | SHA1_WITH_RSA | ECDSA_WITH_SHA1 => return Err(KeyError::WeakHash),
            _ => return Err(KeyError::Algorithm),
        };
        let fits = match algorithm {
            A::RsaPkcs1(_) => self.parameters.is_none_or(|p| p.is_null()),
            A::RsaPss(_) => true,
            A::Ecdsa(_) | A::Ed25519 => self.parameters.is_none(),
        };
        if fits { Ok(algorithm) } else { Err(KeyError::Malformed) }
    }
}

pub(crate) fn curve(oid: ObjectIdentifier) -> Result<KeyAlgorithm, KeyError> {
    match oid {
        SECP256R1 => Ok(KeyAlgorithm::EcdsaP256),
        SECP384R1 => Ok(KeyAlgorithm::EcdsaP384),
        _ => Err(KeyError::Algorithm),
    }
}

/// Reads RSASSA-PSS-params: accepted with one hash for message and mask, a salt of its length, and the standard trailer
/// (RFC 4055, Section 3.1). The trailer is the field's default, and so not written: RFC 4055 wants it recognized where it is, but
/// RFC 8446 wants DER.
fn pss_hash(parameters: AnyRef<'_>) -> Result<SignatureHash, KeyError> {
    //= rfc8446#section-4.2.3
    //# When used in certificate signatures, the algorithm parameters MUST be DER encoded.
    parameters.tag().assert_eq(Tag::Sequence)?;
    let (hash, mask_hash, salt_length) = DerReader::whole(parameters.value(), |r| {
        let hash = explicit(r, 0, |r| hash_oid(r))?;
        let mask_hash =
            explicit(r, 1, |r| r.sequence(|r| Ok((r.decode::<ObjectIdentifier>()?, hash_oid(r)?))))?;
        let salt_length = explicit(r, 2, |r| r.decode::<u8>())?;
        let trailer = explicit(r, 3, |r| r.decode::<u8>())?;
        match (mask_hash, trailer) {
            (Some((MGF1, mask_hash)), None) => Ok((hash, mask_hash, salt_length)),
            _ => Err(der::Error::from(Tag::Sequence.value_error())),
        }
    })?;
    let (hash, length) = match hash {
        Some(SHA256) => (SignatureHash::Sha256, 32),
        Some(SHA384) => (SignatureHash::Sha384, 48),
        Some(SHA512) => (SignatureHash::Sha512, 64),
        _ => return Err(KeyError::Algorithm),
    };
    if mask_hash != oid_of(hash) || salt_length != Some(length) {
        return Err(KeyError::Algorithm);
    }
    Ok(hash)
}

fn oid_of(hash: SignatureHash) -> ObjectIdentifier {
    match hash {
        SignatureHash::Sha256 => SHA256,
        SignatureHash::Sha384 => SHA384,
        SignatureHash::Sha512 => SHA512,
    }
}

/// A hash's AlgorithmIdentifier: NULL and absent parameters are both legal (RFC 4055, Section 2.1).
fn hash_oid<'a>(reader: &mut DerReader<'a>) -> Result<ObjectIdentifier, der::Error> {
    let identifier = AlgorithmIdentifier::decode(reader)?;
    match identifier.parameters {
        Some(p) if !p.is_null() => Err(Tag::Null.value_error().into()),
        _ => Ok(identifier.oid),
    }
}

/// Reads an optional EXPLICIT context-specific field.
pub(crate) fn explicit<'a, T>(
    reader: &mut DerReader<'a>,
    number: u8,
    read: impl FnOnce(&mut DerReader<'a>) -> Result<T, der::Error>,
) -> Result<Option<T>, der::Error> {
    if reader.peek_byte() != Some(0xa0 | number) {
        return Ok(None);
    }
    let field = reader.decode::<AnyRef<'a>>()?;
    DerReader::whole(field.value(), read).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// id-RSASSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes (RFC 4055, Section 3.1), its salt length encoded so.
    fn rsassa_pss(salt_length: &[u8]) -> Vec<u8> {
        let element = |tag: u8, parts: &[&[u8]]| {
            let contents = parts.concat();
            [&[tag, u8::try_from(contents.len()).unwrap()], &contents[..]].concat()
        };
        let oid = |oid: &ObjectIdentifier| element(6, &[oid.as_bytes()]);
        let sha256 = element(0x30, &[&oid(&SHA256), &[5, 0]]);
        let mask = element(0x30, &[&oid(&MGF1), &sha256]);
        let parts = [element(0xa0, &[&sha256]), element(0xa1, &[&mask]), salt_length.into()];
        let parameters = element(0x30, &[&parts.concat()]);
        element(0x30, &[&oid(&RSASSA_PSS), &parameters])
    }

    //= rfc8446#section-4.2.3
    //= type=test
    //# When used in certificate signatures, the algorithm parameters MUST be DER encoded.
    #[test]
    fn parameters_are_der() {
        let read = |der: &[u8]| {
            let mut reader = DerReader::new(der);
            AlgorithmIdentifier::decode(&mut reader).unwrap().signature()
        };
        let expected = SignatureAlgorithm::RsaPss(SignatureHash::Sha256);
        assert_eq!(read(&rsassa_pss(&[0xa2, 3, 2, 1, 32])), Ok(expected));
        // BER may write a length in more bytes than it needs.
        assert_eq!(read(&rsassa_pss(&[0xa2, 0x81, 3, 2, 1, 32])), Err(KeyError::Malformed));
        assert_eq!(read(&rsassa_pss(&[0xa2, 4, 2, 0x81, 1, 32])), Err(KeyError::Malformed));
    }

    /// RFC 4055, Section 5, of sha256WithRSAEncryption, and RFC 5758, Section 3.2, of ecdsa-with-SHA256.
    #[test]
    fn parameters_may_be_absent_or_must_be() {
        let read = |oid: &ObjectIdentifier, parameters: &[u8]| {
            let oid = [&[6, u8::try_from(oid.as_bytes().len()).unwrap()], oid.as_bytes()].concat();
            let length = u8::try_from(oid.len() + parameters.len()).unwrap();
            let der = [&[0x30, length], &oid[..], parameters].concat();
            AlgorithmIdentifier::decode(&mut DerReader::new(&der)).unwrap().signature()
        };
        let (null, number) = (&[5, 0], &[2, 1, 0]);
        for absent_or_null in [&[][..], null] {
            let found = read(&SHA256_WITH_RSA, absent_or_null);
            assert_eq!(found, Ok(SignatureAlgorithm::RsaPkcs1(SignatureHash::Sha256)));
        }
        assert_eq!(read(&SHA256_WITH_RSA, number), Err(KeyError::Malformed));
        assert!(read(&ECDSA_WITH_SHA256, &[]).is_ok());
        assert_eq!(read(&ECDSA_WITH_SHA256, null), Err(KeyError::Malformed));
    }
}
