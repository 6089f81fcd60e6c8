use super::*;
use crate::{
    agent::trust_store::Demands,
    crypto::{
        kx::NamedGroup,
        x509::{RequiredPurpose, Revocation},
    },
};

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
    assert_eq!(config.client, Section { truststore: file("/etc/ca.pem", 10), ..Section::default() });
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
    assert_eq!(refused("policy.groups=x25519;x448"), "c:2: policy.groups: there is no group \"x448\"");
    assert_eq!(refused("policy.groups=x25519;x25519"), "c:2: policy.groups names x25519 twice");
    assert_eq!(refused("policy.require_pq=1"), "c:2: policy.require_pq is true or false, not \"1\"");
}

#[test]
fn a_purpose_and_revocation_lists_can_be_demanded() {
    let demands = |text: &str| parse(&format!("[authenticate.server]\n{text}")).map(|c| c.server.demands());
    assert_eq!(demands("").unwrap(), Demands::default());
    let (purpose, revocation) = (RequiredPurpose::RpcTls, Revocation::WholePath);
    let text = "x509.crl=/c\npolicy.crl_required=whole-path\npolicy.purpose=rpc";
    assert_eq!(demands(text).unwrap(), Demands { purpose, revocation });
    for (text, expected) in [
        ("policy.purpose=nfs", "c:2: policy.purpose is tls or rpc, not \"nfs\""),
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
            "c:2: x509.private_key: keys in hardware (pkcs11:x) are not supported; name a PEM file",
        ),
        ("[authenticate.server]\nx509.crl=\\x", "c:2: \"\\\\x\" has an unknown escape"),
    ] {
        assert_eq!(parse(text).unwrap_err().to_string(), expected);
    }
}
