//! What is in form is accepted, and what only a path can tell.

use super::*;

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
