//! The extensions of a certificate (RFC 5280, Section 4.2): each read whole, none twice, and no critical one passed over.

use alloc::string::ToString;

use der::{
    Decode, Reader, Tag, Tagged,
    asn1::{AnyRef, BitStringRef, ObjectIdentifier, OctetStringRef, UintRef},
};

use super::{
    constraints::NameConstraints, general_name::GeneralName, oid::Oid, policy::PolicyExtensions,
    problem::Problem, purpose::KeyPurposes,
};
use crate::crypto::der_reader::DerReader;

const SUBJECT_KEY_IDENTIFIER: Oid<'static> = Oid::known(&ObjectIdentifier::new_unwrap("2.5.29.14"));
const KEY_USAGE: Oid<'static> = Oid::known(&ObjectIdentifier::new_unwrap("2.5.29.15"));
const SUBJECT_ALT_NAME: Oid<'static> = Oid::known(&ObjectIdentifier::new_unwrap("2.5.29.17"));
const BASIC_CONSTRAINTS: Oid<'static> = Oid::known(&ObjectIdentifier::new_unwrap("2.5.29.19"));
const NAME_CONSTRAINTS: Oid<'static> = Oid::known(&ObjectIdentifier::new_unwrap("2.5.29.30"));
const CERTIFICATE_POLICIES: Oid<'static> = Oid::known(&ObjectIdentifier::new_unwrap("2.5.29.32"));
const POLICY_MAPPINGS: Oid<'static> = Oid::known(&ObjectIdentifier::new_unwrap("2.5.29.33"));
const AUTHORITY_KEY_IDENTIFIER: Oid<'static> = Oid::known(&ObjectIdentifier::new_unwrap("2.5.29.35"));
const POLICY_CONSTRAINTS: Oid<'static> = Oid::known(&ObjectIdentifier::new_unwrap("2.5.29.36"));
const EXTENDED_KEY_USAGE: Oid<'static> = Oid::known(&ObjectIdentifier::new_unwrap("2.5.29.37"));
const INHIBIT_ANY_POLICY: Oid<'static> = Oid::known(&ObjectIdentifier::new_unwrap("2.5.29.54"));
const AUTHORITY_INFORMATION_ACCESS: Oid<'static> =
    Oid::known(&ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.1"));

/// What may be critical: everything that is acted upon.
//= rfc5280#section-4.2
//# At a minimum, applications conforming to this profile MUST recognize the following extensions: key usage
//# (Section 4.2.1.3), certificate policies (Section 4.2.1.4), subject alternative name (Section 4.2.1.6),
//# basic constraints (Section 4.2.1.9), name constraints (Section 4.2.1.10), policy constraints (Section
//# 4.2.1.11), extended key usage (Section 4.2.1.12), and inhibit anyPolicy (Section 4.2.1.14).
const UNDERSTOOD: &[Oid<'static>] = &[
    KEY_USAGE,
    SUBJECT_ALT_NAME,
    BASIC_CONSTRAINTS,
    NAME_CONSTRAINTS,
    CERTIFICATE_POLICIES,
    POLICY_MAPPINGS,
    POLICY_CONSTRAINTS,
    EXTENDED_KEY_USAGE,
    INHIBIT_ANY_POLICY,
];

/// No honest certificate or CRL comes near; duplicates are sought among so many.
const MAX_EXTENSIONS: usize = 40;

/// What the extensions of one certificate say.
#[derive(Clone, Debug, Default)]
pub(super) struct Extensions<'a> {
    pub(super) subject_key_identifier: Option<&'a [u8]>,
    pub(super) authority_key_identifier: Option<AuthorityKeyIdentifier<'a>>,
    pub(super) key_usage: Option<KeyUsage>,
    pub(super) basic_constraints: Option<BasicConstraints>,
    pub(super) extended_key_usage: Option<KeyPurposes>,
    pub(super) extended_key_usage_critical: bool,
    pub(super) subject_alt_name: Option<SubjectAltName<'a>>,
    pub(super) name_constraints: Option<NameConstraints<'a>>,
    pub(super) policies: PolicyExtensions<'a>,
    /// What makes the certificate unusable although it can be read. Not an error yet: it may be superfluous.
    pub(super) fault: Option<Problem>,
}

impl<'a> Extensions<'a> {
    /// Reads Extensions.
    pub(super) fn read(reader: &mut DerReader<'a>) -> Result<Self, Problem> {
        let mut extensions = Self::default();
        for_each_extension(reader, |extension| extensions.take(extension))?;
        Ok(extensions)
    }

    //= rfc5280#section-4.2
    //# MUST be processed if it is recognized.
    //= rfc5280#appendix-B
    //# If an extension containing unexpected values is marked as critical, the implementation MUST reject the
    //# certificate or CRL containing the unrecognized extension.
    fn take(&mut self, extension: &Extension<'a>) -> Result<(), Problem> {
        self.fault = self.fault.take().or(extension.criticality_fault());
        let mut reader = DerReader::new(extension.value);
        let r = &mut reader;
        match extension.oid {
            SUBJECT_KEY_IDENTIFIER => {
                self.subject_key_identifier = Some(<&OctetStringRef>::decode(r)?.as_bytes());
            }
            KEY_USAGE => self.key_usage = Some(KeyUsage::read(r)?),
            SUBJECT_ALT_NAME => self.subject_alt_name = Some(SubjectAltName::read(r, extension.critical)?),
            BASIC_CONSTRAINTS => {
                self.basic_constraints = Some(BasicConstraints::read(r, extension.critical)?)
            }
            NAME_CONSTRAINTS => self.name_constraints = Some(NameConstraints::read(r)?),
            CERTIFICATE_POLICIES => self.policies.read_policies(r, extension.critical)?,
            POLICY_MAPPINGS => self.policies.read_mappings(r)?,
            AUTHORITY_KEY_IDENTIFIER => {
                self.authority_key_identifier = Some(AuthorityKeyIdentifier::read(r)?);
            }
            POLICY_CONSTRAINTS => self.policies.read_constraints(r)?,
            EXTENDED_KEY_USAGE => {
                self.extended_key_usage = Some(KeyPurposes::read(r)?);
                self.extended_key_usage_critical = extension.critical;
            }
            INHIBIT_ANY_POLICY => self.policies.read_inhibit_any(r)?,
            AUTHORITY_INFORMATION_ACCESS => read_access_descriptions(r)?,
            _ => return Ok(()),
        }
        Ok(reader.finish()?)
    }
}

/// One extension, of a certificate or a CRL.
pub(super) struct Extension<'a> {
    pub(super) oid: Oid<'a>,
    pub(super) critical: bool,
    pub(super) value: &'a [u8],
}

impl<'a> Extension<'a> {
    pub(super) fn read(reader: &mut DerReader<'a>) -> Result<Self, Problem> {
        reader.sequence(|r| {
            let oid = r.decode()?;
            let critical = default_false(r)?;
            Ok(Self { oid, critical, value: <&OctetStringRef>::decode(r)?.as_bytes() })
        })
    }

    fn criticality_fault(&self) -> Option<Problem> {
        let rule = match (self.oid, self.critical) {
            //= rfc5280#section-4.2.1.10
            //# Conforming CAs MUST mark this extension as critical
            (NAME_CONSTRAINTS, false) => "nameConstraints must be critical (Section 4.2.1.10)",
            //= rfc5280#section-4.2.1.11
            //# Conforming CAs MUST mark this extension as critical.
            (POLICY_CONSTRAINTS, false) => "policyConstraints must be critical (Section 4.2.1.11)",
            //= rfc5280#section-4.2.1.14
            //# Conforming CAs MUST mark this extension as critical.
            (INHIBIT_ANY_POLICY, false) => "inhibitAnyPolicy must be critical (Section 4.2.1.14)",
            //= rfc5280#section-4.2.1.1
            //# Conforming CAs MUST mark this extension as non-critical.
            (AUTHORITY_KEY_IDENTIFIER, true) => {
                "authorityKeyIdentifier must not be critical (Section 4.2.1.1)"
            }
            //= rfc5280#section-4.2.1.2
            //# Conforming CAs MUST mark this extension as non-critical.
            (SUBJECT_KEY_IDENTIFIER, true) => "subjectKeyIdentifier must not be critical (Section 4.2.1.2)",
            //= rfc5280#section-4.2.2.1
            //# Conforming CAs MUST mark this extension as non-critical.
            (AUTHORITY_INFORMATION_ACCESS, true) => {
                "authorityInfoAccess must not be critical (Section 4.2.2.1)"
            }
            //= rfc5280#section-4.2
            //# A certificate-using system MUST reject the certificate if it encounters a critical extension
            //# it does not recognize or a critical extension that contains information that it cannot
            //# process.
            //= rfc5280#section-6.1
            //# Note that clients MUST reject the certificate if it contains an unsupported critical
            //# extension.
            //= rfc5280#section-6.1.4
            //# (o) Recognize and process any other critical extension present in the certificate.
            //= rfc5280#section-6.1.5
            //# (f) Recognize and process any other critical extension present in the certificate n.
            (oid, true) if !UNDERSTOOD.contains(&oid) => {
                return Some(Problem::CriticalExtension(oid.to_string()));
            }
            _ => return None,
        };
        Some(Problem::Profile(rule))
    }
}

/// keyUsage (Section 4.2.1.3), as far as it matters to TLS 1.3 and to paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct KeyUsage(u8);

impl KeyUsage {
    fn read(reader: &mut DerReader<'_>) -> Result<Self, Problem> {
        let bits = BitStringRef::decode(reader)?;
        let last = bits.raw_bytes().last().copied().unwrap_or(0);
        let first = bits.raw_bytes().first().copied().unwrap_or(0);
        //= rfc5280#section-4.2.1.3
        //# When the keyUsage extension appears in a certificate, at least one of the bits MUST be set to 1.
        //= rfc5280#appendix-B
        //# When DER encoding a named bit list, trailing zeros MUST be omitted.
        if u32::from(bits.unused_bits()) == last.trailing_zeros() {
            Ok(Self(first))
        } else {
            Err(Problem::Malformed("keyUsage is empty or ends in zero bits"))
        }
    }

    pub(super) fn digital_signature(self) -> bool {
        self.0 & 0x80 != 0
    }

    pub(super) fn key_cert_sign(self) -> bool {
        self.0 & 0x04 != 0
    }

    pub(super) fn crl_sign(self) -> bool {
        self.0 & 0x02 != 0
    }
}

/// basicConstraints (Section 4.2.1.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct BasicConstraints {
    pub(super) critical: bool,
    pub(super) ca: bool,
    pub(super) path_length: Option<u8>,
}

impl BasicConstraints {
    fn read(reader: &mut DerReader<'_>, critical: bool) -> Result<Self, Problem> {
        reader.sequence(|r| {
            let ca = default_false(r)?;
            //= rfc5280#section-4.2.1.9
            //# Where it appears, the pathLenConstraint field MUST be greater than or equal to zero.
            let path_length = Option::<UintRef<'_>>::decode(r)?.map(saturate);
            //= rfc5280#section-4.2.1.9
            //# CAs MUST NOT include the pathLenConstraint field unless the cA boolean is asserted and the key
            //# usage extension asserts the keyCertSign bit.
            if path_length.is_some() && !ca {
                return Err(Problem::Profile("pathLenConstraint without cA (Section 4.2.1.9)"));
            }
            Ok(Self { critical, ca, path_length })
        })
    }
}

/// authorityKeyIdentifier (Section 4.2.1.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AuthorityKeyIdentifier<'a> {
    pub(super) key_identifier: Option<&'a [u8]>,
    /// The issuer's own issuer (the contents of GeneralNames) and serial number.
    pub(super) issuer_and_serial: Option<(&'a [u8], &'a [u8])>,
}

impl<'a> AuthorityKeyIdentifier<'a> {
    pub(super) fn read(reader: &mut DerReader<'a>) -> Result<Self, Problem> {
        reader.sequence(|r| {
            let key_identifier = implicit(r, 0, false)?;
            let issuer = implicit(r, 1, true)?;
            let serial = implicit(r, 2, false)?;
            if let Some(names) = issuer {
                check_general_names(names)?;
            }
            //= rfc5280#appendix-A.2
            //# authorityCertIssuer and authorityCertSerialNumber MUST both --be present or both be absent
            let issuer_and_serial = match (issuer, serial) {
                (Some(issuer), Some(serial)) => Some((issuer, serial)),
                (None, None) => None,
                _ => {
                    return Err(Problem::Malformed(
                        "authorityKeyIdentifier has an issuer without serial, or the reverse",
                    ));
                }
            };
            Ok(Self { key_identifier, issuer_and_serial })
        })
    }
}

/// subjectAltName (Section 4.2.1.6): every name in it is well-formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SubjectAltName<'a> {
    pub(super) critical: bool,
    names: &'a [u8],
}

impl<'a> SubjectAltName<'a> {
    fn read(reader: &mut DerReader<'a>, critical: bool) -> Result<Self, Problem> {
        let any: AnyRef<'a> = reader.decode()?;
        any.tag().assert_eq(Tag::Sequence)?;
        check_general_names(any.value())?;
        Ok(Self { critical, names: any.value() })
    }

    pub(super) fn octets(&self) -> usize {
        self.names.len()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = Result<GeneralName<'a>, Problem>> + use<'a> {
        general_names(self.names)
    }
}

/// The names of the contents of GeneralNames that have been read before: their syntax was checked then.
pub(super) fn general_names(names: &[u8]) -> impl Iterator<Item = Result<GeneralName<'_>, Problem>> {
    let mut reader = DerReader::new(names);
    core::iter::from_fn(move || {
        if reader.is_finished() {
            return None;
        }
        Some(GeneralName::read_loosely(&mut reader))
    })
    .fuse()
}

//= rfc5280#section-4.2.1.6
//# If the subjectAltName extension is present, the sequence MUST contain at least one entry.
fn check_general_names(names: &[u8]) -> Result<(), Problem> {
    let mut reader = DerReader::new(names);
    loop {
        GeneralName::read(&mut reader)?;
        if reader.is_finished() {
            return Ok(());
        }
    }
}

/// AuthorityInfoAccessSyntax (Section 4.2.2.1): not used, but it has to be well-formed.
fn read_access_descriptions(reader: &mut DerReader<'_>) -> Result<(), Problem> {
    for_each(reader, |r, _| {
        r.sequence(|r| {
            let _method: Oid<'_> = r.decode()?;
            GeneralName::read(r).map(drop)
        })
    })
}

/// Reads a SEQUENCE SIZE (1..MAX) OF.
pub(super) fn for_each<'a>(
    reader: &mut DerReader<'a>,
    mut read: impl FnMut(&mut DerReader<'a>, usize) -> Result<(), Problem>,
) -> Result<(), Problem> {
    reader.sequence(|r| {
        for index in 0.. {
            read(r, index)?;
            if r.is_finished() {
                break;
            }
        }
        Ok(())
    })
}

/// Reads Extensions, of a certificate or a CRL: one after another, none of them twice.
pub(super) fn for_each_extension<'a>(
    reader: &mut DerReader<'a>,
    mut read: impl FnMut(&Extension<'a>) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let mut seen = [None; MAX_EXTENSIONS];
    for_each(reader, |r, index| {
        let extension = Extension::read(r)?;
        //= rfc5280#section-4.2
        //# A certificate MUST NOT include more than one instance of a particular extension.
        if seen.iter().take(index).any(|oid| *oid == Some(extension.oid)) {
            return Err(Problem::Malformed("an extension stands twice"));
        }
        *seen.get_mut(index).ok_or(Problem::Malformed("too many extensions"))? = Some(extension.oid);
        read(&extension)
    })
}

/// Reads the contents of an optional field with an IMPLICIT context-specific tag.
pub(super) fn implicit<'a>(
    reader: &mut DerReader<'a>,
    number: u8,
    constructed: bool,
) -> Result<Option<&'a [u8]>, Problem> {
    // X.690, Section 8.1.2: class, form and number, as long as the number is below 31, are one octet.
    let tag = 0x80 | if constructed { 0x20 } else { 0 } | number;
    if reader.peek_byte() != Some(tag) {
        return Ok(None);
    }
    Ok(Some(AnyRef::decode(reader)?.value()))
}

/// A number that counts certificates in a path: what is beyond 255 is as good as 255.
pub(super) fn saturate(number: UintRef<'_>) -> u8 {
    match number.as_bytes() {
        [] => 0,
        [only] => *only,
        _ => u8::MAX,
    }
}

/// BOOLEAN DEFAULT FALSE: DER writes TRUE or nothing.
fn default_false(reader: &mut DerReader<'_>) -> Result<bool, Problem> {
    /// The tag of a BOOLEAN.
    const BOOLEAN: u8 = 1;
    if reader.peek_byte() != Some(BOOLEAN) {
        return Ok(false);
    }
    if bool::decode(reader)? { Ok(true) } else { Err(Problem::Malformed("a default value is written out")) }
}
