use super::*;
use crate::{
    agent::trust_store::Demands,
    crypto::{
        kx::NamedGroup,
        suite::CipherSuite,
        x509::{Property, RequiredPurpose, Revocation},
    },
    engine::config::ClientAuthentication,
};
use std::time::Duration;

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("c"), text)
}

fn file(path: &str, line: usize) -> Option<FileAt> {
    Some(FileAt { path: path.into(), line })
}

#[test]
fn reads_a_file_of_tlshd() {
    let config = parse(
        "# a comment\n[debug]\nloglevel=1\ntls=0\nnl=0\n\n[authenticate]\nkeyrings= .nvme;my keys;\n\
         [authenticate.client]\nx509.truststore = /etc/ca.pem\n#x509.certificate= <pathname>\n\
         [authenticate.server]\nx509.certificate=/etc/a\\sb.pem\nx509.private_key=/etc/key.pem\n",
    )
    .unwrap();
    assert!(config.debug && config.warnings.is_empty());
    assert_eq!(config.keyrings, [".nvme", "my keys"]);
    assert_eq!(config.client.truststore, file("/etc/ca.pem", 10));
    assert_eq!(config.client.files().count(), 1);
    assert_eq!(config.server.certificate, file("/etc/a b.pem", 13));
    assert_eq!(config.server.private_key, file("/etc/key.pem", 14));
    assert_eq!(parse("").unwrap().client, Section::default());
}

#[test]
fn groups_are_ordered_and_restricted() {
    let groups = |text: &str| parse(&format!("[authenticate.client]\n{text}")).map(|c| c.client.groups());
    assert_eq!(groups("").unwrap(), NamedGroup::ALL);
    let ordered = groups("policy.groups=secp384r1;X25519").unwrap();
    assert_eq!(ordered, [NamedGroup::Secp384r1, NamedGroup::X25519]);
    let refused = |text| groups(text).unwrap_err().to_string();
    let unknown = refused("policy.groups=x25519;x448");
    assert!(unknown.starts_with("c:2: policy.groups takes a list of "), "{unknown}");
    assert!(unknown.ends_with("x25519, secp256r1 or secp384r1, not \"x448\""), "{unknown}");
    assert_eq!(refused("policy.groups=x25519;x25519"), "c:2: policy.groups names \"x25519\" twice");
    assert_eq!(refused("policy.require_pq=1"), "c:2: policy.require_pq is true or false, not \"1\"");
}

#[test]
fn a_purpose_and_revocation_lists_can_be_demanded() {
    let demands = |text: &str| parse(&format!("[authenticate.server]\n{text}")).map(|c| c.server.demands());
    assert_eq!(demands("").unwrap(), Demands::default());
    let (purpose, revocation) = (RequiredPurpose::RpcTls, Revocation::WholePath);
    let text = "x509.crl=/c\npolicy.crl_required=whole-path\npolicy.purpose=rpc";
    assert_eq!(demands(text).unwrap(), Demands { purpose, revocation, ..Demands::default() });
    for (text, expected) in [
        ("policy.purpose=nfs", "c:2: policy.purpose is tls, tls-explicit or rpc, not \"nfs\""),
        ("policy.crl_required=yes", "c:2: policy.crl_required is end-entity or whole-path, not \"yes\""),
        (
            "policy.crl_required=end-entity",
            "c:2: policy.crl_required needs x509.crl: nobody could be accepted",
        ),
    ] {
        assert_eq!(demands(text).unwrap_err().to_string(), expected);
    }
}

#[cfg(feature = "pq")]
#[test]
fn a_post_quantum_group_can_be_required() {
    let text = "[authenticate.server]\npolicy.require_pq=true\npolicy.groups=x25519;X25519MLKEM768";
    let config = parse(text).unwrap();
    assert_eq!(config.server.groups(), [NamedGroup::X25519MlKem768]);
    assert_eq!(config.client.groups(), NamedGroup::ALL);
    let error = parse("[authenticate.server]\npolicy.groups=x25519\npolicy.require_pq=true").unwrap_err();
    assert_eq!(error.to_string(), "c:3: policy.require_pq leaves nothing of the groups");
}

#[test]
fn what_has_no_effect_is_said() {
    let config =
        parse("[debug]\ntls=3\n[authenticate.server]\nx509.pq.certificate=/p\nx509.crl=/c\n").unwrap();
    let lines: Vec<_> = config.warnings.iter().map(|warning| warning.line).collect();
    assert_eq!(lines, [2, 4, 5]);
    let settings = "policy.purpose=rpc\npolicy.rsa_bits=3072\n";
    let lines = |text: &str| {
        let config = parse(&format!("{text}\n{settings}")).unwrap();
        config.warnings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(
        lines("[authenticate.server]"),
        ["c:2: policy.purpose", "c:3: policy.rsa_bits"].map(|what| {
            format!("{what} has no effect without x509.truststore: no client is asked for a certificate")
        })
    );
    assert!(lines("[authenticate.server]\nx509.truststore=/a").is_empty());
    assert!(lines("[authenticate.client]").is_empty(), "the system's authorities");
}

#[test]
fn errors_tell_file_and_line() {
    for (text, expected) in [
        ("[debug]\nloglevel=high", "c:2: loglevel takes a number, not \"high\""),
        ("\n[authenticate.clients]", "c:2: there is no section [authenticate.clients]"),
        (
            "[authenticate]\nx509.truststore=/a",
            "c:2: there is no setting \"x509.truststore\" in [authenticate]",
        ),
        (
            "[authenticate.client]\nx509.trustore=/a",
            "c:2: there is no setting \"x509.trustore\" in [authenticate.client]",
        ),
        ("loglevel=1", "c:1: loglevel stands before any [section]"),
        ("[debug", "c:1: \"[debug\" has no closing bracket"),
        ("[debug]\nloglevel", "c:2: \"loglevel\" is neither a [section] nor key=value"),
        ("[debug]\nnl=0\nnl=0", "c:3: nl is set a second time in [debug]"),
        (
            "[authenticate.server]\nx509.private_key=pkcs11:x",
            "c:2: x509.private_key: keys in hardware (\"pkcs11:x\") are not supported; name a PEM file",
        ),
        ("[metrics]\ntextfile=x.prom", "c:2: textfile takes a path from the root, not \"x.prom\""),
        (
            "[authenticate.client]\nx509.truststore=certs/ca.pem",
            "c:2: x509.truststore takes a path from the root, not \"certs/ca.pem\"",
        ),
        ("[authenticate.server]\nx509.crl=\\x", "c:2: \"\\\\x\" has an unknown escape"),
        ("[authenticate.server]\nallow.san=a\\;b", "c:2: \"a\\\\;b\" has an unknown escape"),
    ] {
        assert_eq!(parse(text).unwrap_err().to_string(), expected);
    }
}

#[test]
fn a_side_has_a_policy() {
    let text = "[authenticate.server]\nx509.truststore=/a\npolicy.suites=TLS_AES_256_GCM_SHA384;\npolicy.alpn=required\n\
                policy.deadline=3\npolicy.rsa_bits=3072\npolicy.client_certificate=required\n\
                allow.san=*.lab.test; 192.0.2.1\nallow.dn=O=Lab\\\\, Inc., CN=a\n";
    let Section { alpn, deadline, .. } = parse(text).unwrap().server;
    assert_eq!((alpn, deadline), (Alpn::Required, Some(Duration::from_secs(3))));
    let server = parse(text).unwrap().server;
    assert_eq!(server.suites(), [CipherSuite::Aes256GcmSha384]);
    assert_eq!(server.client_authentication(), ClientAuthentication::Required);
    let Demands { min_rsa_bits, allowed, .. } = server.demands();
    assert_eq!(min_rsa_bits, 3072);
    let entries: Vec<_> = allowed.entries().collect();
    let (name, subject) = (Property::AlternativeName, Property::Subject);
    assert_eq!(entries, [(name, "*.lab.test"), (name, "192.0.2.1"), (subject, "O=Lab\\, Inc., CN=a")]);
    assert!(!parse("").unwrap().client.reverse_dns);
    let client = parse("[authenticate.client]\npolicy.reverse_dns=true").unwrap().client;
    assert!(client.reverse_dns && client.alpn == Alpn::NfsPorts && client.deadline.is_none());
    assert_eq!(client.suites(), CipherSuite::ALL);
}

#[test]
fn showing_no_certificate_is_no_way_round_an_allow_list() {
    let asked = |text: &str| {
        let text = format!("[authenticate.server]\nx509.truststore=/a\n{text}");
        parse(&text).unwrap().server.client_authentication()
    };
    assert_eq!(asked(""), ClientAuthentication::Optional);
    assert_eq!(asked("allow.san=a.test"), ClientAuthentication::Required);
    let optional = "policy.client_certificate=optional\nallow.san=a.test";
    assert_eq!(asked(optional), ClientAuthentication::Optional, "as it is written");
}

#[test]
fn what_cannot_be_read_is_not_absent() {
    let directory = std::env::temp_dir().join(format!("handclasp-absent-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let at = |name: &str| directory.join(name);
    std::os::unix::fs::symlink("nowhere", at("link")).unwrap();
    std::fs::write(at("file"), "").unwrap();
    assert!(is_absent(&at("nothing")) && is_absent(&at("file/below")) && is_absent(&at("nothing/below")));
    assert!(!is_absent(&at("link")) && !is_absent(&at("file")));
    std::fs::remove_dir_all(&directory).unwrap();
}

#[test]
fn a_configuration_that_vanishes_is_not_replaced_by_the_defaults() {
    let at = |path: &str, text| Config::parse(Path::new(path), text).unwrap();
    let defaults = Config { path: "no configuration file".into(), ..Config::default() };
    let (ours, tlshds) = (at("/etc/handclasp/config", "[debug]"), at("/etc/tlshd.conf", "[debug]"));
    let refused = |new: &Config, old: &Config| new.replaces(old).unwrap_err().to_string();
    assert_eq!(refused(&defaults, &ours), "/etc/handclasp/config: it is gone");
    assert_eq!(refused(&tlshds, &ours), "/etc/handclasp/config: it is gone");
    assert_eq!(ours.replaces(&tlshds), Ok(()), "a new one that comes first");
    assert_eq!(ours.replaces(&defaults), Ok(()));
    assert_eq!(defaults.replaces(&defaults), Ok(()));
    let named = at("/srv/c", "[debug]");
    assert_eq!(refused(&at("/srv/c", " \n"), &named), "/srv/c: there is nothing in it");
    assert_eq!(
        refused(&at("/etc/handclasp/config", ""), &tlshds),
        "/etc/handclasp/config: there is nothing in it"
    );
    let [warning] = &at("/srv/c", "\n").warnings[..] else { panic!("one warning") };
    assert_eq!(warning.to_string(), "/srv/c: there is nothing in it: the defaults hold");
    assert_eq!(named.replaces(&at("/srv/c", "")), Ok(()));
}

#[test]
fn a_policy_that_cannot_be_meant_is_refused() {
    const TRUST: &str = "[authenticate.server]\nx509.truststore=/a\n";
    for (text, expected) in [
        (
            "policy.suites=TLS_AES_128_CCM_SHA256",
            "policy.suites takes a list of TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384 or \
             TLS_CHACHA20_POLY1305_SHA256, not \"TLS_AES_128_CCM_SHA256\"",
        ),
        ("policy.alpn=nfs", "policy.alpn is nfs-ports, always, required or never, not \"nfs\""),
        ("policy.deadline=0", "policy.deadline takes whole seconds, at least 1, not \"0\""),
        ("policy.deadline=1.5", "policy.deadline takes a number, not \"1.5\""),
        ("policy.rsa_bits=1024", "policy.rsa_bits is from 2048 to 4096, not \"1024\""),
        (
            "policy.client_certificate=yes",
            "policy.client_certificate is none, optional or required, not \"yes\"",
        ),
        ("policy.reverse_dns=true", "there is no setting \"policy.reverse_dns\" in [authenticate.server]"),
        ("allow.san=", "allow.san is empty: nobody could be accepted"),
        ("allow.san=a b", "allow.san: \"a b\" is no host name, address, mailbox or URI"),
        ("allow.spki_sha256=00", "allow.spki_sha256: \"00\" is not 64 hexadecimal digits"),
        ("allow.dn=Lab", "allow.dn: \"Lab\" is no distinguished name (TYPE=value, ...)"),
        ("allow.issuer=XY=Lab", "allow.issuer: \"XY=Lab\" has an attribute of an unknown type"),
        (
            "policy.client_certificate=none\nallow.san=a.test",
            "policy.client_certificate=none leaves an allow-list without effect",
        ),
        ("allow.dns=a.test", "there is no setting \"allow.dns\" in [authenticate.server]"),
        ("match.local_port=1", "there is no setting \"match.local_port\" in [authenticate.server]"),
    ] {
        let error = parse(&format!("{TRUST}{text}")).unwrap_err().to_string();
        assert_eq!(error, format!("c:3: {expected}"));
    }
    let without = "without it no client is asked for a certificate";
    for (text, expected) in [
        ("policy.client_certificate=required", "policy.client_certificate needs x509.truststore"),
        ("allow.san=a.test", "an allow-list needs x509.truststore"),
    ] {
        let error = parse(&format!("[authenticate.server]\n{text}")).unwrap_err().to_string();
        assert_eq!(error, format!("c:2: {expected}: {without}"));
    }
    let error = parse("[authenticate.client]\npolicy.client_certificate=none").unwrap_err().to_string();
    assert_eq!(error, "c:2: there is no setting \"policy.client_certificate\" in [authenticate.client]");
}

const PROFILES: &str = "\
[authenticate.server.storage]
match.local_port=4420
policy.groups=x25519
[authenticate.server]
x509.certificate=/side.pem
x509.private_key=/side.key
x509.truststore=/side-ca.pem
policy.groups=secp256r1
policy.rsa_bits=3072
[authenticate.server.inner]
match.local_address=192.0.2.0/24; 2001:db8::/32
match.peer_address=198.51.100.7
x509.certificate=/inner.pem
x509.private_key=/inner.key
[authenticate.server.blue]
match.netns=blue
[authenticate.client.far]
match.peer_port=2049
";

#[test]
fn the_first_profile_that_fits_counts_and_has_the_rest_from_its_side() {
    let config = parse(PROFILES).unwrap();
    let chosen = |local: &str, peer: &str, netns| {
        let connection = Connection { local: local.parse().unwrap(), peer: peer.parse().unwrap(), netns };
        let fits = |profile: &&Profile| profile.role == Role::Server && profile.is_for(&connection);
        config.profiles.iter().find(fits).map(|profile| profile.name.as_str())
    };
    let (storage, inner) = (Some("authenticate.server.storage"), Some("authenticate.server.inner"));
    for (local, peer, expected) in [
        ("192.0.2.1:4420", "198.51.100.7:1", storage),
        ("192.0.2.1:2049", "198.51.100.7:1", inner),
        ("[::ffff:192.0.2.1]:2049", "[::ffff:198.51.100.7]:1", inner),
        ("[2001:db8:1::1]:2049", "198.51.100.7:1", inner),
        ("192.0.2.1:2049", "198.51.100.8:2049", None),
        ("192.0.3.1:2049", "198.51.100.7:1", None),
        ("[2001:db9::1]:2049", "198.51.100.7:1", None),
    ] {
        assert_eq!(chosen(local, peer, None), expected, "{local} {peer}");
    }
    assert_eq!(chosen("192.0.3.1:2049", "198.51.100.7:1", Some("blue")), Some("authenticate.server.blue"));
    assert_eq!(chosen("192.0.3.1:2049", "198.51.100.7:1", Some("green")), None);
    let [storage, inner, ..] = &config.profiles[..] else { panic!() };
    assert_eq!(storage.section.certificate, file("/side.pem", 5));
    assert_eq!(
        (storage.section.groups(), inner.section.groups()),
        (vec![NamedGroup::X25519], vec![NamedGroup::Secp256r1])
    );
    assert_eq!(inner.section.truststore, config.server.truststore);
    assert_eq!(
        (&inner.section.certificate, &inner.section.private_key),
        (&file("/inner.pem", 13), &file("/inner.key", 14))
    );
    assert_eq!(inner.section.demands().min_rsa_bits, 3072);
    assert_eq!(config.files().filter(|at| at.path.ends_with("inner.key")).count(), 1);
}

#[test]
fn a_certificate_of_a_profile_does_not_go_with_the_key_of_its_side() {
    let own = "[authenticate.server.x]\nmatch.local_port=1\nx509.certificate=/own.pem\n";
    let config = parse(&format!("[authenticate.server]\nx509.private_key=/side.key\n{own}")).unwrap();
    assert_eq!(config.profiles[0].section.private_key, None);
}

#[test]
fn a_profile_says_what_it_is_for() {
    let profile = |text: &str| parse(&format!("[authenticate.server.x]\n{text}")).unwrap_err().to_string();
    let network = "takes addresses and networks (192.0.2.0/24, 2001:db8::1), not";
    for (text, expected) in [
        ("", "c:1: a profile needs a match.* setting that says which connections it is for".into()),
        ("match.local_port=", "c:2: match.local_port is empty".into()),
        ("match.local_port=0", "c:2: match.local_port takes ports, not \"0\"".into()),
        ("match.local_port=nfs", "c:2: match.local_port takes ports, not \"nfs\"".into()),
        ("match.peer_address=host.test", format!("c:2: match.peer_address {network} \"host.test\"")),
        ("match.peer_address=192.0.2.0/x", format!("c:2: match.peer_address {network} \"192.0.2.0/x\"")),
        (
            "match.peer_address=192.0.2.1/24",
            "c:2: match.peer_address: \"192.0.2.1/24\" is no network: the address has bits beyond the prefix"
                .into(),
        ),
        (
            "match.peer_address=192.0.2.0/33",
            "c:2: match.peer_address: \"192.0.2.0/33\" is no network: the address has bits beyond the prefix"
                .into(),
        ),
        (
            "match.local_port=1\npolicy.x=1",
            "c:3: there is no setting \"policy.x\" in [authenticate.server.x]".into(),
        ),
        (
            "match.local_port=1\nallow.san=a.test",
            "c:3: an allow-list needs x509.truststore: without it no client is asked for a certificate"
                .into(),
        ),
    ] {
        assert_eq!(profile(text), expected);
    }
    assert!(
        profile("match.port=1").starts_with("c:2: there is no setting \"match.port\" (match.local_address, ")
    );
    for name in ["authenticate.server.", "authenticate.peer.x", "authenticate.serverx"] {
        let error = parse(&format!("[{name}]\nmatch.local_port=1")).unwrap_err().to_string();
        assert_eq!(error, format!("c:1: there is no section [{name}]"));
    }
}
