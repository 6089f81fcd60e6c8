//! The wire between two engines, in the hands of somebody who has both key logs: every message is opened, perhaps changed, perhaps
//! made consistent again (binders, CertificateVerify, Finished), and protected anew under what the receiver expects.

use std::fmt;

use handclasp::{
    crypto::{hash::Hash, sign::SigningKey, suite::CipherSuite},
    engine::Role,
};

use crate::{
    ends::{End, PSK_SECRET, Shape},
    keys::{Protection, binder_key, finished, hash_of},
    mutation::{Change, fix_length},
    tap::{Item, Tap, plain_record},
};

const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;
const CERTIFICATE_VERIFY: u8 = 15;
const FINISHED: u8 = 20;

/// What is made consistent again after a change: then the peer is not a meddler on the wire but one of the two, gone bad.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgeries {
    pub binders: bool,
    pub certificate_verify: bool,
    pub finished: bool,
}

/// One end as the wire sees it.
pub struct Station {
    pub end: End,
    /// The handshake messages that it sent and received, in its order.
    pub history: Vec<Vec<u8>>,
    role: Role,
    incoming: Vec<u8>,
    /// What it has said and nobody has carried yet.
    said: Vec<Item>,
    /// Opens what it sends.
    tap: Tap,
    /// Protects what it receives.
    protecting: Option<Protection>,
}

impl fmt::Debug for Station {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let messages: Vec<_> = self.history.iter().map(|message| (message[0], message.len())).collect();
        write!(f, "{:?}: types and lengths {messages:?}, {:?}", self.role, self.end.outcome)
    }
}

impl Station {
    fn new(role: Role, end: End) -> Self {
        let tap = Tap::new(role, end.secrets.clone());
        Self { end, history: vec![], role, incoming: vec![], said: vec![], tap, protecting: None }
    }

    /// Notes what it is given, but nothing behind the Finished that it waits for: the handshake leaves that unread.
    fn note_received(&mut self, message: &[u8]) {
        let finished = self.history.iter().filter(|message| message[0] == FINISHED).count();
        let wanted = if self.role == Role::Client { 1 } else { 2 };
        if finished < wanted {
            self.history.push(message.into());
        }
    }

    /// What passed, as this end saw it, when it had its session; what a client says last may still be lost.
    pub fn history_when_done(&self) -> Vec<u8> {
        let last = if self.role == Role::Client { 1 } else { 2 };
        let ends = self.history.iter().enumerate().filter(|(_, message)| message[0] == FINISHED);
        let end = ends.map(|(index, _)| index).nth(last - 1).expect("a session has its Finished");
        self.history[..=end].iter().flatten().copied().collect()
    }

    /// What passed, as this end saw it, up to the CertificateVerify that it received.
    pub fn history_up_to_proof(&self) -> Vec<u8> {
        let wanted = if self.role == Role::Client { 1 } else { 2 };
        let proofs = self.history.iter().enumerate().filter(|(_, message)| message[0] == CERTIFICATE_VERIFY);
        let end = proofs.map(|(index, _)| index).nth(wanted - 1).expect("a certificate is proved");
        self.history[..=end].iter().flatten().copied().collect()
    }

    /// The suite of this end's last ServerHello or HelloRetryRequest.
    fn suite(&self) -> Option<CipherSuite> {
        let hello = self.history.iter().rev().find(|message| message[0] == SERVER_HELLO)?;
        let at = 4 + 34 + 1 + usize::from(*hello.get(4 + 34)?);
        CipherSuite::from_code(u16::from_be_bytes([*hello.get(at)?, *hello.get(at + 1)?]))
    }

    /// The transcript hash of this end's history and a partial message (RFC 8446, Section 4.4.1).
    fn transcript_hash(&self, hash: Hash, partial: &[u8]) -> Vec<u8> {
        let mut messages: Vec<&[u8]> = self.history.iter().map(Vec::as_slice).collect();
        let first = messages.first().map(|hello| hash_of(hash, &[hello]));
        let synthetic = first.map(|digest| [&[254, 0, 0, digest.len() as u8], &digest[..]].concat());
        if let (Some(synthetic), true) = (&synthetic, messages.get(1).is_some_and(|m| is_retry(m))) {
            messages[0] = synthetic;
        }
        messages.push(partial);
        hash_of(hash, &messages)
    }

    /// The secret that protects what this end receives during the handshake.
    fn peer_secret(&self) -> Option<Vec<u8>> {
        self.end.secrets.handshake(if self.role == Role::Client { Role::Server } else { Role::Client })
    }

    /// Lets this end take in what is there, and say what it will.
    fn hear(&mut self) {
        let bytes = self.end.run(&mut self.incoming);
        for item in self.tap.open(&bytes) {
            if let Item::Message(message) = &item {
                self.history.push(message.clone());
            }
            self.said.push(item);
        }
        self.learn_key();
    }

    /// Takes the key under which it reads, once there is one.
    fn learn_key(&mut self) {
        if self.protecting.is_none()
            && let (Some(secret), Some(suite)) = (self.peer_secret(), self.suite())
        {
            self.protecting = Some(Protection::new(suite, &secret));
        }
    }

    /// Protects content as this end expects it now.
    fn protect(&mut self, content_type: u8, content: &[u8], padding: usize) {
        self.learn_key();
        let record = match &mut self.protecting {
            Some(protection) => protection.seal(content_type, content, padding),
            None => plain_record(content_type, content),
        };
        self.incoming.extend_from_slice(&record);
    }
}

fn is_retry(message: &[u8]) -> bool {
    message[0] == SERVER_HELLO && message.get(6..9) == Some(&[0xcf, 0x21, 0xad])
}

/// Both ends and what lies between them.
pub struct Wire {
    pub client: Station,
    pub server: Station,
    /// Whether anything was done that could keep the ends from agreeing.
    pub meddled: bool,
    shape: Shape,
    changes: Vec<(u8, Change)>,
    forgeries: Forgeries,
    /// How many messages have passed.
    passed: u8,
    /// A message that lets the next one pass.
    held: Option<Vec<u8>>,
    /// Messages that share records with the next one.
    joined: Vec<u8>,
}

impl Wire {
    /// Two ends; each change is for the message of its number, counted over both directions.
    pub fn new(shape: Shape, changes: Vec<(u8, Change)>, forgeries: Forgeries) -> Self {
        let station = |role| Station::new(role, End::new(role, shape, Default::default()));
        Self {
            client: station(Role::Client),
            server: station(Role::Server),
            meddled: false,
            shape,
            changes,
            forgeries,
            passed: 0,
            held: None,
            joined: vec![],
        }
    }

    /// Carries everything until nobody has anything to say.
    pub fn run(&mut self) {
        let mut from = Role::Client;
        let mut silent = 0;
        while silent < 2 {
            let sender = self.station(from);
            sender.hear();
            let items = std::mem::take(&mut sender.said);
            silent = if items.is_empty() { silent + 1 } else { 0 };
            let to = if from == Role::Client { Role::Server } else { Role::Client };
            for item in items {
                self.carry(to, item);
            }
            self.release_held(to);
            self.flush(to);
            from = to;
        }
    }

    fn station(&mut self, role: Role) -> &mut Station {
        match role {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        }
    }

    fn carry(&mut self, to: Role, item: Item) {
        match item {
            Item::Record(CHANGE_CIPHER_SPEC, content) => {
                self.flush(to);
                let record = plain_record(CHANGE_CIPHER_SPEC, &content);
                self.station(to).incoming.extend_from_slice(&record);
            }
            Item::Record(APPLICATION_DATA, _) => {}
            Item::Record(content_type, content) => {
                self.flush(to);
                self.station(to).protect(content_type, &content, 0);
            }
            Item::Message(message) => self.carry_message(to, &message),
        }
    }

    fn carry_message(&mut self, to: Role, message: &[u8]) {
        let number = self.passed;
        self.passed = self.passed.saturating_add(1);
        let changes: Vec<Change> =
            self.changes.iter().filter(|(n, _)| *n == number).map(|(_, c)| c.clone()).collect();
        let (mut changed, mut copies) = (message.to_vec(), 1);
        let (mut fragment, mut join, mut swap) = (None, false, false);
        for change in changes {
            match change {
                Change::Drop => copies = 0,
                Change::Duplicate => copies = 2,
                Change::SwapWithNext => swap = true,
                Change::JoinNext => join = true,
                Change::Fragment { length, padding } => fragment = Some((length, padding)),
                Change::InsertBefore { handshake_type, body } => self.insert(to, handshake_type, &body),
                Change::RecordBefore { content_type, content } => {
                    self.add_record(to, content_type, &content, true);
                }
                Change::PlainRecordBefore { content_type, content } => {
                    self.add_record(to, content_type, &content, false);
                }
                change => change.apply(&mut changed),
            }
        }
        let padded = fragment.is_some_and(|(_, padding)| padding > 0);
        self.meddled |= changed != message || copies != 1 || swap || padded || join;
        if swap && self.held.is_none() {
            self.held = Some(changed);
            return;
        }
        for _ in 0..copies {
            self.deliver(to, changed.clone(), fragment, join);
        }
        self.release_held(to);
    }

    /// Delivers a message that nobody sent.
    fn insert(&mut self, to: Role, handshake_type: u8, body: &[u8]) {
        self.meddled = true;
        let mut message = [&[handshake_type, 0, 0, 0], body].concat();
        fix_length(&mut message);
        self.deliver(to, message, None, false);
    }

    /// Delivers a record that nobody sent; handshake bytes in it are part of what the receiver got.
    fn add_record(&mut self, to: Role, content_type: u8, content: &[u8], protected: bool) {
        self.meddled = true;
        self.flush(to);
        let receiver = self.station(to);
        if content_type == HANDSHAKE && !content.is_empty() {
            receiver.note_received(content);
        }
        if protected {
            receiver.protect(content_type, content, 0);
        } else {
            receiver.incoming.extend_from_slice(&plain_record(content_type, content));
        }
    }

    /// Delivers the message that was held back.
    fn release_held(&mut self, to: Role) {
        if let Some(held) = self.held.take() {
            self.meddled = true;
            self.deliver(to, held, None, false);
        }
    }

    /// Delivers the messages that wait for one to share records with.
    fn flush(&mut self, to: Role) {
        let joined = std::mem::take(&mut self.joined);
        for fragment in joined.chunks(1 << 14) {
            self.station(to).protect(HANDSHAKE, fragment, 0);
        }
    }

    fn deliver(&mut self, to: Role, mut message: Vec<u8>, fragment: Option<(u8, u16)>, join: bool) {
        self.forge(to, &mut message);
        let fragment_length = fragment.map_or(1 << 14, |(length, _)| usize::from(length.max(1)));
        let padding = fragment.map_or(0, |(_, padding)| padding.into());
        let mut bytes = std::mem::take(&mut self.joined);
        bytes.extend_from_slice(&message);
        let receiver = self.station(to);
        receiver.note_received(&message);
        if join {
            self.joined = bytes;
            return;
        }
        for fragment in bytes.chunks(fragment_length) {
            receiver.protect(HANDSHAKE, fragment, padding);
        }
        receiver.hear();
    }

    /// Makes a message consistent again with what its receiver has seen.
    fn forge(&self, to: Role, message: &mut Vec<u8>) {
        let (receiver, signer) = match to {
            Role::Client => (&self.client, &self.server.end.identity.key),
            Role::Server => (&self.server, &self.client.end.identity.key),
        };
        match message[0] {
            CLIENT_HELLO if self.forgeries.binders && self.shape.psk() => {
                forge_binders(self.shape, receiver, message);
            }
            CERTIFICATE_VERIFY if self.forgeries.certificate_verify => {
                forge_certificate_verify(receiver, signer, message);
            }
            FINISHED if self.forgeries.finished => forge_finished(receiver, message),
            _ => {}
        }
    }
}

fn forge_certificate_verify(receiver: &Station, signer: &SigningKey, message: &mut Vec<u8>) {
    let Some(suite) = receiver.suite() else { return };
    let side: &[u8] = if receiver.role == Role::Client { b"server" } else { b"client" };
    let transcript = receiver.transcript_hash(suite.hash(), &[]);
    let content = [&[0x20; 64], &b"TLS 1.3, "[..], side, b" CertificateVerify\0", &transcript].concat();
    let scheme = signer.algorithm().schemes()[0];
    let signature = signer.sign(scheme, &content).expect("Ed25519 signs");
    let length = u16::try_from(signature.len()).expect("64 bytes").to_be_bytes();
    message.truncate(4);
    message.extend_from_slice(&[&scheme.code().to_be_bytes()[..], &length, &signature].concat());
    fix_length(message);
}

fn forge_finished(receiver: &Station, message: &mut Vec<u8>) {
    let (Some(suite), Some(secret)) = (receiver.suite(), receiver.peer_secret()) else { return };
    let transcript = receiver.transcript_hash(suite.hash(), &[]);
    message.truncate(4);
    message.extend_from_slice(&finished(suite.hash(), &secret, &transcript));
    fix_length(message);
}

/// Binds the known PSK, wherever it is offered, to a changed ClientHello; pre_shared_key is its last extension.
fn forge_binders(shape: Shape, receiver: &Station, message: &mut [u8]) {
    let hash = shape.psk_hash();
    let length = hash.length();
    // Alone or behind the binder of the other PSK (SHA-256), as `Shape` configures them.
    let blocks = [2 + 1 + length, 2 + 33 + 1 + length];
    let starts = blocks.iter().filter_map(|block| Some((block, message.len().checked_sub(*block)?)));
    let is_block = |(block, start): &(&usize, usize)| {
        usize::from(u16::from_be_bytes([message[*start], message[start + 1]])) == *block - 2
    };
    let Some((_, start)) = starts.into_iter().find(is_block) else { return };
    let transcript = receiver.transcript_hash(hash, &message[..start]);
    let binder = finished(hash, &binder_key(hash, PSK_SECRET), &transcript);
    let last = message.len() - length;
    message[last..].copy_from_slice(&binder);
}
