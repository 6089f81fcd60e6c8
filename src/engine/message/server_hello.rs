//! ServerHello (RFC 8446, Section 4.1.3).
//!
//! ```text
//! struct {
//!     ProtocolVersion legacy_version = 0x0303;    /* TLS v1.2 */
//!     Random random;
//!     opaque legacy_session_id_echo<0..32>;
//!     CipherSuite cipher_suite;
//!     uint8 legacy_compression_method = 0;
//!     Extension extensions<6..2^16-1>;
//! } ServerHello;
//! ```

use super::{
    super::{
        codec::{Reader, Writer},
        error::Violation,
    },
    ExtensionType, LEGACY_VERSION, SSL3, TLS13,
    extension::{KeyShareEntry, Place, has_extension, read_extensions, write_extension},
};

/// What ServerHello and HelloRetryRequest have in common: everything before the extensions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hello<'a> {
    pub(crate) random: &'a [u8; 32],
    pub(crate) session_id_echo: &'a [u8],
    pub(crate) cipher_suite: u16,
}

impl<'a> Hello<'a> {
    pub(crate) fn read(r: &mut Reader<'a>) -> Result<Self, Violation> {
        let legacy_version = r.u16()?;
        let random = r.array()?;
        let session_id_echo = r.vector8()?.rest();
        let cipher_suite = r.u16()?;
        let compression_method = r.u8()?;
        //= rfc8446#appendix-D.5
        //# set to 0x0300 MUST abort the handshake with a "protocol_version" alert.
        if legacy_version <= SSL3 {
            return Err(Violation::LegacyVersion);
        }
        //= rfc8446#section-4.2.1
        //# If this extension is present, clients MUST ignore the
        //# ServerHello.legacy_version value and MUST use only the
        //# "supported_versions" extension to determine the selected version.
        //= rfc8446#section-4.2.1
        //# Clients MUST check for this extension prior to processing the rest of the ServerHello
        if !has_extension(*r, ExtensionType::SUPPORTED_VERSIONS)? {
            //= rfc8446#appendix-D.1
            //# the client MUST abort the handshake with a "protocol_version" alert.
            //= rfc8446#section-4.1.3
            //= type=exception
            //= reason=Whatever its random says, an older version ends the handshake with the alert of appendix D.1.
            //# MUST check that the last 8 bytes are not equal to either of these values.
            //= rfc8446#section-4.1.3
            //= type=exception
            //= reason=Whatever its random says, an older version ends the handshake with the alert of appendix D.1.
            //# If a match is found, the client MUST abort the handshake with an "illegal_parameter" alert.
            return Err(Violation::NotTls13);
        }
        if session_id_echo.len() > 32 {
            return Err(r.malformed().into());
        }
        if compression_method != 0 {
            return Err(Violation::Compression);
        }
        Ok(Self { random, session_id_echo, cipher_suite })
    }

    pub(crate) fn write(&self, w: &mut Writer, extensions: impl FnOnce(&mut Writer)) {
        //= rfc8446#section-4.1.3
        //# the legacy_version field MUST be set to 0x0303, which is the version number for TLS 1.2.
        //= rfc8446#section-4.2.1
        //# It MUST set the ServerHello.legacy_version field to 0x0303 (TLS 1.2).
        w.u16(LEGACY_VERSION);
        w.bytes(self.random);
        w.vector8(|w| w.bytes(self.session_id_echo));
        w.u16(self.cipher_suite);
        //= rfc8446#section-4.1.3
        //# legacy_compression_method: A single byte which MUST have the value 0.
        w.u8(0);
        w.vector16(extensions);
    }
}

/// Reads selected_version: TLS 1.3 or nothing (Section 4.2.1).
pub(crate) fn read_selected_version(mut content: Reader<'_>) -> Result<(), Violation> {
    let version = content.u16()?;
    content.finish()?;
    //= rfc8446#section-4.1.4
    //# a client MUST abort the handshake with an "illegal_parameter" alert if the value changes.
    //= rfc8446#section-4.2.1
    //# the client MUST abort the handshake with an "illegal_parameter" alert.
    if version == TLS13 { Ok(()) } else { Err(Violation::SelectedVersion) }
}

pub(crate) fn write_selected_version(w: &mut Writer) {
    //= rfc8446#section-4.1.4
    //# The value of selected_version in the HelloRetryRequest "supported_versions" extension MUST be retained
    //# in the ServerHello
    //= rfc8446#section-9.2
    //# "supported_versions" is REQUIRED for all ClientHello, ServerHello, and HelloRetryRequest messages.
    write_extension(w, ExtensionType::SUPPORTED_VERSIONS, |w| w.u16(TLS13));
}

/// A ServerHello, to read or to write.
#[derive(Debug)]
pub(crate) struct ServerHello<'a> {
    pub(crate) hello: Hello<'a>,
    pub(crate) key_share: KeyShareEntry<'a>,
    pub(crate) selected_identity: Option<u16>,
}

impl<'a> ServerHello<'a> {
    pub(crate) fn read(mut r: Reader<'a>) -> Result<Self, Violation> {
        let hello = Hello::read(&mut r)?;
        let (mut key_share, mut selected_identity) = (None, None);
        read_extensions(&mut r, Place::SH, |extension, mut content| {
            match extension {
                ExtensionType::SUPPORTED_VERSIONS => read_selected_version(content)?,
                ExtensionType::KEY_SHARE => {
                    key_share = Some(KeyShareEntry::read(&mut content)?);
                    content.finish()?;
                }
                ExtensionType::PRE_SHARED_KEY => {
                    selected_identity = Some(content.u16()?);
                    content.finish()?;
                }
                _ => return Err(Violation::UnsolicitedExtension(extension)),
            }
            Ok(())
        })?;
        r.finish()?;
        // psk_ke is never offered: without a share there is no key exchange (Section 4.2.11).
        let key_share = match (key_share, selected_identity) {
            (Some(key_share), _) => key_share,
            (None, Some(_)) => return Err(Violation::PskWithoutKeyShare),
            (None, None) => return Err(Violation::MissingExtension(ExtensionType::KEY_SHARE)),
        };
        Ok(Self { hello, key_share, selected_identity })
    }

    //= rfc8446#section-4.1.3
    //# The ServerHello MUST only include extensions which are required to establish the cryptographic context
    //# and negotiate the protocol version.
    pub(crate) fn write(&self, w: &mut Writer) {
        self.hello.write(w, |w| {
            if let Some(index) = self.selected_identity {
                write_extension(w, ExtensionType::PRE_SHARED_KEY, |w| w.u16(index));
            }
            //= rfc8446#section-4.2.9
            //# In this mode, the client and server MUST supply "key_share" values as described in Section
            //# 4.2.8.
            write_extension(w, ExtensionType::KEY_SHARE, |w| self.key_share.write(w));
            //= rfc8446#section-4.1.3
            //# All TLS 1.3 ServerHello messages MUST contain the "supported_versions" extension.
            //= rfc8446#section-4.2.1
            //# A server which negotiates TLS 1.3 MUST respond by sending a "supported_versions" extension
            //# containing the selected version value (0x0304).
            write_selected_version(w);
        });
    }
}
