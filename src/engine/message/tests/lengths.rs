//! Nothing shorter or longer than a message is one, nor with anything shorter in one of its extensions.

use alloc::{vec, vec::Vec};

use super::{super::*, read};
use crate::engine::rfc8448::messages;

/// The extensions that are read wherever they stand; the others are passed over, whatever they hold.
const READ: [u16; 13] = [0, 10, 13, 16, 28, 41, 42, 43, 44, 45, 47, 50, 51];

/// A message of its type whose header tells the length of this part of its body.
fn with_body(message: &[u8], body: &[u8]) -> Vec<u8> {
    let [.., a, b, c] = body.len().to_be_bytes();
    [&[message[0], a, b, c], body].concat()
}

/// Checks every length below the message's, and one more.
pub(super) fn check_lengths(message: &[u8]) {
    read(message).unwrap();
    let body = &message[4..];
    let handshake_type = HandshakeType::from_code(message[0]).unwrap();
    for length in 0..body.len() {
        assert!(read(&message[..4 + length]).is_err(), "the header tells the length");
        let prefix = with_body(message, &body[..length]);
        let allowed = match handshake_type {
            // The state knows how long it must be.
            HandshakeType::Finished => true,
            // A ClientHello without extensions is one of TLS 1.2, and refused for that.
            HandshakeType::ClientHello => Some(length) == extensions_at(message),
            _ => false,
        };
        assert_eq!(read(&prefix).is_ok(), allowed, "{} bytes of {message:02x?}", length);
    }
    let longer = with_body(message, &[body, &[0]].concat());
    assert_eq!(read(&longer).is_ok(), handshake_type == HandshakeType::Finished, "{longer:02x?}");
    assert!(read(&[message, &[0][..]].concat()).is_err());
    for (extension, shorter) in shorter_extensions(message) {
        assert!(read(&shorter).is_err(), "extension {extension}: {shorter:02x?}");
    }
}

/// Where in its body a message's extensions begin: at their length.
fn extensions_at(message: &[u8]) -> Option<usize> {
    let mut r = Reader::new(&message[4..], "test");
    match HandshakeType::from_code(message[0]).unwrap() {
        HandshakeType::ClientHello => {
            r.bytes(34).unwrap();
            r.vector8().unwrap();
            r.vector16().unwrap();
            r.vector8().unwrap();
        }
        HandshakeType::ServerHello => {
            r.bytes(34).unwrap();
            r.vector8().unwrap();
            r.bytes(3).unwrap();
        }
        HandshakeType::EncryptedExtensions => {}
        HandshakeType::CertificateRequest => drop(r.vector8().unwrap()),
        _ => return None,
    }
    Some(message.len() - 4 - r.rest().len())
}

/// The message with every strict prefix of the content of every extension that its reader reads.
fn shorter_extensions(message: &[u8]) -> Vec<(u16, Vec<u8>)> {
    let Some(at) = extensions_at(message) else { return vec![] };
    let (before, block) = message[4..].split_at(at);
    let mut all = Vec::new();
    let mut r = Reader::new(&block[2..], "test");
    while !r.is_empty() {
        all.push((r.u16().unwrap(), r.vector16().unwrap().rest()));
    }
    let mut shorter = Vec::new();
    for (index, (code, content)) in all.iter().enumerate().filter(|(_, (code, _))| READ.contains(code)) {
        for length in 0..content.len() {
            let mut w = Writer::default();
            w.bytes(before);
            w.vector16(|w| {
                for (other, (code, content)) in all.iter().enumerate() {
                    w.u16(*code);
                    w.vector16(|w| w.bytes(if other == index { &content[..length] } else { content }));
                }
            });
            shorter.push((*code, with_body(message, &w.finish().unwrap())));
        }
    }
    shorter
}

#[test]
fn no_strict_prefix_of_a_message_is_one() {
    let samples = messages();
    let seen = |code| samples.iter().any(|message| message[0] == code);
    assert!(HandshakeType::ALL.iter().all(|handshake_type| seen(handshake_type.code())));
    samples.iter().for_each(|message| check_lengths(message));
}
