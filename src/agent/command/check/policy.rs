//! What the configuration comes to: who gets in, what is known of revocation, and what is negotiated.

use super::Finding;
use crate::{
    agent::{
        config::{Alpn, FileAt, Section},
        material::Choice,
        request::Role,
        trust_store::{Demands, some_of},
    },
    crypto::{
        certificate::UnixTime,
        kx::NamedGroup,
        suite::CipherSuite,
        x509::{Coverage, RequiredPurpose, Revocation, Verifier},
    },
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
        findings.extend(section.crl.as_ref().and_then(|crl| coverage(subject, section, crl, verifier)));
    }
    if section.reverse_dns {
        findings.push(Finding::warn(
            subject,
            "policy.reverse_dns is on: where the kernel names no server, whoever controls its address's zone chooses the name",
        ));
    }
    findings.push(negotiated(subject, section));
    findings.extend(limits(subject, section));
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

/// A list says nothing of another issuer's certificates. That of an intermediate is good, if its anchor has one, too.
fn coverage(subject: &'static str, section: &Section, crl: &FileAt, verifier: &Verifier) -> Option<Finding> {
    let Coverage { covered, uncovered, foreign } = verifier.crl_coverage();
    let required = section.demands().revocation;
    if uncovered.is_empty() || (foreign.is_empty() && required == Revocation::WhereKnown) {
        return None;
    }
    let mut text = format!(
        "{}: no list of these trust anchors: {}, so {}",
        crl.path.display(),
        some_of(&uncovered),
        match required {
            Revocation::WhereKnown => "what they take back is accepted until it expires",
            Revocation::EndEntity => "policy.crl_required=end-entity refuses whom they certify themselves",
            Revocation::WholePath => "policy.crl_required=whole-path refuses everyone whose path ends there",
        }
    );
    if !foreign.is_empty() {
        text += &format!("; no trust anchor signed the lists of {} (intermediates?)", some_of(&foreign));
    }
    let refuses_everyone = covered == 0 && required == Revocation::WholePath;
    Some(if refuses_everyone { Finding::fail(subject, text) } else { Finding::warn(subject, text) })
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

/// What else is set; what is not set goes without saying.
fn limits(subject: &'static str, section: &Section) -> Option<Finding> {
    let Demands { purpose, revocation, min_rsa_bits, allowed: _ } = section.demands();
    let set = |key, value: Option<String>| Some(format!("{key}={}", value?));
    let suites = Some(section.suites()).filter(|suites| *suites != CipherSuite::ALL);
    let purpose = match purpose {
        RequiredPurpose::Tls => None,
        RequiredPurpose::ExplicitTls => Some("tls-explicit"),
        RequiredPurpose::RpcTls => Some("rpc"),
    };
    let revocation = match revocation {
        Revocation::WhereKnown => None,
        Revocation::EndEntity => Some("end-entity"),
        Revocation::WholePath => Some("whole-path"),
    };
    let limits = [
        set("policy.purpose", purpose.map(Into::into)),
        set("policy.crl_required", revocation.map(Into::into)),
        set("policy.rsa_bits", (min_rsa_bits > 0).then(|| min_rsa_bits.to_string())),
        set(
            "policy.suites",
            suites.map(|suites| suites.iter().map(|suite| suite.name()).collect::<Vec<_>>().join(";")),
        ),
        set("policy.deadline", section.deadline.map(|deadline| deadline.as_secs().to_string())),
    ];
    let limits: Vec<_> = limits.into_iter().flatten().collect();
    (!limits.is_empty()).then(|| Finding::ok(subject, format!("its limits: {}", limits.join(", "))))
}
