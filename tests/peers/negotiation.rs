//! Suites, groups, HelloRetryRequest and application protocols.

use crate::{
    Case, Outcome,
    conversation::{Conversation, Pair},
    ends::{
        AES_128_GCM, AES_256_GCM, CHACHA20, Group,
        Implementation::{GnuTls, Handclasp, OpenSsl},
        Options, SECP256R1, SECP384R1, Suite, X25519,
    },
    lab::Lab,
};

static SUITES: [Suite; 3] = [AES_128_GCM, AES_256_GCM, CHACHA20];
static GROUPS: [Group; 3] = [X25519, SECP256R1, SECP384R1];

/// Each suite with each group; each group by HelloRetryRequest; application protocols.
pub fn cases(pair: Pair) -> Vec<Case> {
    let mut cases = Vec::new();
    for suite in SUITES.chunks(1) {
        for group in GROUPS.chunks(1) {
            let name = format!("{pair}: {} {}", suite[0].name, group[0].name);
            cases.push(Case::new(name, move |lab| one_choice(lab, pair, suite, group)));
        }
    }
    for groups in GROUPS.windows(2) {
        let name = format!("{pair}: HelloRetryRequest from {} to {}", groups[0].name, groups[1].name);
        cases.push(Case::new(name, move |lab| hello_retry_request(lab, pair, groups)));
    }
    cases.push(Case::new(format!("{pair}: ALPN"), move |lab| alpn(lab, pair)));
    cases.push(Case::new(format!("{pair}: server without ALPN"), move |lab| ignored_alpn(lab, pair)));
    if pair.client == OpenSsl || pair.server == OpenSsl {
        cases.push(Case::new(format!("{pair}: without middlebox compatibility"), move |lab| {
            no_middlebox(lab, pair)
        }));
    }
    cases
}

/// The foreign end allows one suite and one group; ours allows all.
fn one_choice(lab: &Lab, pair: Pair, suites: &'static [Suite], groups: &'static [Group]) -> Outcome {
    let (mut client, mut server) = (Options::client(), Options::server("p256"));
    let foreign = if pair.server == Handclasp { &mut client } else { &mut server };
    *foreign = Options { suites, groups, ..foreign.clone() };
    let mut conversation = Conversation::start(lab, pair, &client, &server)?;
    conversation.exchange()?;
    conversation.expect_ours(&[format!("suite={}", suites[0].name), format!("group={}", groups[0].name)])?;
    conversation.close()
}

/// The client sends a key share of the first group, and the server knows only the second.
fn hello_retry_request(lab: &Lab, pair: Pair, groups: &'static [Group]) -> Outcome {
    let mut client = Options { groups, ..Options::client() };
    if pair.client == GnuTls {
        client = client.with(&["--single-key-share"]);
    }
    let server = Options { groups: &groups[1..], ..Options::server("p256") };
    let mut conversation = Conversation::start(lab, pair, &client, &server)?;
    conversation.exchange()?;
    conversation.expect_ours(&[format!("group={}", groups[1].name), "hello_retry=yes".into()])?;
    conversation.close()
}

/// Two protocols offered, the server's one chosen.
fn alpn(lab: &Lab, pair: Pair) -> Outcome {
    let client = Options { alpn: Some("first/1,second/2"), ..Options::client() };
    let server = Options { alpn: Some("second/2"), ..Options::server("p256") };
    let mut conversation = Conversation::start(lab, pair, &client, &server)?;
    conversation.exchange()?;
    conversation.expect_ours(&["alpn=second/2".into()])?;
    conversation.close()
}

fn ignored_alpn(lab: &Lab, pair: Pair) -> Outcome {
    let client = Options { alpn: Some("first/1"), ..Options::client() };
    let mut conversation = Conversation::start(lab, pair, &client, &Options::server("p256"))?;
    conversation.exchange()?;
    conversation.close()
}

/// OpenSSL then sends neither a session id nor change_cipher_spec (RFC 8446, Section D.4).
fn no_middlebox(lab: &Lab, pair: Pair) -> Outcome {
    let (mut client, mut server) = (Options::client(), Options::server("p256"));
    let foreign = if pair.client == OpenSsl { &mut client } else { &mut server };
    *foreign = foreign.clone().with(&["-no_middlebox"]);
    let mut conversation = Conversation::start(lab, pair, &client, &server)?;
    conversation.exchange()?;
    conversation.close()
}
