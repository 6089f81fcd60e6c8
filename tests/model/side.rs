//! One end, and beside it the model of what it should do: they are compared whenever something has happened.

use std::{collections::VecDeque, sync::Arc};

use handclasp::{
    crypto::suite::CipherSuite,
    engine::{AlertDescription, Error, Role, Session, Step},
};

use super::{
    common::{
        End,
        flows::Flow,
        keys::{Protection, Secrets},
        tap::{Item, Tap, plain_record},
    },
    protocol::{Delivery, Fate, Model, State},
};

const SUITE: CipherSuite = CipherSuite::Aes128GcmSha256;
const ALERT: u8 = 21;

/// One end: the real one, and the model's.
pub(crate) struct Side<'a> {
    pub(crate) model: Model,
    pub(crate) end: End<'a>,
    tap: Tap,
    secrets: Arc<Secrets>,
    sealing: Option<Protection>,
    /// What it said and nobody has carried yet.
    pub(crate) said: VecDeque<Item>,
    /// What is left of a message that was begun.
    pub(crate) rest: Option<(Vec<u8>, Delivery)>,
    pub(crate) result: Option<Result<Box<Session>, Error>>,
}

impl<'a> Side<'a> {
    pub(crate) fn new(
        role: Role,
        flow: Flow,
        end: End<'a>,
        secrets: Arc<Secrets>,
        certificate: Vec<u8>,
    ) -> Self {
        Self {
            model: Model::new(role, flow, certificate),
            end,
            tap: Tap::new(role, secrets.clone()),
            secrets,
            sealing: None,
            said: VecDeque::new(),
            rest: None,
            result: None,
        }
    }

    /// Lets the end go on as far as it can by itself, and compares it with the model.
    pub(crate) fn settle(&mut self, mut incoming: &[u8]) {
        let mut outgoing = Vec::new();
        while self.result.is_none() {
            match self.end.handshake.step() {
                Step::Send(bytes) => {
                    outgoing.extend_from_slice(bytes);
                    let count = bytes.len();
                    self.end.handshake.sent(count);
                }
                Step::Receive(count) => {
                    let Some((bytes, rest)) = incoming.split_at_checked(count) else { break };
                    incoming = rest;
                    self.end.handshake.receive(bytes);
                }
                Step::Sign(_) | Step::FindPsk(_) => break,
                Step::Done(session) => self.result = Some(Ok(session)),
                Step::Failed(error) => self.result = Some(Err(error)),
            }
        }
        let items = self.tap.open(&outgoing);
        self.check_said(&items);
        self.said.extend(items);
        self.check_state();
    }

    fn check_said(&mut self, items: &[Item]) {
        let mut types = Vec::new();
        for item in items {
            if let Item::Message(bytes) = item {
                types.push(bytes[0]);
                self.model.say(bytes);
            }
        }
        let to_say = std::mem::take(&mut self.model.to_say);
        let alerts: Vec<_> = items
            .iter()
            .filter_map(|item| match item {
                Item::Record(ALERT, content) => Some(AlertDescription::from_code(content[1])),
                _ => None,
            })
            .collect();
        match &self.model.state {
            State::Failed(fate) => {
                // Under the application's keys, which nobody opens here.
                let hidden = items.iter().any(|item| matches!(item, Item::Record(23, _)));
                match (fate, alerts.first()) {
                    (_, None) if items.is_empty() || hidden => {}
                    (Fate::Found(allowed), Some(alert)) => assert!(allowed.contains(alert), "{alerts:?}"),
                    (Fate::Closed, Some(AlertDescription::CloseNotify)) => {}
                    (Fate::Ours(ours), Some(alert)) => assert_eq!(alert, ours),
                    _ => panic!("{fate:?}, but {alerts:?} was said"),
                }
            }
            _ => {
                assert_eq!(types, to_say);
                assert_eq!(alerts, []);
            }
        }
    }

    fn check_state(&mut self) {
        let Self { model: Model { state, .. }, result, end, .. } = self;
        let is_as_expected = match (&state, &result) {
            (State::Done, Some(Ok(_))) => true,
            (State::Failed(fate), Some(Err(error))) => fate.explains(error),
            (State::Sign, None) => matches!(end.handshake.step(), Step::Sign(_)),
            (State::FindPsk { .. }, None) => matches!(end.handshake.step(), Step::FindPsk(_)),
            (State::Done | State::Failed(_), _) | (_, Some(_)) => false,
            _ => matches!(end.handshake.step(), Step::Receive(5)),
        };
        assert!(is_as_expected, "{state:?}, but {result:?} and {:?}", end.handshake.step());
    }

    /// A record as this end expects it now.
    pub(crate) fn seal(&mut self, content_type: u8, content: &[u8]) -> Vec<u8> {
        let peer = if self.model.role == Role::Client { Role::Server } else { Role::Client };
        if self.sealing.is_none() {
            self.sealing = self.secrets.handshake(peer).map(|secret| Protection::new(SUITE, &secret));
        }
        match &mut self.sealing {
            Some(sealing) if content_type != 20 => sealing.seal(content_type, content, 0),
            _ => plain_record(content_type, content),
        }
    }

    pub(crate) fn is_protected(&self) -> bool {
        let peer = if self.model.role == Role::Client { Role::Server } else { Role::Client };
        self.secrets.handshake(peer).is_some()
    }
}
