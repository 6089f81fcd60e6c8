//! The profile of RFC 5280, Sections 4 and 5: each rule is broken once, by a certificate or a CRL made for it.
#![cfg(feature = "x509")]
#![allow(unreachable_pub, reason = "modules of a test")]

#[path = "../support/issue.rs"]
mod issue;

mod certificates;
mod crls;
mod paths;

use std::sync::{Arc, LazyLock};

use handclasp::crypto::{
    certificate::UnixTime,
    x509::{Policy, Request, Revocation, Side, TrustStore, Verifier},
};
use issue::{
    AUTHORITY_KEY_IDENTIFIER, BASIC_CONSTRAINTS, CERTIFICATE_POLICIES, CLIENT_AUTH, CRL_NUMBER, Crl,
    EXTENDED_KEY_USAGE, KEY_USAGE, Key, NAME_CONSTRAINTS, Parts, SERVER_AUTH, SUBJECT_ALT_NAME,
    SUBJECT_KEY_IDENTIFIER, Template, extension, oid, revoked, sequence, tlv,
};

/// In March of 2030.
const NOW: UnixTime = UnixTime(1_900_000_000);

const POLICY_MAPPINGS: &[u8] = &[0x55, 0x1d, 33];
const POLICY_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 36];
const INHIBIT_ANY_POLICY: &[u8] = &[0x55, 0x1d, 54];
const AUTHORITY_INFORMATION_ACCESS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 1];
const UNKNOWN: &[u8] = &[0x2a, 3, 4];
const ANY_POLICY: &[u8] = &[0x55, 0x1d, 32, 0];

const ECDSA_WITH_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];

/// Of the root, the authority and the end entity, and one of a stranger.
static KEYS: LazyLock<[Key; 4]> = LazyLock::new(|| std::array::from_fn(|_| Key::generate()));

/// A root that is trusted, an authority below it and an end entity, each as the profile has it until it is edited.
struct Chain {
    authority: Vec<u8>,
    end_entity: Vec<u8>,
    crls: Vec<Vec<u8>>,
    policy: Policy,
}

fn chain(authority: impl FnOnce(&mut Parts), end_entity: impl FnOnce(&mut Parts)) -> Chain {
    let [root, issuer, subject, _] = &*KEYS;
    let mut template = Template::new("Authority", issuer);
    template.ca = Some(None);
    let authority = template.issue_edited("Root", root, authority);
    let mut template = Template::new("end", subject);
    template.names = vec!["end.test".into()];
    let end_entity = template.issue_edited("Authority", issuer, end_entity);
    Chain { authority, end_entity, crls: Vec::new(), policy: Policy::default() }
}

impl Chain {
    fn judge(self) -> Result<(), String> {
        judge(&[self.end_entity, self.authority], &self.crls, self.policy)
    }
}

fn judge(chain: &[Vec<u8>], crls: &[Vec<u8>], policy: Policy) -> Result<(), String> {
    let mut root = Template::new("Root", &KEYS[0]);
    root.ca = Some(None);
    let mut store = TrustStore::empty();
    store.add(&root.issue("Root", &KEYS[0]), "root");
    for crl in crls {
        store.add_crl(crl, "crl").map_err(|error| error.to_string())?;
    }
    let request = Request { side: Side::Server, names: &[], now: NOW };
    let found = Verifier::with_policy(Arc::new(store), policy).find_path(chain, &request);
    found.map(drop).map_err(|rejection| rejection.detail)
}

fn untouched(_: &mut Parts) {}

fn is(parts: &[u8], id: &[u8]) -> bool {
    let id = oid(id);
    parts.windows(id.len()).take(5).any(|window| window == id)
}

fn remove(parts: &mut Parts, id: &[u8]) {
    parts.extensions.retain(|extension| !is(extension, id));
}

/// Puts an extension in the place of another of its kind.
fn put(parts: &mut Parts, id: &[u8], critical: bool, contents: &[u8]) {
    remove(parts, id);
    parts.extensions.push(extension(id, critical, contents));
}

fn dns_name(name: &[u8]) -> Vec<u8> {
    sequence(&[tlv(0x82, name)])
}

fn policy(id: &[u8]) -> Vec<u8> {
    sequence(&[oid(id)])
}

/// certificatePolicies with one policy and its qualifier.
fn qualified(policy: &[u8], qualifier: &[u8]) -> Vec<u8> {
    let qualifier = sequence(&[oid(qualifier), tlv(0x16, b"https://end.test/cps")]);
    sequence(&[sequence(&[oid(policy), sequence(&[qualifier])])])
}

const NOT_DER: &str = "it is not DER of the structure it should have";
const TIME: &str = "a time is not YYMMDDHHMMSSZ (to 2049) or YYYYMMDDHHMMSSZ (after)";

fn nameless(parts: &mut Parts) {
    parts.subject = sequence(&[]);
}
