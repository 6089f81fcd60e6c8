//! ClientHello (RFC 8446, Section 4.1.2).
//!
//! ```text
//! struct {
//!     ProtocolVersion legacy_version = 0x0303;    /* TLS v1.2 */
//!     Random random;
//!     opaque legacy_session_id<0..32>;
//!     CipherSuite cipher_suites<2..2^16-2>;
//!     opaque legacy_compression_methods<1..2^8-1>;
//!     Extension extensions<8..2^16-1>;
//! } ClientHello;
//! ```

use super::{
    super::{
        codec::{Codes, Malformed, Reader, Writer},
        error::Violation,
    },
    ExtensionType, LEGACY_VERSION, TLS13,
    extension::{
        DistinguishedNames, KeyShareEntry, Place, ProtocolNames, read_extensions, read_record_size_limit,
        write_codes, write_extension, write_protocol_names,
    },
};

/// A ClientHello as received; the extensions that are not ours are passed over.
#[derive(Debug)]
pub(crate) struct ClientHello<'a> {
    pub(crate) legacy_version: u16,
    pub(crate) random: &'a [u8; 32],
    pub(crate) session_id: &'a [u8],
    pub(crate) cipher_suites: Codes<'a>,
    pub(crate) compression_methods: &'a [u8],
    pub(crate) extensions: Extensions<'a>,
    /// The extensions as received.
    block: Reader<'a>,
}

/// The extensions of a ClientHello that a server acts on.
#[derive(Debug, Default)]
pub(crate) struct Extensions<'a> {
    pub(crate) server_name: Option<&'a str>,
    pub(crate) supported_groups: Option<Codes<'a>>,
    pub(crate) signature_algorithms: Option<Codes<'a>>,
    pub(crate) signature_algorithms_cert: Option<Codes<'a>>,
    pub(crate) protocols: Option<ProtocolNames<'a>>,
    pub(crate) record_size_limit: Option<u16>,
    pub(crate) supported_versions: Option<Codes<'a>>,
    pub(crate) cookie: Option<&'a [u8]>,
    pub(crate) psk_key_exchange_modes: Option<&'a [u8]>,
    pub(crate) certificate_authorities: Option<DistinguishedNames<'a>>,
    pub(crate) key_share: Option<KeyShares<'a>>,
    pub(crate) early_data: bool,
    pub(crate) pre_shared_key: Option<OfferedPsks<'a>>,
}

impl<'a> ClientHello<'a> {
    pub(crate) fn read(mut r: Reader<'a>) -> Result<Self, Violation> {
        let legacy_version = r.u16()?;
        let random = r.array()?;
        let session_id = r.vector8()?.rest();
        if session_id.len() > 32 {
            return Err(r.malformed().into());
        }
        let cipher_suites = r.vector16()?.codes()?;
        let compression_methods = r.vector8()?.not_empty()?.rest();
        // A ClientHello of TLS 1.2 may end here (Section 4.1.2); it will be refused for its version.
        let block = r;
        let extensions = if r.is_empty() { Extensions::default() } else { Extensions::read(&mut r)? };
        r.finish()?;
        Ok(Self { legacy_version, random, session_id, cipher_suites, compression_methods, extensions, block })
    }

    /// The extensions that a second ClientHello must repeat, as received (Section 4.1.2).
    pub(crate) fn unchanging_extensions(&self) -> impl Iterator<Item = (u16, &'a [u8])> {
        let may_change = [
            ExtensionType::KEY_SHARE,
            ExtensionType::EARLY_DATA,
            ExtensionType::COOKIE,
            ExtensionType::PRE_SHARED_KEY,
            ExtensionType::PADDING,
        ];
        let mut block = self.block;
        let mut block = block.vector16().unwrap_or(block);
        let all = core::iter::from_fn(move || Some((block.u16().ok()?, block.vector16().ok()?.rest())));
        all.filter(move |(code, _)| !may_change.iter().any(|extension| extension.code() == *code))
    }

    /// Whether TLS 1.3 is offered; without supported_versions it is not (Section 4.2.1).
    //= rfc8446#section-4.2.1
    //# servers MUST NOT use the ClientHello.legacy_version value for version negotiation and MUST use only
    //# the "supported_versions" extension to determine client preferences.
    //= rfc8446#section-4.2.1
    //# Servers MUST only select a version of TLS present in that extension and MUST ignore any unknown
    //# versions that are present in that extension.
    pub(crate) fn offers_tls13(&self) -> bool {
        self.extensions.supported_versions.is_some_and(|versions| versions.contains(TLS13))
    }

    /// Whether PSKs are offered for use with (EC)DHE; psk_ke is never used (Section 4.2.9).
    pub(crate) fn offers_psk_dhe_ke(&self) -> bool {
        self.extensions.psk_key_exchange_modes.is_some_and(|modes| modes.contains(&PSK_DHE_KE))
    }
}

impl<'a> Extensions<'a> {
    fn read(r: &mut Reader<'a>) -> Result<Self, Violation> {
        let mut extensions = Self::default();
        read_extensions(r, Place::CH, |extension, content| {
            //= rfc8446#section-4.2.11
            //# The "pre_shared_key" extension MUST be the last extension in the
            //# ClientHello (this facilitates implementation as described below).
            //= rfc8446#section-4.2.11
            //# Servers MUST check that it is the last extension and otherwise fail the handshake with an
            //# "illegal_parameter" alert.
            if extensions.pre_shared_key.is_some() {
                return Err(Violation::PskNotLast);
            }
            extensions.read_one(extension, content)
        })?;
        Ok(extensions)
    }

    fn read_one(&mut self, extension: ExtensionType, mut content: Reader<'a>) -> Result<(), Violation> {
        match extension {
            ExtensionType::SERVER_NAME => self.server_name = Some(read_server_name(content)?),
            ExtensionType::SUPPORTED_GROUPS => {
                self.supported_groups = Some(whole(content, Reader::vector16)?.codes()?)
            }
            ExtensionType::SIGNATURE_ALGORITHMS => {
                self.signature_algorithms = Some(whole(content, Reader::vector16)?.codes()?);
            }
            ExtensionType::SIGNATURE_ALGORITHMS_CERT => {
                self.signature_algorithms_cert = Some(whole(content, Reader::vector16)?.codes()?);
            }
            ExtensionType::APPLICATION_LAYER_PROTOCOL_NEGOTIATION => {
                self.protocols = Some(ProtocolNames::read(content)?);
            }
            ExtensionType::RECORD_SIZE_LIMIT => {
                self.record_size_limit = Some(read_record_size_limit(content)?)
            }
            ExtensionType::SUPPORTED_VERSIONS => {
                self.supported_versions = Some(whole(content, Reader::vector8)?.codes()?);
            }
            ExtensionType::COOKIE => {
                self.cookie = Some(whole(content, Reader::vector16)?.not_empty()?.rest())
            }
            ExtensionType::PSK_KEY_EXCHANGE_MODES => {
                self.psk_key_exchange_modes = Some(whole(content, Reader::vector8)?.not_empty()?.rest());
            }
            ExtensionType::CERTIFICATE_AUTHORITIES => {
                self.certificate_authorities = Some(DistinguishedNames::read(content)?);
            }
            ExtensionType::KEY_SHARE => {
                self.key_share = Some(KeyShares::read(whole(content, Reader::vector16)?)?)
            }
            ExtensionType::EARLY_DATA => {
                content.finish()?;
                self.early_data = true;
            }
            ExtensionType::PRE_SHARED_KEY => self.pre_shared_key = Some(OfferedPsks::read(&mut content)?),
            //= rfc8449#section-5
            //# A server that supports the "record_size_limit" extension MUST ignore a "max_fragment_length"
            //# that appears in a ClientHello if both extensions appear.
            //= rfc8446#section-4.1.2
            //# Servers MUST ignore unrecognized extensions.
            //= rfc8446#section-9.3
            //# This section describes invariants that TLS endpoints and middleboxes MUST follow.
            //= rfc8446#section-9.3
            //# For this to work, implementations MUST correctly handle extensible fields:
            //= rfc8446#section-9.3
            //# A server receiving a ClientHello MUST correctly ignore all unrecognized cipher suites,
            //# extensions, and other parameters.
            //= rfc8446#section-4.4.2.1
            //# TLS 1.3 servers MUST NOT act upon its presence or information in it
            //= rfc8446#section-4.4.2.1
            //# TLS 1.3 servers MUST be able to process ClientHello messages that include it
            _ => {}
        }
        Ok(())
    }
}

/// Reads a vector that fills its extension.
fn whole<'a>(
    mut content: Reader<'a>,
    vector: fn(&mut Reader<'a>) -> Result<Reader<'a>, Malformed>,
) -> Result<Reader<'a>, Malformed> {
    let inner = vector(&mut content)?;
    content.finish()?;
    Ok(inner)
}

/// Reads `ServerName server_name_list<1..2^16-1>`: one name, of type host_name (RFC 6066, Section 3).
//= rfc6066#section-11.1
//# Implementations MUST ensure that a buffer overflow does not occur, whatever the values of the length
//# fields in server_name.
fn read_server_name(content: Reader<'_>) -> Result<&str, Violation> {
    const HOST_NAME: u8 = 0;
    let mut list = whole(content, Reader::vector16)?;
    if list.u8()? != HOST_NAME {
        return Err(Violation::ServerNameType);
    }
    let name = list.vector16()?.not_empty()?.rest();
    //= rfc6066#section-3
    //# The ServerNameList MUST NOT contain more than one name of the same name_type.
    if !list.is_empty() {
        return Err(Violation::ServerNameType);
    }
    let is_ascii = name.iter().all(u8::is_ascii_graphic);
    core::str::from_utf8(name).ok().filter(|_| is_ascii).ok_or(list.malformed().into())
}

/// `KeyShareEntry client_shares<0..2^16-1>`, checked to be well-formed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyShares<'a>(Reader<'a>);

impl<'a> KeyShares<'a> {
    fn read(shares: Reader<'a>) -> Result<Self, Malformed> {
        let mut rest = shares;
        while !rest.is_empty() {
            KeyShareEntry::read(&mut rest)?;
        }
        Ok(Self(shares))
    }

    pub(crate) fn iter(self) -> impl Iterator<Item = KeyShareEntry<'a>> {
        let mut rest = self.0;
        core::iter::from_fn(move || KeyShareEntry::read(&mut rest).ok())
    }
}

/// PskKeyExchangeMode psk_dhe_ke.
const PSK_DHE_KE: u8 = 1;

/// What pre_shared_key holds in a ClientHello (RFC 8446, Section 4.2.11).
///
/// ```text
/// struct {
///     opaque identity<1..2^16-1>;
///     uint32 obfuscated_ticket_age;
/// } PskIdentity;
///
/// opaque PskBinderEntry<32..255>;
///
/// struct {
///     PskIdentity identities<7..2^16-1>;
///     PskBinderEntry binders<33..2^16-1>;
/// } OfferedPsks;
/// ```
#[derive(Clone, Copy, Debug)]
pub(crate) struct OfferedPsks<'a> {
    identities: Reader<'a>,
    binders: Reader<'a>,
}

impl<'a> OfferedPsks<'a> {
    fn read(content: &mut Reader<'a>) -> Result<Self, Violation> {
        let identities = content.vector16()?.not_empty()?;
        let binders = content.vector16()?.not_empty()?;
        content.finish()?;
        let offered = Self { identities, binders };
        let mut rest = identities;
        while !rest.is_empty() {
            read_identity(&mut rest)?;
        }
        let mut rest = binders;
        while !rest.is_empty() {
            read_binder(&mut rest)?;
        }
        if offered.identities().count() != offered.binders().count() {
            return Err(Violation::BinderCount);
        }
        Ok(offered)
    }

    /// Each identity, and its obfuscated_ticket_age.
    pub(crate) fn identities(self) -> impl Iterator<Item = (&'a [u8], u32)> {
        let mut rest = self.identities;
        core::iter::from_fn(move || read_identity(&mut rest).ok())
    }

    pub(crate) fn binders(self) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.binders;
        core::iter::from_fn(move || read_binder(&mut rest).ok())
    }

    /// The length of `binders<33..2^16-1>` with its length bytes: what a binder's transcript leaves out (Section 4.2.11.2).
    pub(crate) fn binders_length(self) -> usize {
        self.binders.rest().len().saturating_add(2)
    }
}

fn read_identity<'a>(r: &mut Reader<'a>) -> Result<(&'a [u8], u32), Malformed> {
    Ok((r.vector16()?.not_empty()?.rest(), r.u32()?))
}

/// `opaque PskBinderEntry<32..255>`
fn read_binder<'a>(r: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
    let binder = r.vector8()?;
    if binder.rest().len() < 32 { Err(r.malformed()) } else { Ok(binder.rest()) }
}

/// What a client writes into its ClientHello, in this order.
#[derive(Debug)]
pub(crate) struct Offer<'a> {
    pub(crate) random: &'a [u8; 32],
    pub(crate) session_id: &'a [u8],
    pub(crate) suites: &'a [u16],
    pub(crate) server_name: Option<&'a str>,
    pub(crate) groups: &'a [u16],
    pub(crate) signature_algorithms: &'a [u16],
    pub(crate) signature_algorithms_cert: &'a [u16],
    pub(crate) protocols: &'a [alloc::vec::Vec<u8>],
    pub(crate) record_size_limit: Option<u16>,
    pub(crate) cookie: Option<&'a [u8]>,
    pub(crate) key_shares: &'a [KeyShareEntry<'a>],
    /// Whether the first ClientHello offered PSKs: a second one may drop PSKs, and nothing else (RFC 8446, Section 4.1.2).
    pub(crate) psk_modes: bool,
    /// Identity, and length of the binder that will follow.
    pub(crate) psks: &'a [(&'a [u8], usize)],
}

impl Offer<'_> {
    /// Writes the body, with zeros for the binders: they are over everything before them.
    pub(crate) fn write(&self, w: &mut Writer) {
        //= rfc8446#section-4.1.2
        //# the legacy_version field MUST be set to 0x0303, which is the version number for TLS 1.2.
        //= rfc8446#appendix-D.5
        //# Implementations MUST NOT send a ClientHello.legacy_version or ServerHello.legacy_version set to
        //# 0x0300 or less.
        w.u16(LEGACY_VERSION);
        w.bytes(self.random);
        w.vector8(|w| w.bytes(self.session_id));
        w.vector16(|w| self.suites.iter().for_each(|suite| w.u16(*suite)));
        //= rfc8446#section-4.1.2
        //# this vector MUST contain exactly one byte, set to zero
        w.vector8(|w| w.u8(0));
        w.vector16(|w| self.write_extensions(w));
    }

    //= rfc9289#section-6
    //# Therefore, RPC-with-TLS implementations MUST NOT use 0-RTT data.
    //= rfc8446#section-9.2
    //# All implementations MUST send and use these extensions when offering applicable features:
    //= rfc8446#appendix-D.5
    //# Implementations MUST NOT use the Truncated HMAC extension, defined in Section 7 of [RFC6066]
    fn write_extensions(&self, w: &mut Writer) {
        //= rfc8446#section-9.2
        //# Additionally, all implementations MUST support the use of the "server_name" extension with
        //# applications capable of using it.
        if let Some(name) = self.server_name {
            //= rfc6066#section-3
            //# The "extension_data" field of this extension SHALL contain "ServerNameList" where:
            write_extension(w, ExtensionType::SERVER_NAME, |w| {
                w.vector16(|w| {
                    w.u8(0);
                    w.vector16(|w| w.bytes(name.as_bytes()));
                });
            });
        }
        //= rfc8446#section-4.2.1
        //# Implementations of this specification MUST send this extension in the ClientHello containing all
        //# versions of TLS which they are prepared to negotiate (for this specification, that means minimally
        //# 0x0304, but if previous versions of TLS are allowed to be negotiated, they MUST be present as
        //# well).
        write_extension(w, ExtensionType::SUPPORTED_VERSIONS, |w| w.vector8(|w| w.u16(TLS13)));
        //= rfc8446#section-9.2
        //# "supported_groups" is REQUIRED for ClientHello messages using DHE or ECDHE key exchange.
        write_codes(w, ExtensionType::SUPPORTED_GROUPS, self.groups.iter().copied());
        //= rfc8446#section-9.2
        //# "key_share" is REQUIRED for DHE or ECDHE key exchange.
        write_extension(w, ExtensionType::KEY_SHARE, |w| {
            w.vector16(|w| self.key_shares.iter().for_each(|entry| entry.write(w)));
        });
        //= rfc8446#section-4.2.3
        //# Clients which desire the server to authenticate itself via a certificate MUST send the
        //# "signature_algorithms" extension.
        //= rfc8446#section-9.2
        //# "signature_algorithms" is REQUIRED for certificate authentication.
        if !self.signature_algorithms.is_empty() {
            write_codes(w, ExtensionType::SIGNATURE_ALGORITHMS, self.signature_algorithms.iter().copied());
            write_codes(
                w,
                ExtensionType::SIGNATURE_ALGORITHMS_CERT,
                self.signature_algorithms_cert.iter().copied(),
            );
        }
        if !self.protocols.is_empty() {
            write_protocol_names(w, self.protocols.iter().map(|name| name.as_slice()));
        }
        if let Some(limit) = self.record_size_limit {
            write_extension(w, ExtensionType::RECORD_SIZE_LIMIT, |w| w.u16(limit));
        }
        //= rfc8446#section-4.2.2
        //# the client MUST copy the contents of the extension received in the HelloRetryRequest into a
        //# "cookie" extension in the new ClientHello.
        if let Some(cookie) = self.cookie {
            write_extension(w, ExtensionType::COOKIE, |w| w.vector16(|w| w.bytes(cookie)));
        }
        //= rfc8446#section-4.2
        //# which MUST be the last extension in the ClientHello (but can appear anywhere in the ServerHello
        //# extensions block).
        self.write_psks(w);
    }

    /// psk_key_exchange_modes goes with PSKs only: without it no server sends a ticket, which a kernel consumer could not digest.
    fn write_psks(&self, w: &mut Writer) {
        //= rfc8446#section-4.2.9
        //# In order to use PSKs, clients MUST also send a "psk_key_exchange_modes" extension.
        //= rfc8446#section-4.2.9
        //# A client MUST provide a "psk_key_exchange_modes" extension if it offers a "pre_shared_key"
        //# extension.
        //= rfc8446#section-9.2
        //# "psk_key_exchange_modes" is REQUIRED for PSK key agreement.
        if self.psk_modes {
            write_extension(w, ExtensionType::PSK_KEY_EXCHANGE_MODES, |w| w.vector8(|w| w.u8(PSK_DHE_KE)));
        }
        if self.psks.is_empty() {
            return;
        }
        //= rfc8446#section-9.2
        //# "pre_shared_key" is REQUIRED for PSK key agreement.
        write_extension(w, ExtensionType::PRE_SHARED_KEY, |w| {
            w.vector16(|w| {
                for (identity, _) in self.psks {
                    w.vector16(|w| w.bytes(identity));
                    w.u32(0);
                }
            });
            w.vector16(|w| {
                for (_, length) in self.psks {
                    w.vector8(|w| (0..*length).for_each(|_| w.u8(0)));
                }
            });
        });
    }
}
