//! Somebody who holds the keys of a handshake and sends the same messages in other records.

use handclasp::engine::Role;
use ring::{
    aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, KeyType, Prk},
};

use super::{flows::Log, seeded::Seeded};

const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// How the messages of a flight are cut anew.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cut {
    /// Records of so many bytes.
    Every(usize),
    /// As few records as hold them.
    Whole,
    /// A record for each message.
    Messages,
    /// Records of random lengths, with random padding where it can be.
    Random(u64),
}

/// Changes the messages of a flight.
type Edit<'a> = Box<dyn FnMut(&mut Vec<Vec<u8>>) + 'a>;

/// One direction of a handshake, of the suite TLS_AES_128_GCM_SHA256.
pub(crate) struct Reframer<'a> {
    log: &'a Log,
    side: Role,
    cut: Cut,
    random: Seeded,
    edit: Edit<'a>,
    /// Records opened, and records sealed.
    sequence: (u64, u64),
}

/// A whole record: type, and content.
struct Record {
    content_type: u8,
    content: Vec<u8>,
    protected: bool,
}

impl<'a> Reframer<'a> {
    pub(crate) fn new(log: &'a Log, side: Role, cut: Cut) -> Self {
        let seed = if let Cut::Random(seed) = cut { seed } else { 0 };
        Self { log, side, cut, random: Seeded::new(seed), edit: Box::new(|_| {}), sequence: (0, 0) }
    }

    /// Lets `edit` change the messages of each flight before they are cut.
    pub(crate) fn editing(log: &'a Log, side: Role, edit: impl FnMut(&mut Vec<Vec<u8>>) + 'a) -> Self {
        Self { edit: Box::new(edit), ..Self::new(log, side, Cut::Whole) }
    }

    /// Cuts the handshake messages in `bytes` anew; other records go on as they are.
    pub(crate) fn reframe(&mut self, mut bytes: &[u8]) -> Vec<u8> {
        let (mut output, mut flight) = (Vec::new(), None::<Record>);
        while let Some((header, rest)) = bytes.split_first_chunk::<5>() {
            let (body, rest) = rest.split_at(usize::from(u16::from_be_bytes([header[3], header[4]])));
            bytes = rest;
            let record = self.open(header, body);
            match &mut flight {
                Some(last)
                    if last.content_type == HANDSHAKE
                        && last.protected == record.protected
                        && record.content_type == HANDSHAKE =>
                {
                    last.content.extend(record.content);
                }
                _ => output.extend(flight.replace(record).map(|last| self.write(last)).unwrap_or_default()),
            }
        }
        output.extend(flight.map(|last| self.write(last)).unwrap_or_default());
        output
    }

    fn write(&mut self, record: Record) -> Vec<u8> {
        let pieces = match record.content_type {
            HANDSHAKE => {
                let mut messages = messages_of(&record.content);
                (self.edit)(&mut messages);
                self.pieces(&messages.concat())
            }
            _ => vec![record.content.clone()],
        };
        pieces.iter().flat_map(|piece| self.seal(&record, piece)).collect()
    }

    fn pieces(&mut self, mut content: &[u8]) -> Vec<Vec<u8>> {
        let mut pieces = Vec::new();
        while !content.is_empty() {
            let length = match self.cut {
                Cut::Every(length) => length,
                Cut::Whole => usize::from(u16::MAX >> 2),
                Cut::Messages => 4 + usize::from(u16::from_be_bytes([content[2], content[3]])),
                Cut::Random(_) => 1 + self.random.below(200),
            };
            let (piece, rest) = content.split_at(length.min(content.len()));
            pieces.push(piece.to_vec());
            content = rest;
        }
        pieces
    }

    fn key(&self) -> (LessSafeKey, [u8; 12]) {
        let label = match self.side {
            Role::Client => "CLIENT_HANDSHAKE_TRAFFIC_SECRET",
            Role::Server => "SERVER_HANDSHAKE_TRAFFIC_SECRET",
        };
        let secret = self.log.secret(label).expect("the handshake has keys");
        let (key, iv): ([u8; 16], [u8; 12]) = (expand_label(&secret, b"key"), expand_label(&secret, b"iv"));
        (LessSafeKey::new(UnboundKey::new(&AES_128_GCM, &key).unwrap()), iv)
    }

    fn open(&mut self, header: &[u8; 5], body: &[u8]) -> Record {
        if header[0] != APPLICATION_DATA {
            return Record { content_type: header[0], content: body.into(), protected: false };
        }
        let (key, iv) = self.key();
        let mut content = body.to_vec();
        let length =
            key.open_in_place(nonce(iv, self.sequence.0), Aad::from(header), &mut content).unwrap().len();
        self.sequence.0 += 1;
        content.truncate(length);
        let content_type = content.pop().unwrap();
        Record { content_type, content, protected: true }
    }

    fn seal(&mut self, record: &Record, piece: &[u8]) -> Vec<u8> {
        if !record.protected {
            return [&header(record.content_type, piece.len()), piece].concat();
        }
        let padding = if let Cut::Random(_) = self.cut { self.random.below(50) } else { 0 };
        let mut content = [piece, &[record.content_type], &vec![0; padding]].concat();
        let header = header(APPLICATION_DATA, content.len() + 16);
        let (key, iv) = self.key();
        key.seal_in_place_append_tag(nonce(iv, self.sequence.1), Aad::from(&header), &mut content).unwrap();
        self.sequence.1 += 1;
        [&header[..], &content].concat()
    }
}

/// The messages of a flight.
fn messages_of(mut content: &[u8]) -> Vec<Vec<u8>> {
    let mut messages = Vec::new();
    while !content.is_empty() {
        let (message, rest) = content.split_at(4 + usize::from(u16::from_be_bytes([content[2], content[3]])));
        messages.push(message.to_vec());
        content = rest;
    }
    messages
}

fn header(content_type: u8, length: usize) -> [u8; 5] {
    let [high, low] = u16::try_from(length).unwrap().to_be_bytes();
    [content_type, 3, 3, high, low]
}

fn nonce(mut iv: [u8; 12], sequence: u64) -> Nonce {
    iv.iter_mut().rev().zip(sequence.to_le_bytes()).for_each(|(byte, s)| *byte ^= s);
    Nonce::assume_unique_for_key(iv)
}

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF-Expand-Label(secret, label, "", N) of RFC 8446, Section 7.1, by ring's own HKDF.
fn expand_label<const N: usize>(secret: &[u8], label: &[u8]) -> [u8; N] {
    let (length, label_length) = (u8::try_from(N).unwrap(), u8::try_from(6 + label.len()).unwrap());
    let info = [&[0, length, label_length], &b"tls13 "[..], label, &[0]].concat();
    let mut output = [0; N];
    Prk::new_less_safe(HKDF_SHA256, secret).expand(&[&info], Length(N)).unwrap().fill(&mut output).unwrap();
    output
}
