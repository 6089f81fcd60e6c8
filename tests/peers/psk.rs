//! External PSKs (RFC 8446, Section 4.2.11; RFC 9257), always with (EC)DHE.

use crate::{
    Case, Outcome,
    conversation::{Alert, Conversation, Pair, Side},
    ends::{
        AES_128_GCM, AES_256_GCM,
        Implementation::{GnuTls, Handclasp},
        Options, Psk, SECP256R1, SECP384R1,
    },
    lab::{Lab, PSK_SHA256, PSK_SHA384},
};

/// Both hashes, HelloRetryRequest under a PSK, wrong keys, unknown identities.
pub fn cases(pair: Pair) -> Vec<Case> {
    let mut cases = vec![
        Case::new(format!("{pair}: PSK with SHA-256"), move |lab| sha256(lab, pair)),
        Case::new(format!("{pair}: PSK after HelloRetryRequest"), move |lab| hello_retry_request(lab, pair)),
        Case::new(format!("{pair}: PSK with the wrong key"), move |lab| wrong_key(lab, pair)),
        Case::new(format!("{pair}: server with a PSK and a certificate"), move |lab| both(lab, pair)),
    ];
    if pair.client != GnuTls && pair.server != GnuTls {
        cases.push(Case::new(format!("{pair}: PSK with SHA-384"), move |lab| sha384(lab, pair)));
    }
    if pair.server == Handclasp {
        cases
            .push(Case::new(format!("{pair}: unknown PSK identity"), move |lab| unknown_identity(lab, pair)));
    }
    cases
}

fn accepted(lab: &Lab, pair: Pair, client: &Options, server: &Options, words: &[&str]) -> Outcome {
    let mut conversation = Conversation::start(lab, pair, client, server)?;
    conversation.exchange()?;
    conversation.expect_ours(&words.iter().map(|&word| word.into()).collect::<Vec<_>>())?;
    conversation.close()
}

fn sha256(lab: &Lab, pair: Pair) -> Outcome {
    let options = Options::psk(PSK_SHA256);
    accepted(lab, pair, &options, &options, &["SHA256", PSK_SHA256.identity])
}

fn sha384(lab: &Lab, pair: Pair) -> Outcome {
    let options = Options { suites: &[AES_256_GCM], ..Options::psk(PSK_SHA384) };
    accepted(lab, pair, &options, &options, &["SHA384", PSK_SHA384.identity])
}

/// The binders of the second ClientHello cover the first and the HelloRetryRequest (Section 4.2.11.2).
fn hello_retry_request(lab: &Lab, pair: Pair) -> Outcome {
    let mut client = Options { groups: &[SECP256R1, SECP384R1], ..Options::psk(PSK_SHA256) };
    if pair.client == GnuTls {
        client = client.with(&["--single-key-share"]);
    }
    let server = Options { groups: &[SECP384R1], ..Options::psk(PSK_SHA256) };
    accepted(lab, pair, &client, &server, &["hello_retry=yes", "group=secp384r1"])
}

/// A server that has both takes the PSK of a client that has it (and, for OpenSSL, no suite with another hash).
fn both(lab: &Lab, pair: Pair) -> Outcome {
    let client = Options { suites: &[AES_128_GCM], ..Options::psk(PSK_SHA256) };
    let server = Options { certificate: Some("p256"), ..Options::psk(PSK_SHA256) };
    accepted(lab, pair, &client, &server, &[PSK_SHA256.identity])
}

/// The same identity with another key: the binder does not verify (Section 4.2.11).
fn wrong_key(lab: &Lab, pair: Pair) -> Outcome {
    let key = "00000000000000000000000000000000000000000000000000000000000000ff";
    let client = Options::psk(Psk { key, ..PSK_SHA256 });
    let mut conversation = Conversation::start(lab, pair, &client, &Options::psk(PSK_SHA256))?;
    conversation.expect_refusal(Side::Server, wrong_key_alert(pair), "binder")
}

/// RFC 8446 wants decrypt_error; OpenSSL and GnuTLS answer in their own ways.
fn wrong_key_alert(pair: Pair) -> Alert {
    match pair.server {
        Handclasp => Alert("decrypt_error", 51),
        _ => Alert("illegal_parameter", 47),
    }
}

fn unknown_identity(lab: &Lab, pair: Pair) -> Outcome {
    let client = Options::psk(Psk { identity: "somebody else", ..PSK_SHA256 });
    let mut conversation = Conversation::start(lab, pair, &client, &Options::psk(PSK_SHA256))?;
    conversation.expect_refusal(Side::Server, Alert("unknown_psk_identity", 115), "unknown PSK identities")
}
