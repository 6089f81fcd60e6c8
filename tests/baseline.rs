//! What the default profile asks of issuers beyond what endangers anybody; each rule can be waived.
#![cfg(feature = "x509")]
#![allow(unreachable_pub, dead_code, reason = "modules of a test")]

#[path = "support/issue.rs"]
mod issue;

use std::sync::Arc;

use handclasp::crypto::{
    certificate::{ServerName, UnixTime},
    x509::{Policy, Request, Side, TrustStore, Verifier},
};
use issue::{AUTHORITY_KEY_IDENTIFIER, EXTENDED_KEY_USAGE, Key, SERVER_AUTH, Template, sequence, tlv};

const NOW: UnixTime = UnixTime(1_900_000_000); // in 2030
const ANY_EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37, 0];

fn server_auth() -> Vec<u8> {
    sequence(&[tlv(6, SERVER_AUTH)])
}

/// Issues both certificates and validates the leaf, by the whole profile or without what is asked of issuers alone.
fn judge(
    side: Side,
    issuer_profile: bool,
    change: impl Fn(&mut Template<'_>, &mut Template<'_>),
) -> Result<(), String> {
    let (root_key, key) = (Key::generate(), Key::generate());
    let (mut root, mut leaf) = (Template::new("Root", &root_key), Template::new("server.test", &key));
    root.ca = Some(None);
    leaf.names = vec!["server.test".into(), "Other.test".into()];
    change(&mut root, &mut leaf);
    let mut store = TrustStore::empty();
    store.add(&root.issue("Root", &root_key), "root");
    assert!(store.set_aside().is_empty(), "{:?}", store.set_aside());
    let verifier = Verifier::with_policy(Arc::new(store), Policy { issuer_profile, ..Policy::default() });
    let names = [ServerName::parse("server.test").unwrap()];
    let chain = [leaf.issue("Root", &root_key)];
    let request = Request { side, names: &names, now: NOW };
    verifier.find_path(&chain, &request).map(drop).map_err(|rejection| rejection.detail)
}

fn refused_unless_waived(rule: &str, change: impl Fn(&mut Template<'_>, &mut Template<'_>)) {
    let refusal = judge(Side::Server, true, &change).expect_err(rule);
    assert!(
        refusal.contains(": breaks the Baseline Requirements for public CAs: ") && refusal.contains(rule),
        "{refusal}"
    );
    assert_eq!(judge(Side::Server, false, &change), Ok(()), "{rule}");
}

#[test]
fn a_root_has_no_purposes_and_an_end_entity_no_critical_ones() {
    refused_unless_waived("7.1.2.1.2", |root, _| root.purposes = vec![SERVER_AUTH]);
    refused_unless_waived("7.1.2.7.6", |_, leaf| leaf.others.push((EXTENDED_KEY_USAGE, true, server_auth())));
    refused_unless_waived("7.1.2.7.10", |_, leaf| leaf.purposes = vec![ANY_EXTENDED_KEY_USAGE, SERVER_AUTH]);
    assert_eq!(judge(Side::Server, true, |_, leaf| leaf.purposes = vec![SERVER_AUTH]), Ok(()));
    let any_alone =
        |_: &mut Template<'_>, leaf: &mut Template<'_>| leaf.purposes = vec![ANY_EXTENDED_KEY_USAGE];
    assert!(judge(Side::Server, false, any_alone).unwrap_err().ends_with("does not allow serverAuth"));
}

#[test]
fn serial_numbers_of_zero_are_a_fault_of_issuers() {
    for of_root in [false, true] {
        let change = |root: &mut Template<'_>, leaf: &mut Template<'_>| {
            *(if of_root { &mut root.serial } else { &mut leaf.serial }) = 0;
        };
        assert!(judge(Side::Server, true, change).unwrap_err().contains("a serial number must be positive"));
        assert_eq!(judge(Side::Server, false, change), Ok(()));
    }
}

#[test]
fn authority_key_identifier_names_the_key_alone() {
    refused_unless_waived("7.1.2.11.1", |root, leaf| {
        let issuer = tlv(0xa4, &issue::name("Root"));
        let fields = [tlv(0x80, root.key.identifier()), tlv(0xa1, &issuer), tlv(0x82, &[1])];
        leaf.key_identifiers = false;
        leaf.others.push((AUTHORITY_KEY_IDENTIFIER, false, sequence(&fields)));
    });
}

#[test]
fn a_common_name_meant_as_a_name_is_written_like_one() {
    for subject in ["Server.test", "other.test", "xn--n3h.com", "b\u{fc}ro.test", "10.0.0.01", "FD00::1"] {
        refused_unless_waived("7.1.4.3", |_, leaf| leaf.subject = subject.into());
        assert_eq!(judge(Side::Client, true, |_, leaf| leaf.subject = subject.into()), Ok(()), "{subject}");
    }
    for label in ["Storage Box 1", "another.test", "Other.test", "10.0.0.1", "B\u{fc}ro"] {
        assert_eq!(judge(Side::Server, true, |_, leaf| leaf.subject = label.into()), Ok(()), "{label}");
    }
}
