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

/// The certificates sent beside the end entity: an honest peer's few need no heap.
#[derive(Debug, Default)]
pub(in crate::crypto::x509) struct Candidates<'p> {
    few: [Option<Candidate<'p>>; 3],
    more: Vec<Candidate<'p>>,
}

impl<'p> Candidates<'p> {
    pub(in crate::crypto::x509) fn push(&mut self, candidate: Candidate<'p>) {
        match self.few.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(candidate),
            None => self.more.push(candidate),
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Candidate<'p>> {
        self.few.iter().flatten().chain(&self.more)
    }
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

/// The longest path below its anchor, whatever the configuration says: the search recurses so deep.
pub(super) const MAX_LINKS: usize = 25;
/// What that leaves beside the end entity, and room for one more link that is looked for.
pub(super) const MAX_INTERMEDIATES: usize = MAX_LINKS - 2;

/// A path under construction, from the end entity upward.
#[derive(Debug)]
pub(in crate::crypto::x509) struct Links<'p> {
    links: [Link<'p>; MAX_LINKS],
    length: usize,
}

impl<'p> Links<'p> {
    pub(super) fn new(end_entity: Link<'p>) -> Self {
        Self { links: [end_entity; MAX_LINKS], length: 1 }
    }

    /// Puts `link` above the others.
    pub(super) fn push(&mut self, link: Link<'p>) {
        let place =
            self.links.get_mut(self.length).expect("the length is checked before the link is accepted");
        *place = link;
        self.length = self.length.saturating_add(1);
    }

    /// Takes the uppermost link off; the end entity stays.
    pub(super) fn pop(&mut self) {
        self.length = self.length.saturating_sub(1).max(1);
    }

    pub(super) fn last(&self) -> Link<'p> {
        let [end_entity, ..] = self.links;
        self.as_slice().last().copied().unwrap_or(end_entity)
    }

    pub(in crate::crypto::x509) fn as_slice(&self) -> &[Link<'p>] {
        self.links.get(..self.length).unwrap_or_default()
    }
}

/// A valid path.
#[derive(Debug)]
pub(in crate::crypto::x509) struct Found<'p> {
    pub(in crate::crypto::x509) links: Links<'p>,
    /// `None` if the end entity itself is in the trust store.
    pub(in crate::crypto::x509) anchor: Option<&'p Authority<'p>>,
}
