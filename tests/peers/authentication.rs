//! Certificates of every kind, of servers and of clients.

use crate::{
    Case, Outcome,
    conversation::{Alert, Conversation, Pair, Side},
    ends::{Implementation::GnuTls, Options},
    lab::Lab,
};

const SERVERS: [&str; 8] =
    ["p256", "p384", "ed25519", "rsa2048", "rsa4096", "rsa-pss", "intermediates", "pkcs1"];
const CLIENTS: [&str; 5] = ["client", "client-p384", "client-ed25519", "client-rsa", "client-rsa-pss"];

/// Every certificate as a server and as a client; client certificates given, missing and wrong.
pub fn cases(pair: Pair) -> Vec<Case> {
    let mut cases = Vec::new();
    for name in SERVERS {
        let title = format!("{pair}: server certificate {name}");
        cases.push(Case::new(title, move |lab| {
            accepted(lab, pair, &Options::client(), &Options::server(name))
        }));
    }
    for name in ["p256-sec1", "rsa2048-pkcs1"] {
        let title = format!("{pair}: server key {name}");
        cases.push(Case::new(title, move |lab| {
            accepted(lab, pair, &Options::client(), &Options::server(name))
        }));
    }
    for name in CLIENTS {
        let client = Options { certificate: Some(name), ..Options::client() };
        let title = format!("{pair}: client certificate {name}");
        cases.push(Case::new(title, move |lab| accepted(lab, pair, &client, &asking(true))));
    }
    cases.push(Case::new(format!("{pair}: no client certificate, optional"), move |lab| {
        accepted(lab, pair, &Options::client(), &asking(false))
    }));
    cases.push(Case::new(format!("{pair}: no client certificate, required"), move |lab| {
        let reason = "no certificate";
        refused(lab, pair, &Options::client(), Alert("certificate_required", 116), reason)
    }));
    cases.push(Case::new(format!("{pair}: client certificate of a stranger"), move |lab| {
        let client = Options { certificate: Some("other-client"), ..Options::client() };
        refused(lab, pair, &client, stranger_alert(pair), "certificate was refused")
    }));
    cases
}

/// RFC 8446, Section 6.2, has unknown_ca for this; gnutls-serv says access_denied.
fn stranger_alert(pair: Pair) -> Alert {
    if pair.server == GnuTls { Alert("access_denied", 49) } else { Alert("unknown_ca", 48) }
}

fn asking(require_certificate: bool) -> Options {
    Options { authority: Some("ca"), require_certificate, ..Options::server("p256") }
}

fn accepted(lab: &Lab, pair: Pair, client: &Options, server: &Options) -> Outcome {
    let mut conversation = Conversation::start(lab, pair, client, server)?;
    conversation.exchange()?;
    conversation.close()
}

fn refused(lab: &Lab, pair: Pair, client: &Options, alert: Alert, reason: &str) -> Outcome {
    Conversation::start(lab, pair, client, &asking(true))?.expect_refusal(Side::Server, alert, reason)
}
