//! X25519MLKEM768 with OpenSSL 3.5. Debian's GnuTLS has no ML-KEM.

use crate::{
    Case, Outcome,
    conversation::{Conversation, Pair},
    ends::{
        Group,
        Implementation::{Handclasp, OpenSsl35},
        Options, SECP256R1, X25519, X25519MLKEM768,
    },
    lab::{Lab, PSK_SHA256},
};

static HYBRID: [Group; 1] = [X25519MLKEM768];
static INTO: [Group; 2] = [X25519, X25519MLKEM768];
static OUT_OF: [Group; 2] = [X25519MLKEM768, SECP256R1];

/// Both directions: by default, alone, by HelloRetryRequest into it and out of it, under a PSK.
pub fn cases() -> Vec<Case> {
    let pairs = [(Handclasp, OpenSsl35), (OpenSsl35, Handclasp)];
    pairs.into_iter().flat_map(|(client, server)| of(Pair { client, server })).collect()
}

fn of(pair: Pair) -> Vec<Case> {
    let certificates = || (Options::client(), Options::server("p256"));
    let psks = || (Options::psk(PSK_SHA256), Options::psk(PSK_SHA256));
    vec![
        case(pair, "by default", certificates, &[], &[], &["group=X25519MLKEM768", "hello_retry=no"]),
        case(pair, "alone", certificates, &HYBRID, &HYBRID, &["group=X25519MLKEM768", "hello_retry=no"]),
        case(
            pair,
            "after HelloRetryRequest",
            certificates,
            &INTO,
            &HYBRID,
            &["group=X25519MLKEM768", "hello_retry=yes"],
        ),
        case(
            pair,
            "left by HelloRetryRequest",
            certificates,
            &OUT_OF,
            &OUT_OF[1..],
            &["group=secp256r1", "hello_retry=yes"],
        ),
        case(pair, "with a PSK", psks, &[], &[], &["group=X25519MLKEM768", PSK_SHA256.identity]),
        case(
            pair,
            "with a PSK after HelloRetryRequest",
            psks,
            &INTO,
            &HYBRID,
            &["group=X25519MLKEM768", "hello_retry=yes"],
        ),
    ]
}

fn case(
    pair: Pair,
    what: &str,
    ends: fn() -> (Options, Options),
    ours: &'static [Group],
    theirs: &'static [Group],
    words: &'static [&'static str],
) -> Case {
    let (client, server) = (ours, theirs);
    Case::new(format!("{pair}: X25519MLKEM768 {what}"), move |lab| {
        let (one, other) = ends();
        accepted(lab, pair, &Options { groups: client, ..one }, &Options { groups: server, ..other }, words)
    })
}

fn accepted(lab: &Lab, pair: Pair, client: &Options, server: &Options, words: &[&str]) -> Outcome {
    let mut conversation = Conversation::start(lab, pair, client, server)?;
    conversation.exchange()?;
    conversation.expect_ours(&words.iter().map(|&word| word.into()).collect::<Vec<_>>())?;
    conversation.close()
}
