//! A real client and a real server, and between them somebody who holds the keys and plays a schedule.

use std::sync::Arc;

use handclasp::engine::{AlertDescription, Role};

use super::{
    common::{
        edit::{CERTIFICATE, CERTIFICATE_VERIFY, FINISHED, message},
        flows::{Cast, Flow},
        keys::Secrets,
        tap::{Item, plain_record},
    },
    protocol::{Delivery, Fate, State},
    side::Side,
};

const HANDSHAKE: u8 = 22;

/// What happens next; `Role` says to whom.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    /// What Appendix A would have: an answer, or the next thing that was said.
    Proceed,
    Deliver(Role),
    /// The next thing in records of so many bytes.
    Fragment(Role, usize),
    /// The first half of the next message.
    Begin(Role),
    /// The next two messages in one record.
    Join(Role),
    Drop(Role),
    Duplicate(Role),
    Swap(Role),
    /// The next message without its last byte.
    Cut(Role),
    /// The next message, but a proof with another last byte.
    Spoil(Role),
    /// A message of a handshake like this one, or one that belongs into none.
    Inject(Role, usize),
    /// The next message, and one of those in its record.
    Append(Role, usize),
    Record(Role, u8, Vec<u8>),
    /// A record that nobody protected.
    Forge(Role),
    Answer(Role),
    Refuse(Role),
    /// An answer to what was not asked.
    Misanswer(Role, u8),
    Abort(Role, AlertDescription),
}

/// What can be injected into a flow.
pub(crate) fn strangers(cast: &Cast, flow: Flow) -> Vec<Vec<u8>> {
    let mut world = World::new(cast, flow, 99, &[]);
    while world.proceed() {}
    let mut messages = world.client.model.seen;
    messages.push(message(24, &[0]));
    messages.push(message(4, b"\0\0\0\0\0\0\0\0\0\0\x01t\0\0"));
    messages.push(message(5, &[]));
    messages.push(message(99, b"unknown"));
    messages
}

/// The Certificate with this one.
fn certificate(name: &str) -> Vec<u8> {
    let length = u8::try_from(name.len()).unwrap();
    message(CERTIFICATE, &[&[0, 0, 0, length + 5, 0, 0, length], name.as_bytes(), &[0, 0]].concat())
}

/// Both ends.
pub(crate) struct World<'a> {
    pub(crate) client: Side<'a>,
    pub(crate) server: Side<'a>,
    strangers: &'a [Vec<u8>],
}

impl<'a> World<'a> {
    pub(crate) fn new(cast: &'a Cast, flow: Flow, seed: u64, strangers: &'a [Vec<u8>]) -> Self {
        let logs = [Arc::<Secrets>::default(), Arc::default()];
        let (client, server) = cast.logging_ends(flow, seed, logs.each_ref().map(Arc::clone));
        let [client_log, server_log] = logs;
        let mut world = Self {
            client: Side::new(Role::Client, flow, client, client_log, certificate("server")),
            server: Side::new(Role::Server, flow, server, server_log, certificate("client")),
            strangers,
        };
        world.client.settle(&[]);
        world.server.settle(&[]);
        world
    }

    fn pair(&mut self, role: Role) -> (&mut Side<'a>, &mut Side<'a>) {
        match role {
            Role::Client => (&mut self.client, &mut self.server),
            Role::Server => (&mut self.server, &mut self.client),
        }
    }

    /// One step that Appendix A would have; false if there is none.
    pub(crate) fn proceed(&mut self) -> bool {
        for role in [Role::Client, Role::Server] {
            let (side, peer) = self.pair(role);
            if side.model.asks() {
                self.answer(role);
                return true;
            }
            if !side.model.is_over() && (side.rest.is_some() || !peer.said.is_empty()) {
                self.deliver(role, 1 << 14);
                return true;
            }
        }
        false
    }

    pub(crate) fn act(&mut self, action: &Action) {
        use Action::*;
        match action {
            Proceed => drop(self.proceed()),
            Deliver(to) => self.deliver(*to, 1 << 14),
            Fragment(to, length) => self.deliver(*to, *length),
            Begin(to) => self.begin(*to),
            Join(to) => self.join(*to, None),
            Append(to, which) => self.join(*to, Some(*which)),
            Drop(to) => drop(self.pair(*to).1.said.pop_front()),
            Duplicate(to) => {
                let said = &mut self.pair(*to).1.said;
                if let Some(item) = said.front().cloned() {
                    said.push_front(item);
                }
            }
            Swap(to) => {
                let said = &mut self.pair(*to).1.said;
                if said.len() > 1 {
                    said.swap(0, 1);
                }
            }
            Cut(to) => self.change(*to, |bytes| {
                let shorter = message(bytes[0], &bytes[4..bytes.len().max(5) - 1]);
                std::mem::replace(bytes, shorter).len() > 4
            }),
            Spoil(to) => self.change(*to, |bytes| {
                if matches!(bytes[0], CERTIFICATE_VERIFY | FINISHED) {
                    *bytes.last_mut().unwrap() ^= 1;
                }
                false
            }),
            Inject(to, which) => {
                let bytes = self.strangers[which % self.strangers.len()].clone();
                self.give(*to, &[Delivery { bytes, cut: false }], 1 << 14);
            }
            Record(to, content_type, content) => self.give_record(*to, *content_type, content),
            Forge(to) => self.forge(*to),
            Answer(of) => self.answer(*of),
            Refuse(of) => self.refuse(*of),
            Misanswer(of, how) => self.misanswer(*of, *how),
            Abort(of, alert) => {
                let (side, _) = self.pair(*of);
                side.end.handshake.abort(*alert);
                side.model.fail(Fate::Ours(*alert));
                side.settle(&[]);
            }
        }
    }

    fn accepts(&self, role: Role) -> bool {
        let side = if role == Role::Client { &self.client } else { &self.server };
        !side.model.is_over() && !side.model.asks()
    }

    /// Delivers the next thing that the peer said, or the rest of the one that was begun.
    fn deliver(&mut self, to: Role, length: usize) {
        if !self.accepts(to) {
            return;
        }
        let (side, peer) = self.pair(to);
        if side.rest.is_some() {
            return self.finish_message(to);
        }
        match peer.said.pop_front() {
            Some(Item::Message(bytes)) => self.give(to, &[Delivery { bytes, cut: false }], length),
            Some(Item::Record(23, _)) | None => {}
            Some(Item::Record(content_type, content)) => self.give_record(to, content_type, &content),
        }
    }

    /// Gives whole messages, in records of this length.
    fn give(&mut self, to: Role, deliveries: &[Delivery], length: usize) {
        if !self.is_between_messages(to) {
            return;
        }
        let (side, peer) = self.pair(to);
        let bytes: Vec<u8> = deliveries.iter().flat_map(|delivery| delivery.bytes.clone()).collect();
        let records: Vec<u8> = bytes.chunks(length).flat_map(|piece| side.seal(HANDSHAKE, piece)).collect();
        side.model.receive(deliveries, &peer.model);
        side.settle(&records);
    }

    /// Delivers the rest of a message that was begun; whether another may come then.
    fn is_between_messages(&mut self, to: Role) -> bool {
        if self.accepts(to) {
            self.finish_message(to);
        }
        self.accepts(to)
    }

    fn finish_message(&mut self, to: Role) {
        let (side, peer) = self.pair(to);
        if let Some((rest, delivery)) = side.rest.take() {
            let record = side.seal(HANDSHAKE, &rest);
            side.model.partial = false;
            side.model.receive(&[delivery], &peer.model);
            side.settle(&record);
        }
    }

    fn begin(&mut self, to: Role) {
        if !self.is_between_messages(to) {
            return;
        }
        let (side, peer) = self.pair(to);
        if let Some(Item::Message(bytes)) = peer.said.front().cloned() {
            peer.said.pop_front();
            let (first, rest) = bytes.split_at(bytes.len() / 2);
            let record = side.seal(HANDSHAKE, first);
            side.rest = Some((rest.into(), Delivery { bytes: bytes.clone(), cut: false }));
            side.model.partial = true;
            side.model.receive(&[], &peer.model);
            side.settle(&record);
        }
    }

    /// Two messages in one record: the next two, or the next and a stranger.
    fn join(&mut self, to: Role, stranger: Option<usize>) {
        if !self.accepts(to) {
            return;
        }
        let stranger = stranger.map(|which| self.strangers[which % self.strangers.len()].clone());
        let (_, peer) = self.pair(to);
        let Some(Item::Message(first)) = peer.said.front().cloned() else { return };
        let second = match (stranger, peer.said.get(1).cloned()) {
            (Some(stranger), _) => stranger,
            (None, Some(Item::Message(second))) => {
                peer.said.pop_front();
                second
            }
            _ => return,
        };
        peer.said.pop_front();
        self.give(to, &[first, second].map(|bytes| Delivery { bytes, cut: false }), 1 << 14);
    }

    /// Delivers the next message changed; `change` says whether it is cut now.
    fn change(&mut self, to: Role, change: impl FnOnce(&mut Vec<u8>) -> bool) {
        if !self.accepts(to) {
            return;
        }
        let (_, peer) = self.pair(to);
        if let Some(Item::Message(mut bytes)) = peer.said.front().cloned() {
            peer.said.pop_front();
            let cut = change(&mut bytes);
            self.give(to, &[Delivery { bytes, cut }], 1 << 14);
        }
    }

    fn give_record(&mut self, to: Role, content_type: u8, content: &[u8]) {
        if self.accepts(to) {
            let (side, _) = self.pair(to);
            let record = side.seal(content_type, content);
            side.model.receive_record(content_type, content);
            side.settle(&record);
        }
    }

    fn forge(&mut self, to: Role) {
        if self.accepts(to) {
            let (side, _) = self.pair(to);
            let alert = if side.is_protected() {
                AlertDescription::BadRecordMac
            } else {
                AlertDescription::UnexpectedMessage
            };
            side.model.fail(Fate::Found(vec![alert]));
            side.settle(&plain_record(23, &[0; 40]));
        }
    }

    fn answer(&mut self, of: Role) {
        let (side, _) = self.pair(of);
        if side.model.asks() {
            side.model.answer();
            side.end.answer();
            side.settle(&[]);
        }
    }

    fn refuse(&mut self, of: Role) {
        let (side, _) = self.pair(of);
        match &side.model.state {
            State::Sign => {
                side.end.handshake.sign_failed();
                side.model.fail(Fate::Ours(AlertDescription::InternalError));
            }
            State::FindPsk { .. } => {
                side.end.handshake.no_psk();
                side.model.fail(Fate::Found(vec![AlertDescription::UnknownPskIdentity]));
            }
            _ => return,
        }
        side.settle(&[]);
    }

    /// Does what the caller may not do now.
    fn misanswer(&mut self, of: Role, how: u8) {
        let (side, _) = self.pair(of);
        let handshake = &mut side.end.handshake;
        match (how % 6, &side.model.state) {
            (0, State::Sign) | (1, State::FindPsk { .. }) => return,
            (0, _) => handshake.signed(b"signature"),
            (1, _) => handshake.no_psk(),
            (2, State::Sign) => handshake.receive(&[22, 3, 3, 0, 4]),
            (2, _) => handshake.receive(b"four"),
            (3, _) => handshake.psk(7, super::a_psk()),
            (4, State::Sign) => return,
            (4, _) => handshake.sign_failed(),
            _ => handshake.sent(1),
        }
        side.model.fail(Fate::Ours(AlertDescription::InternalError));
        side.settle(&[]);
    }
}
