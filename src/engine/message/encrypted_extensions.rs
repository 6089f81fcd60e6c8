//! EncryptedExtensions (RFC 8446, Section 4.3.1): the first answers that are protected, those that no key depends on.
//!
//! ```text
//! struct {
//!     Extension extensions<0..2^16-1>;
//! } EncryptedExtensions;
//! ```

use super::{
    super::{
        codec::{Reader, Writer},
        error::Violation,
    },
    ExtensionType,
    extension::{
        Place, ProtocolNames, read_extensions, read_record_size_limit, write_extension, write_protocol_names,
    },
};

/// EncryptedExtensions, to read or to write.
#[derive(Debug, Default)]
pub(crate) struct EncryptedExtensions<'a> {
    /// The one protocol selected (RFC 7301, Section 3.1).
    pub(crate) protocol: Option<&'a [u8]>,
    pub(crate) record_size_limit: Option<u16>,
    /// The server says that it used the name (RFC 6066, Section 3); ours does not say it.
    pub(crate) server_name: bool,
}

impl<'a> EncryptedExtensions<'a> {
    pub(crate) fn read(mut r: Reader<'a>) -> Result<Self, Violation> {
        let mut extensions = Self::default();
        //= rfc8446#section-4.3.1
        //# The client MUST check EncryptedExtensions for the presence of any forbidden extensions and if any
        //# are found MUST abort the handshake with an "illegal_parameter" alert.
        read_extensions(&mut r, Place::EE, |extension, content| extensions.read_one(extension, content))?;
        r.finish()?;
        Ok(extensions)
    }

    fn read_one(&mut self, extension: ExtensionType, content: Reader<'a>) -> Result<(), Violation> {
        match extension {
            ExtensionType::APPLICATION_LAYER_PROTOCOL_NEGOTIATION => {
                let mut names = ProtocolNames::read(content)?.iter();
                self.protocol = names.next();
                //= rfc7301#section-3.1
                //# The "extension_data" field of the
                //# ("application_layer_protocol_negotiation(16)") extension is structured
                //# the same as described above for the client "extension_data", except
                //# that the "ProtocolNameList" MUST contain exactly one "ProtocolName".
                if names.next().is_some() {
                    return Err(content.malformed().into());
                }
            }
            ExtensionType::RECORD_SIZE_LIMIT => {
                self.record_size_limit = Some(read_record_size_limit(content)?)
            }
            //= rfc6066#section-3
            //# this extension SHALL be empty.
            ExtensionType::SERVER_NAME => {
                content.finish()?;
                self.server_name = true;
            }
            // The server's preferences for later connections (RFC 8446, Section 4.2.7): read, and left alone.
            //= rfc8446#section-4.2.7
            //# Clients MUST NOT act upon any information found in "supported_groups" prior to successful
            //# completion of the handshake
            ExtensionType::SUPPORTED_GROUPS => {
                let mut content = content;
                content.vector16()?.codes()?;
                content.finish()?;
            }
            //= rfc8449#section-5
            //# A client MUST treat receipt of both "max_fragment_length" and "record_size_limit" as a fatal
            //# error
            _ => return Err(Violation::UnsolicitedExtension(extension)),
        }
        Ok(())
    }

    //= rfc8446#section-4.4.2.1
    //# they MUST NOT send the status_request_v2 extension
    pub(crate) fn write(&self, w: &mut Writer) {
        w.vector16(|w| {
            if let Some(protocol) = self.protocol {
                write_protocol_names(w, [protocol]);
            }
            if let Some(limit) = self.record_size_limit {
                write_extension(w, ExtensionType::RECORD_SIZE_LIMIT, |w| w.u16(limit));
            }
        });
    }
}
