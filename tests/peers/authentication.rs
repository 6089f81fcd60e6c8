//! Certificates of every kind, of servers and of clients.

use crate::{
    Case, Outcome,
    conversation::{Alert, Conversation, Pair, Side},
    ends::{
        Implementation::{GnuTls, Handclasp},
        Options, Scheme,
    },
    lab::Lab,
};

const SERVERS: [&str; 8] =
    ["p256", "p384", "ed25519", "rsa2048", "rsa4096", "rsa-pss", "intermediates", "pkcs1"];
/// Each scheme with the certificate that it goes with; the second scheme is that of the signatures in the certificates.
static SCHEMES: [(&str, &[Scheme]); 9] = [
    ("p256", &[P256]),
    ("p384", &[Scheme::new("ecdsa_secp384r1_sha384", "ECDSA-SECP384R1-SHA384"), P256]),
    ("ed25519", &[Scheme::new("ed25519", "EDDSA-ED25519"), P256]),
    ("rsa2048", &[Scheme::new("rsa_pss_rsae_sha256", "RSA-PSS-RSAE-SHA256"), P256]),
    ("rsa2048", &[Scheme::new("rsa_pss_rsae_sha384", "RSA-PSS-RSAE-SHA384"), P256]),
    ("rsa2048", &[Scheme::new("rsa_pss_rsae_sha512", "RSA-PSS-RSAE-SHA512"), P256]),
    ("rsa-pss", &[Scheme::new("rsa_pss_pss_sha256", "RSA-PSS-SHA256"), P256]),
    ("rsa-pss", &[Scheme::new("rsa_pss_pss_sha384", "RSA-PSS-SHA384"), P256]),
    ("rsa-pss", &[Scheme::new("rsa_pss_pss_sha512", "RSA-PSS-SHA512"), P256]),
];
const P256: Scheme = Scheme::new("ecdsa_secp256r1_sha256", "ECDSA-SECP256R1-SHA256");
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
    for (certificate, schemes) in &SCHEMES {
        let title = format!("{pair}: {}", schemes[0].name);
        cases.push(Case::new(title, move |lab| signed_in(lab, pair, certificate, schemes)));
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

/// The foreign end allows one scheme for CertificateVerify.
fn signed_in(lab: &Lab, pair: Pair, certificate: &'static str, schemes: &'static [Scheme]) -> Outcome {
    let (mut client, mut server) = (Options::client(), Options::server(certificate));
    let foreign = if pair.server == Handclasp { &mut client } else { &mut server };
    foreign.schemes = schemes;
    let mut conversation = Conversation::start(lab, pair, &client, &server)?;
    conversation.exchange()?;
    if pair.client == Handclasp {
        conversation.expect_ours(&[format!("signature={}", schemes[0].name)])?;
    }
    conversation.close()
}

fn accepted(lab: &Lab, pair: Pair, client: &Options, server: &Options) -> Outcome {
    let mut conversation = Conversation::start(lab, pair, client, server)?;
    conversation.exchange()?;
    conversation.close()
}

fn refused(lab: &Lab, pair: Pair, client: &Options, alert: Alert, reason: &str) -> Outcome {
    Conversation::start(lab, pair, client, &asking(true))?.expect_refusal(Side::Server, alert, reason)
}
