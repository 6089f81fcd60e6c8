//! What the configuration comes to: who gets in, what is known of revocation, and what is negotiated.

use super::Finding;
use crate::{
    agent::{
        config::{Alpn, Section},
        material::Choice,
        request::Role,
    },
    crypto::{certificate::UnixTime, kx::NamedGroup},
    engine::config::ClientAuthentication,
};

pub(super) fn check(
    subject: &'static str,
    role: Role,
    Choice { section, side, .. }: Choice<'_>,
    now: UnixTime,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(verifier) = &side.verifier {
        findings.extend(asked(subject, role, section));
        findings.push(wanted(subject, role, section));
        findings.push(revocation(subject, section, &verifier.expired_crls(now)));
    }
    if section.reverse_dns {
        findings.push(Finding::warn(
            subject,
            "policy.reverse_dns is on: where the kernel names no server, whoever controls its address's zone chooses the name",
        ));
    }
    findings.push(negotiated(subject, section));
    findings
}

fn asked(subject: &'static str, role: Role, section: &Section) -> Option<Finding> {
    let text = match (role, section.client_authentication()) {
        (Role::Client, _) => return None,
        (Role::Server, ClientAuthentication::Optional) => {
            "clients without a certificate go on as nobody: exports with xprtsec=tls take them, with xprtsec=mtls not"
        }
        (Role::Server, ClientAuthentication::Required) => "clients without a certificate are refused",
        (Role::Server, ClientAuthentication::None) => {
            let text = "policy.client_certificate=none: exports with xprtsec=mtls refuse everyone";
            return Some(Finding::warn(subject, text));
        }
    };
    Some(Finding::ok(subject, text))
}

/// Any certificate of a trusted authority is enough, unless there is a list.
fn wanted(subject: &'static str, role: Role, section: &Section) -> Finding {
    let allowed = section.demands().allowed;
    let list: Vec<_> =
        allowed.entries().map(|(property, text)| format!("{}={text}", property.name())).collect();
    match (role, list.is_empty()) {
        (_, false) => Finding::ok(subject, format!("only these are wanted: {}", list.join(", "))),
        (Role::Client, true) => Finding::ok(subject, "any server is taken whose certificate is for its name"),
        (Role::Server, true) => {
            let text =
                "any client is taken that has a certificate of these authorities; allow.* narrows that";
            Finding::ok(subject, text)
        }
    }
}

fn revocation(subject: &'static str, section: &Section, expired: &[String]) -> Finding {
    match (&section.crl, expired) {
        (None, _) => {
            let text = "no x509.crl: a certificate that was taken back is accepted until it expires";
            Finding::ok(subject, text)
        }
        (Some(crl), []) => {
            Finding::ok(subject, format!("revocation lists: {}, all current", crl.path.display()))
        }
        (Some(crl), expired) => {
            let (path, issuers) = (crl.path.display(), expired.join("; "));
            Finding::fail(
                subject,
                format!(
                    "{path}: expired lists, which refuse whomever they are about: {issuers}; fetch new ones"
                ),
            )
        }
    }
}

fn negotiated(subject: &'static str, section: &Section) -> Finding {
    let groups = section.groups();
    let key_exchange = match groups.iter().filter(|group| group.is_post_quantum()).count() {
        0 => "classical key exchange only",
        some if some == groups.len() => "post-quantum key exchange only",
        _ if groups.first().is_some_and(|group: &NamedGroup| group.is_post_quantum()) => {
            "post-quantum key exchange preferred"
        }
        _ => "post-quantum key exchange possible",
    };
    let alpn = match section.alpn {
        Alpn::NfsPorts => "sunrpc is named (RFC 9289) on ports 2049 and 20049",
        Alpn::Always => "sunrpc is named (RFC 9289)",
        Alpn::Required => "sunrpc is named and required (RFC 9289)",
        Alpn::Never => "sunrpc is never named",
    };
    Finding::ok(subject, format!("{key_exchange}; {alpn}"))
}
