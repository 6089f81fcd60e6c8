//! One view of a certificate (RFC 5280, Section 4.1), read strictly from its DER and never re-encoded.
//!
//! Reading refuses whatever is not DER to the last octet or breaks a rule that a certificate can break all by itself. What
//! depends on its place in a path, on time or on names is checked there.

use der::{
    Decode, Reader, Tag, Tagged,
    asn1::{AnyRef, BitStringRef},
};

use super::{
    authority::Authority,
    budget::Budget,
    distinguished_name,
    extensions::{Extensions, implicit},
    problem::Problem,
    time::Validity,
};
use crate::crypto::{
    algorithm_identifier::{AlgorithmIdentifier, explicit},
    der_reader::DerReader,
    public_key::PublicKey,
};

/// A certificate whose form is in order.
#[derive(Clone, Debug)]
pub(super) struct Certificate<'a> {
    /// All of it, as it was sent.
    pub(super) der: &'a [u8],
    pub(super) signed: Signed<'a>,
    pub(super) serial: &'a [u8],
    /// The issuer's Name in DER.
    pub(super) issuer: &'a [u8],
    pub(super) validity: Validity,
    /// The subject's Name in DER.
    pub(super) subject: &'a [u8],
    /// SubjectPublicKeyInfo in DER.
    pub(super) spki: &'a [u8],
    pub(super) extensions: Extensions<'a>,
}

impl<'a> Certificate<'a> {
    /// Reads a certificate.
    pub(super) fn read(der: &'a [u8]) -> Result<Self, Problem> {
        let signed = Signed::read(der)?;
        let mut reader = DerReader::new(signed.tbs);
        reader.sequence(|r| {
            read_version(r)?;
            let serial = read_serial(r)?;
            //= rfc5280#section-4.1.1.2
            //# This field MUST contain the same algorithm identifier as the signature field in the sequence
            //# tbsCertificate (Section 4.1.2.3).
            //= rfc5280#section-4.1.2.3
            //# This field MUST contain the same algorithm identifier as the signatureAlgorithm field in the
            //# sequence Certificate (Section 4.1.1.2).
            if r.tlv_bytes()? != signed.algorithm {
                return Err(Problem::Malformed("signatureAlgorithm differs inside and outside"));
            }
            let issuer = distinguished_name::read(r)?;
            let validity = Validity::read(r)?;
            let subject = distinguished_name::read(r)?;
            let spki = r.tlv_bytes()?;
            let extensions = read_extensions(r)?;
            Ok(Self { der, signed, serial, issuer, validity, subject, spki, extensions })
        })
    }

    /// Checks the rules that a certificate can break all by itself and still be read.
    pub(super) fn check_form(&self) -> Result<(), Problem> {
        if let Some(fault) = &self.extensions.fault {
            return Err(fault.clone());
        }
        //= rfc5280#section-4.1.2.4
        //# The issuer field MUST contain a non-empty distinguished name (DN).
        if self.issuer == distinguished_name::EMPTY {
            return Err(Problem::Profile("the issuer must not be empty (Section 4.1.2.4)"));
        }
        let nameless = self.subject == distinguished_name::EMPTY;
        //= rfc5280#section-4.2.1.6
        //# Further, if the only subject identity included in the certificate is an alternative name form
        //# (e.g., an electronic mail address), then the subject distinguished name MUST be empty (an empty
        //# sequence), and the subjectAltName extension MUST be present.
        match self.extensions.subject_alt_name {
            None if nameless => Err(Problem::Profile("neither subject nor subjectAltName (Section 4.1.2.6)")),
            _ => Ok(()),
        }
    }

    /// Checks that an end entity that is no CA claims nothing that only a CA may.
    pub(super) fn check_claims(&self) -> Result<(), Problem> {
        let extensions = &self.extensions;
        if extensions.basic_constraints.is_some_and(|constraints| constraints.ca) {
            return Ok(());
        }
        //= rfc5280#section-4.2.1.10
        //# The name constraints extension, which MUST be used only in a CA certificate
        if extensions.name_constraints.is_some() {
            return Err(Problem::Profile("nameConstraints without cA (Section 4.2.1.10)"));
        }
        //= rfc5280#section-4.2.1.3
        //# If the keyCertSign bit is asserted, then the cA bit in the basic constraints extension (Section
        //# 4.2.1.9) MUST also be asserted.
        //= rfc5280#section-4.2.1.9
        //# If the cA boolean is not asserted, then the keyCertSign bit in the key usage extension MUST NOT be
        //# asserted.
        if extensions.key_usage.is_some_and(|usage| usage.key_cert_sign()) {
            return Err(Problem::Profile("keyCertSign without cA (Section 4.2.1.3)"));
        }
        Ok(())
    }

    /// Whether issuer and subject are one.
    pub(super) fn self_issued(&self) -> bool {
        self.issuer == self.subject
    }

    /// The subject's key.
    pub(super) fn key(&self) -> Result<PublicKey, Problem> {
        PublicKey::from_spki(self.spki).map_err(Problem::Key)
    }

    /// Refuses an end entity issued as a CA that may not issue: whoever wrote it meant one or the other.
    pub(super) fn check_issued(&self) -> Result<(), Problem> {
        let ca = self.extensions.basic_constraints.is_some_and(|constraints| constraints.ca);
        if ca && self.extensions.key_usage.is_some_and(|usage| !usage.key_cert_sign()) {
            return Err(Problem::Profile("cA without keyCertSign (Section 4.2.1.9)"));
        }
        Ok(())
    }

    /// Refuses a self-signed certificate whose authorityKeyIdentifier is of another key or certificate.
    ///
    /// A self-issued one signed by an earlier key of the same CA may name that key.
    pub(super) fn check_self_signed(&self, authority: &Authority<'_>) -> Result<(), Problem> {
        let names_another = self.self_issued() && !authority.key_is_named_by(self, &mut Budget::default())?;
        if names_another && self.signed.verify(&authority.key).is_ok() {
            return Err(Problem::Profile(
                "authorityKeyIdentifier of a self-signed certificate is not its own (Section 4.2.1.1)",
            ));
        }
        Ok(())
    }
}

/// What certificates and CRLs have in common (Section 4.1.1).
#[derive(Clone, Copy, Debug)]
pub(super) struct Signed<'a> {
    /// What is signed, in DER.
    pub(super) tbs: &'a [u8],
    /// The AlgorithmIdentifier, in DER.
    pub(super) algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Reads the whole of `der`.
    pub(super) fn read(der: &'a [u8]) -> Result<Self, Problem> {
        let mut reader = DerReader::new(der);
        let signed = reader.sequence(|r| {
            let (tbs, algorithm) = (r.tlv_bytes()?, r.tlv_bytes()?);
            let signature = BitStringRef::decode(r)?.as_bytes();
            let signature = signature.ok_or(Problem::Malformed("the signature is not whole octets"))?;
            Ok::<_, Problem>(Self { tbs, algorithm, signature })
        })?;
        reader.finish()?;
        Ok(signed)
    }

    /// Verifies the signature with the issuer's key.
    pub(super) fn verify(&self, key: &PublicKey) -> Result<(), Problem> {
        let algorithm = AlgorithmIdentifier::decode(&mut DerReader::new(self.algorithm))?;
        let algorithm = algorithm.signature().map_err(Problem::SignatureAlgorithm)?;
        key.verify(algorithm, self.tbs, self.signature).map_err(|_| Problem::Signature)
    }
}

//= rfc5280#section-4.1.2.1
//# When extensions are used, as expected in this profile, version MUST be 3 (value is 2).
//= rfc5280#section-4.1.2.1
//# At a minimum, conforming implementations MUST recognize version 3 certificates.
//= rfc5280#section-4.1.2.9
//# This field MUST only appear if the version is 3 (Section 4.1.2.1).
//= rfc5280#section-6.1.4
//# the application MUST either verify that certificate i is a CA certificate through out-of-band means or
//# reject the certificate.
//= rfc8446#section-4.4.2.2
//# The certificate type MUST be X.509v3
//= rfc8446#section-4.4.2.3
//# The certificate type MUST be X.509v3
fn read_version(reader: &mut DerReader<'_>) -> Result<(), Problem> {
    match explicit(reader, 0, |r| r.decode::<u8>())? {
        Some(2) => Ok(()),
        _ => Err(Problem::Malformed("it is not of version 3")),
    }
}

/// Reads a serial number (Section 4.1.2.2).
fn read_serial<'a>(reader: &mut DerReader<'a>) -> Result<&'a [u8], Problem> {
    let integer = AnyRef::decode(reader)?;
    integer.tag().assert_eq(Tag::Integer)?;
    serial_octets(integer.value())
        .ok_or(Problem::Malformed("its serial number is negative, or has more than 20 octets"))
}

/// The contents of an INTEGER if they are a serial number's: minimal, not negative, and of at most 20 octets beside the sign.
//= rfc5280#section-4.1.2.2
//# CAs MUST force the serialNumber to be a non-negative integer.
//= rfc5280#section-4.1.2.2
//# Certificate users MUST be able to handle serialNumber values up to 20 octets.
//= rfc5280#section-4.1.2.2
//# Conforming CAs MUST NOT use serialNumber values longer than 20 octets.
//= rfc5280#appendix-B
//# CAs MUST force the serialNumber to be a non-negative integer, that is, the sign bit in the DER encoding of
//# the INTEGER value MUST be zero.
//= rfc5280#appendix-B
//# Certificate users MUST be able to handle serialNumber values up to 20 octets in length.
//= rfc5280#appendix-B
//# Conforming CAs MUST NOT use serialNumber values longer than 20 octets.
pub(super) fn serial_octets(contents: &[u8]) -> Option<&[u8]> {
    let octets = match contents {
        [] | [0x80..=0xff, ..] | [0, ..=0x7f, ..] => return None,
        [0, rest @ ..] | rest => rest,
    };
    (octets.len() <= 20).then_some(contents)
}

fn read_extensions<'a>(r: &mut DerReader<'a>) -> Result<Extensions<'a>, Problem> {
    //= rfc5280#section-4.1.2.8
    //# These fields MUST only appear if the version is 2 or 3 (Section 4.1.2.1).
    //= rfc5280#section-4.1.2.8
    //# These fields MUST NOT appear if the version is 1.
    //= rfc5280#section-4.1.2.8
    //# CAs conforming to this profile MUST NOT generate certificates with unique identifiers.
    if implicit(r, 1, false)?.is_some() || implicit(r, 2, false)?.is_some() {
        return Err(Problem::Profile("unique identifiers must not be used (Section 4.1.2.8)"));
    }
    let Some(contents) = implicit(r, 3, true)? else { return Ok(Extensions::default()) };
    let mut inner = DerReader::new(contents);
    let extensions = Extensions::read(&mut inner)?;
    inner.finish()?;
    Ok(extensions)
}
