//! The trust store: whose word counts.

use alloc::{boxed::Box, collections::BTreeMap, format, string::String, vec::Vec};
use core::fmt;

use super::{
    authority::Authority,
    certificate::Certificate,
    crl::Crl,
    path::Issuer,
    problem::{Problem, Role},
};
use crate::crypto::pem;

/// Trust anchors, read once and for all handshakes.
#[derive(Debug, Default)]
pub struct TrustStore {
    /// By subject (DER).
    anchors: BTreeMap<Vec<u8>, Vec<Anchor>>,
    authorities: Vec<Vec<u8>>,
    /// By issuer (DER).
    crls: BTreeMap<Vec<u8>, Vec<Crl>>,
    set_aside: Vec<String>,
}

/// Each is compared with those before it, and its signature costs a part of every path's budget.
const MAX_CRLS_OF_ONE_NAME: usize = 64;

/// A certificate of the trust store: an issuer if it is a CA's, and in any case itself trusted as an end entity.
#[derive(Debug)]
pub(super) struct Anchor {
    pub(super) der: Vec<u8>,
    /// Where it stands: a file, and a line in it.
    pub(super) origin: Box<str>,
    subject: Vec<u8>,
    authority: Result<Authority<'static>, Problem>,
}

impl Anchor {
    fn read(der: &[u8], origin: &str) -> Result<Self, Problem> {
        let certificate = Certificate::read(der)?;
        let authority = Authority::of(&certificate).and_then(|mut authority| {
            certificate.check_self_signed(&authority)?;
            authority.issuer_fault = authority.issuer_fault.or_else(|| certificate.root_fault());
            Ok(authority.into_owned())
        });
        Ok(Self { der: der.into(), origin: origin.into(), subject: certificate.subject.into(), authority })
    }

    pub(super) fn issuer<'p>(&'p self) -> Issuer<'p> {
        Issuer { role: Role::Anchor, subject: &self.subject, authority: &self.authority }
    }
}

/// Why a trust store cannot be read: which file, where in it, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreError(String);

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl core::error::Error for StoreError {}

impl TrustStore {
    /// A store that trusts nobody.
    pub fn empty() -> Self {
        Self::default()
    }

    /// A store of every certificate in a PEM text; `origin` names the text in errors.
    pub fn from_pem(text: &[u8], origin: &str) -> Result<Self, StoreError> {
        let mut store = Self::empty();
        store.add_pem(text, origin)?;
        Ok(store)
    }

    /// Adds every certificate of a PEM text; it is an error if there is none.
    ///
    /// A certificate that cannot be used is set aside, not an error: a system's bundle may hold one that nobody needs.
    pub fn add_pem(&mut self, text: &[u8], origin: &str) -> Result<(), StoreError> {
        let error = |problem: &dyn fmt::Display| StoreError(format!("{origin}: {problem}"));
        let mut found = false;
        for block in pem::Blocks::new(text) {
            let block = block.map_err(|e| error(&e))?;
            if matches!(block.label, "CERTIFICATE" | "X509 CERTIFICATE") {
                found = true;
                self.add(block.contents.expose(), &format!("{origin}: line {}", block.line));
            }
        }
        if found { Ok(()) } else { Err(error(&"no certificate in it")) }
    }

    /// Adds one certificate in DER; `origin` says where it stands should it be of no use.
    pub fn add(&mut self, der: &[u8], origin: &str) {
        let anchor = match Anchor::read(der, origin) {
            Ok(anchor) => anchor,
            Err(problem) => return self.set_aside.push(format!("{origin}: {problem}")),
        };
        let same_name = self.anchors.entry(anchor.subject.clone()).or_default();
        if same_name.is_empty() && anchor.authority.is_ok() {
            self.authorities.push(anchor.subject.clone());
        }
        if !same_name.iter().any(|known| known.der == anchor.der) {
            same_name.push(anchor);
        }
    }

    /// Adds every CRL of a PEM text; one that cannot be used is an error, and so is a text without any.
    pub fn add_crl_pem(&mut self, text: &[u8], origin: &str) -> Result<(), StoreError> {
        let error = |problem: &dyn fmt::Display| StoreError(format!("{origin}: {problem}"));
        let mut found = false;
        for block in pem::Blocks::new(text) {
            let block = block.map_err(|e| error(&e))?;
            if block.label == "X509 CRL" {
                found = true;
                self.add_crl(block.contents.expose(), &format!("{origin}: line {}", block.line))?;
            }
        }
        if found { Ok(()) } else { Err(error(&"no CRL in it")) }
    }

    /// Adds a CRL in DER.
    pub fn add_crl(&mut self, der: &[u8], origin: &str) -> Result<(), StoreError> {
        let crl = Crl::read(der).map_err(|problem| StoreError(format!("{origin}: CRL: {problem}")))?;
        let same_name = self.crls.entry(crl.issuer.clone()).or_default();
        if same_name.iter().any(|known| known.is(der)) {
            return Ok(());
        }
        if same_name.len() >= MAX_CRLS_OF_ONE_NAME {
            let error = format!("{origin}: more than {MAX_CRLS_OF_ONE_NAME} CRLs of one issuer");
            return Err(StoreError(error));
        }
        same_name.push(crl);
        Ok(())
    }

    /// The CRLs that bear an issuer's name.
    pub(super) fn crls(&self, issuer: &[u8]) -> &[Crl] {
        self.crls.get(issuer).map_or(&[], Vec::as_slice)
    }

    /// The issuers of CRLs, with theirs.
    pub(super) fn crl_issuers(&self) -> impl Iterator<Item = (&[u8], &[Crl])> {
        self.crls.iter().map(|(issuer, crls)| (issuer.as_slice(), crls.as_slice()))
    }

    /// How many certificates are in it.
    pub fn len(&self) -> usize {
        self.anchors.values().map(Vec::len).sum()
    }

    /// Whether it trusts nobody.
    pub fn is_empty(&self) -> bool {
        self.anchors.is_empty()
    }

    /// What is no certificate that can be read: where it stands, and why. [`super::Verifier::idle_anchors`] tells what else is of no use.
    pub fn set_aside(&self) -> &[String] {
        &self.set_aside
    }

    pub(super) fn anchors(&self) -> impl Iterator<Item = &Anchor> {
        self.anchors.values().flatten()
    }

    /// The subjects (DER) of those that may issue.
    pub(super) fn authorities(&self) -> &[Vec<u8>] {
        &self.authorities
    }

    pub(super) fn named<'p>(&'p self, subject: &[u8]) -> &'p [Anchor] {
        self.anchors.get(subject).map_or(&[], Vec::as_slice)
    }

    /// Whether this very certificate is in the store.
    pub(super) fn holds(&self, certificate: &Certificate<'_>) -> bool {
        self.named(certificate.subject).iter().any(|anchor| anchor.der == certificate.der)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_which_file_and_where() {
        let error = TrustStore::from_pem(b"", "/etc/ca.pem").unwrap_err().to_string();
        assert_eq!(error, "/etc/ca.pem: no certificate in it");
        let text = b"\n-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
        let store = TrustStore::from_pem(text, "ca.pem").unwrap();
        assert!(store.is_empty());
        assert_eq!(store.set_aside().len(), 1);
        assert!(store.set_aside()[0].starts_with("ca.pem: line 2: malformed"), "{:?}", store.set_aside());
        let error = TrustStore::from_pem(&text[..30], "ca.pem").unwrap_err().to_string();
        assert_eq!(error, "ca.pem: line 2: the block does not end");
    }

    #[test]
    fn crls_of_one_name_are_bounded() {
        let text = include_bytes!("../../../tests/vectors/x509/crl-clear.pem");
        let mut der = pem::Blocks::new(text).next().unwrap().unwrap().contents.expose().to_vec();
        let mut store = TrustStore::default();
        let mut add = |last_octet| {
            *der.last_mut().unwrap() = last_octet;
            store.add_crl(&der, "crl").map_err(|error| error.to_string())
        };
        (0..64).for_each(|number| add(number).unwrap());
        assert_eq!(add(7), Ok(()), "it is known already");
        assert_eq!(add(64).unwrap_err(), "crl: more than 64 CRLs of one issuer");
    }
}
