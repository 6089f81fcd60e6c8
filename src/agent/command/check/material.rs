//! The configuration's certificates: whether they are valid now, for how long, and whether our own trust store vouches for them.

use std::path::Path;

use super::{Finding, policy};
use crate::{
    agent::{
        expiry,
        material::{self, Choice, Settings},
        process::now,
        request::Role,
        trust_store::{self, Demands, Idle},
    },
    crypto::{
        certificate::UnixTime,
        x509::{self, Request, Side, time::Rfc3339},
    },
    engine::config::ClientAuthentication,
};

pub(super) fn check(settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![configuration(settings)];
    findings.extend(
        settings.config.warnings.iter().map(|warning| Finding::warn("configuration", warning.to_string())),
    );
    // As for the agent's workers.
    findings.extend(
        trust_store::write(&settings.trusts).err().map(|error| Finding::fail("configuration", error)),
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
    let read = format!("{}; all files that it names are read", path.display());
    if path.starts_with("/etc/tlshd") || path == Path::new("/etc/tlshd.conf") {
        let advice = "But it is tlshd's, whose removal takes it away: copy it to /etc/handclasp/config";
        return Finding::warn("configuration", format!("{read}. {advice}"));
    }
    if path.exists() {
        return Finding::ok("configuration", read);
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
    let (side, without) = match role {
        Role::Client => (Side::Client, "mounts with xprtsec=mtls are refused"),
        Role::Server => (Side::Server, "NFS mounts of this host's exports with TLS are refused"),
    };
    let mut findings = vec![truststore((subject, role), choice, now)];
    findings.extend(identity((subject, side), settings, choice, (without, now)));
    findings.extend(policy::check(subject, role, choice, now));
    findings
}

fn truststore((subject, role): (&'static str, Role), choice: Choice<'_>, now: UnixTime) -> Finding {
    let asks = role == Role::Client || choice.section.client_authentication() != ClientAuthentication::None;
    let verifier = choice.side.verifier.as_ref();
    match verifier.and_then(|verifier| Idle::find(verifier, material::peer(role), now)) {
        Some(Idle { all: true, text }) if asks => {
            Finding::fail(subject, format!("whoever shows a certificate is refused: {text}"))
        }
        _ if role == Role::Client => client_truststore(subject, choice),
        _ => server_truststore(subject, choice),
    }
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
    match (&section.truststore, section.client_authentication()) {
        (Some(_), ClientAuthentication::None) => {
            Finding::ok(subject, "client certificates are not asked for (policy.client_certificate)")
        }
        (Some(file), _) => {
            Finding::ok(subject, format!("client certificates are verified with {}", file.path.display()))
        }
        (None, _) => Finding::warn(
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

    /// A certificate of tests/vectors/x509, in PEM.
    macro_rules! vector {
        ($name:literal) => {
            include_str!(concat!("../../../../tests/vectors/x509/", $name, ".pem"))
        };
    }

    /// A configuration of a server that trusts these certificates, and says this beside it; with its own findings.
    fn trusting(certificates: &[&str], rest: &str, now: UnixTime) -> (Vec<String>, Vec<String>) {
        let path = std::env::temp_dir().join(format!(
            "handclasp-trusting-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        std::fs::write(&path, certificates.concat()).unwrap();
        let text = format!("[authenticate.server]\nx509.truststore={}\n{rest}", path.display());
        let settings = settings(&text);
        let found = section(("server", Role::Server), &settings, settings.side(Role::Server), now);
        let warnings = settings.config.warnings.iter().map(ToString::to_string).collect();
        std::fs::remove_file(&path).unwrap();
        (found.iter().map(ToString::to_string).collect(), warnings)
    }

    #[test]
    fn a_store_that_vouches_for_nobody_is_no_store() {
        let (p256, p521, rsa_2048) = (vector!("root"), vector!("root-p521"), vector!("root-rsa-2048"));
        let refused = "FAIL  server        whoever shows a certificate is refused: 1 of 1 certificates";
        let (found, warnings) = trusting(&[p521], "", NOW);
        let why = "line 1: 'CN=Root p521': ";
        assert!(found[0].starts_with(refused) && found[0].contains(why), "{found:?}");
        assert!(
            warnings.len() == 1 && warnings[0].contains(":2: ") && warnings[0].contains(why),
            "{warnings:?}"
        );
        let (found, _) = trusting(&[p521], "policy.client_certificate=none\n", NOW);
        assert!(
            found[0].starts_with("ok ") && found[0].contains("not asked for"),
            "nobody is refused: {found:?}"
        );
        let (found, _) = trusting(&[p256], "", UnixTime(10_000_000_000));
        assert!(found[0].starts_with(refused) && found[0].contains(": expired at 21"), "{found:?}");
        let (found, _) = trusting(&[rsa_2048], "policy.rsa_bits=3072\n", NOW);
        assert!(found[0].contains("an RSA key of 2048 bits, and 3072 are demanded"), "{found:?}");
        let (found, warnings) = trusting(&[rsa_2048, p256, p521], "", NOW);
        assert!(found[0].starts_with("ok "), "{found:?}");
        assert!(warnings[0].contains("1 of 3 certificates vouch for nobody now: "), "{warnings:?}");
        let (found, warnings) = trusting(&[vector!("leaf-client")], "", NOW);
        assert!(found[0].starts_with("ok ") && warnings.is_empty(), "it vouches for itself: {found:?}");
        let (found, _) = trusting(&[vector!("intermediate-server")], "", NOW);
        assert!(found[0].contains("does not allow clientAuth"), "{found:?}");
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
    fn what_workers_cannot_be_given_is_found() {
        let failures = |comment: &str| {
            let path = std::env::temp_dir().join(format!("handclasp-large-{}.pem", std::process::id()));
            std::fs::write(&path, format!("{comment}\n{}", vector!("root"))).unwrap();
            let settings = settings(&format!("[authenticate.server]\nx509.truststore={}\n", path.display()));
            std::fs::remove_file(&path).unwrap();
            check(&settings).into_iter().filter(|finding| finding.level == Level::Fail).count()
        };
        assert_eq!(failures("a comment"), 0);
        assert_eq!(failures(&"#".repeat(1 << 24)), 1);
    }

    #[test]
    fn whatever_is_set_is_told() {
        let set = "policy.purpose=rpc, policy.rsa_bits=3072, policy.suites=TLS_CHACHA20_POLY1305_SHA256;TLS_AES_128_GCM_SHA256, policy.deadline=5";
        let found =
            findings(&format!("{SERVER}x509.truststore=DIR/ca.pem\n{}\n", set.replace(", ", "\n")), NOW);
        assert!(has(&found, "ok", &format!("server        its limits: {set}")), "{found:?}");
        let text = format!(
            "{SERVER}x509.truststore=DIR/ca.pem\nx509.crl=DIR/crl.pem\npolicy.crl_required=whole-path\n"
        );
        assert!(has(&findings(&text, NOW), "ok", "its limits: policy.crl_required=whole-path"));
        assert!(!has(&findings(SERVER, NOW), "ok", "its limits"), "what is not set is not told");
    }

    #[test]
    fn lists_of_others_are_not_taken_for_those_of_the_anchors() {
        // Of Root there is a list, of Root B none; a stranger's is of no use, and an intermediate's does no harm.
        let crls = std::env::temp_dir().join(format!("handclasp-coverage-{}.pem", std::process::id()));
        let told = |anchors: &[&str], lists: &[&str], required: &str| {
            std::fs::write(&crls, lists.concat()).unwrap();
            let rest = format!("x509.crl={}\n{required}", crls.display());
            trusting(anchors, &rest, NOW).0.into_iter().find(|line| line.contains("no list of these"))
        };
        let (root, root_b) = (vector!("root"), vector!("root-b"));
        let (of_root, of_intermediate) = (vector!("crl-root-clear"), vector!("crl-clear"));
        let all = "policy.crl_required=whole-path\n";
        let stranger = told(&[root_b], &[of_root], "").unwrap();
        assert!(
            stranger.starts_with("WARN  server  ")
                && stranger.contains("anchors: CN=Root B, so what they take")
        );
        assert!(
            stranger.ends_with("; no trust anchor signed the lists of CN=Root (intermediates?)"),
            "{stranger}"
        );
        assert!(told(&[root_b], &[of_root], all).unwrap().starts_with("FAIL  server"));
        let end_entity = "policy.crl_required=end-entity\n";
        assert!(told(&[root], &[of_intermediate], end_entity).unwrap().starts_with("WARN  server"));
        assert!(told(&[root, root_b], &[of_root], all).unwrap().starts_with("WARN  server"));
        assert_eq!(told(&[root, root_b], &[of_root], ""), None, "nobody said that there are more");
        assert_eq!(told(&[root], &[of_root, of_intermediate], all), None);
        assert!(told(&[vector!("other")], &[of_root], "").is_some(), "of the same name, but another key's");
        std::fs::remove_file(crls).unwrap();
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
    fn a_private_key_that_others_may_read_is_a_finding() {
        let key = std::env::temp_dir().join(format!("handclasp-exposed-{}.key", std::process::id()));
        std::fs::write(&key, include_bytes!("../../../../tests/vectors/agent/server.key")).unwrap();
        let text = SERVER.replace("DIR/server.key", key.to_str().unwrap());
        let told = |mode| {
            std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
            let found: Vec<_> = check(&settings(&text)).iter().map(ToString::to_string).collect();
            has(&found, "WARN  configuration", ".key: a private key should be root's, with mode 0600")
        };
        assert!(told(0o640));
        assert_eq!(told(0o600), !nix::unistd::geteuid().is_root());
        std::fs::remove_file(key).unwrap();
    }

    #[test]
    fn no_configuration_is_worth_a_word() {
        let finding = configuration(&Settings::default());
        assert_eq!(finding.level, Level::Warn);
        assert!(finding.text.starts_with("there is none (/etc/handclasp/config)"));
    }
}
