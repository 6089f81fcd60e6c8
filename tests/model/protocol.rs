//! Appendix A of RFC 8446 over messages whose contents nobody reads: it knows their types, who said them, and what had been said before.

use handclasp::engine::{AlertDescription as A, Error, Role};

use super::common::{
    edit::{
        CERTIFICATE, CERTIFICATE_REQUEST, CERTIFICATE_VERIFY, CLIENT_HELLO, ENCRYPTED_EXTENSIONS, FINISHED,
        SERVER_HELLO, extensions_of,
    },
    flows::Flow,
};

/// Where an end stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    WaitServerHello {
        retried: bool,
    },
    WaitEncryptedExtensions,
    WaitCertificateOrRequest {
        requested: bool,
    },
    Start {
        retried: bool,
    },
    /// `more`: bytes follow the ClientHello in its record.
    FindPsk {
        hello: Vec<u8>,
        retried: bool,
        more: bool,
    },
    WaitCertificate,
    WaitCertificateVerify {
        requested: bool,
    },
    WaitFinished {
        requested: bool,
    },
    Sign,
    Done,
    Failed(Fate),
}

/// Why an end failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It found the peer at fault, and said so with one of these alerts: the RFC leaves open which fault is found first.
    Found(Vec<A>),
    /// The peer said so.
    Told(A),
    /// The peer closed.
    Closed,
    /// Its own caller is at fault, or gave up.
    Ours(A),
}

impl Fate {
    pub(crate) fn explains(&self, error: &Error) -> bool {
        match (self, error) {
            (Self::Found(alerts), Error::Peer(_) | Error::Certificate(_)) => {
                error.alert().is_some_and(|alert| alerts.contains(&alert))
            }
            (Self::Told(alert), Error::Alert(told)) => alert == told,
            (Self::Closed, Error::Closed) => true,
            (Self::Ours(alert), Error::Local(_)) => error.alert() == Some(*alert),
            _ => false,
        }
    }
}

/// A message as it is delivered.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    pub(crate) bytes: Vec<u8>,
    /// Its body lacks the last byte.
    pub(crate) cut: bool,
}

/// One end.
pub(crate) struct Model {
    pub(crate) role: Role,
    pub(crate) state: State,
    flow: Flow,
    /// The Certificate that the peer is known by.
    certificate: Vec<u8>,
    /// Every message that it said or accepted.
    pub(crate) seen: Vec<Vec<u8>>,
    /// What it said, each with what it had seen before.
    said: Vec<(Vec<u8>, Vec<Vec<u8>>)>,
    /// The types of the messages that it is about to say.
    pub(crate) to_say: Vec<u8>,
    /// Whether a change_cipher_spec may come.
    change_cipher_spec: bool,
    useless_records: u8,
    /// Whether a message was begun and not ended.
    pub(crate) partial: bool,
}

/// A HelloRetryRequest is a ServerHello with another random.
fn is_retry(message: &[u8]) -> bool {
    message[0] == SERVER_HELLO && message[6..9] == [0xcf, 0x21, 0xad]
}

fn has_key_share(hello: &[u8]) -> bool {
    extensions_of(hello).iter().any(|(code, content)| *code == 51 && content.len() > 2)
}

impl Model {
    pub(crate) fn new(role: Role, flow: Flow, certificate: Vec<u8>) -> Self {
        let (state, to_say) = match role {
            Role::Client => (State::WaitServerHello { retried: false }, vec![CLIENT_HELLO]),
            Role::Server => (State::Start { retried: false }, vec![]),
        };
        let change_cipher_spec = role == Role::Client;
        let (seen, said) = (vec![], vec![]);
        Self {
            role,
            state,
            flow,
            certificate,
            seen,
            said,
            to_say,
            change_cipher_spec,
            useless_records: 0,
            partial: false,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Done | State::Failed(_))
    }

    pub(crate) fn asks(&self) -> bool {
        matches!(self.state, State::Sign | State::FindPsk { .. })
    }

    pub(crate) fn fail(&mut self, fate: Fate) {
        if !self.is_over() {
            self.state = State::Failed(fate);
        }
    }

    fn find(&mut self, alerts: &[A]) {
        self.fail(Fate::Found(alerts.into()));
    }

    /// Takes note of what the end said.
    pub(crate) fn say(&mut self, message: &[u8]) {
        self.said.push((message.into(), self.seen.clone()));
        self.seen.push(message.into());
    }

    /// Whether the peer said this when it had seen what this end has seen: what every signature and every MAC is over.
    fn agrees(&self, message: &[u8], peer: &Self) -> bool {
        peer.said.iter().any(|(said, before)| said == message && *before == self.seen)
    }

    /// Messages that share one record.
    pub(crate) fn receive(&mut self, deliveries: &[Delivery], peer: &Self) {
        self.useless_records = 0;
        for (index, delivery) in deliveries.iter().enumerate() {
            if !self.is_over() && !self.asks() {
                self.receive_one(delivery, index + 1 < deliveries.len(), peer);
            }
        }
    }

    fn receive_one(&mut self, delivery: &Delivery, more: bool, peer: &Self) {
        let Delivery { bytes, cut } = delivery;
        let is_expected = match &self.state {
            State::WaitServerHello { retried } => bytes[0] == SERVER_HELLO && !(*retried && is_retry(bytes)),
            State::WaitEncryptedExtensions => bytes[0] == ENCRYPTED_EXTENSIONS,
            State::WaitCertificateOrRequest { requested } => {
                bytes[0] == CERTIFICATE || bytes[0] == CERTIFICATE_REQUEST && !requested
            }
            State::Start { .. } => bytes[0] == CLIENT_HELLO,
            State::WaitCertificate => bytes[0] == CERTIFICATE,
            State::WaitCertificateVerify { .. } => bytes[0] == CERTIFICATE_VERIFY,
            State::WaitFinished { .. } => bytes[0] == FINISHED,
            _ => false,
        };
        if !is_expected {
            return self.find(&[A::UnexpectedMessage]);
        }
        if *cut {
            // The length of a Finished is the hash's: a shorter one is a wrong one.
            return self.find(if bytes[0] == FINISHED { &[A::DecryptError] } else { &[A::DecodeError] });
        }
        let agrees = self.agrees(bytes, peer);
        if matches!(bytes[0], CERTIFICATE_VERIFY | FINISHED) && !agrees {
            return self.find(&[A::DecryptError]);
        }
        if bytes[0] == CERTIFICATE && *bytes != self.certificate {
            return self.find(&[A::UnknownCa]);
        }
        match self.role {
            Role::Client => self.client_receives(bytes, agrees, more),
            Role::Server => self.server_receives(bytes, agrees, more),
        }
    }

    fn client_receives(&mut self, bytes: &[u8], agrees: bool, more: bool) {
        let ends_flight = matches!(bytes[0], SERVER_HELLO | FINISHED);
        match (ends_flight && more, bytes[0] == SERVER_HELLO && !agrees) {
            (false, false) => {}
            (true, false) => return self.find(&[A::UnexpectedMessage]),
            // It echoes another session ID than ours.
            (more, true) => {
                return self.find(&[A::IllegalParameter, A::UnexpectedMessage][..1 + usize::from(more)]);
            }
        }
        self.seen.push(bytes.into());
        self.state = match self.state {
            State::WaitServerHello { .. } if is_retry(bytes) => {
                self.to_say = vec![CLIENT_HELLO];
                State::WaitServerHello { retried: true }
            }
            State::WaitServerHello { .. } => State::WaitEncryptedExtensions,
            State::WaitEncryptedExtensions if self.flow.is_psk() => State::WaitFinished { requested: false },
            State::WaitEncryptedExtensions => State::WaitCertificateOrRequest { requested: false },
            State::WaitCertificateOrRequest { .. } if bytes[0] == CERTIFICATE_REQUEST => {
                State::WaitCertificateOrRequest { requested: true }
            }
            State::WaitCertificateOrRequest { requested } => State::WaitCertificateVerify { requested },
            State::WaitCertificateVerify { requested } => State::WaitFinished { requested },
            State::WaitFinished { requested: true } => State::Sign,
            _ => {
                self.to_say = vec![FINISHED];
                State::Done
            }
        };
        self.change_cipher_spec &= bytes[0] != FINISHED;
    }

    fn server_receives(&mut self, bytes: &[u8], agrees: bool, more: bool) {
        match &self.state {
            State::Start { retried } => {
                let retried = *retried;
                self.change_cipher_spec = true;
                if retried && !agrees {
                    return self.find(&[A::IllegalParameter]);
                }
                if self.flow.is_psk() {
                    self.state = State::FindPsk { hello: bytes.into(), retried, more };
                } else {
                    self.negotiate(bytes, retried, more);
                }
                return;
            }
            State::WaitFinished { .. } if more => return self.find(&[A::UnexpectedMessage]),
            State::WaitCertificate => self.state = State::WaitCertificateVerify { requested: false },
            State::WaitCertificateVerify { .. } => self.state = State::WaitFinished { requested: false },
            _ => self.state = State::Done,
        }
        self.seen.push(bytes.into());
        self.change_cipher_spec &= bytes[0] != FINISHED;
    }

    /// After a ClientHello that nothing was found wrong with.
    fn negotiate(&mut self, hello: &[u8], retried: bool, more: bool) {
        // Its binder is over a HelloRetryRequest that there was not.
        if self.flow.is_psk() && !retried && self.flow.retries() && has_key_share(hello) {
            return self.find(&[A::DecryptError, A::UnexpectedMessage][..1 + usize::from(more)]);
        }
        if more {
            return self.find(&[A::UnexpectedMessage]);
        }
        self.seen.push(hello.into());
        (self.state, self.to_say) = if !has_key_share(hello) {
            (State::Start { retried: true }, vec![SERVER_HELLO])
        } else if self.flow.is_psk() {
            (State::WaitFinished { requested: false }, vec![SERVER_HELLO, ENCRYPTED_EXTENSIONS, FINISHED])
        } else {
            (State::Sign, vec![])
        };
    }

    /// The right answer to its question.
    pub(crate) fn answer(&mut self) {
        match self.state.clone() {
            State::FindPsk { hello, retried, more } => self.negotiate(&hello, retried, more),
            State::Sign if self.role == Role::Client => {
                self.to_say = vec![CERTIFICATE, CERTIFICATE_VERIFY, FINISHED];
                self.state = State::Done;
            }
            State::Sign => {
                let asks = self.flow == Flow::ClientCertificate;
                let request = if asks { vec![CERTIFICATE_REQUEST] } else { vec![] };
                self.to_say = [&[SERVER_HELLO, ENCRYPTED_EXTENSIONS], &request[..]].concat();
                self.to_say.extend([CERTIFICATE, CERTIFICATE_VERIFY, FINISHED]);
                self.state =
                    if asks { State::WaitCertificate } else { State::WaitFinished { requested: false } };
            }
            _ => unreachable!("it asks"),
        }
    }

    /// A record that is no handshake message.
    pub(crate) fn receive_record(&mut self, content_type: u8, content: &[u8]) {
        match (content_type, content) {
            (20, [1]) if self.change_cipher_spec && !self.partial => self.count_useless_record(32),
            (21, [_, 0]) => self.fail(Fate::Closed),
            (21, [_, 90]) if !self.partial => self.count_useless_record(4),
            (21, [_, code]) if *code != 90 => self.fail(Fate::Told(A::from_code(*code))),
            _ => self.find(&[A::UnexpectedMessage]),
        }
    }

    fn count_useless_record(&mut self, limit: u8) {
        self.useless_records += 1;
        if self.useless_records > limit {
            self.find(&[A::UnexpectedMessage]);
        }
    }
}
