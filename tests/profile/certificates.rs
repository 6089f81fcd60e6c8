//! Each rule of Section 4 broken once: of any certificate, of end entities, of authorities.

use super::*;

/// A rule broken: what is edited how, and what is found.
type Case = (fn(&mut Parts), &'static str);

const SERIAL: &str = "its serial number is negative, or has more than 20 octets";
const SERIAL_ZERO: &str = "a serial number must be positive (Section 4.1.2.2)";
const NOT_VERSION_3: &str = "it is not of version 3";
const TWO_IDENTIFIERS: &str = "unique identifiers must not be used (Section 4.1.2.8)";
const NO_BITS: &str = "keyUsage is empty or ends in zero bits";
const CRITICAL_SAN: &str =
    "subjectAltName is critical when the subject is empty, and only then (Section 4.2.1.6)";
#[rustfmt::skip]
const OF_ANY_CERTIFICATE: &[Case] = &[
    //= rfc5280#section-4.1.2.1
    //= type=test
    //# When extensions are used, as expected in this profile, version MUST be 3 (value is 2).
    //= rfc5280#section-4.1.2.9
    //= type=test
    //# This field MUST only appear if the version is 3 (Section 4.1.2.1).
    //= rfc8446#section-4.4.2.2
    //= type=test
    //# The certificate type MUST be X.509v3
    //= rfc8446#section-4.4.2.3
    //= type=test
    //# The certificate type MUST be X.509v3
    (|p| p.version = tlv(0xa0, &tlv(2, &[1])), NOT_VERSION_3),
    //= rfc5280#section-6.1.4
    //= type=test
    //# the application MUST either verify that certificate i is a CA certificate through out-of-band means or
    //# reject the certificate.
    (|p| p.version.clear(), NOT_VERSION_3),
    //= rfc5280#section-4.1.2.2
    //= type=test
    //# The serial number MUST be a positive integer
    (|p| p.serial = tlv(2, &[0]), SERIAL_ZERO),
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
