//! Netlink messages as bytes: neli encodes and decodes, and the guards that it lacks stand here.
//!
//! neli's own `Nlmsghdr::from_bytes` panics on a length below its header's, so the headers are split off here, with their lengths
//! checked, and only bytes of a known extent reach neli.

use std::{fmt, io::Cursor};

use neli::{
    FromBytes, FromBytesWithInput, Size, ToBytes,
    consts::nl::NlmF,
    genl::{AttrTypeBuilder, Genlmsghdr, GenlmsghdrBuilder, Nlattr, NlattrBuilder},
    nl::{NlPayload, NlmsghdrBuilder},
    types::{Buffer, GenlBuffer},
};

/// `struct nlmsghdr`
const HEADER_LENGTH: usize = 16;
/// `struct genlmsghdr`
const GENERIC_HEADER_LENGTH: usize = 4;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

/// One attribute; nested ones are in its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::agent) struct Attribute {
    pub(in crate::agent) number: u16,
    pub(in crate::agent) payload: Vec<u8>,
}

/// One message of a datagram.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) sequence: u32,
    pub(super) body: Body,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// The end of an exchange: 0, or an errno.
    End(i32),
    /// A message of a generic netlink family.
    Generic { command: u8, attributes: Vec<Attribute> },
}

/// The bytes are not netlink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::agent) struct Malformed(pub(in crate::agent) &'static str);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed netlink message: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

impl Attribute {
    pub(in crate::agent) fn u32(number: u16, value: u32) -> Self {
        Self { number, payload: value.to_ne_bytes().into() }
    }

    pub(in crate::agent) fn i32(number: u16, value: i32) -> Self {
        Self { number, payload: value.to_ne_bytes().into() }
    }

    pub(super) fn string(number: u16, value: &str) -> Self {
        Self { number, payload: [value.as_bytes(), &[0]].concat() }
    }

    pub(in crate::agent) fn as_u32(&self) -> Result<u32, Malformed> {
        self.array().map(u32::from_ne_bytes)
    }

    pub(in crate::agent) fn as_i32(&self) -> Result<i32, Malformed> {
        self.array().map(i32::from_ne_bytes)
    }

    pub(super) fn as_u16(&self) -> Result<u16, Malformed> {
        self.array().map(u16::from_ne_bytes)
    }

    /// A string up to its NUL.
    pub(in crate::agent) fn as_string(&self) -> Result<&str, Malformed> {
        let text = self.payload.split(|byte| *byte == 0).next().unwrap_or_default();
        std::str::from_utf8(text).map_err(|_| Malformed("a string is not UTF-8"))
    }

    /// The attributes within this one.
    pub(in crate::agent) fn nested(&self) -> Result<Vec<Self>, Malformed> {
        attributes(&self.payload)
    }

    fn array<const N: usize>(&self) -> Result<[u8; N], Malformed> {
        self.payload.as_slice().try_into().map_err(|_| Malformed("an integer has a wrong length"))
    }
}

/// A request to a generic netlink family.
pub(super) struct Outgoing<'a> {
    pub(super) family: u16,
    pub(super) version: u8,
    pub(super) command: u8,
    pub(super) dump: bool,
    pub(super) attributes: &'a [Attribute],
}

/// The bytes of a request that asks for an acknowledgement.
pub(super) fn encode(request: &Outgoing<'_>, sequence: u32) -> Vec<u8> {
    let attributes: GenlBuffer<u16, Buffer> = request.attributes.iter().map(encode_attribute).collect();
    let generic = GenlmsghdrBuilder::<u8, u16>::default()
        .cmd(request.command)
        .version(request.version)
        .attrs(attributes)
        .build()
        .expect("command and version are given");
    let dump = if request.dump { NlmF::DUMP } else { NlmF::empty() };
    let message = NlmsghdrBuilder::default()
        .nl_type(request.family)
        .nl_flags(NlmF::REQUEST | NlmF::ACK | dump)
        .nl_seq(sequence)
        .nl_payload(NlPayload::<u16, Genlmsghdr<u8, u16>>::Payload(generic))
        .build()
        .expect("type, flags and payload are given");
    let mut bytes = Cursor::new(Vec::with_capacity(message.padded_size()));
    message.to_bytes(&mut bytes).expect("a vector takes all bytes");
    bytes.into_inner()
}

fn encode_attribute(attribute: &Attribute) -> Nlattr<u16, Buffer> {
    let kind = AttrTypeBuilder::default().nla_type(attribute.number).build().expect("the type is given");
    NlattrBuilder::default()
        .nla_type(kind)
        .nla_payload(Buffer::from(attribute.payload.clone()))
        .build()
        .expect("type and payload are given")
}

/// The messages of a datagram from the kernel.
pub(super) fn decode(mut datagram: &[u8]) -> Result<Vec<Message>, Malformed> {
    let mut messages = Vec::new();
    while !datagram.is_empty() {
        let (header, _) = datagram.split_at_checked(HEADER_LENGTH).ok_or(Malformed("a header is cut off"))?;
        let mut header = Cursor::new(header);
        let [length, kind_and_flags, sequence] = [(); 3].map(|()| u32::from_bytes(&mut header).unwrap_or(0));
        let length = usize::try_from(length).map_err(|_| Malformed("a length does not fit"))?;
        let payload = datagram.get(HEADER_LENGTH..length).ok_or(Malformed("a length is wrong"))?;
        messages.push(Message { sequence, body: decode_body(low_half(kind_and_flags), payload)? });
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Ok(messages)
}

/// The first of the two u16 that were read as one u32.
fn low_half(pair: u32) -> u16 {
    let [a, b, _, _] = pair.to_ne_bytes();
    u16::from_ne_bytes([a, b])
}

fn decode_body(kind: u16, payload: &[u8]) -> Result<Body, Malformed> {
    match kind {
        NLMSG_ERROR | NLMSG_DONE => {
            let (code, _) = payload.split_first_chunk().ok_or(Malformed("an error without a code"))?;
            Ok(Body::End(i32::from_ne_bytes(*code).saturating_neg()))
        }
        _ => {
            let (header, rest) =
                payload.split_at_checked(GENERIC_HEADER_LENGTH).ok_or(Malformed("a header is cut off"))?;
            Ok(Body::Generic { command: header[0], attributes: attributes(rest)? })
        }
    }
}

fn attributes(bytes: &[u8]) -> Result<Vec<Attribute>, Malformed> {
    let decoded = GenlBuffer::<u16, Buffer>::from_bytes_with_input(&mut Cursor::new(bytes), bytes.len())
        .map_err(|_| Malformed("an attribute has a wrong length"))?;
    let attribute = |a: &Nlattr<u16, Buffer>| Attribute {
        number: *a.nla_type().nla_type(),
        payload: a.nla_payload().as_ref().into(),
    };
    Ok(decoded.iter().map(attribute).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// READY as a running kernel sends it, with family 31.
    const READY: [u8; 28] =
        [0x1c, 0, 0, 0, 31, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 0, 0, 8, 0, 2, 0, 1, 0, 0, 0];

    #[test]
    fn reads_a_ready_of_the_kernel() {
        let messages = decode(&READY).unwrap();
        let attributes = vec![Attribute::u32(2, 1)];
        assert_eq!(messages, [Message { sequence: 0, body: Body::Generic { command: 1, attributes } }]);
    }

    #[test]
    fn what_is_encoded_is_read_back() {
        let nest = [8, 0, 1, 0, 7, 0, 0, 0, 8, 0, 2, 0, 9, 0, 0, 0];
        let attributes = [
            Attribute::u32(1, 4095),
            Attribute::i32(2, -1),
            Attribute::string(8, "host"),
            Attribute { number: 7, payload: nest.into() },
        ];
        let request = Outgoing { family: 31, version: 1, command: 3, dump: false, attributes: &attributes };
        let bytes = encode(&request, 77);
        assert_eq!(bytes[..8], [bytes.len() as u8, 0, 0, 0, 31, 0, 5, 0], "length, family, REQUEST and ACK");
        let [message] = decode(&bytes).unwrap().try_into().unwrap();
        let Body::Generic { command: 3, attributes: read } = &message.body else { panic!("{message:?}") };
        assert_eq!((message.sequence, read.as_slice()), (77, &attributes[..]));
        assert_eq!(read[2].as_string(), Ok("host"));
        assert_eq!(read[3].nested().unwrap(), [Attribute::i32(1, 7), Attribute::i32(2, 9)]);
    }

    #[test]
    fn an_acknowledgement_and_an_error_end_an_exchange() {
        let end = |code: i32| {
            let mut bytes = vec![36, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0];
            bytes.extend(code.to_ne_bytes());
            bytes.extend(READY.split_at(16).0);
            decode(&bytes).unwrap()
        };
        assert_eq!(end(0), [Message { sequence: 5, body: Body::End(0) }]);
        assert_eq!(end(-11), [Message { sequence: 5, body: Body::End(11) }]);
    }

    #[test]
    fn no_length_makes_it_panic() {
        for position in 0..READY.len() {
            for value in 0..=255 {
                let mut bytes = READY;
                bytes[position] = value;
                let _outcome = decode(&bytes);
            }
        }
        for length in 1..READY.len() {
            assert!(decode(&READY[..length]).is_err(), "{length}");
        }
        assert!(decode(&[[0; 4], [31, 0, 0, 0], [0; 4], [0; 4]].concat()).is_err(), "a length of 0");
    }
}
