//! The configuration's certificates: whether they are valid now, for how long, and whether our own trust store vouches for them.

use std::time::{SystemTime, UNIX_EPOCH};

use super::Finding;
use crate::{
    agent::{expiry, material::Settings},
    crypto::{
        certificate::UnixTime,
        x509::{self, Request, Side, time::Rfc3339},
    },
};

pub(super) fn check(settings: &Settings) -> Vec<Finding> {
    let path = settings.config.path.display();
    let mut findings =
        vec![Finding::ok("configuration", format!("{path}; all files that it names are read"))];
    findings.extend(
        settings.config.warnings.iter().map(|warning| Finding::warn("configuration", warning.to_string())),
    );
    findings.push(client_truststore(settings));
    findings.extend(identity("client", Side::Client, settings, "mounts with xprtsec=mtls are refused"));
    findings.push(server_truststore(settings));
    findings.extend(identity(
        "server",
        Side::Server,
        settings,
        "NFS mounts of this host's exports with TLS are refused",
    ));
    findings
}

fn client_truststore(settings: &Settings) -> Finding {
    match (&settings.config.client.truststore, &settings.client.verifier) {
        (Some(file), _) => {
            Finding::ok("client", format!("servers are verified with {}", file.path.display()))
        }
        (None, Some(_)) => Finding::ok("client", "servers are verified with the system's authorities"),
        (None, None) => Finding::warn(
            "client",
            "no trust anchors: NFS mounts with TLS are refused; set x509.truststore in [authenticate.client]",
        ),
    }
}

fn server_truststore(settings: &Settings) -> Finding {
    match &settings.config.server.truststore {
        Some(file) => {
            Finding::ok("server", format!("client certificates are verified with {}", file.path.display()))
        }
        None => Finding::warn(
            "server",
            "client certificates are not asked for, exports with xprtsec=mtls refuse everyone; \
             set x509.truststore in [authenticate.server]",
        ),
    }
}

fn identity(subject: &'static str, side: Side, settings: &Settings, without: &str) -> Vec<Finding> {
    let ours = if side == Side::Client { &settings.client } else { &settings.server };
    let Some(identity) = &ours.identity else {
        return vec![Finding::warn(subject, format!("no certificate: {without}"))];
    };
    let chain = &identity.credential.chain;
    let now = UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs()));
    let mut findings: Vec<_> = chain.iter().map(|certificate| lifetime(subject, certificate, now)).collect();
    findings.extend(vouched(subject, side, chain, settings, now));
    findings
}

fn lifetime(subject: &'static str, certificate: &[u8], now: UnixTime) -> Finding {
    let name = x509::describe(certificate);
    match x509::validity(certificate) {
        Err(problem) => Finding::fail(subject, format!("{name}: {problem}")),
        Ok(validity) if now < validity.not_before => {
            Finding::fail(subject, format!("{name} is valid only from {} on", Rfc3339(validity.not_before)))
        }
        Ok(validity) if now > validity.not_after => {
            Finding::fail(subject, format!("{name} expired at {}; renew it", Rfc3339(validity.not_after)))
        }
        Ok(validity) if validity.not_after.0 - now.0 < expiry::WARNING => Finding::warn(
            subject,
            format!("{name} expires soon, at {}; renew it", Rfc3339(validity.not_after)),
        ),
        Ok(validity) => {
            Finding::ok(subject, format!("{name} until {}, with its key", Rfc3339(validity.not_after)))
        }
    }
}

/// Whether a peer with a trust store of this host would accept our certificate; a peer's own store may well be another.
fn vouched(
    subject: &'static str,
    side: Side,
    chain: &[Vec<u8>],
    settings: &Settings,
    now: UnixTime,
) -> Vec<Finding> {
    let verifiers = [&settings.client.verifier, &settings.server.verifier];
    let request = Request { side, names: &[], now };
    let outcomes: Vec<_> =
        verifiers.into_iter().flatten().map(|verifier| verifier.find_path(chain, &request)).collect();
    match outcomes.into_iter().reduce(|first, second| if first.is_ok() { first } else { second }) {
        None => Vec::new(),
        Some(Ok(path)) => vec![Finding::ok(subject, format!("its path: {}", path.subjects.join(" <- ")))],
        Some(Err(rejection)) => {
            vec![Finding::warn(
                subject,
                format!("a peer with this host's trust anchors refuses it: {rejection}"),
            )]
        }
    }
}
