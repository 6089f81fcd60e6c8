//! Certificate revocation lists (RFC 5280, Section 5): read once, looked up by serial number.
//!
//! A list is complete for its issuer or it is not used: delta CRLs, indirect ones and those of a distribution point are refused
//! when they are read, with every unknown critical extension. One of version 1 has none. A list past its nextUpdate still revokes,
//! but no longer clears.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use std::sync::{Mutex, MutexGuard, PoisonError};

use der::{
    Decode, Reader, Tag, Tagged,
    asn1::{AnyRef, ObjectIdentifier, UintRef},
};

use super::{
    authority::Authority,
    budget::Budget,
    certificate::{Certificate, Signed, serial_octets},
    distinguished_name,
    extensions::{AuthorityKeyIdentifier, Extension, for_each, for_each_extension, implicit},
    oid::Oid,
    problem::Problem,
    time::{self, Rfc3339},
};
use crate::crypto::{certificate::UnixTime, der_reader::DerReader, public_key::PublicKey};

const CRL_NUMBER: Oid<'static> = Oid::known(&ObjectIdentifier::new_unwrap("2.5.29.20"));
const REASON_CODE: Oid<'static> = Oid::known(&ObjectIdentifier::new_unwrap("2.5.29.21"));
const DELTA_CRL_INDICATOR: Oid<'static> = Oid::known(&ObjectIdentifier::new_unwrap("2.5.29.27"));
const ISSUING_DISTRIBUTION_POINT: Oid<'static> = Oid::known(&ObjectIdentifier::new_unwrap("2.5.29.28"));
const AUTHORITY_KEY_IDENTIFIER: Oid<'static> = Oid::known(&ObjectIdentifier::new_unwrap("2.5.29.35"));

/// Of which certificates the status must be known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Revocation {
    /// Of those whose issuer's CRL is loaded. It must be a good one, though: whoever loads a CRL wants it heeded.
    #[default]
    WhereKnown,
    /// Of the end entity.
    EndEntity,
    /// Of every certificate below the trust anchor.
    WholePath,
}

/// A complete CRL of one issuer; its signature is verified when the issuer's key is known.
#[derive(Debug)]
pub(super) struct Crl {
    der: Vec<u8>,
    pub(super) issuer: Vec<u8>,
    key_identifier: Option<Vec<u8>>,
    this_update: UnixTime,
    next_update: UnixTime,
    /// In the order of their serial numbers.
    revoked: Vec<Revoked>,
    /// Whether the signature is right under each key it was tried with: it is dear to hash a long list for each handshake.
    verdicts: Mutex<Vec<Verdict>>,
}

/// A key, and what came of verifying with it.
type Verdict = (PublicKey, Result<(), Problem>);

/// Of so many keys a list keeps the verdict: the authorities of one name, then some. The oldest gives way.
const MAX_VERDICTS: usize = 16;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Revoked {
    serial: Serial,
    at: UnixTime,
    reason: u8,
}

/// A serial number, with zeros before it.
type Serial = [u8; 20];

fn pad(octets: &[u8]) -> Serial {
    let mut serial = Serial::default();
    let octets = octets.strip_prefix(&[0]).unwrap_or(octets);
    serial.iter_mut().rev().zip(octets.iter().rev()).for_each(|(to, from)| *to = *from);
    serial
}

impl Crl {
    /// Reads a CertificateList.
    pub(super) fn read(der: &[u8]) -> Result<Self, Problem> {
        let signed = Signed::read(der)?;
        let mut reader = DerReader::new(signed.tbs);
        reader.sequence(|r| {
            //= rfc5280#section-5
            //# are REQUIRED to process both version 1 and version 2 complete CRLs
            //= rfc5280#section-5.1.2.1
            //# When extensions are used, as required by this profile, this field MUST be present and MUST
            //# specify version 2 (the integer value is 1).
            let is_version_2 = match r.decode::<Option<u8>>()? {
                Some(1) => true,
                None => false,
                Some(_) => return Err(Problem::Malformed("it is neither of version 1 nor 2")),
            };
            //= rfc5280#section-5.1.1.2
            //# This field MUST contain the same algorithm identifier as the signature field in the sequence
            //# tbsCertList (Section 5.1.2.2).
            //= rfc5280#section-5.1.2.2
            //# This field MUST contain the same algorithm identifier as the signatureAlgorithm field in the
            //# sequence CertificateList (Section 5.1.1.2).
            if r.tlv_bytes()? != signed.algorithm {
                return Err(Problem::Malformed("signatureAlgorithm differs inside and outside"));
            }
            let issuer = distinguished_name::read(r)?;
            //= rfc5280#section-5.1.2.3
            //# The issuer field MUST contain a non-empty X.500 distinguished name (DN).
            if issuer == distinguished_name::EMPTY {
                return Err(Problem::Profile("a CRL's issuer must not be empty (Section 5.1.2.3)"));
            }
            //= rfc5280#section-5.1.2.4
            //# CRL issuers conforming to this profile MUST encode thisUpdate as UTCTime for dates through the
            //# year 2049.
            //= rfc5280#section-5.1.2.4
            //# CRL issuers conforming to this profile MUST encode thisUpdate as GeneralizedTime for dates in
            //# the year 2050 or later.
            //= rfc5280#section-5.1.2.4
            //# Conforming applications MUST be able to process dates that are encoded in either UTCTime or
            //# GeneralizedTime.
            //= rfc5280#section-5.1.2.4
            //# Where encoded as UTCTime, thisUpdate MUST be specified and interpreted as defined in Section
            //# 4.1.2.5.1.
            //= rfc5280#section-5.1.2.4
            //# Where encoded as GeneralizedTime, thisUpdate MUST be specified and interpreted as defined in
            //# Section 4.1.2.5.2.
            let this_update = time::read(r)?;
            //= rfc5280#section-5.1.2.5
            //# Conforming CRL issuers MUST include the nextUpdate field in all CRLs.
            if !matches!(Tag::peek(r), Ok(Tag::UtcTime | Tag::GeneralizedTime)) {
                return Err(Problem::Profile("a CRL must have a nextUpdate (Section 5.1.2.5)"));
            }
            //= rfc5280#section-5.1.2.5
            //# CRL issuers conforming to this profile MUST encode nextUpdate as UTCTime for dates through the
            //# year 2049.
            //= rfc5280#section-5.1.2.5
            //# CRL issuers conforming to this profile MUST encode nextUpdate as GeneralizedTime for dates in
            //# the year 2050 or later.
            //= rfc5280#section-5.1.2.5
            //# Conforming applications MUST be able to process dates that are encoded in either UTCTime or
            //# GeneralizedTime.
            //= rfc5280#section-5.1.2.5
            //# Where encoded as UTCTime, nextUpdate MUST be specified and interpreted as defined in Section
            //# 4.1.2.5.1.
            //= rfc5280#section-5.1.2.5
            //# Where encoded as GeneralizedTime, nextUpdate MUST be specified and interpreted as defined in
            //# Section 4.1.2.5.2.
            let next_update = time::read(r)?;
            let mut revoked = read_revoked(r, is_version_2)?;
            revoked.sort_unstable();
            let key_identifier = if is_version_2 { read_extensions(r)? } else { None };
            Ok(Self {
                der: der.into(),
                issuer: issuer.into(),
                key_identifier: key_identifier.map(Vec::from),
                this_update,
                next_update,
                revoked,
                verdicts: Mutex::default(),
            })
        })
    }

    pub(super) fn is_expired(&self, now: UnixTime) -> bool {
        now > self.next_update
    }

    /// Whether this very list is `der`.
    pub(super) fn is(&self, der: &[u8]) -> bool {
        self.der == der
    }

    /// Whether this list names another key than the issuer's certificate does: one name can stand for several keys.
    ///
    /// A hint, and no more: the peer chooses among the certificates of its issuer's key, and each may name the key in its own way.
    fn names_another_key(&self, issuer: &Authority<'_>) -> bool {
        matches!((self.key_identifier.as_deref(), issuer.key_identifier()), (Some(named), Some(own)) if named != own)
    }

    fn verdicts(&self) -> MutexGuard<'_, Vec<Verdict>> {
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    //= rfc5280#section-5.1.1.3
    //# Applications that perform CRL checking MUST support certification path validation when certificates
    //# and CRLs are digitally signed with the same CA private key.
    //= rfc5280#section-6.3.3
    //# (g) Validate the signature on the complete CRL using the public key validated in step (f).
    fn check_signature(&self, key: &PublicKey, budget: &mut Budget) -> Result<(), Problem> {
        budget.signature()?;
        if let Some((_, verdict)) = self.verdicts().iter().find(|(tried, _)| tried == key) {
            return verdict.clone();
        }
        let verdict = Signed::read(&self.der)?.verify(key);
        let mut verdicts = self.verdicts();
        verdicts.truncate(MAX_VERDICTS - 1);
        verdicts.insert(0, (key.clone(), verdict.clone()));
        verdict
    }

    /// Whether an authority may sign lists, and has signed this one.
    pub(super) fn is_of(&self, authority: &Authority<'_>) -> bool {
        authority.crl_sign && self.check_signature(&authority.key, &mut Budget::default()).is_ok()
    }

    /// The status of a certificate by this list, whose signature has been verified.
    //= rfc5280#section-6.3.3
    //# (j) If (cert_status is UNREVOKED), then search for the certificate on the complete CRL.
    fn status(&self, certificate: &Certificate<'_>, now: UnixTime) -> Result<(), Problem> {
        let serial = pad(certificate.serial);
        let found = self.revoked.binary_search_by(|revoked| revoked.serial.cmp(&serial)).ok();
        if let Some(revoked) = found.and_then(|index| self.revoked.get(index)) {
            return Err(Problem::Revoked(revoked.at, reason(revoked.reason)));
        }
        if now < self.this_update {
            return Err(unknown(format!("the CRL is not valid before {}", Rfc3339(self.this_update))));
        }
        if self.is_expired(now) {
            return Err(unknown(format!("the CRL expired at {}", Rfc3339(self.next_update))));
        }
        Ok(())
    }
}

fn unknown(why: String) -> Problem {
    Problem::StatusUnknown(why)
}

/// Checks a certificate against the CRLs that bear its issuer's name.
///
/// One list that is in order decides; otherwise the last reason why none is. Without any list, `required` decides. A list that
/// names another key and is not signed with the issuer's is another authority's of the same name.
//= rfc5280#section-6.3
//# they MUST be functionally equivalent to the external behavior resulting from this procedure
//= rfc5280#section-6.3.3
//# The trust anchor for the certification path MUST be the same as the trust anchor used to validate the
//# target certificate.
//= rfc5280#section-8
//# At a minimum, implementations validating CRLs MUST ensure that the certification path of a certificate and
//# the CRL issuer certification path used to validate the certificate terminate at the same trust anchor.
pub(super) fn check(
    crls: &[Crl],
    certificate: &Certificate<'_>,
    issuer: &Authority<'_>,
    required: bool,
    (now, budget): (UnixTime, &mut Budget),
) -> Result<(), Problem> {
    let mut status = if required { Err(unknown("no CRL of its issuer is at hand".into())) } else { Ok(()) };
    let mut known = false;
    for crl in crls {
        //= rfc5280#section-6.3.3
        //# If a key usage extension is present in the CRL issuer's certificate, verify that the cRLSign bit
        //# is set.
        //= rfc5280#section-4.2.1.3
        //# the subject public key MUST NOT be used to verify signatures on certificates or CRLs unless the
        //# corresponding keyCertSign or cRLSign bit is set.
        if !issuer.crl_sign {
            return Err(unknown("its issuer's keyUsage lacks cRLSign".into()));
        }
        let checked = match crl.check_signature(&issuer.key, budget) {
            Ok(()) => crl.status(certificate, now),
            Err(Problem::Budget(what)) => return Err(Problem::Budget(what)),
            Err(Problem::Signature) if crl.names_another_key(issuer) => continue,
            Err(problem) => Err(unknown(format!("the CRL: {problem}"))),
        };
        match checked {
            Ok(()) => known = true,
            Err(Problem::Revoked(at, why)) => return Err(Problem::Revoked(at, why)),
            problem => status = problem,
        }
    }
    if known { Ok(()) } else { status }
}

/// revokedCertificates: absent if nothing was revoked. Only those of version 2 have extensions.
//= rfc5280#section-5.1.2.6
//# When there are no revoked certificates, the revoked certificates list MUST be absent.
fn read_revoked(reader: &mut DerReader<'_>, extensible: bool) -> Result<Vec<Revoked>, Problem> {
    let mut revoked = Vec::new();
    if reader.is_finished() || Tag::peek(reader)? != Tag::Sequence {
        return Ok(revoked);
    }
    for_each(reader, |r, _| {
        r.sequence(|r| {
            let serial = AnyRef::decode(r)?;
            serial.tag().assert_eq(Tag::Integer)?;
            //= rfc5280#section-5.1.2.6
            //# The time for revocationDate MUST be expressed as described in Section 5.1.2.4.
            let at = time::read(r)?;
            let reason = if r.is_finished() || !extensible { 0 } else { read_entry_extensions(r)? };
            // A certificate with a serial number that is not well-formed is refused for that.
            if let Some(octets) = serial_octets(serial.value()) {
                revoked.push(Revoked { serial: pad(octets), at, reason });
            }
            Ok(())
        })
    })?;
    Ok(revoked)
}

/// crlEntryExtensions (Section 5.3), and of them the reason.
fn read_entry_extensions(reader: &mut DerReader<'_>) -> Result<u8, Problem> {
    let mut reason = 0;
    for_each(reader, |r, _| {
        let extension = Extension::read(r)?;
        match (extension.oid, extension.value) {
            // Section 5.3.1: unspecified (0) is but discouraged; removeFromCRL (8) is for delta CRLs alone.
            (REASON_CODE, [0x0a, 1, code @ (0..=6 | 9 | 10)]) => reason = *code,
            (REASON_CODE, _) => return Err(Problem::Malformed("a reasonCode is not one of a complete CRL")),
            //= rfc5280#section-5.3
            //# If a CRL contains a critical CRL entry extension that the application cannot process, then the
            //# application MUST NOT use that CRL to determine the status of any certificates.
            (oid, _) if extension.critical => return Err(Problem::CriticalExtension(oid.to_string())),
            _ => {}
        }
        Ok(())
    })?;
    Ok(reason)
}

fn reason(code: u8) -> &'static str {
    match code {
        1 => "keyCompromise",
        2 => "cACompromise",
        3 => "affiliationChanged",
        4 => "superseded",
        5 => "cessationOfOperation",
        6 => "certificateHold",
        9 => "privilegeWithdrawn",
        10 => "aACompromise",
        _ => "unspecified",
    }
}

/// crlExtensions (Section 5.2), and of them the key identifier.
fn read_extensions<'a>(reader: &mut DerReader<'a>) -> Result<Option<&'a [u8]>, Problem> {
    const NUMBER_MISSING: Problem = Problem::Profile("a CRL must have a cRLNumber (Section 5.2.3)");
    let contents = implicit(reader, 0, true)?.ok_or(NUMBER_MISSING)?;
    let (mut has_number, mut key_identifier) = (false, None);
    let mut inner = DerReader::new(contents);
    for_each_extension(&mut inner, |extension| {
        let mut value = DerReader::new(extension.value);
        match extension.oid {
            //= rfc5280#section-5.2.3
            //# CRL issuers conforming to this profile MUST include this extension in all CRLs and MUST mark
            //# this extension as non-critical.
            //= rfc5280#section-5.2.3
            //# CRL verifiers MUST be able to handle CRLNumber values up to 20 octets.
            //= rfc5280#appendix-B
            //# CRL validators MUST be able to handle cRLNumber values up to 20 octets in length.
            CRL_NUMBER if !extension.critical => {
                UintRef::decode(&mut value)?;
                has_number = true;
            }
            AUTHORITY_KEY_IDENTIFIER if !extension.critical => {
                key_identifier = AuthorityKeyIdentifier::read(&mut value)?.key_identifier;
            }
            DELTA_CRL_INDICATOR => return Err(Problem::Unsupported("delta CRLs")),
            //= rfc5280#section-5.2.5
            //# However, implementations that do not support this extension MUST either treat the status of
            //# any certificate not listed on this CRL as unknown or locate another CRL that does not contain
            //# any unrecognized critical extensions.
            ISSUING_DISTRIBUTION_POINT => return Err(Problem::Unsupported("CRLs of one distribution point")),
            //= rfc5280#section-5.2
            //# If a CRL contains a critical extension that the application cannot process, then the
            //# application MUST NOT use that CRL to determine the status of certificates.
            oid if extension.critical => return Err(Problem::CriticalExtension(oid.to_string())),
            _ => return Ok(()),
        }
        Ok(value.finish()?)
    })?;
    inner.finish()?;
    if has_number { Ok(key_identifier) } else { Err(NUMBER_MISSING) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::pem;

    fn key(certificate: &[u8]) -> PublicKey {
        let der = pem::certificates(certificate).unwrap().remove(0);
        Certificate::read(&der).unwrap().key().unwrap()
    }

    #[test]
    fn no_list_is_hashed_twice_for_one_key() {
        let text = include_bytes!("../../../tests/vectors/x509/crl-clear.pem");
        let block = pem::Blocks::new(text).next().unwrap().unwrap();
        let mut crl = Crl::read(block.contents.expose()).unwrap();
        let issuer = key(include_bytes!("../../../tests/vectors/x509/intermediate.pem"));
        let twin = key(include_bytes!("../../../tests/vectors/x509/twin-1.pem"));
        let mut budget = Budget { signatures: 5, ..Budget::default() };
        assert_eq!(crl.check_signature(&twin, &mut budget), Err(Problem::Signature));
        assert_eq!(crl.check_signature(&issuer, &mut budget), Ok(()));
        // There is nothing left to hash.
        crl.der.clear();
        assert_eq!(crl.check_signature(&twin, &mut budget), Err(Problem::Signature));
        assert_eq!(crl.check_signature(&issuer, &mut budget), Ok(()));
        let stranger = key(include_bytes!("../../../tests/vectors/x509/root.pem"));
        assert!(matches!(crl.check_signature(&stranger, &mut budget), Err(Problem::Malformed(_))));
        assert!(matches!(crl.check_signature(&issuer, &mut budget), Err(Problem::Budget(_))));
    }
}
