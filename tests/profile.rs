//! The profile of RFC 5280, Sections 4 and 5: each rule is broken once, by a certificate or a CRL made for it.
#![cfg(feature = "x509")]
#![allow(unreachable_pub, reason = "modules of a test")]

#[path = "support/issue.rs"]
mod issue;

use std::sync::{Arc, LazyLock};

use handclasp::crypto::{
    certificate::UnixTime,
    x509::{Policy, Request, Revocation, Side, TrustStore, Verifier},
};
use issue::{CLIENT_AUTH, Crl, Key, Parts, SERVER_AUTH, Template, extension, oid, revoked, sequence, tlv};

/// In March of 2030.
const NOW: UnixTime = UnixTime(1_900_000_000);

const SUBJECT_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 14];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 17];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
const CRL_NUMBER: &[u8] = &[0x55, 0x1d, 20];
const REASON_CODE: &[u8] = &[0x55, 0x1d, 21];
const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 30];
const CERTIFICATE_POLICIES: &[u8] = &[0x55, 0x1d, 32];
const POLICY_MAPPINGS: &[u8] = &[0x55, 0x1d, 33];
const AUTHORITY_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 35];
const POLICY_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 36];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
const INHIBIT_ANY_POLICY: &[u8] = &[0x55, 0x1d, 54];
const AUTHORITY_INFORMATION_ACCESS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 1];
const UNKNOWN: &[u8] = &[0x2a, 3, 4];
const ANY_POLICY: &[u8] = &[0x55, 0x1d, 32, 0];

const ECDSA_WITH_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];

/// Of the root, the authority and the end entity, and one of a stranger.
static KEYS: LazyLock<[Key; 4]> = LazyLock::new(|| std::array::from_fn(|_| Key::generate()));

/// A root that is trusted, an authority below it and an end entity, each as the profile has it until it is edited.
struct Chain {
    authority: Vec<u8>,
    end_entity: Vec<u8>,
    crls: Vec<Vec<u8>>,
    policy: Policy,
}

fn chain(authority: impl FnOnce(&mut Parts), end_entity: impl FnOnce(&mut Parts)) -> Chain {
    let [root, issuer, subject, _] = &*KEYS;
    let mut template = Template::new("Authority", issuer);
    template.ca = Some(None);
    let authority = template.issue_edited("Root", root, authority);
    let mut template = Template::new("end", subject);
    template.names = vec!["end.test".into()];
    let end_entity = template.issue_edited("Authority", issuer, end_entity);
    Chain { authority, end_entity, crls: Vec::new(), policy: Policy::default() }
}

impl Chain {
    fn judge(self) -> Result<(), String> {
        judge(&[self.end_entity, self.authority], &self.crls, self.policy)
    }
}

fn judge(chain: &[Vec<u8>], crls: &[Vec<u8>], policy: Policy) -> Result<(), String> {
    let mut root = Template::new("Root", &KEYS[0]);
    root.ca = Some(None);
    let mut store = TrustStore::empty();
    store.add(&root.issue("Root", &KEYS[0]), "root");
    for crl in crls {
        store.add_crl(crl, "crl").map_err(|error| error.to_string())?;
    }
    let request = Request { side: Side::Server, names: &[], now: NOW };
    let found = Verifier::with_policy(Arc::new(store), policy).find_path(chain, &request);
    found.map(drop).map_err(|rejection| rejection.detail)
}

fn untouched(_: &mut Parts) {}

fn is(parts: &[u8], id: &[u8]) -> bool {
    let id = oid(id);
    parts.windows(id.len()).take(5).any(|window| window == id)
}

fn remove(parts: &mut Parts, id: &[u8]) {
    parts.extensions.retain(|extension| !is(extension, id));
}

/// Puts an extension in the place of another of its kind.
fn put(parts: &mut Parts, id: &[u8], critical: bool, contents: &[u8]) {
    remove(parts, id);
    parts.extensions.push(extension(id, critical, contents));
}

fn dns_name(name: &[u8]) -> Vec<u8> {
    sequence(&[tlv(0x82, name)])
}

fn policy(id: &[u8]) -> Vec<u8> {
    sequence(&[oid(id)])
}

/// certificatePolicies with one policy and its qualifier.
fn qualified(policy: &[u8], qualifier: &[u8]) -> Vec<u8> {
    let qualifier = sequence(&[oid(qualifier), tlv(0x16, b"https://end.test/cps")]);
    sequence(&[sequence(&[oid(policy), sequence(&[qualifier])])])
}

/// A rule broken: what is edited how, and what is found.
type Case = (fn(&mut Parts), &'static str);

const NOT_DER: &str = "it is not DER of the structure it should have";
const SERIAL: &str = "its serial number is not a positive integer of at most 20 octets";
const NOT_VERSION_3: &str = "it is not of version 3";
const TWO_IDENTIFIERS: &str = "unique identifiers must not be used (Section 4.1.2.8)";
const NO_BITS: &str = "keyUsage is empty or ends in zero bits";
const CRITICAL_SAN: &str =
    "subjectAltName is critical when the subject is empty, and only then (Section 4.2.1.6)";
const TIME: &str = "a time is not YYMMDDHHMMSSZ (to 2049) or YYYYMMDDHHMMSSZ (after)";

fn nameless(parts: &mut Parts) {
    parts.subject = sequence(&[]);
}

#[rustfmt::skip]
const OF_ANY_CERTIFICATE: &[Case] = &[
    //= rfc5280#section-4.1.2.1
    //= type=test
    //# When extensions are used, as expected in this profile, version MUST be 3 (value is 2).
    //= rfc5280#section-4.1.2.9
    //= type=test
    //# This field MUST only appear if the version is 3 (Section 4.1.2.1).
    (|p| p.version = tlv(0xa0, &tlv(2, &[1])), NOT_VERSION_3),
    //= rfc5280#section-6.1.4
    //= type=test
    //# the application MUST either verify that certificate i is a CA certificate through out-of-band means or
    //# reject the certificate.
    (|p| p.version.clear(), NOT_VERSION_3),
    //= rfc5280#section-4.1.2.2
    //= type=test
    //# The serial number MUST be a positive integer
    (|p| p.serial = tlv(2, &[0]), SERIAL),
    //= rfc5280#section-4.1.2.2
    //= type=test
    //# CAs MUST force the serialNumber to be a non-negative integer.
    //= rfc5280#appendix-B
    //= type=test
    //# CAs MUST force the serialNumber to be a non-negative integer, that is, the sign bit in the DER
    //# encoding of the INTEGER value MUST be zero.
    (|p| p.serial = tlv(2, &[0x81]), SERIAL),
    //= rfc5280#section-4.1.2.2
    //= type=test
    //# Conforming CAs MUST NOT use serialNumber values longer than 20 octets.
    //= rfc5280#appendix-B
    //= type=test
    //# Conforming CAs MUST NOT use serialNumber values longer than 20 octets.
    (|p| p.serial = tlv(2, &[1; 21]), SERIAL),
    //= rfc5280#section-4.1.1.2
    //= type=test
    //# This field MUST contain the same algorithm identifier as the signature field in the sequence
    //# tbsCertificate (Section 4.1.2.3).
    //= rfc5280#section-4.1.2.3
    //= type=test
    //# This field MUST contain the same algorithm identifier as the signatureAlgorithm field in the sequence
    //# Certificate (Section 4.1.1.2).
    (|p| p.algorithm = sequence(&[oid(ECDSA_WITH_SHA384)]), "signatureAlgorithm differs inside and outside"),
    //= rfc5280#section-4.1.2.4
    //= type=test
    //# The issuer field MUST contain a non-empty distinguished name (DN).
    (|p| p.issuer = sequence(&[]), "the issuer must not be empty (Section 4.1.2.4)"),
    (|p| p.validity = sequence(&[tlv(0x17, b"200101000000Z"), tlv(0x18, b"20400101000000Z")]), TIME),
    //= rfc5280#section-4.1.2.8
    //= type=test
    //# These fields MUST only appear if the version is 2 or 3 (Section 4.1.2.1).
    //= rfc5280#section-4.1.2.8
    //= type=test
    //# These fields MUST NOT appear if the version is 1.
    //= rfc5280#section-4.1.2.8
    //= type=test
    //# CAs conforming to this profile MUST NOT generate certificates with unique identifiers.
    (|p| p.unique_identifiers = tlv(0x81, &[0, 1]), TWO_IDENTIFIERS),
    (|p| p.unique_identifiers = tlv(0x82, &[0, 1]), TWO_IDENTIFIERS),
    //= rfc5280#section-4.2
    //= type=test
    //# A certificate-using system MUST reject the certificate if it encounters a critical extension it does
    //# not recognize or a critical extension that contains information that it cannot process.
    //= rfc5280#section-6.1
    //= type=test
    //# Note that clients MUST reject the certificate if it contains an unsupported critical extension.
    //= rfc5280#section-6.1.4
    //= type=test
    //# (o) Recognize and process any other critical extension present in the certificate.
    //= rfc5280#section-6.1.5
    //= type=test
    //# (f) Recognize and process any other critical extension present in the certificate n.
    (|p| put(p, UNKNOWN, true, &[5, 0]), "critical extension 1.2.3.4 is not supported"),
    //= rfc5280#section-4.2
    //= type=test
    //# A certificate MUST NOT include more than one instance of a particular extension.
    (|p| p.extensions.push(p.extensions[0].clone()), "an extension stands twice"),
    //= rfc5280#section-4.2.1.1
    //= type=test
    //# Conforming CAs MUST mark this extension as non-critical.
    (|p| put(p, AUTHORITY_KEY_IDENTIFIER, true, &sequence(&[tlv(0x80, b"key")])), "authorityKeyIdentifier must not be critical (Section 4.2.1.1)"),
    //= rfc5280#appendix-A.2
    //= type=test
    //# authorityCertIssuer and authorityCertSerialNumber MUST both --be present or both be absent
    (|p| put(p, AUTHORITY_KEY_IDENTIFIER, false, &sequence(&[tlv(0x82, &[1])])), "authorityKeyIdentifier has an issuer without serial, or the reverse"),
    //= rfc5280#section-4.2.1.2
    //= type=test
    //# Conforming CAs MUST mark this extension as non-critical.
    (|p| put(p, SUBJECT_KEY_IDENTIFIER, true, &tlv(4, b"key")), "subjectKeyIdentifier must not be critical (Section 4.2.1.2)"),
    //= rfc5280#section-4.2.1.3
    //= type=test
    //# When the keyUsage extension appears in a certificate, at least one of the bits MUST be set to 1.
    (|p| put(p, KEY_USAGE, true, &tlv(3, &[0])), NO_BITS),
    (|p| put(p, KEY_USAGE, true, &tlv(3, &[7, 0])), NO_BITS),
    //= rfc5280#appendix-B
    //= type=test
    //# When DER encoding a named bit list, trailing zeros MUST be omitted.
    (|p| put(p, KEY_USAGE, true, &tlv(3, &[0, 0x80])), NO_BITS),
    //= rfc5280#appendix-B
    //= type=test
    //# If an extension containing unexpected values is marked as critical, the implementation MUST reject the
    //# certificate or CRL containing the unrecognized extension.
    (|p| put(p, KEY_USAGE, true, &tlv(4, &[0x80])), NOT_DER),
    //= rfc5280#section-4.2.1.4
    //= type=test
    //# A certificate policy OID MUST NOT appear more than once in a certificate policies extension.
    (|p| put(p, CERTIFICATE_POLICIES, false, &sequence(&[policy(UNKNOWN), policy(UNKNOWN)])), "a certificate policy stands twice"),
    //= rfc5280#section-4.2.1.4
    //= type=test
    //# the path validation software MUST be able to interpret this extension (including the optional
    //# qualifier), or MUST reject the certificate.
    (|p| put(p, CERTIFICATE_POLICIES, true, &qualified(UNKNOWN, UNKNOWN)), "critical policy qualifiers beside CPS and UserNotice are not supported"),
    //= rfc5280#section-4.2.1.4
    //= type=test
    //# When qualifiers are used with the special policy anyPolicy, they MUST be limited to the qualifiers
    //# identified in this section.
    (|p| put(p, CERTIFICATE_POLICIES, false, &qualified(ANY_POLICY, UNKNOWN)), "anyPolicy with a qualifier of its own (Section 4.2.1.4)"),
    //= rfc5280#section-4.2.1.6
    //= type=test
    //# If the subjectAltName extension is present, the sequence MUST contain at least one entry.
    (|p| put(p, SUBJECT_ALT_NAME, false, &sequence(&[])), NOT_DER),
    //= rfc5280#section-4.2.1.6
    //= type=test
    //# the domain name MUST be stored in the dNSName (an IA5String
    (|p| put(p, SUBJECT_ALT_NAME, false, &dns_name(b"caf\xc3\xa9.test")), "a GeneralName is not an IA5String without control characters"),
    (|p| put(p, SUBJECT_ALT_NAME, true, &dns_name(b"end.test")), CRITICAL_SAN),
    //= rfc5280#section-4.2.2.1
    //= type=test
    //# Conforming CAs MUST mark this extension as non-critical.
    (|p| put(p, AUTHORITY_INFORMATION_ACCESS, true, &sequence(&[sequence(&[oid(UNKNOWN), tlv(0x86, b"http://a.test/")])])), "authorityInfoAccess must not be critical (Section 4.2.2.1)"),
];

//= rfc5280#section-4.1.2.1
//= type=test
//# At a minimum, conforming implementations MUST recognize version 3 certificates.
#[test]
fn a_rule_of_every_certificate_is_broken() {
    assert_eq!(chain(untouched, untouched).judge(), Ok(()));
    for (number, (edit, problem)) in OF_ANY_CERTIFICATE.iter().enumerate() {
        for chain in [chain(edit, untouched), chain(untouched, edit)] {
            let detail = chain.judge().expect_err(problem);
            assert!(detail.ends_with(problem), "{number}: {detail}");
        }
    }
}

#[rustfmt::skip]
const OF_AN_END_ENTITY: &[Case] = &[
    //= rfc5280#section-4.2.1.6
    //= type=test
    //# Further, if the only subject identity included in the certificate is an alternative name form (e.g.,
    //# an electronic mail address), then the subject distinguished name MUST be empty (an empty sequence),
    //# and the subjectAltName extension MUST be present.
    (|p| { nameless(p); remove(p, SUBJECT_ALT_NAME) }, "neither subject nor subjectAltName (Section 4.1.2.6)"),
    //= rfc5280#section-4.2.1.6
    //= type=test
    //# If the subject field contains an empty sequence, then the issuing CA MUST include a subjectAltName
    //# extension that is marked as critical.
    //= rfc5280#section-4.1.2.6
    //= type=test
    //# If subject naming information is present only in the subjectAltName extension (e.g., a key bound only
    //# to an email address or URI), then the subject name MUST be an empty sequence and the subjectAltName
    //# extension MUST be critical.
    (nameless, CRITICAL_SAN),
    //= rfc5280#section-4.2.1.3
    //= type=test
    //# If the keyCertSign bit is asserted, then the cA bit in the basic constraints extension (Section
    //# 4.2.1.9) MUST also be asserted.
    //= rfc5280#section-4.2.1.9
    //= type=test
    //# If the cA boolean is not asserted, then the keyCertSign bit in the key usage extension MUST NOT be
    //# asserted.
    (|p| put(p, KEY_USAGE, true, &tlv(3, &[2, 0x84])), "keyCertSign without cA (Section 4.2.1.3)"),
    //= rfc5280#section-4.2.1.10
    //= type=test
    //# The name constraints extension, which MUST be used only in a CA certificate
    (|p| put(p, NAME_CONSTRAINTS, true, &sequence(&[tlv(0xa0, &dns_name(b"test"))])), "nameConstraints without cA (Section 4.2.1.10)"),
    //= rfc5280#section-4.2.1.9
    //= type=test
    //# CAs MUST NOT include the pathLenConstraint field unless the cA boolean is asserted and the key usage
    //# extension asserts the keyCertSign bit.
    (|p| put(p, BASIC_CONSTRAINTS, true, &sequence(&[tlv(2, &[0])])), "pathLenConstraint without cA (Section 4.2.1.9)"),
    //= rfc5280#section-4.2.1.1
    //= type=test
    //# The keyIdentifier field of the authorityKeyIdentifier extension MUST be included in all certificates
    //# generated by conforming CAs to facilitate certification path construction.
    (|p| remove(p, AUTHORITY_KEY_IDENTIFIER), "authorityKeyIdentifier must be there (Section 4.2.1.1)"),
    (|p| put(p, KEY_USAGE, true, &tlv(3, &[3, 8])), "keyUsage lacks digitalSignature"),
    (|p| put(p, EXTENDED_KEY_USAGE, false, &sequence(&[oid(CLIENT_AUTH)])), "extendedKeyUsage does not allow serverAuth"),
    (|p| {
        //= rfc5280#section-4.2.1.12
        //= type=test
        //# If a certificate contains both a key usage extension and an extended key usage extension, then
        //# both extensions MUST be processed independently and the certificate MUST only be used for a
        //# purpose consistent with both extensions.
        //= rfc5280#section-4.2.1.12
        //= type=test
        //# If there is no purpose consistent with both extensions, then the certificate MUST NOT be used for
        //# any purpose.
        put(p, KEY_USAGE, true, &tlv(3, &[3, 8]));
        put(p, EXTENDED_KEY_USAGE, false, &sequence(&[oid(SERVER_AUTH)]));
    }, "keyUsage lacks digitalSignature"),
];

#[test]
fn a_rule_of_end_entities_is_broken() {
    for (number, (edit, problem)) in OF_AN_END_ENTITY.iter().enumerate() {
        let detail = chain(untouched, edit).judge().expect_err(problem);
        assert!(detail.ends_with(problem), "{number}: {detail}");
    }
}

#[rustfmt::skip]
const OF_AN_AUTHORITY: &[Case] = &[
    //= rfc5280#section-4.2.1.9
    //= type=test
    //# If the basic constraints extension is not present in a version 3 certificate, or the extension is
    //# present but the cA boolean is not asserted, then the certified public key MUST NOT be used to verify
    //# certificate signatures.
    //= rfc5280#section-4.2.1.9
    //= type=test
    //# Conforming CAs MUST include this extension in all CA certificates
    //= rfc5280#section-6.1.4
    //= type=test
    //# (k) If certificate i is a version 3 certificate, verify that the basicConstraints extension is present
    //# and that cA is set to TRUE.
    (|p| remove(p, BASIC_CONSTRAINTS), "issued a certificate, but is not a CA (basicConstraints)"),
    (|p| put(p, BASIC_CONSTRAINTS, true, &sequence(&[])), "issued a certificate, but is not a CA (basicConstraints)"),
    //= rfc5280#section-4.2.1.9
    //= type=test
    //# MUST mark the extension as critical in such certificates.
    (|p| put(p, BASIC_CONSTRAINTS, false, &sequence(&[tlv(1, &[0xff])])), "a CA's basicConstraints must be critical (Section 4.2.1.9)"),
    //= rfc5280#section-4.2.1.9
    //= type=test
    //# Where it appears, the pathLenConstraint field MUST be greater than or equal to zero.
    (|p| put(p, BASIC_CONSTRAINTS, true, &sequence(&[tlv(1, &[0xff]), tlv(2, &[0xff])])), NOT_DER),
    //= rfc5280#section-4.2.1.3
    //= type=test
    //# If the keyUsage extension is present, then the subject public key MUST NOT be used to verify
    //# signatures on certificates or CRLs unless the corresponding keyCertSign or cRLSign bit is set.
    //= rfc5280#section-6.1.4
    //= type=test
    //# (n) If a key usage extension is present, verify that the keyCertSign bit is set.
    (|p| put(p, KEY_USAGE, true, &tlv(3, &[1, 2])), "keyUsage lacks keyCertSign"),
    //= rfc5280#section-4.2.1.2
    //= type=test
    //# To facilitate certification path construction, this extension MUST appear in all conforming CA
    //# certificates, that is, all certificates including the basic constraints extension (Section 4.2.1.9)
    //# where the value of cA is TRUE.
    (|p| remove(p, SUBJECT_KEY_IDENTIFIER), "a CA must have a subjectKeyIdentifier (Section 4.2.1.2)"),
    //= rfc5280#section-4.2.1.2
    //= type=test
    //# In conforming CA certificates, the value of the subject key identifier MUST be the value placed in the
    //# key identifier field of the authority key identifier extension (Section 4.2.1.1) of certificates
    //# issued by the subject of this certificate.
    (|p| put(p, SUBJECT_KEY_IDENTIFIER, false, &tlv(4, b"another")), "is known with another key than the one it names"),
    //= rfc5280#section-4.2.1.10
    //= type=test
    //# Conforming CAs MUST mark this extension as critical
    (|p| put(p, NAME_CONSTRAINTS, false, &sequence(&[tlv(0xa0, &dns_name(b"test"))])), "nameConstraints must be critical (Section 4.2.1.10)"),
    (|p| put(p, NAME_CONSTRAINTS, true, &sequence(&[])), "nameConstraints is empty (Section 4.2.1.10)"),
    //= rfc5280#section-4.2.1.5
    //= type=test
    //# Policies MUST NOT be mapped either to or from the special value anyPolicy (Section 4.2.1.4).
    //= rfc5280#section-6.1.4
    //= type=test
    //# (a) If a policy mappings extension is present, verify that the special value anyPolicy does not appear
    //# as an issuerDomainPolicy or a subjectDomainPolicy.
    (|p| put(p, POLICY_MAPPINGS, true, &sequence(&[sequence(&[oid(ANY_POLICY), oid(UNKNOWN)])])), "a mapping from or to anyPolicy (Section 4.2.1.5)"),
    (|p| put(p, POLICY_MAPPINGS, true, &sequence(&[sequence(&[oid(UNKNOWN), oid(ANY_POLICY)])])), "a mapping from or to anyPolicy (Section 4.2.1.5)"),
    //= rfc5280#section-4.2.1.11
    //= type=test
    //# Conforming CAs MUST mark this extension as critical.
    (|p| put(p, POLICY_CONSTRAINTS, false, &sequence(&[tlv(0x80, &[1])])), "policyConstraints must be critical (Section 4.2.1.11)"),
    //= rfc5280#section-4.2.1.11
    //= type=test
    //# Conforming CAs MUST NOT issue certificates where policy constraints is an empty sequence.
    //= rfc5280#section-4.2.1.11
    //= type=test
    //# That is, either the inhibitPolicyMapping field or the requireExplicitPolicy field MUST be present.
    (|p| put(p, POLICY_CONSTRAINTS, true, &sequence(&[])), "policyConstraints is empty (Section 4.2.1.11)"),
    (|p| put(p, POLICY_CONSTRAINTS, true, &sequence(&[tlv(0x80, &[0])])), "no certificate policy is valid along the path, and a CA in it requires one"),
    //= rfc5280#section-4.2.1.14
    //= type=test
    //# Conforming CAs MUST mark this extension as critical.
    (|p| put(p, INHIBIT_ANY_POLICY, false, &tlv(2, &[0])), "inhibitAnyPolicy must be critical (Section 4.2.1.14)"),
    (|p| put(p, EXTENDED_KEY_USAGE, false, &sequence(&[oid(CLIENT_AUTH)])), "extendedKeyUsage does not allow serverAuth"),
];

#[test]
fn a_rule_of_authorities_is_broken() {
    for (number, (edit, problem)) in OF_AN_AUTHORITY.iter().enumerate() {
        let detail = chain(edit, untouched).judge().expect_err(problem);
        assert!(detail.ends_with(problem), "{number}: {detail}");
    }
}

//= rfc5280#section-4.1.2.6
//= type=test
//# If the subject is a CA (e.g., the basic constraints extension, as discussed in Section 4.2.1.9, is present
//# and the value of cA is TRUE), then the subject field MUST be populated with a non-empty distinguished name
//# matching the contents of the issuer field (Section 4.1.2.4) in all certificates issued by the subject CA.
//= rfc5280#section-4.1.2.6
//= type=test
//# (a) When the subject of the certificate is a CA, the subject field MUST be encoded in the same way as it
//# is encoded in the issuer field (Section 4.1.2.4) in all certificates issued by the subject CA.
#[test]
fn names_chain_by_their_very_bytes() {
    let spelled = |tag, text: &[u8]| sequence(&[tlv(0x31, &sequence(&[oid(&[0x55, 4, 3]), tlv(tag, text)]))]);
    assert_eq!(chain(untouched, |p| p.issuer = spelled(0x0c, b"Authority")).judge(), Ok(()));
    for issuer in [spelled(0x0c, b"authority"), spelled(0x13, b"Authority"), spelled(0x0c, b"Authority ")] {
        let detail = chain(untouched, |p| p.issuer = issuer).judge().unwrap_err();
        assert!(detail.ends_with("is neither sent nor trusted"), "{detail}");
    }
    let detail = chain(nameless_authority, |p| p.issuer = sequence(&[])).judge().unwrap_err();
    assert!(detail.ends_with("the issuer must not be empty (Section 4.1.2.4)"), "{detail}");
}

fn nameless_authority(parts: &mut Parts) {
    nameless(parts);
    put(parts, SUBJECT_ALT_NAME, true, &dns_name(b"authority.test"));
}

//= rfc5280#section-4.1.2.2
//= type=test
//# Certificate users MUST be able to handle serialNumber values up to 20 octets.
//= rfc5280#appendix-B
//= type=test
//# Certificate users MUST be able to handle serialNumber values up to 20 octets in length.
#[test]
fn serial_numbers_of_twenty_octets() {
    for serial in [[&[0x7f][..], &[0xff; 19]].concat(), [&[0][..], &[0xff; 20]].concat()] {
        assert_eq!(chain(untouched, |p| p.serial = tlv(2, &serial)).judge(), Ok(()));
    }
}

//= rfc5280#section-4.2
//= type=test
//# At a minimum, applications conforming to this profile MUST recognize the following extensions: key usage
//# (Section 4.2.1.3), certificate policies (Section 4.2.1.4), subject alternative name (Section 4.2.1.6),
//# basic constraints (Section 4.2.1.9), name constraints (Section 4.2.1.10), policy constraints (Section
//# 4.2.1.11), extended key usage (Section 4.2.1.12), and inhibit anyPolicy (Section 4.2.1.14).
#[test]
fn critical_extensions_that_are_understood() {
    let put_all = |parts: &mut Parts, all: &[(&[u8], Vec<u8>)]| {
        all.iter().for_each(|(id, contents)| put(parts, id, true, contents));
    };
    let authority = [
        (NAME_CONSTRAINTS, sequence(&[tlv(0xa0, &dns_name(b"test"))])),
        (CERTIFICATE_POLICIES, sequence(&[policy(UNKNOWN)])),
        (POLICY_CONSTRAINTS, sequence(&[tlv(0x80, &[0]), tlv(0x81, &[0])])),
        (INHIBIT_ANY_POLICY, tlv(2, &[0])),
    ];
    let end_entity = [
        (KEY_USAGE, tlv(3, &[7, 0x80])),
        (SUBJECT_ALT_NAME, dns_name(b"end.test")),
        (BASIC_CONSTRAINTS, sequence(&[])),
        (CERTIFICATE_POLICIES, sequence(&[policy(UNKNOWN)])),
        (EXTENDED_KEY_USAGE, sequence(&[oid(SERVER_AUTH)])),
    ];
    let edit = |parts: &mut Parts| {
        nameless(parts);
        put_all(parts, &end_entity);
    };
    // The Baseline Requirements do not want extendedKeyUsage critical; RFC 5280 leaves it to the issuer.
    let policy = Policy { issuer_profile: false, ..Policy::default() };
    assert_eq!(Chain { policy, ..chain(|p| put_all(p, &authority), edit) }.judge(), Ok(()));
}

//= rfc5280#appendix-B
//= type=test
//# This specification mandates support for OIDs that have arc elements with values that are less than 2^28,
//# that is, they MUST be between 0 and 268,435,455, inclusive.
//= rfc5280#appendix-B
//= type=test
//# Implementations MUST also support OIDs where the length of the dotted decimal (see Section 1.4 of
//# [RFC4512]) string representation can be up to 100 bytes (inclusive).
//= rfc5280#appendix-B
//= type=test
//# Implementations MUST be able to handle OIDs with up to 20 elements (inclusive).
#[test]
fn qualifiers_of_policies() {
    const CPS: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 2, 1];
    for (critical, policy, qualifier) in
        [(true, ANY_POLICY, CPS), (true, UNKNOWN, CPS), (false, UNKNOWN, UNKNOWN)]
    {
        let edit = |p: &mut Parts| put(p, CERTIFICATE_POLICIES, critical, &qualified(policy, qualifier));
        assert_eq!(chain(edit, edit).judge(), Ok(()));
    }
}

//= rfc5280#section-6.1.3
//= type=test
//# (b) If certificate i is self-issued and it is not the final certificate in the path, skip this step for
//# certificate i.
//= rfc5280#section-6.1.3
//= type=test
//# (c) If certificate i is self-issued and it is not the final certificate in the path, skip this step for
//# certificate i.
//= rfc5280#section-6.1.4
//= type=test
//# (l) If the certificate was not self-issued, verify that max_path_length is greater than zero and decrement
//# max_path_length by 1.
#[test]
fn self_issued_intermediates_are_passed_over() {
    let [root, issuer, subject, successor] = &*KEYS;
    let common_name = |text| sequence(&[tlv(0x31, &sequence(&[oid(&[0x55, 4, 3]), tlv(0x0c, text)]))]);
    let permitted = tlv(0xa0, &SUBTREE(0xa4, &common_name(b"end")));
    let excluded = tlv(0xa1, &SUBTREE(0xa4, &common_name(b"Authority")));
    let constraints = sequence(&[permitted, excluded]);
    for (name, detail) in [("Authority", None), ("Another", Some("pathLenConstraint 0 exceeded"))] {
        let mut authority = Template::new("Authority", issuer);
        authority.ca = Some(Some(0));
        authority.others.push((NAME_CONSTRAINTS, true, constraints.clone()));
        let mut below = Template::new(name, successor);
        below.ca = Some(None);
        let end_entity = Template::new("end", subject).issue(name, successor);
        let chain = [end_entity, below.issue("Authority", issuer), authority.issue("Root", root)];
        match detail {
            None => assert_eq!(judge(&chain, &[], Policy::default()), Ok(())),
            Some(detail) => assert!(judge(&chain, &[], Policy::default()).unwrap_err().ends_with(detail)),
        }
    }
}

#[test]
fn object_identifiers_of_every_length() {
    let largest_arcs = [&[0x2b][..], &[0xff, 0xff, 0xff, 0x7f].repeat(9)].concat();
    let twenty_arcs = [&[0x2b][..], &[0x81, 0x80, 0x00].repeat(12), &[0x81, 0x00].repeat(6)].concat();
    for id in [largest_arcs, twenty_arcs] {
        let policies = sequence(&[policy(&id)]);
        let put_all = |parts: &mut Parts| {
            put(parts, &id, false, &[5, 0]);
            put(parts, CERTIFICATE_POLICIES, true, &policies);
        };
        let required = sequence(&[tlv(0x80, &[0])]);
        let edit = |parts: &mut Parts| {
            put_all(parts);
            put(parts, POLICY_CONSTRAINTS, true, &required);
        };
        assert_eq!(chain(edit, put_all).judge(), Ok(()));
        assert!(chain(edit, |p| put(p, &id, true, &[5, 0])).judge().is_err());
    }
}

//= rfc5280#section-4.1.2.4
//= type=test
//# However, conforming implementations MUST be prepared to receive certificates with issuer names containing
//# the set of attribute types defined below.
//= rfc5280#section-4.1.2.4
//= type=test
//# Implementations of this specification MUST be prepared to receive the following standard attribute types
//# in issuer and subject (Section 4.1.2.6) names:
//= rfc5280#section-4.1.2.4
//= type=test
//# In addition, implementations of this specification MUST be prepared to receive the domainComponent
//# attribute
//= rfc5280#section-4.1.2.6
//= type=test
//# Implementations of this specification MUST be prepared to receive subject names containing the attribute
//# types required for the issuer field.
#[test]
fn names_of_every_standard_attribute() {
    let attribute = |id: &[u8], tag, text: &[u8]| tlv(0x31, &sequence(&[oid(id), tlv(tag, text)]));
    let standard = |last: u8| attribute(&[0x55, 4, last], 0x13, b"NL");
    // country, organization, organizational unit, qualifier, state or province, common name, serial number.
    let mut attributes: Vec<_> = [6, 10, 11, 46, 8, 3, 5].map(standard).into();
    let domain_component = [0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25];
    attributes.push(attribute(&domain_component, 0x16, b"test"));
    for (tag, text) in [(0x0c, &b"caf\xc3\xa9"[..]), (0x14, b"caf\xe9"), (0x1e, b"\0c")] {
        attributes.push(attribute(&[0x55, 4, 10], tag, text));
    }
    let name = sequence(&attributes);
    let edited =
        chain(|p| p.subject = name.clone(), |p| (p.issuer, p.subject) = (name.clone(), name.clone()));
    assert_eq!(edited.judge(), Ok(()));
}

const SUBTREE: fn(u8, &[u8]) -> Vec<u8> = |tag, base| sequence(&[tlv(tag, base)]);

//= rfc5280#section-4.2.1.10
//= type=test
//# the application MUST either process the constraint or reject the certificate.
//= rfc5280#section-4.2.1.10
//= type=test
//# the minimum MUST be zero, and maximum MUST be absent.
//= rfc5280#section-4.2.1.10
//= type=test
//# the application MUST either process these fields or reject the certificate.
//= rfc5280#section-4.2.1.10
//= type=test
//# When constraints are imposed on the rfc822Name name form, but the certificate does not include a subject
//# alternative name, the rfc822Name constraint MUST be applied to the attribute of type emailAddress in the
//# subject distinguished name.
//= rfc5280#section-4.2.1.10
//= type=test
//# Restrictions of the form directoryName MUST be applied to the subject field in the certificate (when the
//# certificate includes a non-empty subject field) and to any names of type directoryName in the
//# subjectAltName extension.
//= rfc5280#section-4.2.1.10
//= type=test
//# Applications conforming to this profile MUST be able to process name constraints that are imposed
//# on the directoryName name form
//= rfc5280#section-6.1.3
//= type=test
//# Otherwise, verify that the subject name is within one of the permitted_subtrees for X.500 distinguished
//# names
//= rfc5280#section-6.1.3
//= type=test
//# Otherwise, verify that the subject name is not within any of the excluded_subtrees for X.500 distinguished
//# names
#[test]
fn constrained_names_of_every_kind() {
    let directory = |text: &[u8]| sequence(&[tlv(0x31, &sequence(&[oid(&[0x55, 4, 10]), tlv(0x0c, text)]))]);
    let named = |tag, name: &[u8]| sequence(&[tlv(tag, name)]);
    let judge = |list: u8, subtree: &[u8], subject: Vec<u8>, names: Vec<u8>| {
        let constraints = sequence(&[tlv(list, subtree)]);
        let edit = |p: &mut Parts| {
            p.subject = subject;
            put(p, SUBJECT_ALT_NAME, false, &names);
        };
        chain(|p| put(p, NAME_CONSTRAINTS, true, &constraints), edit).judge()
    };
    let (permitted, excluded) = (0xa0, 0xa1);
    let (inside, outside) = (directory(b"Lab"), directory(b"Shop"));
    let lab = SUBTREE(0xa4, &directory(b"LAB"));
    let host = || dns_name(b"end.test");
    assert_eq!(judge(permitted, &lab, inside.clone(), host()), Ok(()));
    assert_eq!(judge(excluded, &lab, outside.clone(), host()), Ok(()));
    assert!(judge(permitted, &lab, outside.clone(), host()).is_err(), "the subject");
    assert!(judge(excluded, &lab, inside.clone(), host()).is_err(), "the subject");
    assert!(judge(permitted, &lab, inside.clone(), named(0xa4, &outside)).is_err(), "a directoryName");
    assert_eq!(judge(permitted, &lab, inside.clone(), named(0xa4, &inside)), Ok(()));
    // An address in the subject counts where there is no subjectAltName.
    let address = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];
    for (host, accepted) in [(&b"a@end.test"[..], true), (b"a@other.test", false)] {
        let subject = sequence(&[tlv(0x31, &sequence(&[oid(&address), tlv(0x16, host)]))]);
        let constraints = sequence(&[tlv(permitted, &SUBTREE(0x81, b"end.test"))]);
        let edit = |p: &mut Parts| {
            p.subject = subject;
            remove(p, SUBJECT_ALT_NAME);
        };
        let judged = chain(|p| put(p, NAME_CONSTRAINTS, true, &constraints), edit).judge();
        assert_eq!(judged.is_ok(), accepted, "{judged:?}");
    }
    // A kind that is not understood, here otherName, is refused where it is constrained, and only there.
    let other = sequence(&[tlv(0xa0, &[oid(UNKNOWN), tlv(0xa0, &[5, 0])].concat())]);
    for list in [permitted, excluded] {
        let detail = judge(list, &other, inside.clone(), other.clone());
        assert!(detail.unwrap_err().ends_with("a name is of a kind that is not understood"));
        assert_eq!(judge(list, &other, inside.clone(), host()), Ok(()));
    }
    for distance in [tlv(0x80, &[1]), tlv(0x80, &[0]), tlv(0x81, &[1])] {
        let subtree = sequence(&[tlv(0x82, b"test"), distance]);
        assert!(judge(permitted, &subtree, inside.clone(), host()).unwrap_err().ends_with(NOT_DER));
    }
}

fn crl(edit: impl FnOnce(&mut Crl)) -> Vec<u8> {
    let mut crl = Crl::new("Authority");
    edit(&mut crl);
    crl.issue(&KEYS[1])
}

/// The end entity's status by these lists, which have to be there.
fn status(crls: Vec<Vec<u8>>) -> Result<(), String> {
    let policy = Policy { revocation: Revocation::EndEntity, ..Policy::default() };
    Chain { crls, policy, ..chain(untouched, untouched) }.judge()
}

fn number(octets: &[u8]) -> Vec<Vec<u8>> {
    vec![extension(CRL_NUMBER, false, &tlv(2, octets))]
}

fn of_version_1(crl: &mut Crl) {
    crl.version.clear();
    crl.extensions.clear();
}

/// A rule of CRLs broken: what is edited how, and what is found.
type CrlCase = (fn(&mut Crl), &'static str);

#[rustfmt::skip]
const CRLS: &[CrlCase] = &[
    (|c| c.version = tlv(2, &[0]), "it is neither of version 1 nor 2"),
    (|c| c.version = tlv(2, &[2]), "it is neither of version 1 nor 2"),
    //= rfc5280#section-5.1.2.1
    //= type=test
    //# When extensions are used, as required by this profile, this field MUST be present and MUST specify
    //# version 2 (the integer value is 1).
    (|c| c.version.clear(), NOT_DER),
    (|c| { of_version_1(c); c.revoked = sequence(&[revoked(&[2], &[extension(UNKNOWN, false, &[5, 0])])]) }, NOT_DER),
    (|c| { of_version_1(c); c.next_update.clear() }, "a CRL must have a nextUpdate (Section 5.1.2.5)"),
    //= rfc5280#section-5.1.1.2
    //= type=test
    //# This field MUST contain the same algorithm identifier as the signature field in the sequence
    //# tbsCertList (Section 5.1.2.2).
    //= rfc5280#section-5.1.2.2
    //= type=test
    //# This field MUST contain the same algorithm identifier as the signatureAlgorithm field in the sequence
    //# CertificateList (Section 5.1.1.2).
    (|c| c.signature = sequence(&[oid(ECDSA_WITH_SHA384)]), "signatureAlgorithm differs inside and outside"),
    //= rfc5280#section-5.1.2.3
    //= type=test
    //# The issuer field MUST contain a non-empty X.500 distinguished name (DN).
    (|c| c.issuer = sequence(&[]), "a CRL's issuer must not be empty (Section 5.1.2.3)"),
    //= rfc5280#section-5.1.2.4
    //= type=test
    //# CRL issuers conforming to this profile MUST encode thisUpdate as UTCTime for dates through the year
    //# 2049.
    (|c| c.this_update = tlv(0x18, b"20300101000000Z"), TIME),
    //= rfc5280#section-5.1.2.4
    //= type=test
    //# Where encoded as UTCTime, thisUpdate MUST be specified and interpreted as defined in Section
    //# 4.1.2.5.1.
    (|c| c.this_update = tlv(0x17, b"3001010000Z"), TIME),
    //= rfc5280#section-5.1.2.4
    //= type=test
    //# Where encoded as GeneralizedTime, thisUpdate MUST be specified and interpreted as defined in Section
    //# 4.1.2.5.2.
    (|c| c.this_update = tlv(0x18, b"20500101000000.5Z"), TIME),
    //= rfc5280#section-5.1.2.5
    //= type=test
    //# CRL issuers conforming to this profile MUST encode nextUpdate as UTCTime for dates through the year
    //# 2049.
    (|c| c.next_update = tlv(0x18, b"20310101000000Z"), TIME),
    //= rfc5280#section-5.1.2.5
    //= type=test
    //# Where encoded as UTCTime, nextUpdate MUST be specified and interpreted as defined in Section
    //# 4.1.2.5.1.
    (|c| c.next_update = tlv(0x17, b"3101010000Z"), TIME),
    //= rfc5280#section-5.1.2.5
    //= type=test
    //# Where encoded as GeneralizedTime, nextUpdate MUST be specified and interpreted as defined in Section
    //# 4.1.2.5.2.
    (|c| c.next_update = tlv(0x18, b"20510101000000.5Z"), TIME),
    //= rfc5280#section-5.1.2.5
    //= type=test
    //# Conforming CRL issuers MUST include the nextUpdate field in all CRLs.
    (|c| c.next_update.clear(), "a CRL must have a nextUpdate (Section 5.1.2.5)"),
    //= rfc5280#section-5.1.2.6
    //= type=test
    //# When there are no revoked certificates, the revoked certificates list MUST be absent.
    (|c| c.revoked = sequence(&[]), NOT_DER),
    //= rfc5280#section-5.1.2.6
    //= type=test
    //# The time for revocationDate MUST be expressed as described in Section 5.1.2.4.
    (|c| c.revoked = sequence(&[sequence(&[tlv(2, &[1]), tlv(0x18, b"20300101000000Z")])]), TIME),
    //= rfc5280#section-5.3
    //= type=test
    //# If a CRL contains a critical CRL entry extension that the application cannot process, then the
    //# application MUST NOT use that CRL to determine the status of any certificates.
    (|c| c.revoked = sequence(&[revoked(&[1], &[extension(UNKNOWN, true, &[5, 0])])]), "critical extension 1.2.3.4 is not supported"),
    //= rfc5280#section-5.2.3
    //= type=test
    //# CRL issuers conforming to this profile MUST include this extension in all CRLs
    (|c| c.extensions.clear(), "a CRL must have a cRLNumber (Section 5.2.3)"),
    //= rfc5280#section-5.2.3
    //= type=test
    //# MUST mark this extension as non-critical.
    (|c| c.extensions = vec![extension(CRL_NUMBER, true, &tlv(2, &[1]))], "critical extension 2.5.29.20 is not supported"),
    (|c| c.extensions.extend(number(&[2])), "an extension stands twice"),
    //= rfc5280#section-5.2
    //= type=test
    //# If a CRL contains a critical extension that the application cannot process, then the application MUST
    //# NOT use that CRL to determine the status of certificates.
    (|c| c.extensions.push(extension(UNKNOWN, true, &[5, 0])), "critical extension 1.2.3.4 is not supported"),
];

#[test]
fn a_rule_of_crls_is_broken() {
    assert_eq!(status(vec![crl(|_| {})]), Ok(()));
    for (number, (edit, problem)) in CRLS.iter().enumerate() {
        let detail = status(vec![crl(edit)]).expect_err(problem);
        assert!(detail.ends_with(problem), "{number}: {detail}");
    }
}

//= rfc5280#section-5.2.3
//= type=test
//# CRL verifiers MUST be able to handle CRLNumber values up to 20 octets.
//= rfc5280#appendix-B
//= type=test
//# CRL validators MUST be able to handle cRLNumber values up to 20 octets in length.
#[test]
fn crls_in_form() {
    let clear: [fn(&mut Crl); 5] = [
        |c| c.extensions = number(&[0x7f; 20]),
        |c| c.next_update = tlv(0x18, b"20510101000000Z"),
        |c| c.revoked = sequence(&[revoked(&[2], &[])]),
        |c| c.revoked = sequence(&[revoked(&[2], &[extension(UNKNOWN, false, &[5, 0])])]),
        |c| c.extensions.push(extension(UNKNOWN, false, &[5, 0])),
    ];
    clear.into_iter().for_each(|edit| assert_eq!(status(vec![crl(edit)]), Ok(())));
    let reason = || extension(REASON_CODE, false, &tlv(0x0a, &[1]));
    let detail = status(vec![crl(|c| c.revoked = sequence(&[revoked(&[1], &[reason()])]))]).unwrap_err();
    assert!(detail.ends_with("revoked at 2029-01-01T00:00:00Z (keyCompromise)"), "{detail}");
}

//= rfc5280#section-4.2.1.3
//= type=test
//# If the keyUsage extension is present, then the subject public key MUST NOT be used to verify signatures on
//# certificates or CRLs unless the corresponding keyCertSign or cRLSign bit is set.
//= rfc5280#section-5
//= type=test
//# are REQUIRED to process both version 1 and version 2 complete CRLs
#[test]
fn crls_of_version_1() {
    assert_eq!(status(vec![crl(of_version_1)]), Ok(()));
    let revoking = |serial: u8| {
        crl(|c| {
            of_version_1(c);
            c.revoked = sequence(&[revoked(&[serial], &[])]);
        })
    };
    assert_eq!(status(vec![revoking(2)]), Ok(()));
    let detail = status(vec![revoking(1)]).unwrap_err();
    assert!(detail.ends_with("revoked at 2029-01-01T00:00:00Z (unspecified)"), "{detail}");
}

//= rfc5280#section-5.1.2.4
//= type=test
//# CRL issuers conforming to this profile MUST encode thisUpdate as GeneralizedTime for dates in the year
//# 2050 or later.
//= rfc5280#section-5.1.2.4
//= type=test
//# Conforming applications MUST be able to process dates that are encoded in either UTCTime or
//# GeneralizedTime.
//= rfc5280#section-5.1.2.5
//= type=test
//# CRL issuers conforming to this profile MUST encode nextUpdate as GeneralizedTime for dates in the year
//# 2050 or later.
//= rfc5280#section-5.1.2.5
//= type=test
//# Conforming applications MUST be able to process dates that are encoded in either UTCTime or
//# GeneralizedTime.
#[test]
fn crls_of_the_year_2050() {
    let distant = |c: &mut Crl| c.next_update = tlv(0x18, b"20500101000000Z");
    assert_eq!(status(vec![crl(distant)]), Ok(()));
    let future = crl(|c| {
        distant(c);
        c.this_update = tlv(0x18, b"20500101000000Z");
    });
    assert!(status(vec![future]).unwrap_err().ends_with("the CRL is not valid before 2050-01-01T00:00:00Z"));
}

//= rfc5280#section-4.1.2.6
//= type=test
//# If the subject is a CRL issuer (e.g., the key usage extension, as discussed in Section 4.2.1.3, is present
//# and the value of cRLSign is TRUE), then the subject field MUST be populated with a non-empty distinguished
//# name matching the contents of the issuer field (Section 5.1.2.3) in all CRLs issued by the subject CRL
//# issuer.
//= rfc5280#section-4.1.2.6
//= type=test
//# (b) When the subject of the certificate is a CRL issuer, the subject field MUST be encoded in the same way
//# as it is encoded in the issuer field (Section 5.1.2.3) in all CRLs issued by the subject CRL issuer.
//= rfc5280#section-6.3.3
//= type=test
//# Otherwise, verify that the CRL issuer matches the certificate issuer.
//= rfc5280#section-6.3.3
//= type=test
//# (g) Validate the signature on the complete CRL using the public key validated in step (f).
//= rfc5280#section-6.3.3
//= type=test
//# The trust anchor for the certification path MUST be the same as the trust anchor used to validate the
//# target certificate.
//= rfc5280#section-8
//= type=test
//# At a minimum, implementations validating CRLs MUST ensure that the certification path of a certificate and
//# the CRL issuer certification path used to validate the certificate terminate at the same trust anchor.
//= rfc5280#section-6.3.3
//= type=test
//# If a key usage extension is present in the CRL issuer's certificate, verify that the cRLSign bit is set.
#[test]
fn a_crl_is_its_issuers_alone() {
    let unknown = |crl: Vec<u8>| status(vec![crl]).unwrap_err();
    let detail = unknown(Crl::new("Authority").issue(&KEYS[3]));
    assert!(detail.ends_with("the CRL: its signature is wrong"), "{detail}");
    let detail = unknown(Crl::new("authority").issue(&KEYS[1]));
    assert!(detail.ends_with("no CRL of its issuer is at hand"), "{detail}");
    let no_crl_sign = |p: &mut Parts| put(p, KEY_USAGE, true, &tlv(3, &[2, 4]));
    let judged = Chain { crls: vec![crl(|_| {})], ..chain(no_crl_sign, untouched) }.judge();
    assert!(judged.unwrap_err().ends_with("its issuer's keyUsage lacks cRLSign"));
}
