//! Somebody who holds the keys of a handshake and sends the same messages in other records.

use handclasp::{crypto::suite::CipherSuite, engine::Role};

use super::{
    keys::{Protection, Secrets},
    seeded::Seeded,
    tap::plain_record,
};

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
    log: &'a Secrets,
    side: Role,
    cut: Cut,
    random: Seeded,
    edit: Edit<'a>,
    /// The key of this direction, for opening and for sealing: which of its records comes next differs.
    opening: Option<Protection>,
    sealing: Option<Protection>,
}

/// A whole record: type, and content.
struct Record {
    content_type: u8,
    content: Vec<u8>,
    protected: bool,
}

impl<'a> Reframer<'a> {
    pub(crate) fn new(log: &'a Secrets, side: Role, cut: Cut) -> Self {
        let seed = if let Cut::Random(seed) = cut { seed } else { 0 };
        Self {
            log,
            side,
            cut,
            random: Seeded::new(seed),
            edit: Box::new(|_| {}),
            opening: None,
            sealing: None,
        }
    }

    /// Lets `edit` change the messages of each flight before they are cut.
    pub(crate) fn editing(log: &'a Secrets, side: Role, edit: impl FnMut(&mut Vec<Vec<u8>>) + 'a) -> Self {
        Self { edit: Box::new(edit), ..Self::new(log, side, Cut::Whole) }
    }

    /// The same, with another cut.
    pub(crate) fn cutting(self, cut: Cut) -> Self {
        Self { cut, ..self }
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

    /// The key of this direction, which is there once it is used.
    fn protection(&self) -> Protection {
        let secret = self.log.handshake(self.side).expect("the handshake has keys");
        Protection::new(CipherSuite::Aes128GcmSha256, &secret)
    }

    fn open(&mut self, header: &[u8; 5], body: &[u8]) -> Record {
        if header[0] != APPLICATION_DATA {
            return Record { content_type: header[0], content: body.into(), protected: false };
        }
        let mut opening = self.opening.take().unwrap_or_else(|| self.protection());
        let opened = opening.open(header, body);
        self.opening = Some(opening);
        let Some((content_type, content)) = opened else {
            // After a change the ends may have different keys; what is said then goes on as it is.
            return Record { content_type: APPLICATION_DATA, content: body.into(), protected: false };
        };
        Record { content_type, content, protected: true }
    }

    fn seal(&mut self, record: &Record, piece: &[u8]) -> Vec<u8> {
        if !record.protected {
            return plain_record(record.content_type, piece);
        }
        let padding = if let Cut::Random(_) = self.cut { self.random.below(50) } else { 0 };
        let mut sealing = self.sealing.take().unwrap_or_else(|| self.protection());
        let sealed = sealing.seal(record.content_type, piece, padding);
        self.sealing = Some(sealing);
        sealed
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
