//! A certificate that may issue: what a path needs to know of a CA, be it sent by the peer or a trust anchor.

use alloc::borrow::Cow;

use super::{
    budget::Budget, certificate::Certificate, constraints::NameConstraints, distinguished_name,
    policy::PolicyExtensions, problem::Problem, purpose::KeyPurposes, time::Validity,
};
use crate::crypto::public_key::PublicKey;

/// A CA. Only [`Authority::of`] makes one, so each has the form that RFC 5280 asks of a CA's certificate.
#[derive(Clone, Debug)]
pub(super) struct Authority<'a> {
    pub(super) subject: Cow<'a, [u8]>,
    pub(super) key: PublicKey,
    pub(super) validity: Validity,
    pub(super) path_length: Option<u8>,
    pub(super) purposes: KeyPurposes,
    /// Whether keyUsage lets it sign CRLs.
    pub(super) crl_sign: bool,
    /// What its policy extensions ask of the certificates below it.
    pub(super) policies: PolicyExtensions<'static>,
    /// What its issuer should not have done.
    pub(super) issuer_fault: Option<Problem>,
    key_identifier: Option<Cow<'a, [u8]>>,
    issuer: Cow<'a, [u8]>,
    serial: Cow<'a, [u8]>,
    permitted: Cow<'a, [u8]>,
    excluded: Cow<'a, [u8]>,
}

impl<'a> Authority<'a> {
    /// Takes a CA's certificate; its place, its time and its signature are checked in a path.
    pub(super) fn of(certificate: &Certificate<'a>) -> Result<Self, Problem> {
        let extensions = &certificate.extensions;
        certificate.check_form()?;
        //= rfc5280#section-4.2.1.9
        //# If the basic constraints extension is not present in a version 3 certificate, or the extension is
        //# present but the cA boolean is not asserted, then the certified public key MUST NOT be used to
        //# verify certificate signatures.
        //= rfc5280#section-4.2.1.9
        //# Conforming CAs MUST include this extension in all CA certificates
        //= rfc5280#section-6.1.4
        //# (k) If certificate i is a version 3 certificate, verify that the basicConstraints extension is
        //# present and that cA is set to TRUE.
        let basic_constraints =
            extensions.basic_constraints.filter(|constraints| constraints.ca).ok_or(Problem::NotAuthority)?;
        //= rfc5280#section-4.2.1.3
        //# If the keyUsage extension is present, then the subject public key MUST NOT be used to verify
        //# signatures on certificates or CRLs unless the corresponding keyCertSign or cRLSign bit is set.
        //= rfc5280#section-6.1.4
        //# (n) If a key usage extension is present, verify that the keyCertSign bit is set.
        if extensions.key_usage.is_some_and(|usage| !usage.key_cert_sign()) {
            return Err(Problem::KeyUsage("keyCertSign"));
        }
        //= rfc5280#section-4.1.2.6
        //# If the subject is a CA (e.g., the basic constraints extension, as discussed in Section 4.2.1.9, is
        //# present and the value of cA is TRUE), then the subject field MUST be populated with a non-empty
        //# distinguished name matching the contents of the issuer field (Section 4.1.2.4) in all certificates
        //# issued by the subject CA.
        if certificate.subject == distinguished_name::EMPTY {
            return Err(Problem::Profile("a CA's subject must not be empty (Section 4.1.2.6)"));
        }
        let none = NameConstraints { permitted: &[], excluded: &[] };
        let constraints = extensions.name_constraints.unwrap_or(none);
        Ok(Self {
            subject: Cow::Borrowed(certificate.subject),
            key: certificate.key()?,
            validity: certificate.validity,
            path_length: basic_constraints.path_length,
            purposes: extensions.extended_key_usage.map_or(KeyPurposes::ALL, KeyPurposes::of_authority),
            crl_sign: extensions.key_usage.is_none_or(|usage| usage.crl_sign()),
            policies: extensions.policies.constraints_only(),
            issuer_fault: certificate.authority_fault(),
            key_identifier: extensions.subject_key_identifier.map(Cow::Borrowed),
            issuer: Cow::Borrowed(certificate.issuer),
            serial: Cow::Borrowed(certificate.serial),
            permitted: Cow::Borrowed(constraints.permitted),
            excluded: Cow::Borrowed(constraints.excluded),
        })
    }

    /// The same, without a loan: for the trust store.
    pub(super) fn into_owned(self) -> Authority<'static> {
        let own = |bytes: Cow<'_, [u8]>| Cow::Owned(bytes.into_owned());
        Authority {
            subject: own(self.subject),
            key: self.key,
            validity: self.validity,
            path_length: self.path_length,
            purposes: self.purposes,
            crl_sign: self.crl_sign,
            policies: self.policies,
            issuer_fault: self.issuer_fault,
            key_identifier: self.key_identifier.map(own),
            issuer: own(self.issuer),
            serial: own(self.serial),
            permitted: own(self.permitted),
            excluded: own(self.excluded),
        }
    }

    pub(super) fn name_constraints(&self) -> NameConstraints<'_> {
        NameConstraints { permitted: &self.permitted, excluded: &self.excluded }
    }

    pub(super) fn key_identifier(&self) -> Option<&[u8]> {
        self.key_identifier.as_deref()
    }

    /// Whether the key that `certificate` names as its issuer's, if it names one, is this CA's.
    //= rfc5280#section-4.2.1.2
    //# In conforming CA certificates, the value of the subject key identifier MUST be the value placed in the
    //# key identifier field of the authority key identifier extension (Section 4.2.1.1) of certificates
    //# issued by the subject of this certificate.
    pub(super) fn key_is_named_by(
        &self,
        certificate: &Certificate<'_>,
        budget: &mut Budget,
    ) -> Result<bool, Problem> {
        let Some(named) = &certificate.extensions.authority_key_identifier else { return Ok(true) };
        let same_key = match (named.key_identifier, &self.key_identifier) {
            (Some(named), Some(own)) => named == &**own,
            _ => true,
        };
        let same_certificate = match named.issuer_and_serial {
            Some((issuer, serial)) => {
                serial == &*self.serial && distinguished_name::is_named_in(issuer, &self.issuer, budget)?
            }
            None => true,
        };
        Ok(same_key && same_certificate)
    }
}
