//! The configuration's certificates: whether they are valid now, for how long, and whether our own trust store vouches for them.

use super::{Finding, policy};
use crate::{
    agent::{
        expiry,
        material::{Choice, Settings},
        process::now,
        request::Role,
        trust_store::Demands,
    },
    crypto::{
        certificate::UnixTime,
        x509::{self, Request, Side, time::Rfc3339},
    },
};

pub(super) fn check(settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![configuration(settings)];
    findings.extend(
        settings.config.warnings.iter().map(|warning| Finding::warn("configuration", warning.to_string())),
    );
    let now = now();
    for (role, subject) in [(Role::Client, "client"), (Role::Server, "server")] {
        findings.extend(section((subject, role), settings, settings.side(role), now));
    }
    for (profile, choice) in settings.config.profiles.iter().zip(settings.choices().skip(2)) {
        findings.push(Finding::ok("profile", format!("[{}]:", profile.name)));
        findings.extend(section(("profile", profile.role), settings, choice, now));
    }
    findings
}

fn configuration(settings: &Settings) -> Finding {
    let path = &settings.config.path;
    if path.exists() {
        let path = path.display();
        return Finding::ok("configuration", format!("{path}; all files that it names are read"));
    }
    Finding::warn(
        "configuration",
        "there is none (/etc/handclasp/config): NVMe needs none, NFS clients trust the system's authorities, \
         an NFS server needs one",
    )
}

fn section(
    (subject, role): (&'static str, Role),
    settings: &Settings,
    choice: Choice<'_>,
    now: UnixTime,
) -> Vec<Finding> {
    let (truststore, side, without) = match role {
        Role::Client => {
            (client_truststore(subject, choice), Side::Client, "mounts with xprtsec=mtls are refused")
        }
        Role::Server => (
            server_truststore(subject, choice),
            Side::Server,
            "NFS mounts of this host's exports with TLS are refused",
        ),
    };
    let mut findings = vec![truststore];
    findings.extend(identity((subject, side), settings, choice, (without, now)));
    findings.extend(policy::check(subject, role, choice, now));
    findings
}

fn client_truststore(subject: &'static str, Choice { name, section, side }: Choice<'_>) -> Finding {
    match (&section.truststore, &side.verifier) {
        (Some(file), _) => Finding::ok(subject, format!("servers are verified with {}", file.path.display())),
        (None, Some(_)) => Finding::ok(subject, "servers are verified with the system's authorities"),
        (None, None) => Finding::warn(
            subject,
            format!("no trust anchors: NFS mounts with TLS are refused; set x509.truststore in [{name}]"),
        ),
    }
}

fn server_truststore(subject: &'static str, Choice { name, section, .. }: Choice<'_>) -> Finding {
    match &section.truststore {
        Some(file) => {
            Finding::ok(subject, format!("client certificates are verified with {}", file.path.display()))
        }
        None => Finding::warn(
            subject,
            format!(
                "client certificates are not asked for, exports with xprtsec=mtls refuse everyone; \
                 set x509.truststore in [{name}]"
            ),
        ),
    }
}

fn identity(
    (subject, side): (&'static str, Side),
    settings: &Settings,
    choice: Choice<'_>,
    (without, now): (&str, UnixTime),
) -> Vec<Finding> {
    let Some(identity) = &choice.side.identity else {
        return vec![Finding::warn(subject, format!("no certificate: {without}"))];
    };
    let chain = &identity.credential.chain;
    let mut findings: Vec<_> = chain.iter().map(|certificate| lifetime(subject, certificate, now)).collect();
    if let Some(Ok(hash)) = chain.first().map(|certificate| x509::key_hash(certificate)) {
        findings.push(Finding::ok(subject, format!("a peer can pin its key: allow.spki_sha256={hash}")));
    }
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
    // Not by allow-lists and other demands, which are for peers and not for ourselves.
    let verifiers = settings.trusts.iter().filter_map(|trust| trust.verifier(Demands::default()).ok());
    let request = Request { side, names: &[], now };
    let outcomes: Vec<_> = verifiers.map(|verifier| verifier.find_path(chain, &request)).collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{command::check::Level, material::tests::settings};

    /// What is found with this configuration at that time.
    fn findings(text: &str, now: UnixTime) -> Vec<String> {
        let settings = settings(text);
        let side = section(("server", Role::Server), &settings, settings.side(Role::Server), now);
        let profiles = settings.choices().skip(2);
        let profiles = profiles.flat_map(|choice| section(("profile", Role::Server), &settings, choice, now));
        side.into_iter().chain(profiles).map(|finding| finding.to_string()).collect()
    }

    fn has(findings: &[String], level: &str, words: &str) -> bool {
        findings.iter().any(|finding| finding.starts_with(level) && finding.contains(words))
    }

    const SERVER: &str =
        "[authenticate.server]\nx509.certificate=DIR/server.pem\nx509.private_key=DIR/server.key\n";
    const NOW: UnixTime = UnixTime(1_900_000_000);

    #[test]
    fn it_is_said_who_gets_in() {
        let found = findings(SERVER, NOW);
        assert!(has(&found, "WARN", "server        client certificates are not asked for"), "{found:?}");
        let trust = format!("{SERVER}x509.truststore=DIR/ca.pem\n");
        let found = findings(&trust, NOW);
        assert!(
            has(&found, "ok", "any client is taken that has a certificate of these authorities"),
            "{found:?}"
        );
        assert!(has(&found, "ok", "clients without a certificate go on as nobody"));
        assert!(has(&found, "ok", "no x509.crl: a certificate that was taken back is accepted"));
        assert!(has(
            &found,
            "ok",
            "allow.spki_sha256=b91e4f660780aa2a36efd140d497092aa33498de4a4ffaf8e3ed46ce33272f74"
        ));
        let wanted = "policy.client_certificate=required\nallow.san=client.test\nallow.issuer=CN=ca\npolicy.alpn=never\n";
        let found = findings(&format!("{trust}{wanted}"), NOW);
        assert!(
            has(&found, "ok", "only these are wanted: allow.san=client.test, allow.issuer=CN=ca"),
            "{found:?}"
        );
        assert!(has(&found, "ok", "clients without a certificate are refused"));
        assert!(has(&found, "ok", "its path: CN=server <- CN=ca"), "the list is for peers: {found:?}");
        assert!(has(&found, "ok", "sunrpc is never named"));
        let none = findings(&format!("{trust}policy.client_certificate=none\n"), NOW);
        assert!(has(&none, "WARN", "exports with xprtsec=mtls refuse everyone"));
    }

    #[test]
    fn what_is_over_is_found_in_profiles_too() {
        let trust = format!("{SERVER}x509.truststore=DIR/ca.pem\nx509.crl=DIR/crl.pem\n");
        let text = format!("{trust}[authenticate.server.x]\nmatch.local_port=1\npolicy.groups=x25519\n");
        let found = findings(&text, NOW);
        assert!(has(&found, "ok", "profile       revocation lists"), "{found:?}");
        assert!(has(&found, "ok", "profile       classical key exchange only"));
        assert!(!found.iter().any(|finding| finding.starts_with("FAIL")), "{found:?}");
        let found = findings(&text, UnixTime(10_000_000_000));
        assert!(has(&found, "FAIL", "server        CN=server"), "{found:?}");
        assert!(has(&found, "FAIL", "profile       CN=server") && has(&found, "FAIL", "expired lists"));
    }

    #[test]
    fn no_configuration_is_worth_a_word() {
        let finding = configuration(&Settings::default());
        assert_eq!(finding.level, Level::Warn);
        assert!(finding.text.starts_with("there is none (/etc/handclasp/config)"));
    }
}
