//! A certificate that may issue: what a path needs to know of a CA, be it sent by the peer or a trust anchor.

use alloc::borrow::Cow;

use super::{
    certificate::Certificate, constraints::NameConstraints, distinguished_name, policy::PolicyExtensions,
    problem::Problem, purpose::KeyPurposes, time::Validity,
};
use crate::crypto::public_key::PublicKey;

/// A CA. Only [`Authority::of`] makes one, so each has the form that RFC 5280 asks of a CA's certificate.
#[derive(Clone, Debug)]
pub(super) struct Authority<'a> {
    pub(super) subject: Cow<'a, [u8]>,
    pub(super) key: PublicKey,
    /// The key as SubjectPublicKeyInfo in DER.
    pub(super) spki: Cow<'a, [u8]>,
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
        let basic_constraints =
            extensions.basic_constraints.filter(|constraints| constraints.ca).ok_or(Problem::NotAuthority)?;
        if extensions.key_usage.is_some_and(|usage| !usage.key_cert_sign()) {
            return Err(Problem::KeyUsage("keyCertSign"));
        }
        if certificate.subject == distinguished_name::EMPTY {
            return Err(Problem::Profile("a CA's subject must not be empty (Section 4.1.2.6)"));
        }
        let none = NameConstraints { permitted: &[], excluded: &[] };
        let constraints = extensions.name_constraints.unwrap_or(none);
        Ok(Self {
            subject: Cow::Borrowed(certificate.subject),
            key: certificate.key()?,
            spki: Cow::Borrowed(certificate.spki),
            validity: certificate.validity,
            path_length: basic_constraints.path_length,
            purposes: extensions.extended_key_usage.map_or(KeyPurposes::ALL, KeyPurposes::of_authority),
            crl_sign: extensions.key_usage.is_none_or(|usage| usage.crl_sign()),
            policies: extensions.policies.constraints_only(),
            issuer_fault: certificate.issuer_fault(),
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
            spki: own(self.spki),
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
    pub(super) fn key_is_named_by(&self, certificate: &Certificate<'_>) -> Result<bool, Problem> {
        let Some(named) = &certificate.extensions.authority_key_identifier else { return Ok(true) };
        let same_key = match (named.key_identifier, &self.key_identifier) {
            (Some(named), Some(own)) => named == &**own,
            _ => true,
        };
        let same_certificate = match named.issuer_and_serial {
            Some((issuer, serial)) => {
                serial == &*self.serial && distinguished_name::is_named_in(issuer, &self.issuer)?
            }
            None => true,
        };
        Ok(same_key && same_certificate)
    }
}
