//! HelloRetryRequest (RFC 8446, Section 4.1.4): a ServerHello with one particular random value.

use super::{
    super::{
        codec::{Reader, Writer},
        error::Violation,
    },
    ExtensionType, LEGACY_VERSION,
    extension::{Place, read_extensions, write_extension},
    server_hello::{Hello, read_selected_version, write_selected_version},
};

/// The SHA-256 of "HelloRetryRequest" (RFC 8446, Section 4.1.3).
pub(crate) const RANDOM: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// Whether a ServerHello's body carries [`RANDOM`].
pub(crate) fn is_one(mut body: Reader<'_>) -> bool {
    body.u16().is_ok() && body.array() == Ok(&RANDOM)
}

/// A HelloRetryRequest, to read or to write.
#[derive(Debug)]
pub(crate) struct HelloRetryRequest<'a> {
    pub(crate) hello: Hello<'a>,
    pub(crate) selected_group: Option<u16>,
    pub(crate) cookie: Option<&'a [u8]>,
}

impl<'a> HelloRetryRequest<'a> {
    pub(crate) fn new(session_id_echo: &'a [u8], cipher_suite: u16) -> Self {
        Self {
            hello: Hello { random: &RANDOM, session_id_echo, cipher_suite },
            selected_group: None,
            cookie: None,
        }
    }

    pub(crate) fn read(mut r: Reader<'a>) -> Result<Self, Violation> {
        let mut start = r;
        let hello = Hello::read(&mut r)?;
        //= rfc8446#section-4.1.4
        //# the client MUST check the legacy_version, legacy_session_id_echo, cipher_suite, and
        //# legacy_compression_method as specified in Section 4.1.3
        if start.u16()? != LEGACY_VERSION {
            return Err(Violation::RetryLegacyVersion);
        }
        let (mut selected_group, mut cookie) = (None, None);
        read_extensions(&mut r, Place::HRR, |extension, mut content| {
            match extension {
                ExtensionType::SUPPORTED_VERSIONS => read_selected_version(content)?,
                ExtensionType::KEY_SHARE => {
                    selected_group = Some(content.u16()?);
                    content.finish()?;
                }
                ExtensionType::COOKIE => {
                    cookie = Some(content.vector16()?.not_empty()?.rest());
                    content.finish()?;
                }
                _ => return Err(Violation::UnsolicitedExtension(extension)),
            }
            Ok(())
        })?;
        r.finish()?;
        Ok(Self { hello, selected_group, cookie })
    }

    //= rfc8446#section-4.1.4
    //# a HelloRetryRequest MUST NOT contain any extensions that were not first offered by the client in its
    //# ClientHello
    pub(crate) fn write(&self, w: &mut Writer) {
        self.hello.write(w, |w| {
            if let Some(group) = self.selected_group {
                write_extension(w, ExtensionType::KEY_SHARE, |w| w.u16(group));
            }
            //= rfc8446#section-4.1.4
            //# The server's extensions MUST contain "supported_versions".
            write_selected_version(w);
            if let Some(cookie) = self.cookie {
                write_extension(w, ExtensionType::COOKIE, |w| w.vector16(|w| w.bytes(cookie)));
            }
        });
    }
}
