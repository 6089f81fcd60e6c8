//! Extensions (RFC 8446, Section 4.2): which exist, where each may stand, and the walk over a block of them.

use core::fmt;

use super::super::{
    codec::{Malformed, Reader, Writer},
    error::Violation,
};

/// `ExtensionType`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ExtensionType(u16);

impl ExtensionType {
    pub(crate) const SERVER_NAME: Self = Self(0);
    pub(crate) const SUPPORTED_GROUPS: Self = Self(10);
    pub(crate) const SIGNATURE_ALGORITHMS: Self = Self(13);
    pub(crate) const APPLICATION_LAYER_PROTOCOL_NEGOTIATION: Self = Self(16);
    pub(crate) const PADDING: Self = Self(21);
    pub(crate) const RECORD_SIZE_LIMIT: Self = Self(28);
    pub(crate) const PRE_SHARED_KEY: Self = Self(41);
    pub(crate) const EARLY_DATA: Self = Self(42);
    pub(crate) const SUPPORTED_VERSIONS: Self = Self(43);
    pub(crate) const COOKIE: Self = Self(44);
    pub(crate) const PSK_KEY_EXCHANGE_MODES: Self = Self(45);
    pub(crate) const CERTIFICATE_AUTHORITIES: Self = Self(47);
    pub(crate) const SIGNATURE_ALGORITHMS_CERT: Self = Self(50);
    pub(crate) const KEY_SHARE: Self = Self(51);

    /// The code point.
    pub fn code(self) -> u16 {
        self.0
    }

    fn row(self) -> Option<&'static (u16, &'static str, &'static [Place])> {
        TABLE.iter().find(|row| row.0 == self.0)
    }
}

impl fmt::Display for ExtensionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.row() {
            Some(row) => f.write_str(row.1),
            None => write!(f, "extension {}", self.0),
        }
    }
}

impl fmt::Debug for ExtensionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A message that carries extensions: the abbreviations of Section 4.2's table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::upper_case_acronyms, reason = "the table's own abbreviations")]
pub(crate) enum Place {
    /// ClientHello
    CH,
    /// ServerHello
    SH,
    /// EncryptedExtensions
    EE,
    /// Certificate
    CT,
    /// CertificateRequest
    CR,
    /// NewSessionTicket
    NST,
    /// HelloRetryRequest
    HRR,
}

/// The table of RFC 8446, Section 4.2, and record_size_limit (RFC 8449, Section 4).
//= rfc8446#section-9.2
//# a TLS-compliant application MUST implement the following TLS extensions:
const TABLE: [(u16, &str, &[Place]); 23] = {
    use Place::{CH, CR, CT, EE, HRR, NST, SH};
    [
        (0, "server_name", &[CH, EE]),
        (1, "max_fragment_length", &[CH, EE]),
        (5, "status_request", &[CH, CR, CT]),
        (10, "supported_groups", &[CH, EE]),
        (13, "signature_algorithms", &[CH, CR]),
        (14, "use_srtp", &[CH, EE]),
        (15, "heartbeat", &[CH, EE]),
        (16, "application_layer_protocol_negotiation", &[CH, EE]),
        (18, "signed_certificate_timestamp", &[CH, CR, CT]),
        (19, "client_certificate_type", &[CH, EE]),
        (20, "server_certificate_type", &[CH, EE]),
        (21, "padding", &[CH]),
        (28, "record_size_limit", &[CH, EE]),
        (41, "pre_shared_key", &[CH, SH]),
        (42, "early_data", &[CH, EE, NST]),
        (43, "supported_versions", &[CH, SH, HRR]),
        (44, "cookie", &[CH, HRR]),
        //= rfc8446#section-4.2.9
        //# The server MUST NOT send a "psk_key_exchange_modes" extension.
        (45, "psk_key_exchange_modes", &[CH]),
        (47, "certificate_authorities", &[CH, CR]),
        //= rfc8446#section-4.2.5
        //# This extension, if provided by the server, MUST only be sent in the CertificateRequest message.
        (48, "oid_filters", &[CR]),
        (49, "post_handshake_auth", &[CH]),
        (50, "signature_algorithms_cert", &[CH, CR]),
        (51, "key_share", &[CH, SH, HRR]),
    ]
};

/// More extensions than any peer has reason to send. Section 9.3 wants unknown ones ignored; beyond this number we do not, because
/// duplicates must be found among them, and that is quadratic in what a stranger sends.
const MAX_EXTENSIONS: usize = 128;

/// Walks over `Extension extensions<0..2^16-1>`: refuses duplicates and what cannot stand in this message, and gives each to `each`.
//= rfc8446#section-4.2
//# There MUST NOT be more than one extension of the same type in a given extension block.
//= rfc8446#section-4.2
//# If an implementation receives an extension
//# which it recognizes and which is not specified for the message in
//# which it appears, it MUST abort the handshake with an
//# "illegal_parameter" alert.
pub(crate) fn read_extensions<'a>(
    reader: &mut Reader<'a>,
    place: Place,
    mut each: impl FnMut(ExtensionType, Reader<'a>) -> Result<(), Violation>,
) -> Result<(), Violation> {
    let mut block = reader.vector16()?;
    let mut seen = [None; MAX_EXTENSIONS];
    let mut free = seen.iter_mut();
    while !block.is_empty() {
        let extension = ExtensionType(block.u16()?);
        let content = block.vector16()?;
        let slot = free.next().ok_or(Violation::TooManyExtensions)?;
        *slot = Some(extension);
        if let Some(row) = extension.row() {
            if !row.2.contains(&place) {
                return Err(Violation::MisplacedExtension(extension));
            }
            each(extension, content.named(row.1))?;
        } else {
            each(extension, content.named("extension"))?;
        }
    }
    drop(free);
    refuse_duplicates(&seen)
}

/// Whether a block of extensions has one of this type; a hello of TLS 1.2 may be without a block.
pub(crate) fn has_extension(mut reader: Reader<'_>, wanted: ExtensionType) -> Result<bool, Malformed> {
    if reader.is_empty() {
        return Ok(false);
    }
    let (mut block, mut found) = (reader.vector16()?, false);
    while !block.is_empty() {
        found |= block.u16()? == wanted.0;
        block.vector16()?;
    }
    Ok(found)
}

fn refuse_duplicates(seen: &[Option<ExtensionType>]) -> Result<(), Violation> {
    for (index, extension) in seen.iter().enumerate() {
        let Some(extension) = extension else { break };
        if seen.iter().take(index).any(|earlier| earlier == &Some(*extension)) {
            return Err(Violation::DuplicateExtension(*extension));
        }
    }
    Ok(())
}

/// Writes one extension.
pub(crate) fn write_extension(w: &mut Writer, extension: ExtensionType, content: impl FnOnce(&mut Writer)) {
    w.u16(extension.0);
    w.vector16(content);
}

/// A list of names, each behind one length byte and none empty: ProtocolNameList (RFC 7301, Section 3.1).
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProtocolNames<'a>(Reader<'a>);

impl<'a> ProtocolNames<'a> {
    pub(crate) fn read(mut content: Reader<'a>) -> Result<Self, Malformed> {
        let list = content.vector16()?.not_empty()?;
        content.finish()?;
        let mut rest = list;
        while !rest.is_empty() {
            //= rfc7301#section-3.1
            //# Empty strings MUST NOT be included
            rest.vector8()?.not_empty()?;
        }
        Ok(Self(list))
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.0;
        core::iter::from_fn(move || rest.vector8().ok().map(Reader::rest))
    }
}

//= rfc7301#section-3.1
//# SHALL contain a "ProtocolNameList" value.
pub(crate) fn write_protocol_names<'a>(w: &mut Writer, names: impl IntoIterator<Item = &'a [u8]>) {
    write_extension(w, ExtensionType::APPLICATION_LAYER_PROTOCOL_NEGOTIATION, |w| {
        w.vector16(|w| names.into_iter().for_each(|name| w.vector8(|w| w.bytes(name))));
    });
}

/// Writes a list of code points with a two-byte length: supported_groups, signature_algorithms, ...
pub(crate) fn write_codes(w: &mut Writer, extension: ExtensionType, codes: impl IntoIterator<Item = u16>) {
    write_extension(w, extension, |w| w.vector16(|w| codes.into_iter().for_each(|code| w.u16(code))));
}

/// `DistinguishedName authorities<3..2^16-1>`, each in DER (RFC 8446, Section 4.2.4).
#[derive(Clone, Copy, Debug)]
pub(crate) struct DistinguishedNames<'a>(Reader<'a>);

impl<'a> DistinguishedNames<'a> {
    pub(crate) fn read(mut content: Reader<'a>) -> Result<Self, Malformed> {
        let list = content.vector16()?.not_empty()?;
        content.finish()?;
        let mut rest = list;
        while !rest.is_empty() {
            rest.vector16()?.not_empty()?;
        }
        Ok(Self(list))
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.0;
        core::iter::from_fn(move || rest.vector16().ok().map(Reader::rest))
    }
}

/// What a TLS 1.3 endpoint may announce (RFC 8449, Section 4); a client may announce more, for versions to come.
pub(crate) const RECORD_SIZE_LIMITS: core::ops::RangeInclusive<u16> = 64..=16385;

/// Reads `uint16 RecordSizeLimit` (RFC 8449, Section 4).
pub(crate) fn read_record_size_limit(mut content: Reader<'_>) -> Result<u16, Violation> {
    let limit = content.u16()?;
    content.finish()?;
    //= rfc8449#section-4
    //# A server MUST NOT enforce this restriction
    //= rfc8449#section-4
    //# An endpoint MUST treat receipt of a smaller value as a fatal error and generate an "illegal_parameter"
    //# alert.
    if limit < *RECORD_SIZE_LIMITS.start() { Err(Violation::RecordSizeLimit) } else { Ok(limit) }
}

/// One share (RFC 8446, Section 4.2.8).
///
/// ```text
/// struct {
///     NamedGroup group;
///     opaque key_exchange<1..2^16-1>;
/// } KeyShareEntry;
/// ```
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyShareEntry<'a> {
    pub(crate) group: u16,
    pub(crate) key_exchange: &'a [u8],
}

impl<'a> KeyShareEntry<'a> {
    pub(crate) fn read(reader: &mut Reader<'a>) -> Result<Self, Malformed> {
        Ok(Self { group: reader.u16()?, key_exchange: reader.vector16()?.not_empty()?.rest() })
    }

    pub(crate) fn write(&self, w: &mut Writer) {
        w.u16(self.group);
        w.vector16(|w| w.bytes(self.key_exchange));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    const RFC: &str = include_str!("../../../tests/vectors/rfc8446/section-4.2.txt");

    const PLACES: [(&str, Place); 7] = [
        ("CH", Place::CH),
        ("SH", Place::SH),
        ("EE", Place::EE),
        ("CT", Place::CT),
        ("CR", Place::CR),
        ("NST", Place::NST),
        ("HRR", Place::HRR),
    ];

    /// The RFC's name, code point and places of each extension.
    fn rows() -> Vec<(&'static str, u16, Vec<Place>)> {
        let code_of = |name| {
            let mut codes = RFC.lines().filter_map(|line| line.trim().split_once('('));
            let (_, rest) = codes.find(|(known, _)| *known == name).expect("a code point");
            rest.split_once(')').unwrap().0.parse().unwrap()
        };
        let cells = RFC.lines().filter_map(|line| line.trim().strip_prefix("| ")?.split_once('|'));
        let row = |(extension, places): (&'static str, &'static str)| {
            let name = extension.split_whitespace().next().unwrap();
            let places = places.trim_matches([' ', '|']).split(", ");
            let place_of = |place| PLACES.iter().find(|known| known.0 == place).expect("a message").1;
            (name, code_of(name), places.map(place_of).collect())
        };
        cells.filter(|(extension, _)| !extension.starts_with("Extension ")).map(row).collect()
    }

    #[test]
    fn our_table_is_the_rfcs_and_record_size_limit() {
        let rows = rows();
        assert_eq!(rows.len(), 22);
        assert_eq!(TABLE.len(), rows.len() + 1);
        for (name, code, mut places) in rows {
            let (_, our_name, ours) = ExtensionType(code).row().expect(name);
            places.sort_by_key(|place| *place as u8);
            let mut ours = ours.to_vec();
            ours.sort_by_key(|place| *place as u8);
            assert_eq!((*our_name, ours), (name, places));
        }
        assert_eq!(ExtensionType::RECORD_SIZE_LIMIT.row().unwrap().2, [Place::CH, Place::EE]);
    }
}
