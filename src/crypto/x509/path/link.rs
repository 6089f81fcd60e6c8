//! What a path is made of.

use alloc::vec::Vec;

use crate::crypto::x509::{
    authority::Authority,
    certificate::Certificate,
    problem::{Failure, Problem, Role},
    purpose::KeyPurposes,
};

/// A certificate sent beside the end entity.
#[derive(Debug)]
pub(in crate::crypto::x509) struct Candidate<'p> {
    pub(in crate::crypto::x509) certificate: Certificate<'p>,
    pub(super) authority: Result<Authority<'p>, Problem>,
}

/// A certificate that may be an issuer: from the peer, or from the trust store.
#[derive(Clone, Copy, Debug)]
pub(in crate::crypto::x509) struct Issuer<'p> {
    pub(in crate::crypto::x509) role: Role,
    pub(in crate::crypto::x509) subject: &'p [u8],
    pub(in crate::crypto::x509) authority: &'p Result<Authority<'p>, Problem>,
}

impl<'p> Candidate<'p> {
    pub(super) fn issuer(&'p self) -> Issuer<'p> {
        Issuer { role: Role::Intermediate, subject: self.certificate.subject, authority: &self.authority }
    }

    pub(in crate::crypto::x509) fn read(der: &'p [u8]) -> Result<Self, Problem> {
        let certificate = Certificate::read(der)?;
        let authority = Authority::of(&certificate);
        Ok(Self { certificate, authority })
    }
}

/// One certificate of the path under construction.
#[derive(Clone, Copy, Debug)]
pub(in crate::crypto::x509) struct Link<'p> {
    pub(in crate::crypto::x509) certificate: &'p Certificate<'p>,
    pub(super) role: Role,
    /// What it is as an issuer; the end entity is none.
    pub(super) authority: Option<&'p Authority<'p>>,
    /// The purposes left by everything up to here.
    pub(super) purposes: KeyPurposes,
}

impl<'p> Link<'p> {
    pub(super) fn blame(&self, problem: Problem) -> Failure<'p> {
        Failure { role: self.role, subject: self.certificate.subject, problem }
    }
}

/// A valid path.
#[derive(Debug)]
pub(in crate::crypto::x509) struct Found<'p> {
    /// From the end entity upward.
    pub(in crate::crypto::x509) links: Vec<Link<'p>>,
    /// `None` if the end entity itself is in the trust store.
    pub(in crate::crypto::x509) anchor: Option<&'p Authority<'p>>,
}
