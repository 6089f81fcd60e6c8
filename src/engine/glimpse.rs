//! What a trace shows of a handshake message: its type, its length, and what is on offer or chosen in it, by code points alone.

use alloc::{format, string::String, vec, vec::Vec};
use core::fmt;

use super::{
    codec::Reader,
    error::Violation,
    message::{
        Certificate, CertificateRequest, CertificateVerify, ClientHello, EncryptedExtensions, HandshakeType,
        HelloRetryRequest, Message, ServerHello,
    },
};
use crate::crypto::{kx::NamedGroup, signature_scheme::SignatureScheme, suite::CipherSuite};

/// How many code points of a list are shown: a peer may send thousands.
const MOST_SHOWN: usize = 8;

/// A handshake message as it passes.
///
/// It is displayed as RFC 8446's Figure 1 has it, in braces if it is protected: `{CertificateVerify}, 79 bytes: ecdsa_secp256r1_sha256`.
/// No name, identity, certificate, key or MAC is ever shown.
#[derive(Clone, Copy)]
pub struct Glimpse<'a> {
    /// Which message it is.
    pub handshake_type: HandshakeType,
    /// Its length in bytes, header included.
    pub length: usize,
    /// Whether its record is protected.
    pub is_protected: bool,
    body: Reader<'a>,
}

impl<'a> Glimpse<'a> {
    pub(crate) fn new(message: &Message<'a>, is_protected: bool) -> Self {
        let Message { handshake_type, body, bytes } = *message;
        Self { handshake_type, length: bytes.len(), is_protected, body }
    }

    fn facts(&self) -> Result<Vec<String>, Violation> {
        Ok(match self.handshake_type {
            HandshakeType::ClientHello => offered(&ClientHello::read(self.body)?),
            HandshakeType::ServerHello => selected(&ServerHello::read(self.body)?),
            HandshakeType::HelloRetryRequest => retried(&HelloRetryRequest::read(self.body)?),
            HandshakeType::EncryptedExtensions => answered(&EncryptedExtensions::read(self.body)?),
            HandshakeType::CertificateRequest => {
                let request = CertificateRequest::read(self.body)?;
                vec![list("signature_algorithms", request.signature_algorithms.iter(), scheme)]
            }
            HandshakeType::Certificate => match Certificate::read(self.body)?.entries().count() {
                1 => vec![String::from("1 certificate")],
                count => vec![format!("{count} certificates")],
            },
            HandshakeType::CertificateVerify => {
                vec![name(CertificateVerify::read(self.body)?.algorithm, scheme)]
            }
            _ => vec![],
        })
    }
}

impl fmt::Display for Glimpse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.is_protected { ("{", "}") } else { ("", "") };
        write!(f, "{open}{}{close}, {} bytes", self.handshake_type, self.length)?;
        match self.facts() {
            Ok(facts) if facts.is_empty() => Ok(()),
            Ok(facts) => write!(f, ": {}", facts.join("; ")),
            Err(_) => f.write_str(": malformed"),
        }
    }
}

impl fmt::Debug for Glimpse<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn offered(hello: &ClientHello<'_>) -> Vec<String> {
    let extensions = &hello.extensions;
    let shares =
        extensions.key_share.map(|shares| list("key_share", shares.iter().map(|share| share.group), group));
    let psks = extensions.pre_shared_key.map(|psks| format!("pre_shared_key {}", psks.identities().count()));
    let facts = [
        Some(list("cipher_suites", hello.cipher_suites.iter(), suite)),
        extensions.supported_groups.map(|groups| list("supported_groups", groups.iter(), group)),
        extensions.signature_algorithms.map(|schemes| list("signature_algorithms", schemes.iter(), scheme)),
        shares,
        psks,
    ];
    facts.into_iter().flatten().collect()
}

fn selected(hello: &ServerHello<'_>) -> Vec<String> {
    let psk = hello.selected_identity.map(|index| format!("pre_shared_key [{index}]"));
    let share = format!("key_share {}", name(hello.key_share.group, group));
    [Some(name(hello.hello.cipher_suite, suite)), Some(share), psk].into_iter().flatten().collect()
}

fn retried(request: &HelloRetryRequest<'_>) -> Vec<String> {
    let share = request.selected_group.map(|code| format!("key_share {}", name(code, group)));
    let cookie = request.cookie.map(|_| String::from("cookie"));
    [Some(name(request.hello.cipher_suite, suite)), share, cookie].into_iter().flatten().collect()
}

fn answered(extensions: &EncryptedExtensions<'_>) -> Vec<String> {
    let protocol = extensions.protocol.map(|_| String::from("application_layer_protocol_negotiation"));
    let limit = extensions.record_size_limit.map(|limit| format!("record_size_limit {limit}"));
    let name = extensions.server_name.then(|| String::from("server_name"));
    [name, protocol, limit].into_iter().flatten().collect()
}

fn list(
    what: &str,
    mut codes: impl Iterator<Item = u16>,
    name_of: fn(u16) -> Option<&'static str>,
) -> String {
    let names: Vec<String> = codes.by_ref().take(MOST_SHOWN).map(|code| name(code, name_of)).collect();
    let more = if codes.next().is_some() { " ..." } else { "" };
    format!("{what} {}{more}", names.join(" "))
}

fn name(code: u16, name_of: fn(u16) -> Option<&'static str>) -> String {
    name_of(code).map_or_else(|| format!("{code:#06x}"), String::from)
}

fn suite(code: u16) -> Option<&'static str> {
    CipherSuite::from_code(code).map(CipherSuite::name)
}

fn group(code: u16) -> Option<&'static str> {
    NamedGroup::from_code(code).map(NamedGroup::name)
}

fn scheme(code: u16) -> Option<&'static str> {
    SignatureScheme::from_code(code).map(SignatureScheme::name)
}
