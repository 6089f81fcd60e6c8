//! Paths, names, purposes, algorithms and CRLs, on the certificates of `tests/vectors/x509` (its script says what each is).
#![cfg(feature = "x509")]

use std::{fs, path::Path, sync::Arc};

use handclasp::{
    crypto::{
        certificate::{CertificateVerifier, Purpose, Reason, Rejection, ServerName, UnixTime},
        pem,
        x509::{
            self, AllowList, Policy, Property, Request, RequiredPurpose, Revocation, Side, TrustStore,
            Verifier, time,
        },
    },
    engine::{AlertDescription, Error},
};

fn file(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/vectors/x509/{name}.pem"));
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn certificates(names: &str) -> Vec<Vec<u8>> {
    names.split_whitespace().flat_map(|name| pem::certificates(&file(name)).unwrap()).collect()
}

fn store(names: &str) -> TrustStore {
    let mut store = TrustStore::empty();
    names.split_whitespace().for_each(|name| store.add_pem(&file(name), name).unwrap());
    store
}

/// One question: everything that is not said is as the plain case has it.
struct Ask {
    trusted: &'static str,
    crls: &'static str,
    chain: &'static str,
    host: &'static str,
    side: Side,
    time: &'static str,
    policy: Policy,
}

const SERVER: fn() -> Ask = || Ask {
    trusted: "root",
    crls: "",
    chain: "leaf intermediate",
    host: "server.test",
    side: Side::Server,
    time: "2030-01-01T00:00:00Z",
    policy: Policy::default(),
};

impl Ask {
    fn answer(&self) -> Result<Vec<String>, Rejection> {
        let mut store = store(self.trusted);
        self.crls.split_whitespace().for_each(|name| store.add_crl_pem(&file(name), name).unwrap());
        let names: Vec<_> = ServerName::parse(self.host).into_iter().collect();
        let request =
            Request { side: self.side, names: &names, now: time::parse_rfc3339(self.time).unwrap() };
        let verifier = Verifier::with_policy(Arc::new(store), self.policy.clone());
        verifier.find_path(&certificates(self.chain), &request).map(|path| path.subjects)
    }

    /// The path, from the end entity to the anchor.
    fn path(&self) -> String {
        self.answer().unwrap_or_else(|rejection| panic!("{}: {rejection}", self.chain)).join(" < ")
    }

    fn refused(&self, reason: Reason, detail: &str) {
        let rejection = self.answer().expect_err(self.chain);
        assert_eq!((rejection.reason, rejection.detail.as_str()), (reason, detail), "{}", self.chain);
    }
}

//= rfc5280#section-4.1.2.4
//= type=test
//# Certificate users MUST be prepared to process the issuer distinguished name and subject distinguished name
//# (Section 4.1.2.6) fields to perform name chaining for certification path validation (Section 6).
//= rfc8446#section-4.4.2
//= type=test
//# the end-entity certificate which MUST be first.
#[test]
fn the_plain_case() {
    assert_eq!(SERVER().path(), "CN=server < O=Lab, CN=Intermediate < CN=Root");
    let superfluous = "leaf other twin-1 leaf-b root intermediate";
    assert_eq!(
        Ask { chain: superfluous, ..SERVER() }.path(),
        SERVER().path(),
        "any order, and more than needed"
    );
    assert!(Ask { chain: "intermediate leaf", ..SERVER() }.answer().is_err(), "but the end entity first");
    let anchored_below = Ask { trusted: "intermediate", chain: "leaf", ..SERVER() };
    assert_eq!(
        anchored_below.path(),
        "CN=server < O=Lab, CN=Intermediate",
        "an anchor need not be self-signed"
    );
}

#[test]
fn the_seam_answers_with_the_key() {
    let verifier = Verifier::new(Arc::new(store("root root-b")));
    let (chain, name) = (certificates("leaf intermediate"), ServerName::parse("10.0.0.1").unwrap());
    let now = time::parse_rfc3339("2030-01-01T00:00:00Z").unwrap();
    let key = verifier.verify(&chain, Purpose::Server(&name), now).unwrap();
    assert_eq!(Ok(key), x509::public_key(&chain[0]));
    assert!(verifier.verify(&chain, Purpose::Client, now).is_ok());
    assert!(verifier.verify(&[], Purpose::Client, now).is_err());
    assert_eq!(verifier.authorities().len(), 2);
}

//= rfc5280#section-6.1
//= type=test
//# A certificate MUST NOT appear more than once in a prospective certification path.
//= rfc5280#section-6.1.3
//= type=test
//# (4) The certificate issuer name is the working_issuer_name.
#[test]
fn missing_and_untrusted_issuers() {
    let unknown = |ask: Ask, detail| ask.refused(Reason::UnknownAuthority, detail);
    let missing =
        "server certificate 'CN=server': its issuer 'O=Lab, CN=Intermediate' is neither sent nor trusted";
    unknown(Ask { chain: "leaf", ..SERVER() }, missing);
    // The other root has the same name and another key.
    let wrong_ca = "intermediate 'O=Lab, CN=Intermediate': its issuer 'CN=Root' is known with another key than the one it names";
    unknown(Ask { trusted: "other", ..SERVER() }, wrong_ca);
    let sent = "intermediate 'CN=Root': is self-signed and not trusted";
    unknown(Ask { trusted: "other", chain: "leaf intermediate root", ..SERVER() }, sent);
    let appliance = "server certificate 'CN=appliance': is self-signed and not trusted";
    unknown(Ask { chain: "appliance", ..SERVER() }, appliance);
    let loops = "intermediate 'CN=Loop B': its issuer 'CN=Loop A' is neither sent nor trusted";
    unknown(Ask { chain: "leaf-loop loop-a loop-b", ..SERVER() }, loops);
}

#[test]
fn graphs() {
    let cross = |trusted| Ask { trusted, chain: "leaf-b root-b cross-b", ..SERVER() }.path();
    assert_eq!(cross("root-b"), "CN=server < CN=Root B");
    assert_eq!(cross("root"), "CN=server < CN=Root B < CN=Root");
    for chain in ["leaf-twin twin-1 twin-2", "leaf-twin twin-2 twin-1"] {
        assert_eq!(Ask { chain, ..SERVER() }.path(), "CN=server < CN=Twin < CN=Root", "{chain}");
    }
    Ask { chain: "leaf-twin twin-1", ..SERVER() }.refused(
        Reason::UnknownAuthority,
        "server certificate 'CN=server': its issuer 'CN=Twin' is known with another key than the one it names",
    );
}

#[test]
fn without_key_identifiers_the_signature_tells_issuers_of_one_name_apart() {
    let policy = || Policy { issuer_profile: false, ..Policy::default() };
    let unnamed = |chain| Ask { chain, policy: policy(), ..SERVER() };
    for chain in ["leaf-twin-unnamed twin-1 twin-2", "leaf-twin-unnamed twin-2 twin-1"] {
        assert_eq!(unnamed(chain).path(), "CN=server < CN=Twin < CN=Root", "{chain}");
    }
    unnamed("leaf-twin-unnamed twin-1")
        .refused(Reason::Bad, "server certificate 'CN=server': its signature is wrong");
}

//= rfc5280#section-6.1.4
//= type=test
//# (m) If pathLenConstraint is present in the certificate and is less than max_path_length, set
//# max_path_length to the value of pathLenConstraint.
#[test]
fn authorities_are_held_to_what_they_may_do() {
    let refused = |chain, detail| Ask { chain, ..SERVER() }.refused(Reason::Bad, detail);
    refused(
        "leaf-too-deep below intermediate",
        "intermediate 'O=Lab, CN=Intermediate': pathLenConstraint 0 exceeded",
    );
    refused("leaf intermediate-no-sign", "intermediate 'O=Lab, CN=Intermediate': keyUsage lacks keyCertSign");
    refused(
        "leaf intermediate-no-ca",
        "intermediate 'O=Lab, CN=Intermediate': issued a certificate, but is not a CA (basicConstraints)",
    );
    refused(
        "leaf intermediate-lax",
        "intermediate 'O=Lab, CN=Intermediate': breaks RFC 5280: a CA's basicConstraints must be critical (Section 4.2.1.9)",
    );
    Ask { chain: "leaf intermediate-critical", ..SERVER() }.refused(
        Reason::Unsupported,
        "intermediate 'O=Lab, CN=Intermediate': critical extension 1.2.3.4 is not supported",
    );
    assert!(
        Ask { chain: "leaf intermediate-critical intermediate", ..SERVER() }.answer().is_ok(),
        "it is superfluous"
    );
    let policy = Policy { max_intermediates: 0, ..Policy::default() };
    let detail = "intermediate 'O=Lab, CN=Intermediate': more than 0 intermediates";
    Ask { policy, ..SERVER() }.refused(Reason::UnknownAuthority, detail);
}

//= rfc5280#section-6.1.3
//= type=test
//# (2) The certificate validity period includes the current time.
#[test]
fn every_certificate_is_valid_in_time() {
    let late = Ask { chain: "leaf intermediate-brief", time: "2040-01-01T00:00:00Z", ..SERVER() };
    let rejection = late.answer().unwrap_err();
    assert_eq!(rejection.reason, Reason::Expired);
    assert!(
        rejection.detail.starts_with("intermediate 'O=Lab, CN=Intermediate': expired at 2036-"),
        "{rejection}"
    );
    assert!(
        Ask { chain: "leaf intermediate-brief intermediate", ..late }.answer().is_ok(),
        "another one is valid"
    );
    let early = Ask { time: "2020-01-01T00:00:00Z", ..SERVER() }.answer().unwrap_err();
    assert_eq!(early.reason, Reason::Expired);
    assert!(early.detail.starts_with("server certificate 'CN=server': not valid before 20"), "{early}");
    let validity = x509::validity(&certificates("leaf")[0]).unwrap();
    let at = |now: UnixTime| {
        let request = Request { side: Side::Server, names: &[], now };
        Verifier::new(Arc::new(store("root intermediate other")))
            .find_path(&certificates("leaf"), &request)
            .is_ok()
    };
    assert!(at(validity.not_before) && !at(UnixTime(validity.not_before.0 - 1)), "to the second");
    let own = Verifier::new(Arc::new(store("leaf")));
    let direct =
        |now| own.find_path(&certificates("leaf"), &Request { side: Side::Server, names: &[], now }).is_ok();
    assert!(direct(validity.not_after) && !direct(UnixTime(validity.not_after.0 + 1)), "to the second");
}

#[test]
fn anchors_have_their_time_too() {
    let after = "2130-01-01T00:00:00Z";
    let rejection = Ask { time: after, ..SERVER() }.answer().unwrap_err();
    assert_eq!(rejection.reason, Reason::Expired);
    let brief =
        Ask { trusted: "intermediate-brief", chain: "leaf", time: "2040-01-01T00:00:00Z", ..SERVER() };
    let rejection = brief.answer().unwrap_err();
    assert!(
        rejection.detail.starts_with("trust anchor 'O=Lab, CN=Intermediate': expired at 2036-"),
        "{rejection}"
    );
}

//= rfc5280#section-4.2.1.6
//= type=test
//# the address MUST be stored in the octet string in "network byte order", as specified in [RFC791].
//= rfc5280#section-4.2.1.6
//= type=test
//# Whenever such identities are to be bound into a certificate, the subject alternative name (or issuer
//# alternative name) extension MUST be used
//= rfc6125#section-6.2.1
//= type=test
//# MUST NOT check for RDNs other than those of type Common Name in the presented identifiers.
//= rfc6125#section-6.2.1
//= type=test
//# A client MUST NOT construct a reference identifier corresponding to Relative Distinguished Names (RDNs)
//# other than those of type Common Name and
//= rfc6125#section-6.3
//= type=test
//# A client MUST NOT seek a match for a reference identifier of CN-ID if the presented identifiers include a
//# DNS-ID, SRV-ID, URI-ID, or any application-specific identifier types supported by the client.
//= rfc6125#section-6.4.4
//= type=test
//# As noted, a client MUST NOT seek a match for a reference identifier of CN-ID if the presented identifiers
//# include a DNS-ID, SRV-ID, URI-ID, or any application-specific identifier types supported by the client.
//= rfc6125#section-6.6.3
//= type=test
//# If the client does not find a presented identifier matching any of the reference identifiers and the
//# client has not previously pinned the certificate to one of the reference identifiers in the list it
//# constructed for this communication attempt, then the client MUST proceed as described under Section 6.6.4.
#[test]
fn names() {
    for host in ["SERVER.test.", "a.wild.test", "10.0.0.1", "::ffff:10.0.0.1", "fd00::1", ""] {
        assert!(Ask { host, ..SERVER() }.answer().is_ok(), "{host}");
    }
    for host in ["other.test", "wild.test", "b.a.wild.test", "10.0.0.2", "::ffff:10.0.0.2", "test"] {
        let rejection = Ask { host, ..SERVER() }.answer().expect_err(host);
        assert_eq!(rejection.reason, Reason::WrongName, "{host}");
    }
    Ask { host: "other.test", ..SERVER() }.refused(
        Reason::WrongName,
        "server certificate 'CN=server': is for 'server.test', '*.wild.test', '10.0.0.1', 'fd00::1', not for 'other.test'",
    );
    Ask { chain: "leaf-common-name intermediate", ..SERVER() }.refused(
        Reason::WrongName,
        "server certificate 'CN=server.test': is for no name (subjectAltName has no dNSName or iPAddress), not for 'server.test'",
    );
}

//= rfc5280#section-4.2
//= type=test
//# MUST be processed if it is recognized.
//= rfc5280#section-4.2.1.12
//= type=test
//# If the extension is present, then the certificate MUST only be used for one of the purposes indicated.
//= rfc8446#section-4.4.2.2
//= type=test
//# The certificate MUST allow the key to be used for signing (i.e., the digitalSignature bit MUST be set if
//# the Key Usage extension is present
#[test]
fn purposes() {
    let client = |chain| Ask { chain, side: Side::Client, host: "", ..SERVER() };
    assert!(
        client("leaf-client intermediate").answer().is_ok() && client("leaf intermediate").answer().is_ok()
    );
    let refused = |ask: Ask, detail: String| ask.refused(Reason::WrongPurpose, &detail);
    let lacking = |name, purpose| format!("{name}': extendedKeyUsage does not allow {purpose}");
    let as_server = Ask { chain: "leaf-client intermediate", host: "", ..SERVER() };
    refused(as_server, lacking("server certificate 'CN=client", "serverAuth"));
    let policy = Policy { issuer_profile: false, ..Policy::default() };
    let any = Ask { chain: "leaf-any intermediate", policy, ..SERVER() };
    refused(any, lacking("server certificate 'CN=any", "serverAuth"));
    let nested = client("leaf-client intermediate-server");
    refused(nested, lacking("intermediate 'O=Lab, CN=Intermediate", "clientAuth"));
    Ask { chain: "leaf-agreement intermediate", ..SERVER() }
        .refused(Reason::Bad, "server certificate 'CN=server': keyUsage lacks digitalSignature");
}

#[test]
fn a_purpose_can_be_demanded_in_words() {
    let explicit = |chain| {
        let policy = Policy { purpose: RequiredPurpose::ExplicitTls, ..Policy::default() };
        Ask { chain, policy, ..SERVER() }
    };
    assert!(
        explicit("leaf intermediate").answer().is_ok() && explicit("leaf-rpc intermediate").answer().is_ok()
    );
    let detail = "server certificate 'CN=plain': extendedKeyUsage does not allow serverAuth";
    explicit("leaf-plain intermediate").refused(Reason::WrongPurpose, detail);
}

#[test]
fn rsa_keys_can_be_demanded_to_be_longer() {
    let demand = |chain, min_rsa_bits| {
        let policy = Policy { min_rsa_bits, ..Policy::default() };
        Ask { chain, trusted: "root-rsa-2048", policy, ..SERVER() }
    };
    assert!(demand("leaf-rsa-2048", 2048).answer().is_ok());
    let detail = "trust anchor 'CN=Root rsa-2048': an RSA key of 2048 bits, and 2056 are demanded";
    demand("leaf-rsa-2048", 2056).refused(Reason::Unsupported, detail);
    assert!(Ask { policy: Policy { min_rsa_bits: 4096, ..Policy::default() }, ..SERVER() }.answer().is_ok());
}

#[test]
fn whoever_is_valid_must_be_on_the_list() {
    let ask = |time, entry| {
        let mut allowed = AllowList::default();
        allowed.add(Property::AlternativeName, entry).unwrap();
        Ask { time, policy: Policy { allowed, ..Policy::default() }, ..SERVER() }
    };
    let now = SERVER().time;
    assert_eq!(ask(now, "server.test").path(), SERVER().path());
    let rejection = ask(now, "other.test").answer().unwrap_err();
    assert_eq!(rejection.reason, Reason::Denied);
    let start = "server certificate 'CN=server': not allowed by allow.san: it shows 'server.test', ";
    assert!(rejection.detail.starts_with(start), "{rejection}");
    let expired = ask("2199-01-01T00:00:00Z", "other.test").answer().unwrap_err();
    assert_eq!(expired.reason, Reason::Expired, "what is invalid is refused for that");
}

#[test]
fn purposes_of_rpc_with_tls() {
    let rpc = || Policy { purpose: RequiredPurpose::RpcTls, ..Policy::default() };
    assert!(
        Ask { chain: "leaf-rpc intermediate", ..SERVER() }.answer().is_ok(),
        "RFC 9289's purpose will do"
    );
    assert!(Ask { chain: "leaf-rpc intermediate", policy: rpc(), ..SERVER() }.answer().is_ok());
    assert!(Ask { chain: "leaf-plain intermediate", ..SERVER() }.answer().is_ok());
    for chain in ["leaf intermediate", "leaf-plain intermediate"] {
        let rejection = Ask { chain, policy: rpc(), ..SERVER() }.answer().expect_err(chain);
        assert_eq!(rejection.reason, Reason::WrongPurpose);
    }
    let mixed = Ask { chain: "leaf-rpc intermediate-server", ..SERVER() };
    mixed.refused(
        Reason::WrongPurpose,
        "intermediate 'O=Lab, CN=Intermediate': extendedKeyUsage does not allow serverAuth",
    );
}

#[test]
fn a_certificate_in_the_store_is_trusted_itself() {
    for name in ["appliance", "appliance-no-ca", "leaf"] {
        assert!(Ask { trusted: name, chain: name, ..SERVER() }.answer().is_ok(), "{name}");
        let another =
            Ask { trusted: name, chain: name, host: "other.test", ..SERVER() }.answer().unwrap_err();
        assert_eq!(another.reason, Reason::WrongName, "{name}");
        let late = Ask { trusted: name, chain: name, time: "2200-01-01T00:00:00Z", ..SERVER() };
        assert_eq!(late.answer().unwrap_err().reason, Reason::Expired, "{name}");
    }
    let as_client = Ask {
        trusted: "appliance-no-ca",
        chain: "appliance-no-ca",
        side: Side::Client,
        host: "",
        ..SERVER()
    };
    assert_eq!(as_client.answer().unwrap_err().reason, Reason::WrongPurpose);
    let forged = Ask { trusted: "appliance-no-ca", chain: "appliance", ..SERVER() };
    assert!(forged.answer().is_err(), "the name alone is not enough");
}

#[test]
fn key_identifiers_are_asked_for_unless_configured() {
    let ask = || Ask { chain: "leaf-no-ids intermediate", ..SERVER() };
    ask().refused(
        Reason::Bad,
        "server certificate 'CN=server': breaks RFC 5280: authorityKeyIdentifier must be there (Section 4.2.1.1)",
    );
    assert!(Ask { policy: Policy { issuer_profile: false, ..Policy::default() }, ..ask() }.answer().is_ok());
}

//= rfc5280#section-1
//= type=test
//# conforming implementations that use the algorithms identified in [RFC3279], [RFC4055], and [RFC4491] MUST
//# identify and encode the public key materials and digital signatures as described in those specifications.
//= rfc8446#section-4.4.2.3
//= type=test
//# The certificates MUST be signed using an acceptable signature algorithm
//= rfc8446#section-4.4.2.4
//= type=test
//# using an MD5 hash MUST abort the handshake with a "bad_certificate" alert.
#[test]
fn algorithms() {
    for (chain, trusted) in [
        ("leaf-rsa-2048", "root-rsa-2048"),
        ("leaf-rsa-pss", "root-rsa-2048"),
        ("leaf-rsa-sha512", "root-rsa-2048"),
        ("leaf-p384", "root-p384"),
        ("leaf-p384-sha256", "root-p384"),
        ("leaf-p256-sha384", "root"),
        ("leaf-ed25519", "root-ed25519"),
    ] {
        assert!(Ask { chain, trusted, ..SERVER() }.answer().is_ok(), "{chain}");
    }
    for (chain, trusted) in [
        ("leaf-rsa-pss-salt", "root-rsa-2048"),
        ("leaf-p256-sha512", "root"),
        ("leaf-rsa-1024", "root"),
        ("leaf-p521", "root-p521"),
    ] {
        let rejection = Ask { chain, trusted, ..SERVER() }.answer().expect_err(chain);
        assert_eq!(rejection.reason, Reason::Unsupported, "{chain}: {rejection}");
    }
    for chain in ["leaf-rsa-sha1", "leaf-rsa-md5"] {
        let rejection = Ask { chain, trusted: "root-rsa-2048", ..SERVER() }.answer().expect_err(chain);
        assert_eq!(rejection.reason, Reason::Bad, "{chain}: {rejection}");
        assert_eq!(Error::Certificate(rejection).alert(), Some(AlertDescription::BadCertificate));
    }
    let weak = Ask { chain: "leaf-rsa-1024", ..SERVER() };
    weak.refused(
        Reason::Unsupported,
        "server certificate 'CN=server': an RSA key of 1024 bits is not of whole octets in 2048..=4096",
    );
}

#[test]
fn constraints_and_policies() {
    assert!(Ask { chain: "leaf-uri constrained-uri", ..SERVER() }.answer().is_ok());
    Ask { chain: "leaf-uri-outside constrained-uri", ..SERVER() }.refused(
        Reason::Bad,
        "server certificate 'CN=server': 'https://a.example/x' is not permitted by 'CN=Constrained'",
    );
    assert!(Ask { chain: "leaf-uri-hostless constrained-uri", ..SERVER() }.answer().is_err());
    assert!(Ask { chain: "leaf-policy policy-ca", ..SERVER() }.answer().is_ok());
    let detail = "server certificate 'CN=server': no certificate policy is valid along the path, and a CA in it requires one";
    Ask { chain: "leaf-policy-none policy-ca", ..SERVER() }.refused(Reason::Bad, detail);
}

//= rfc5280#section-6.1.3
//= type=test
//# (3) At the current time, the certificate is not revoked.
//= rfc5280#section-5
//= type=test
//# are REQUIRED to process both version 1 and version 2 complete CRLs
//= rfc5280#section-5.1.1.3
//= type=test
//# Applications that perform CRL checking MUST support certification path validation when certificates and
//# CRLs are digitally signed with the same CA private key.
//= rfc5280#section-6.3
//= type=test
//# they MUST be functionally equivalent to the external behavior resulting from this procedure
//= rfc5280#section-6.3.3
//= type=test
//# (j) If (cert_status is UNREVOKED), then search for the certificate on the complete CRL.
#[test]
fn revocation() {
    let with = |crls| Ask { crls, ..SERVER() };
    for clear in ["crl-clear", "crl-clear crl-root-clear", "crl-root-clear", "crl-stale crl-clear"] {
        assert!(with(clear).answer().is_ok(), "{clear}");
    }
    for (crls, concerns) in [
        ("crl-revoked", "server certificate 'CN=server"),
        ("crl-clear crl-revoked", "server certificate 'CN=server"),
        ("crl-stale-revoked", "server certificate 'CN=server"),
        ("crl-clear crl-root", "intermediate 'O=Lab, CN=Intermediate"),
    ] {
        let rejection = with(crls).answer().expect_err(crls);
        assert_eq!(rejection.reason, Reason::Revoked, "{crls}: {rejection}");
        assert!(rejection.detail.starts_with(&format!("{concerns}': revoked at ")), "{rejection}");
        assert!(rejection.detail.ends_with("(keyCompromise)"), "{rejection}");
        assert_eq!(Error::Certificate(rejection).alert(), Some(AlertDescription::CertificateRevoked));
    }
    let unknown = |crls, why| {
        let detail = format!("server certificate 'CN=server': revocation status unknown: {why}");
        with(crls).refused(Reason::StatusUnknown, &detail);
    };
    unknown("crl-stale", "the CRL expired at 2028-01-01T00:00:00Z");
    unknown("crl-forged", "the CRL: its signature is wrong");
}

#[test]
fn revocation_as_required() {
    let requiring = |revocation, crls| {
        let policy = Policy { revocation, ..Policy::default() };
        Ask { policy, crls, ..SERVER() }.answer().map_err(|rejection| rejection.detail)
    };
    assert!(requiring(Revocation::EndEntity, "crl-clear").is_ok());
    assert!(requiring(Revocation::WholePath, "crl-clear crl-root-clear").is_ok());
    let missing = |name| Err(format!("{name}': revocation status unknown: no CRL of its issuer is at hand"));
    assert_eq!(requiring(Revocation::EndEntity, "crl-root-clear"), missing("server certificate 'CN=server"));
    assert_eq!(
        requiring(Revocation::WholePath, "crl-clear"),
        missing("intermediate 'O=Lab, CN=Intermediate")
    );
}

//= rfc5280#section-5.2.5
//= type=test
//# However, implementations that do not support this extension MUST either treat the status of any
//# certificate not listed on this CRL as unknown or locate another CRL that does not contain any unrecognized
//# critical extensions.
#[test]
fn partial_crls_are_not_loaded() {
    for (name, problem) in [
        ("crl-delta", "crl: line 1: CRL: delta CRLs are not supported"),
        ("crl-partial", "crl: line 1: CRL: CRLs of one distribution point are not supported"),
    ] {
        let error = TrustStore::empty().add_crl_pem(&file(name), "crl").unwrap_err();
        assert_eq!(error.to_string(), problem);
    }
    let error = TrustStore::empty().add_crl_pem(&file("root"), "crl").unwrap_err();
    assert_eq!(error.to_string(), "crl: no CRL in it");
}

#[test]
fn a_strangers_name_is_harmless_in_a_log() {
    let detail = Ask { chain: "leaf-nasty intermediate", ..SERVER() }.answer().unwrap_err().detail;
    assert!(detail.starts_with(r"server certificate 'CN=a\u{a}b\'c\u{202e}d': expired at"), "{detail}");
    assert!(x509::describe(&certificates("leaf")[0]).starts_with("CN=server (SHA256:"));
    assert!(x509::describe(b"garbage").starts_with("(SHA256:"));
}

/// No bytes of a stranger can make us panic, and none but the signed ones are accepted.
//= rfc5280#section-6.1.3
//= type=test
//# (1) The signature on the certificate can be verified using working_public_key_algorithm, the
//# working_public_key, and the working_public_key_parameters.
#[test]
fn mutated_certificates_are_refused() {
    let request =
        Request { side: Side::Server, names: &[], now: time::parse_rfc3339("2030-01-01T00:00:00Z").unwrap() };
    let verifier = Verifier::new(Arc::new(store("root")));
    let chain = certificates("leaf intermediate");
    for position in 0..chain.len() {
        for index in 0..chain[position].len() {
            for flip in [0x01, 0x80, 0xff] {
                let mut mutated = chain.clone();
                mutated[position][index] ^= flip;
                assert!(verifier.find_path(&mutated, &request).is_err(), "{position} {index} {flip}");
            }
            let mut cut = chain.clone();
            cut[position].truncate(index);
            assert!(verifier.find_path(&cut, &request).is_err(), "{position} {index}");
        }
    }
}

#[test]
fn mutated_anchors_and_crls_do_not_panic() {
    for name in ["root", "constrained-uri", "policy-ca", "crl-revoked"] {
        let der = pem::Blocks::new(&file(name)).next().unwrap().unwrap().contents.expose().to_vec();
        for index in 0..der.len() {
            for flip in [0x01, 0x20, 0x80, 0xff] {
                let mut mutated = der.clone();
                mutated[index] ^= flip;
                let mut store = TrustStore::empty();
                store.add(&mutated, name);
                let _ = store.add_crl(&mutated, name);
                let _ = x509::describe(&mutated);
            }
        }
    }
}
