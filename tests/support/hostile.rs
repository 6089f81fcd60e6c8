//! Chains made to cost their reader much: few certificates, and long names in them.

use crate::issue::{Key, NAME_CONSTRAINTS, SUBJECT_ALT_NAME, Template, name, oid, sequence, tlv};

/// A Name of so many levels, ten octets each.
pub fn deep_name(levels: usize) -> Vec<u8> {
    let attribute = sequence(&[oid(&[0x55, 4]), tlv(0x0c, b"")]);
    tlv(0x30, &tlv(0x31, &attribute).repeat(levels))
}

/// An end entity of these GeneralNames; ten certificates of one authority, that issued it; and who issued those, which excludes
/// a directoryName. Nobody is trusted, so each of the ten ways is tried.
pub fn ten_ways(names: &[u8], excluded: &[u8]) -> Vec<Vec<u8>> {
    let keys = [Key::generate(), Key::generate(), Key::generate(), Key::generate()];
    let template = |subject, key, ca| {
        let mut template = Template::new(subject, key);
        (template.key_identifiers, template.ca) = (false, ca);
        template
    };
    let mut leaf = template("leaf", &keys[0], None);
    leaf.others.push((SUBJECT_ALT_NAME, false, tlv(0x30, names)));
    let mut top = template("Top", &keys[2], Some(None));
    let subtrees = tlv(0xa1, &sequence(&[tlv(0xa4, excluded)]));
    top.others.push((NAME_CONSTRAINTS, true, sequence(&[subtrees])));
    let mut chain = vec![leaf.issue("Middle", &keys[1]), top.issue("Nobody", &keys[3])];
    for serial in 1..=10 {
        let middle = Template { serial, ..template("Middle", &keys[1], Some(None)) };
        chain.push(middle.issue("Top", &keys[2]));
    }
    chain
}

/// GeneralNames whose reading costs more than their comparison: so many dNSNames, and a directoryName at the end.
pub fn many_names(number: usize, last: &str) -> Vec<u8> {
    [tlv(0x82, b"a").repeat(number), tlv(0xa4, &name(last))].concat()
}
