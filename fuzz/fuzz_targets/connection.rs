//! A connection after its handshake, with a peer that holds the keys and speaks well or ill.
#![no_main]

use handclasp::{
    crypto::{
        hash::Hash,
        key_schedule::{EarlySecret, TrafficSecret, TrafficSecrets},
        kx::NamedGroup,
        secret::Secret,
        suite::CipherSuite,
    },
    engine::{Connection, Direction, Error, Event, Peer, Role, Session},
};
use handclasp_fuzz::{input::Input, keys::Protection, mutation::fix_length};
use libfuzzer_sys::fuzz_target;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const KEY_UPDATES_IN_A_ROW: usize = 32;
const RECORD_SIZE_LIMIT: u16 = 300;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let mut lab = Lab::new(input.u8());
    while !input.is_empty() {
        lab.act(&mut input);
    }
});

/// The connection, its peer, and what the peer knows of how things stand.
struct Lab {
    connection: Connection,
    role: Role,
    limited: bool,
    /// What the peer sends under, and what it receives under.
    sending: Protection,
    receiving: Protection,
    key_updates: usize,
    /// The peer asked for new keys, and has not yet seen them.
    owed: bool,
    /// How often the connection has changed its keys.
    updated: usize,
    /// Something was sent that an honest peer does not send: from now on, anything may come of it.
    dishonest: bool,
    closed_by_peer: bool,
    closed_by_us: bool,
    error: Option<Error>,
}

impl Lab {
    fn new(shape: u8) -> Self {
        let suite = CipherSuite::ALL[usize::from(shape & 3) % 3];
        let role = if shape & 4 > 0 { Role::Client } else { Role::Server };
        let limited = shape & 8 > 0;
        let [client, server] = traffic(suite);
        let peer = |secret: &TrafficSecret| Protection::new(suite, secret.expose());
        let (sending, receiving, tx, rx) = match role {
            Role::Client => (peer(&server), peer(&client), client, server),
            Role::Server => (peer(&client), peer(&server), server, client),
        };
        let limit = limited.then_some(RECORD_SIZE_LIMIT);
        let session = Session {
            role,
            suite,
            group: NamedGroup::X25519,
            tx: Direction { secret: tx, next_sequence: 0 },
            rx: Direction { secret: rx, next_sequence: 0 },
            peer: Peer::Anonymous,
            alpn: None,
            server_name: None,
            record_size_limit: limit,
            peer_record_size_limit: limit,
            signature_scheme: None,
            hello_retry: false,
            exporter: EarlySecret::new(Hash::Sha256, None)
                .handshake(&Secret::zeroed(32))
                .master()
                .exporter(&[0; 32]),
        };
        Self {
            connection: Connection::new(session),
            role,
            limited,
            sending,
            receiving,
            key_updates: 0,
            owed: false,
            updated: 0,
            dishonest: false,
            closed_by_peer: false,
            closed_by_us: false,
            error: None,
        }
    }

    fn act(&mut self, input: &mut Input<'_>) {
        match input.u8() % 11 {
            0 => self.peer_sends_data(input),
            1 => self.peer_updates_keys(input.u8() & 1),
            2 => {
                let (content_type, content) = (20 + input.u8() % 6, input.block16());
                self.peer_misbehaves(content_type, content, input.u16() % 400);
            }
            3 => {
                let (content_type, content) = (20 + input.u8() % 6, input.block8());
                let length = [0, content.len() as u8];
                self.dishonest = true;
                self.feed(&[&[content_type, 3, 3, length[0], length[1]], content].concat());
            }
            4 => self.peer_fragments_a_message(input),
            5 => self.write(&vec![0x77; usize::from(input.u16() % 20000)]),
            6 => self.update_keys(input.u8() & 1 == 1),
            7 => self.close(),
            8 => {
                let event = self.peer_sends(ALERT, &[1, 0], 0);
                self.expect(event, &Event::Closed);
                self.closed_by_peer = true;
            }
            9 => self.peer_sends_ticket(input.block8()),
            _ => {
                self.dishonest = true;
                self.feed(input.block16());
            }
        }
    }

    fn peer_sends_data(&mut self, input: &mut Input<'_>) {
        let longest = if self.limited { RECORD_SIZE_LIMIT - 1 } else { 1 << 14 };
        let data = vec![0x66; usize::from(1 + input.u16() % longest)];
        let padding = usize::from(longest).saturating_sub(data.len()).min(input.u8().into());
        let event = self.peer_sends(APPLICATION_DATA, &data, padding);
        self.expect(event, &Event::Data(data));
        self.key_updates = 0;
    }

    fn peer_updates_keys(&mut self, request: u8) {
        let event = self.peer_sends(HANDSHAKE, &[24, 0, 0, 1, request], 0);
        self.sending = self.sending.next();
        self.key_updates += 1;
        if self.key_updates <= KEY_UPDATES_IN_A_ROW {
            self.expect(event, &Event::Nothing);
            self.owed |= request == 1 && self.is_honest();
        } else if self.is_honest() {
            assert!(self.error.is_some(), "KeyUpdates without end are refused");
        }
    }

    fn peer_misbehaves(&mut self, content_type: u8, content: &[u8], padding: u16) {
        let content = &content[..content.len().min(1 << 14)];
        self.dishonest = true;
        self.peer_sends(content_type, content, padding.into());
    }

    fn peer_fragments_a_message(&mut self, input: &mut Input<'_>) {
        let (handshake_type, body, length) = (input.u8(), input.block8(), input.u8().max(1));
        let message = [&[handshake_type, 0, 0, body.len() as u8], body].concat();
        self.dishonest = true;
        for fragment in message.chunks(length.into()) {
            self.peer_sends(HANDSHAKE, fragment, 0);
        }
        if handshake_type == 24 && body.len() == 1 {
            self.sending = self.sending.next();
        }
    }

    fn peer_sends_ticket(&mut self, ticket: &[u8]) {
        let body = [&[0; 8][..], &[0], &[0, ticket.len() as u8], ticket, &[0, 0]].concat();
        let mut message = [&[4, 0, 0, 0], &body[..]].concat();
        fix_length(&mut message);
        self.dishonest |= self.role == Role::Server || ticket.is_empty();
        let event = self.peer_sends(HANDSHAKE, &message, 0);
        self.expect(event, &Event::Nothing);
    }

    fn peer_sends(&mut self, content_type: u8, content: &[u8], padding: usize) -> Option<Event> {
        let record = self.sending.seal(content_type, content, padding);
        self.feed(&record)
    }

    fn is_honest(&self) -> bool {
        !self.dishonest && !self.closed_by_peer && self.error.is_none()
    }

    fn may_send(&self) -> bool {
        !self.closed_by_us && self.error.is_none()
    }

    fn expect(&self, event: Option<Event>, expected: &Event) {
        if self.is_honest() {
            assert_eq!(event.as_ref(), Some(expected), "{:?}", self.error);
        }
    }

    /// Gives bytes exactly as they are wanted, and returns the last event.
    fn feed(&mut self, mut bytes: &[u8]) -> Option<Event> {
        let mut last = None;
        loop {
            let wanted = self.connection.wanted();
            let Some((now, later)) = bytes.split_at_checked(wanted) else { return last };
            bytes = later;
            match (self.connection.receive(now), &self.error) {
                (Ok(event), None) => last = Some(event),
                (Ok(event), Some(_)) => panic!("{event:?} after an error"),
                (Err(error), Some(first)) => assert_eq!(error.to_string(), first.to_string()),
                (Err(error), None) => {
                    assert!(self.dishonest || self.key_updates >= KEY_UPDATES_IN_A_ROW, "{error}");
                    self.error = Some(error);
                }
            }
            self.read_outgoing();
            if self.error.is_some() || self.closed_by_peer {
                return last;
            }
        }
    }

    /// Opens everything that the connection sends, and returns its application data.
    fn read_outgoing(&mut self) -> Vec<u8> {
        let outgoing = self.connection.outgoing().to_vec();
        self.connection.sent(outgoing.len());
        let (mut rest, mut data) = (&outgoing[..], Vec::new());
        while let Some((header, after)) = rest.split_first_chunk::<5>() {
            let (body, after) = after.split_at(u16::from_be_bytes([header[3], header[4]]).into());
            rest = after;
            if self.limited {
                assert!(body.len() <= usize::from(RECORD_SIZE_LIMIT) + 16);
            }
            let (content_type, content) =
                self.receiving.open(header, body).expect("it protects what it sends");
            match content_type {
                APPLICATION_DATA => data.extend_from_slice(&content),
                HANDSHAKE => {
                    assert!(matches!(content[..], [24, 0, 0, 1, 0 | 1]), "KeyUpdate is all it says");
                    self.receiving = self.receiving.next();
                    self.updated += 1;
                }
                ALERT => self.closed_by_us = true,
                other => panic!("a record of type {other}"),
            }
        }
        assert!(rest.is_empty(), "whole records");
        data
    }

    fn write(&mut self, data: &[u8]) {
        let (expected, updated) = (self.may_send(), self.updated);
        let written = self.connection.write(data);
        assert_eq!(written.is_ok(), expected);
        assert_eq!(self.read_outgoing(), if written.is_ok() { data } else { &[] });
        if expected && !self.dishonest && !data.is_empty() {
            assert_eq!(
                self.updated - updated,
                usize::from(self.owed),
                "it changes its keys when it is asked"
            );
            self.owed = false;
        }
    }

    fn update_keys(&mut self, request: bool) {
        assert_eq!(self.connection.update_keys(request).is_ok(), self.may_send());
        self.read_outgoing();
        self.owed &= request;
    }

    fn close(&mut self) {
        self.connection.close().expect("closing works once and again");
        self.read_outgoing();
        assert!(self.closed_by_us || self.error.is_some());
    }
}

fn traffic(suite: CipherSuite) -> [TrafficSecret; 2] {
    let master = EarlySecret::new(suite.hash(), None).handshake(&Secret::zeroed(32)).master();
    let transcript = vec![9; suite.hash().length()];
    let TrafficSecrets { client, server } = master.traffic(suite, &transcript);
    [client, server]
}
