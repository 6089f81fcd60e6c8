//! Certificate path validation: RFC 5280 for TLS, with the names of RFC 9525 and the purposes of RFC 9289.
//!
//! # How it works
//!
//! ```text
//! DER -> certificate  every octet accounted for        store      the trust anchors, read once
//!        extensions   none twice, none passed over     crl        revoked serial numbers, sorted
//!     -> authority    may it issue at all?
//!     -> path         from the end entity upward, every step checked as it is taken
//!          time, purpose, pathLenConstraint, signature, constraints, and at the anchor: policy, crl
//!     -> names        does the end entity prove the name that was asked for?
//! ```
//!
//! One strict reader, built on `der`, reads everything that a decision rests on: shortest lengths, no trailing octets, no default
//! written out, times to the second, each name held to the syntax of its kind. x509-parser is more lenient and decides nothing:
//! it turns names into text for people (`text`), after the strict reader has accepted them. Two readers cannot disagree then.
//!
//! A certificate that cannot be read, or that may not issue, does no harm as long as no path needs it: peers send superfluous
//! ones. If there is no path, the failure that tells most is reported, with the certificate it concerns ([`Problem`]).
//!
//! # What is decided here
//!
//! * **Trust anchors** are certificates, and held to the same form as any other CA's (`authority`); RFC 5280, Section 6.1.1 (d)
//!   leaves that to us. One need not be self-signed (an intermediate in the store ends a path), and its own signature is not
//!   verified. It is not an anchor outside its validity, as with OpenSSL and
//!   GnuTLS: whoever let a root expire did not mean to trust it for ever. Its name
//!   constraints, pathLenConstraint, extendedKeyUsage and policyConstraints bind the path below it.
//!   Certificates of the store that are not of this form are set aside and named in the log: of Debian's 144 (ca-certificates
//!   20230311) three, for a time in the wrong form (one) and a keyUsage that is not DER (two). Nine have the serial number 0: that
//!   is a fault of their issuers alone.
//! * **A certificate that is itself in the store** is trusted as an end entity, whoever issued it, CA or not: storage appliances
//!   come with a self-signed one. Its validity, names and purpose, keyUsage and key are checked like any other's; CRLs are not.
//! * **Form**: version 3, a positive serial number of at most 20 octets, one algorithm inside and outside, and what Section 4.2
//!   demands of issuers of each extension. A critical extension that is not understood is refused anywhere in the path.
//!   What is asked of issuers alone ([`Policy::issuer_profile`]) can be waived: see `profile`. keyIdentifiers choose among issuers
//!   of one name. A keyUsage binds wherever it is; that a CA has one at all can be waived (OpenSSL's defaults leave it out).
//! * **Keys and signatures**: RSA of 2048 to 4096 bits (PKCS #1 and PSS) with SHA-256, -384, -512; P-256 and P-384 with SHA-256 and
//!   -384; Ed25519. No SHA-1, no MD5.
//! * **Names**: subjectAltName alone, never the common name; see `names`. Constraints on them: see `constraints`.
//! * **Purposes**: an end entity's extendedKeyUsage has serverAuth or clientAuth, or rpcTLSServer or rpcTLSClient, or is absent;
//!   [`RequiredPurpose::RpcTls`] demands the latter two. anyExtendedKeyUsage does not stand for any of them. Each CA in the path that has
//!   the extension must leave the purpose over. keyUsage of an end entity has digitalSignature, or is absent (RFC 8446, 4.4.2.2).
//! * **Policies**: any will do, unless a CA in the path requires one; see `policy`.
//! * **Who is wanted**: whoever is valid, unless an [`AllowList`] says who is; see `allow`.
//! * **Revocation**: by CRLs that are at hand, and as [`Revocation`] demands; nothing is ever fetched. See `crl`.
//! * **Memory**: signatures verified once need not be verified again; nothing else is ever taken for granted. See `cache`.
//! * **Effort**: bounded by [`Budget`], whatever is sent. A path has at most [`Policy::max_intermediates`] intermediates.
//!
//! # What is not here
//!
//! OCSP, delta and indirect CRLs, policy mapping where a policy is required, internationalised mailboxes (RFC 8398), names in
//! UniversalString, and the normalisation of Unicode in directoryName constraints: two spellings of one accented letter count as
//! different.

mod allow;
mod authority;
mod budget;
mod cache;
mod certificate;
mod constraints;
mod crl;
pub(crate) mod distinguished_name;
mod extensions;
mod general_name;
mod inventory;
mod names;
mod oid;
mod path;
mod policy;
mod problem;
mod profile;
mod purpose;
mod store;
mod text;
pub mod time;
mod written_name;

use alloc::{format, string::String, sync::Arc, vec::Vec};

use cache::SignatureCache;
use certificate::Certificate;
use path::{Candidate, Candidates, Found, Search};
use problem::{Failure, Role};

pub use self::{
    allow::{AllowList, BadEntry, Property},
    budget::Budget,
    crl::Revocation,
    inventory::Coverage,
    problem::Problem,
    purpose::{RequiredPurpose, Side},
    store::{StoreError, TrustStore},
    time::Validity,
};
use super::{
    certificate::{CertificateVerifier, Purpose, Rejection, ServerName, UnixTime},
    hash::Hash,
    public_key::PublicKey,
};

/// What is demanded of a path beyond the rules that always hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Which extendedKeyUsage the end entity needs.
    pub purpose: RequiredPurpose,
    /// Whether what is asked of issuers alone, and what endangers nobody, is asked for too.
    ///
    /// By RFC 5280: authorityKeyIdentifier, a CA's subjectKeyIdentifier and keyUsage, its basicConstraints critical, subjectAltName
    /// critical if and only if the subject is empty, a serial number other than 0. By the Baseline Requirements for public CAs:
    /// extendedKeyUsage not critical, without anyExtendedKeyUsage, and none in a root; authorityKeyIdentifier without issuer and
    /// serial number; a server's common name, if it is a host's, written as in subjectAltName. Many private CAs in use break one of
    /// these; the agent and the tools waive them all, and `handclasp verify` does with `--as-agent`.
    pub issuer_profile: bool,
    /// Of which certificates it must be known that they are not revoked.
    pub revocation: Revocation,
    /// Which end entities are wanted, of those that are valid.
    pub allowed: AllowList,
    /// How short an RSA key may be, of any certificate in the path; below 2048 bits none is accepted in any case.
    pub min_rsa_bits: usize,
    /// The most intermediates in a path; self-issued ones do not count.
    pub max_intermediates: usize,
    /// What a search may cost.
    pub budget: Budget,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            purpose: RequiredPurpose::default(),
            issuer_profile: true,
            revocation: Revocation::default(),
            allowed: AllowList::default(),
            min_rsa_bits: 0,
            max_intermediates: 10,
            budget: Budget::default(),
        }
    }
}

impl Policy {
    fn check_key(&self, key: &PublicKey) -> Result<(), Problem> {
        match key.rsa_bits() {
            Some(bits) if bits < self.min_rsa_bits => Err(Problem::ShortKey(bits, self.min_rsa_bits)),
            _ => Ok(()),
        }
    }
}

/// What a chain is to prove.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Whose end entity it is.
    pub side: Side,
    /// The names of which the end entity must have one; none means that names do not matter.
    pub names: &'a [ServerName],
    /// The time at which it is to be valid.
    pub now: UnixTime,
}

/// A valid path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The end entity's key.
    pub key: PublicKey,
    /// The subjects from the end entity to the trust anchor, as text.
    pub subjects: Vec<String>,
}

/// Validates the certificates of peers against a trust store.
#[derive(Clone, Debug)]
pub struct Verifier {
    store: Arc<TrustStore>,
    policy: Policy,
    /// A clone shares it.
    signatures: Arc<SignatureCache>,
}

impl Verifier {
    /// A verifier with the default policy.
    pub fn new(store: Arc<TrustStore>) -> Self {
        Self::with_policy(store, Policy::default())
    }

    /// A verifier with a policy of its own.
    pub fn with_policy(store: Arc<TrustStore>, policy: Policy) -> Self {
        Self { store, policy, signatures: Arc::default() }
    }

    /// The same verifier for another trust store: what it has verified stays verified.
    pub fn for_store(&self, store: Arc<TrustStore>) -> Self {
        Self { store, ..self.clone() }
    }

    /// Validates a chain, the end entity first, and returns the path.
    pub fn find_path(&self, chain: &[Vec<u8>], request: &Request<'_>) -> Result<Path, Rejection> {
        self.find(chain, request, |key, found| {
            let sent = found.links.as_slice().iter().map(|link| match text::name(link.certificate.subject) {
                name if name.is_empty() => String::from("(no subject)"),
                name => name,
            });
            let anchor = found.anchor.map(|anchor| text::name(&anchor.subject));
            Path { key, subjects: sent.chain(anchor).collect() }
        })
    }

    /// Validates a chain and hands the key and the path to `then`.
    //= rfc9289#section-5.2.1
    //# Certificate validation MUST include the verification rules as per Section 6 of [RFC5280] and Section 6
    //# of [RFC6125].
    fn find<T>(
        &self,
        chain: &[Vec<u8>],
        request: &Request<'_>,
        then: impl FnOnce(PublicKey, Found<'_>) -> T,
    ) -> Result<T, Rejection> {
        let role = match request.side {
            Side::Server => Role::Server,
            Side::Client => Role::Client,
        };
        let mut unread = Vec::new();
        let (first, others) = chain.split_first().map_or((&[][..], &[][..]), |(f, o)| (f.as_slice(), o));
        let end_entity =
            Certificate::read(first).map_err(|problem| Failure { role, subject: &[], problem }.reject())?;
        let blame = |problem| Failure { role, subject: end_entity.subject, problem };
        let key = self.check_end_entity(&end_entity, request).map_err(|problem| blame(problem).reject())?;
        let mut candidates = Candidates::default();
        for der in others {
            match Candidate::read(der) {
                Ok(candidate) => candidates.push(candidate),
                Err(problem) => unread.push(Failure { role: Role::Intermediate, subject: &[], problem }),
            }
        }
        let mut search = Search::new(self, (request.side, request.now), (&end_entity, role), &candidates);
        unread.into_iter().for_each(|failure| search.note(failure));
        let found = search.run().map_err(Failure::reject)?;
        // Last of all: whoever is refused for another reason is told that one.
        let allowed = self.policy.allowed.check(&end_entity, self.policy.budget);
        allowed.map_err(|problem| blame(problem).reject())?;
        Ok(then(key, found))
    }

    /// Checks what does not depend on the path.
    fn check_end_entity(
        &self,
        end_entity: &Certificate<'_>,
        request: &Request<'_>,
    ) -> Result<PublicKey, Problem> {
        end_entity.check_form()?;
        if self.policy.issuer_profile {
            self.check_profile(end_entity, request.side)?;
        }
        end_entity.check_claims()?;
        let key = end_entity.key()?;
        self.policy.check_key(&key)?;
        //= rfc5280#section-6.1.3
        //# (2) The certificate validity period includes the current time.
        end_entity.validity.check(request.now)?;
        let extensions = &end_entity.extensions;
        //= rfc5280#section-4.2.1.12
        //# If a certificate contains both a key usage extension and an extended key usage extension, then
        //# both extensions MUST be processed independently and the certificate MUST only be used for a
        //# purpose consistent with both extensions.
        //= rfc5280#section-4.2.1.12
        //# If there is no purpose consistent with both extensions, then the certificate MUST NOT be used for
        //# any purpose.
        //= rfc8446#section-4.4.2.2
        //# The certificate MUST allow the key to be used for signing (i.e., the digitalSignature bit MUST be
        //# set if the Key Usage extension is present
        if extensions.key_usage.is_some_and(|usage| !usage.digital_signature()) {
            return Err(Problem::KeyUsage("digitalSignature"));
        }
        self.policy.purpose.check(request.side, extensions.extended_key_usage)?;
        names::check(end_entity, request.names)?;
        Ok(key)
    }

    /// What issuers alone are asked to keep.
    fn check_profile(&self, end_entity: &Certificate<'_>, side: Side) -> Result<(), Problem> {
        end_entity.issuer_fault().map_or(Ok(()), Err)?;
        match side {
            Side::Server => end_entity.check_common_names(self.policy.budget),
            Side::Client => Ok(()),
        }
    }
}

impl CertificateVerifier for Verifier {
    fn verify(&self, chain: &[Vec<u8>], purpose: Purpose<'_>, now: UnixTime) -> Result<PublicKey, Rejection> {
        let (side, names) = match purpose {
            Purpose::Server(name) => (Side::Server, core::slice::from_ref(name)),
            Purpose::Client => (Side::Client, &[][..]),
        };
        self.find(chain, &Request { side, names, now }, |key, _| key)
    }

    fn authorities(&self) -> &[Vec<u8>] {
        self.store.authorities()
    }
}

/// Describes a certificate for a log line: "CN=client.test (SHA256:0123456789abcdef..)".
pub fn describe(der: &[u8]) -> String {
    let digest = Hash::Sha256.digest(der);
    let hex: String = digest.as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let subject = Certificate::read(der).map(|certificate| text::name(certificate.subject));
    match subject.as_deref() {
        Ok("") | Err(_) => format!("(SHA256:{hex}..)"),
        Ok(subject) => format!("{subject} (SHA256:{hex}..)"),
    }
}

/// When a certificate is valid.
pub fn validity(der: &[u8]) -> Result<Validity, Problem> {
    Certificate::read(der).map(|certificate| certificate.validity)
}

/// The issuer of a certificate, as a distinguished name in DER: what a peer's certificate_authorities may name.
pub fn issuer(der: &[u8]) -> Result<Vec<u8>, Problem> {
    Certificate::read(der).map(|certificate| certificate.issuer.to_vec())
}

/// The SHA-256 hash of a certificate's SubjectPublicKeyInfo, in hexadecimal digits: what [`Property::KeyHash`] takes.
pub fn key_hash(der: &[u8]) -> Result<String, Problem> {
    Certificate::read(der).map(|certificate| allow::key_hash(&certificate))
}

/// The key of a certificate.
pub fn public_key(der: &[u8]) -> Result<PublicKey, Problem> {
    Certificate::read(der).and_then(|certificate| certificate.key())
}
