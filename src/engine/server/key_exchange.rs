//! The key exchange phase of a server: ClientHello, HelloRetryRequest, ServerHello (RFC 8446, Section 4.1).

use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use core::slice;

use super::{
    Protected, State,
    negotiate::{self, FoundPsk, PskSearch, Selection},
    server_parameters,
};
use crate::{
    crypto::{
        certificate::UnixTime,
        hash::{Digest, Hash},
        kx::Response,
        random::Random,
        suite::CipherSuite,
    },
    engine::{
        authentication::{HandshakeKeys, Log, send},
        config::ServerConfig,
        error::{Error, LocalError, Violation},
        message::{
            self, ClientHello, ExtensionType, HandshakeType, HelloRetryRequest, KeyShareEntry, Message,
            ServerHello, ServerHelloHead,
        },
        psk::{Psk, PskOffer},
        record::Records,
        session::Negotiated,
        transcript::Transcript,
    },
};

/// How many offered identities are looked for; each costs a search in a keyring. The kernel's consumers offer at most five.
const MAX_PSK_OFFERS: usize = 32;

const MISUSE: Error = Error::Local(LocalError::Misuse);

/// What a server has before it knows its client.
#[derive(Debug)]
struct Listening {
    config: Arc<ServerConfig>,
    random: Box<dyn Random>,
    now: UnixTime,
    retry: Option<Box<Retry>>,
}

/// What a HelloRetryRequest asked for, and what must not have changed in the answer.
#[derive(Debug)]
struct Retry {
    suite: CipherSuite,
    group: u16,
    psk_identity: Option<Vec<u8>>,
    cookie: Option<[u8; 32]>,
    unchanging: Digest,
    transcript: Transcript,
}

/// Before the first ClientHello.
#[derive(Debug)]
pub(in crate::engine) struct WaitClientHello(Listening);

/// After a HelloRetryRequest.
#[derive(Debug)]
pub(in crate::engine) struct WaitSecondClientHello(Listening);

/// After a ClientHello that offers PSKs, which somebody else must find.
#[derive(Debug)]
pub(in crate::engine) struct WaitPsk {
    listening: Listening,
    client_hello: Vec<u8>,
    offers: Vec<PskOffer>,
    /// How many offers, from the first, are settled: what was found there goes with no suite in common.
    settled: usize,
}

impl WaitClientHello {
    pub(super) fn new(config: Arc<ServerConfig>, random: Box<dyn Random>, now: UnixTime) -> Self {
        Self(Listening { config, random, now, retry: None })
    }

    pub(super) fn on_client_hello(self, message: Message<'_>, records: &mut Records) -> Result<State, Error> {
        let Self(listening) = self;
        records.allow_change_cipher_spec();
        let hello = ClientHello::read(message.body)?;
        negotiate::check(&hello)?;
        //= rfc8446#section-4.2.10
        //# A server which receives an "early_data" extension MUST behave in one of three ways:
        records.skip_early_data(hello.extensions.early_data);
        listening.find_psk(&hello, message.bytes, records)
    }
}

impl WaitSecondClientHello {
    pub(super) fn on_client_hello(self, message: Message<'_>, records: &mut Records) -> Result<State, Error> {
        let Self(listening) = self;
        let hello = ClientHello::read(message.body)?;
        negotiate::check(&hello)?;
        records.skip_early_data(false);
        listening.retry.iter().try_for_each(|retry| retry.check(&hello))?;
        listening.find_psk(&hello, message.bytes, records)
    }
}

impl WaitPsk {
    pub(in crate::engine) fn offers(&self) -> &[PskOffer] {
        self.offers.get(self.settled..).unwrap_or_default()
    }

    pub(super) fn on_psk(self, found: Option<(usize, Psk)>, records: &mut Records) -> Result<State, Error> {
        let hello = ClientHello::read(Message::read(&self.client_hello)?.body)?;
        let Some((index, psk)) = found else {
            return self.listening.negotiate(&hello, &self.client_hello, &PskSearch::Unknown, records);
        };
        if self.offers().get(index).is_none_or(|offer| offer.identity != psk.identity()) {
            return Err(MISUSE);
        }
        let index = self.settled.saturating_add(index);
        let settled = index.saturating_add(1);
        // The client may offer another, or the same key for another hash.
        if settled < self.offers.len() && !negotiate::goes_with(&hello, self.listening.suites(), &psk) {
            return Ok(State::WaitPsk(Self { settled, ..self }));
        }
        let index = u16::try_from(index).map_err(|_| MISUSE)?;
        let search = PskSearch::Found(FoundPsk { index, psk });
        self.listening.negotiate(&hello, &self.client_hello, &search, records)
    }
}

impl Retry {
    /// RFC 8446, Sections 4.1.2 and 4.2.8: what a second ClientHello may not do.
    fn check(&self, hello: &ClientHello<'_>) -> Result<(), Violation> {
        let missing = Violation::MissingExtension;
        let shares = hello.extensions.key_share.ok_or(missing(ExtensionType::KEY_SHARE))?;
        if !shares.iter().map(|share| share.group).eq([self.group]) {
            return Err(Violation::RetryGroupChanged);
        }
        if self.cookie.as_ref().is_some_and(|ours| hello.extensions.cookie != Some(&ours[..])) {
            return Err(Violation::CookieNotEchoed);
        }
        if hello.extensions.early_data || unchanging(hello) != self.unchanging {
            return Err(Violation::SecondHelloChanged);
        }
        // Only PSKs that do not go with the suite may be taken back.
        let Some(selected) = &self.psk_identity else { return Ok(()) };
        let offered = hello.extensions.pre_shared_key.ok_or(missing(ExtensionType::PRE_SHARED_KEY))?;
        let is_there = offered.identities().any(|(identity, _)| identity == selected);
        if is_there { Ok(()) } else { Err(Violation::SecondHelloChanged) }
    }
}

/// A digest of what a second ClientHello must repeat: all but the extensions that Section 4.1.2 lets change.
fn unchanging(hello: &ClientHello<'_>) -> Digest {
    let mut context = Hash::Sha256.start();
    let mut add = |part: &[u8]| {
        context.update(&part.len().to_be_bytes());
        context.update(part);
    };
    add(&hello.legacy_version.to_be_bytes());
    add(hello.random);
    add(hello.session_id);
    add(&hello.cipher_suites.len().to_be_bytes());
    hello.cipher_suites.iter().for_each(|suite| add(&suite.to_be_bytes()));
    for (extension, content) in hello.unchanging_extensions() {
        add(&extension.to_be_bytes());
        add(content);
    }
    context.finish()
}

impl Listening {
    /// Asks for a PSK if the client offers some that could be used, else goes on without.
    fn find_psk(self, hello: &ClientHello<'_>, bytes: &[u8], records: &mut Records) -> Result<State, Error> {
        match hello.extensions.pre_shared_key {
            //= rfc8446#section-4.1.1
            //# then it MUST also select a key establishment mode from the set indicated by the client's
            //# "psk_key_exchange_modes" extension
            //= rfc8446#section-4.2.8
            //# MUST NOT send a KeyShareEntry when using the "psk_ke" PskKeyExchangeMode.
            //= rfc8446#section-4.2.9
            //# Servers MUST NOT select a key exchange mode that is not listed by the client.
            Some(psks) if self.config.psk && hello.offers_psk_dhe_ke() => {
                let offer = |(identity, age): (&[u8], u32)| PskOffer {
                    identity: identity.into(),
                    //= rfc8446#section-4.2.11
                    //# For identities established externally, an obfuscated_ticket_age of 0 SHOULD be used,
                    //# and servers MUST ignore the value.
                    obfuscated_ticket_age: age,
                };
                let offers = psks.identities().take(MAX_PSK_OFFERS).map(offer).collect();
                Ok(State::WaitPsk(WaitPsk {
                    listening: self,
                    client_hello: bytes.into(),
                    offers,
                    settled: 0,
                }))
            }
            _ => self.negotiate(hello, bytes, &PskSearch::NotAsked, records),
        }
    }

    /// The suites to choose from: after a HelloRetryRequest its own is the only one.
    //= rfc8446#section-4.1.4
    //# Servers MUST ensure that they negotiate the same cipher suite when receiving a conformant updated
    //# ClientHello
    fn suites(&self) -> &[CipherSuite] {
        self.retry.as_ref().map_or(&self.config.suites, |retry| slice::from_ref(&retry.suite))
    }

    fn negotiate(
        self,
        hello: &ClientHello<'_>,
        bytes: &[u8],
        search: &PskSearch,
        records: &mut Records,
    ) -> Result<State, Error> {
        let selection = negotiate::select(hello, &self.config, search, self.suites())?;
        if let Some(found) = selection.psk() {
            self.check_binder(hello, bytes, found)?;
        }
        match (&self.retry, selection.key_exchange) {
            (_, Some(key_exchange)) => self.exchange(hello, bytes, selection, key_exchange, records),
            //= rfc8446#section-4.1.1
            //# the server MUST respond with a HelloRetryRequest
            (None, None) => self.send_hello_retry_request(hello, bytes, &selection, records),
            (Some(_), None) => Err(Violation::RetryGroupChanged.into()),
        }
    }

    /// Checks the binder of the PSK that was found (RFC 8446, Section 4.2.11.2).
    //= rfc8446#section-4.2.11
    //# Prior to accepting PSK key establishment, the server MUST validate
    //# the corresponding binder value (see Section 4.2.11.2 below).  If this
    //# value is not present or does not validate, the server MUST abort the
    //# handshake.
    fn check_binder(
        &self,
        hello: &ClientHello<'_>,
        bytes: &[u8],
        FoundPsk { index, psk }: &FoundPsk,
    ) -> Result<(), Violation> {
        let offered = hello.extensions.pre_shared_key.ok_or(Violation::BadBinder)?;
        let truncated = bytes.len().checked_sub(offered.binders_length()).and_then(|end| bytes.get(..end));
        let truncated = truncated.ok_or(Violation::BadBinder)?;
        // The suite of a HelloRetryRequest is the only one left, and the PSK goes with it.
        let hash = match &self.retry {
            Some(retry) => retry.transcript.hash_with(truncated),
            None => psk.hash().digest(truncated),
        };
        let binder = offered.binders().nth(usize::from(*index)).ok_or(Violation::BadBinder)?;
        let key = psk.early_secret().binder(psk.kind());
        if key.verify(&hash, binder) { Ok(()) } else { Err(Violation::BadBinder) }
    }

    /// Asks for a share of the selected group (RFC 8446, Section 4.1.4).
    fn send_hello_retry_request(
        mut self,
        hello: &ClientHello<'_>,
        bytes: &[u8],
        selection: &Selection<'_>,
        records: &mut Records,
    ) -> Result<State, Error> {
        records.end_flight()?;
        let mut cookie = None;
        if self.config.hello_retry_cookie {
            let mut value = [0; 32];
            self.random.fill(&mut value)?;
            cookie = Some(value);
        }
        let (suite, group) = (selection.suite, selection.group.code());
        let request = HelloRetryRequest {
            selected_group: Some(group),
            cookie: cookie.as_ref().map(|cookie| &cookie[..]),
            ..HelloRetryRequest::new(hello.session_id, suite.code())
        };
        let mut transcript = Transcript::after_retry(suite.hash(), bytes);
        send(HandshakeType::HelloRetryRequest, &mut transcript, records, |w| request.write(w))?;
        if !hello.session_id.is_empty() {
            records.send_change_cipher_spec()?;
        }
        let psk_identity = selection.psk().map(|found| found.psk.identity().to_vec());
        let retry = Retry { suite, group, psk_identity, cookie, unchanging: unchanging(hello), transcript };
        self.retry = Some(Box::new(retry));
        Ok(State::WaitSecondClientHello(WaitSecondClientHello(self)))
    }

    /// Sends the ServerHello. K_recv = handshake, at once: only then is it known that nothing follows the ClientHello.
    /// K_send = handshake.
    fn exchange(
        mut self,
        hello: &ClientHello<'_>,
        bytes: &[u8],
        selection: Selection<'_>,
        key_exchange: &[u8],
        records: &mut Records,
    ) -> Result<State, Error> {
        let Response { public, shared_secret } = self.random.respond(selection.group, key_exchange)?;
        let server_hello = self.server_hello(hello, &selection, &public)?;
        let early_secret = selection.psk().map(|found| found.psk.early_secret());
        let Selection { suite, group, authentication, protocol, record_size_limits, .. } = selection;
        let Self { config, now, retry, .. } = self;
        let hello_retry = retry.is_some();
        let mut transcript = match retry {
            Some(retry) => retry.transcript,
            None => Transcript::new(suite.hash(), b""),
        };
        transcript.add(bytes);
        transcript.add(&server_hello);
        let log = Log { key_log: config.key_log.clone(), client_random: *hello.random };
        let keys = HandshakeKeys::new(suite, early_secret, &shared_secret, &transcript, &log);
        records.receive_with(&keys.client)?;
        records.send(&server_hello);
        //= rfc8446#appendix-D.4
        //# the server MUST send the change_cipher_spec as described in this appendix.
        if !hello.session_id.is_empty() && !hello_retry {
            records.send_change_cipher_spec()?;
        }
        records.send_with(&keys.server)?;
        let server_name = hello.extensions.server_name.map(String::from);
        let negotiated =
            Negotiated { suite, group, alpn: protocol, server_name, record_size_limits, hello_retry };
        let protected = Box::new(Protected { config, now, log, negotiated, transcript, keys });
        server_parameters::send(protected, authentication, records)
    }

    fn server_hello(
        &mut self,
        hello: &ClientHello<'_>,
        selection: &Selection<'_>,
        public: &[u8],
    ) -> Result<Vec<u8>, Error> {
        //= rfc8446#section-4.1.3
        //= type=exception
        //= reason=There is no older version to negotiate.
        //# The last 8 bytes MUST be overwritten as described below if negotiating TLS 1.2 or TLS 1.1
        let mut random = [0; 32];
        //= rfc8446#section-4.1.3
        //# the remaining bytes MUST be random.
        //= rfc8446#section-4.1.3
        //# This structure is generated by the server and MUST be generated independently of the
        //# ClientHello.random.
        self.random.fill(&mut random)?;
        let (session_id_echo, cipher_suite) = (hello.session_id, selection.suite.code());
        let server_hello = ServerHello {
            hello: ServerHelloHead { random: &random, session_id_echo, cipher_suite },
            key_share: KeyShareEntry { group: selection.group.code(), key_exchange: public },
            selected_identity: selection.psk().map(|found| found.index),
        };
        Ok(message::write(HandshakeType::ServerHello, |w| server_hello.write(w))?)
    }
}

#[cfg(test)]
#[path = "../rfc8448/entry/server_key_exchange.rs"]
mod entry;
