//! What one end of a handshake says, opened by somebody who has its key log: the messages, whole and in order, and the other records.
#![allow(unreachable_pub, reason = "the fuzz targets use it from another crate")]

use std::sync::Arc;

use handclasp::{crypto::suite::CipherSuite, engine::Role};

use super::keys::{Protection, Secrets};

const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const FINISHED: u8 = 20;

/// What an end said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A handshake message, header and all.
    Message(Vec<u8>),
    /// Any other record: its type, its content.
    Record(u8, Vec<u8>),
}

/// An ear on one end.
pub struct Tap {
    role: Role,
    secrets: Arc<Secrets>,
    opening: Option<Protection>,
    /// Bytes of a message that it has begun to send.
    partial: Vec<u8>,
    sent_finished: bool,
}

impl Tap {
    /// Listens to an end that logs its secrets here.
    pub fn new(role: Role, secrets: Arc<Secrets>) -> Self {
        Self { role, secrets, opening: None, partial: vec![], sent_finished: false }
    }

    /// Splits what the end sends into records, and opens them.
    pub fn open(&mut self, bytes: &[u8]) -> Vec<Item> {
        let mut items = Vec::new();
        let mut rest = bytes;
        while let Some((header, after)) = rest.split_first_chunk::<5>() {
            let (body, after) = after.split_at(u16::from_be_bytes([header[3], header[4]]).into());
            rest = after;
            match header[0] {
                HANDSHAKE => self.partial.extend_from_slice(body),
                APPLICATION_DATA => match self.open_protected(header, body) {
                    (HANDSHAKE, content) => self.partial.extend_from_slice(&content),
                    (content_type, content) => items.push(Item::Record(content_type, content)),
                },
                content_type => items.push(Item::Record(content_type, body.into())),
            }
            while let Some(message) = self.take_message() {
                self.sent_finished |= message[0] == FINISHED;
                items.push(Item::Message(message));
            }
        }
        assert!(rest.is_empty(), "engines send whole records");
        items
    }

    fn open_protected(&mut self, header: &[u8], body: &[u8]) -> (u8, Vec<u8>) {
        if self.sent_finished {
            // Only an alert can come under the application's keys, and nobody is waiting for it.
            return (APPLICATION_DATA, vec![]);
        }
        if let Some(opening) = &mut self.opening {
            return opening.open(header, body).expect("a logged secret opens what its owner sends");
        }
        let secret = self.secrets.handshake(self.role).expect("a protected record has a logged secret");
        // Which ServerHello it took can be told by this alone, if there were several.
        for suite in CipherSuite::ALL.into_iter().filter(|suite| suite.hash().length() == secret.len()) {
            let mut opening = Protection::new(suite, &secret);
            if let Some(content) = opening.open(header, body) {
                self.opening = Some(opening);
                return content;
            }
        }
        panic!("a logged secret opens what its owner sends");
    }

    fn take_message(&mut self) -> Option<Vec<u8>> {
        let header = self.partial.first_chunk::<4>()?;
        let end = 4 + u32::from_be_bytes([0, header[1], header[2], header[3]]) as usize;
        (end <= self.partial.len()).then(|| self.partial.drain(..end).collect())
    }
}

/// A record in the clear.
pub fn plain_record(content_type: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a record's length").to_be_bytes();
    [&[content_type, 3, 3, length[0], length[1]], content].concat()
}
