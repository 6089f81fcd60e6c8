//! Each rule of Section 5 broken once, and CRLs that are in form.

use super::*;

const CERTIFICATE_ISSUER: &[u8] = &[0x55, 0x1d, 29];
const ISSUING_DISTRIBUTION_POINT: &[u8] = &[0x55, 0x1d, 28];
const REASON_CODE: &[u8] = &[0x55, 0x1d, 21];

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

/// So many extensions that nobody knows.
fn unknown(count: u8) -> impl Iterator<Item = Vec<u8>> {
    (0..count).map(|octet| extension(&[0x2a, octet], false, &[5, 0]))
}

fn of_version_1(crl: &mut Crl) {
    crl.version.clear();
    crl.extensions.clear();
}

/// The end entity revoked, and why.
fn because(reason: u8) -> Vec<u8> {
    sequence(&[revoked(&[1], &[extension(REASON_CODE, false, &tlv(0x0a, &[reason]))])])
}

const NO_REASON: &str = "a reasonCode is not one of a complete CRL";

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
    (|c| c.revoked = sequence(&[revoked(&[1], &[extension(CERTIFICATE_ISSUER, true, &tlv(0x30, &tlv(0xa4, &c.issuer)))])]), "critical extension 2.5.29.29 is not supported"),
    (|c| c.extensions.push(extension(ISSUING_DISTRIBUTION_POINT, true, &sequence(&[tlv(0x84, &[0xff])]))), "CRLs of one distribution point are not supported"),
    // 7 is none, 8 (removeFromCRL) a delta CRL's, 10 the last.
    (|c| c.revoked = because(7), NO_REASON),
    (|c| c.revoked = because(8), NO_REASON),
    (|c| c.revoked = because(11), NO_REASON),
    //= rfc5280#section-5.2.3
    //= type=test
    //# CRL issuers conforming to this profile MUST include this extension in all CRLs
    (|c| c.extensions.clear(), "a CRL must have a cRLNumber (Section 5.2.3)"),
    //= rfc5280#section-5.2.3
    //= type=test
    //# MUST mark this extension as non-critical.
    (|c| c.extensions = vec![extension(CRL_NUMBER, true, &tlv(2, &[1]))], "critical extension 2.5.29.20 is not supported"),
    (|c| c.extensions.extend(number(&[2])), "an extension stands twice"),
    (|c| c.extensions.extend(unknown(40)), "too many extensions"),
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
    let clear: [fn(&mut Crl); 6] = [
        |c| c.extensions = number(&[0x7f; 20]),
        |c| c.next_update = tlv(0x18, b"20510101000000Z"),
        |c| c.revoked = sequence(&[revoked(&[2], &[])]),
        |c| c.revoked = sequence(&[revoked(&[2], &[extension(UNKNOWN, false, &[5, 0])])]),
        |c| c.extensions.push(extension(UNKNOWN, false, &[5, 0])),
        |c| c.extensions.extend(unknown(39)),
    ];
    clear.into_iter().for_each(|edit| assert_eq!(status(vec![crl(edit)]), Ok(())));
    for (code, reason) in [(0, "unspecified"), (1, "keyCompromise"), (10, "aACompromise")] {
        let detail = status(vec![crl(|c| c.revoked = because(code))]).unwrap_err();
        assert!(detail.ends_with(&format!("revoked at 2029-01-01T00:00:00Z ({reason})")), "{detail}");
    }
}

/// Names the key of the stranger.
fn misnamed(crl: &mut Crl) {
    let stranger = sequence(&[tlv(0x80, KEYS[3].identifier())]);
    crl.extensions.push(extension(AUTHORITY_KEY_IDENTIFIER, false, &stranger));
}

/// The peer chooses which certificate of its issuer's key it sends, and so which key identifier: the signature tells whose a CRL is.
#[test]
fn a_key_identifier_is_but_a_hint() {
    let heeded = |crls| Chain { crls, ..chain(untouched, untouched) }.judge();
    let revoking = |c: &mut Crl| {
        misnamed(c);
        c.revoked = because(1);
    };
    assert_eq!(status(vec![crl(misnamed)]), Ok(()));
    assert!(heeded(vec![crl(revoking)]).unwrap_err().ends_with("(keyCompromise)"));
    assert!(heeded(vec![crl(|_| {}), crl(revoking)]).unwrap_err().ends_with("(keyCompromise)"));
    let no_crl_sign = |parts: &mut Parts| put(parts, KEY_USAGE, true, &tlv(3, &[2, 4]));
    let detail = Chain { crls: vec![crl(revoking)], ..chain(no_crl_sign, untouched) }.judge().unwrap_err();
    assert!(detail.ends_with("its issuer's keyUsage lacks cRLSign"), "{detail}");
    // That of another authority of the same name says nothing, if it names its own key.
    let twins = |edit: fn(&mut Crl)| {
        let mut twins = Crl::new("Authority");
        edit(&mut twins);
        twins.issue(&KEYS[3])
    };
    assert_eq!(heeded(vec![twins(revoking)]), Ok(()));
    assert_eq!(status(vec![twins(revoking), crl(|_| {})]), Ok(()));
    let detail = status(vec![twins(misnamed)]).unwrap_err();
    assert!(detail.ends_with("no CRL of its issuer is at hand"), "{detail}");
    let detail = heeded(vec![twins(|_| {})]).unwrap_err();
    assert!(detail.ends_with("the CRL: its signature is wrong"), "{detail}");
}

#[test]
fn every_crl_whose_signature_is_tried_costs() {
    let of = |count: u8| (0..count).map(|octet| crl(|c| c.extensions = number(&[octet]))).collect::<Vec<_>>();
    assert_eq!(status(of(60)), Ok(()));
    assert_eq!(status(vec![crl(|_| {}); 64]), Ok(()), "one and the same");
    let detail = status(of(64)).unwrap_err();
    assert!(detail.ends_with("too many signatures"), "{detail}");
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
