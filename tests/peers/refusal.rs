//! What must not work, and what each end says about it.

use crate::{
    Case, Outcome,
    conversation::{Alert, Conversation, Pair, Side},
    ends::{
        AES_128_CCM, FFDHE2048,
        Implementation::{GnuTls, Handclasp},
        Options,
    },
    lab::Lab,
};

/// Wrong certificates of servers, and old versions.
pub fn cases(pair: Pair) -> Vec<Case> {
    let mut cases = Vec::new();
    if pair.client == Handclasp {
        cases = vec![
            Case::new(format!("{pair}: wrong name"), move |lab| wrong_name(lab, pair)),
            Case::new(format!("{pair}: expired certificate"), move |lab| {
                certificate(lab, pair, "expired", Alert("certificate_expired", 45))
            }),
            Case::new(format!("{pair}: unknown CA"), move |lab| {
                certificate(lab, pair, "other", Alert("unknown_ca", 48))
            }),
            Case::new(format!("{pair}: client's certificate on a server"), move |lab| {
                certificate(lab, pair, "client", Alert("unsupported_certificate", 43))
            }),
        ];
    }
    if pair.client == Handclasp || pair.server == Handclasp {
        cases.push(Case::new(format!("{pair}: TLS 1.2 only"), move |lab| old_version(lab, pair)));
        cases.extend(nothing_in_common(pair));
    }
    cases
}

/// The foreign end has only what ours has not; it is the server that refuses, whoever that is.
fn nothing_in_common(pair: Pair) -> [Case; 3] {
    let default = Options::default;
    let no_protocol = Alert("no_application_protocol", 120);
    let ends = [
        ("cipher suite", Options { suites: &[AES_128_CCM], ..default() }, default()),
        ("group", Options { groups: &[FFDHE2048], ..default() }, default()),
        (
            "application protocol",
            Options { alpn: Some("theirs/1"), ..default() },
            Options { alpn: Some("ours/1"), ..default() },
        ),
    ];
    ends.map(|(what, foreign, ours)| {
        let alert = if ours.alpn.is_some() { no_protocol } else { Alert("handshake_failure", 40) };
        let (client, server) = if pair.server == Handclasp { (foreign, ours) } else { (ours, foreign) };
        let client = Options { authority: Some("ca"), name: "server.test", ..client };
        let mut server = Options { certificate: Some("p256"), ..server };
        if pair.server == GnuTls && server.alpn.is_some() {
            server = server.with(&["--alpn-fatal"]);
        }
        Case::new(format!("{pair}: no {what} in common"), move |lab| {
            let mut conversation = Conversation::start(lab, pair, &client, &server)?;
            conversation.expect_refusal(Side::Server, alert, &format!("no {what} in common"))
        })
    })
}

fn wrong_name(lab: &Lab, pair: Pair) -> Outcome {
    let client = Options { name: "another.test", ..Options::client() };
    let mut conversation = Conversation::start(lab, pair, &client, &Options::server("p256"))?;
    conversation.expect_refusal(Side::Client, Alert("bad_certificate", 42), "another.test")
}

fn certificate(lab: &Lab, pair: Pair, name: &'static str, alert: Alert) -> Outcome {
    let mut conversation = Conversation::start(lab, pair, &Options::client(), &Options::server(name))?;
    conversation.expect_refusal(Side::Client, alert, "certificate was refused")
}

/// Whichever end is ours, it is the server that refuses: a client of TLS 1.3 alone offers nothing else.
fn old_version(lab: &Lab, pair: Pair) -> Outcome {
    let (mut client, mut server) = (Options::client(), Options::server("p256"));
    let foreign = if pair.server == Handclasp { &mut client } else { &mut server };
    foreign.old = true;
    // RFC 8446, Section 6.2, has protocol_version for this; gnutls-serv finds no suite first.
    let alert = match pair.server {
        GnuTls => Alert("handshake_failure", 40),
        _ => Alert("protocol_version", 70),
    };
    let mut conversation = Conversation::start(lab, pair, &client, &server)?;
    conversation.expect_refusal(Side::Server, alert, "TLS 1.3")
}
