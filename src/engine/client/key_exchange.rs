//! The key exchange phase of a client: ClientHello, HelloRetryRequest, ServerHello (RFC 8446, Section 4.1).

use alloc::{boxed::Box, sync::Arc, vec::Vec};

use super::{Protected, WaitEncryptedExtensions};
use crate::{
    crypto::{
        certificate::UnixTime,
        kx::{KeyShares, NamedGroup},
        random::Random,
        signature_scheme::SignatureScheme,
        suite::CipherSuite,
    },
    engine::{
        authentication::{HandshakeKeys, Log, signature_algorithms},
        codec::Writer,
        config::ClientConfig,
        error::{Error, Violation},
        message::{
            self, ExtensionType, HandshakeType, HelloRetryRequest, KeyShareEntry, Message, Offer,
            ServerHello, ServerHelloHead,
        },
        psk::Psk,
        record::Records,
        session::{Negotiated, Peer},
        transcript::Transcript,
    },
};

/// The longest cookie to send back, well within what a ClientHello can carry beside the rest.
const MAX_COOKIE: usize = 1 << 14;

/// What the ClientHello offered, and what is kept to check the answer.
#[derive(Debug)]
struct Offered {
    config: Arc<ClientConfig>,
    now: UnixTime,
    log: Log,
    random: Box<dyn Random>,
    session_id: Vec<u8>,
    key_shares: KeyShares,
    /// The PSKs on offer, as indices into the configuration's; the server answers with an index into this.
    psks: Vec<usize>,
}

/// After the first ClientHello.
#[derive(Debug)]
pub(in crate::engine) struct WaitServerHello {
    offered: Box<Offered>,
    client_hello: Vec<u8>,
}

/// After a HelloRetryRequest and the second ClientHello.
#[derive(Debug)]
pub(in crate::engine) struct WaitSecondServerHello {
    offered: Box<Offered>,
    suite: CipherSuite,
    transcript: Transcript,
}

impl WaitServerHello {
    pub(super) fn start(
        config: Arc<ClientConfig>,
        mut random: Box<dyn Random>,
        now: UnixTime,
        records: &mut Records,
    ) -> Result<Self, Error> {
        // Both at once: randomness is a system call.
        let mut fresh = [[0; 32]; 2];
        random.fill(fresh.as_flattened_mut())?;
        let [client_random, compatible_session_id] = fresh;
        //= rfc8446#section-4.1.2
        //# Otherwise, it MUST be set as a zero-length vector (i.e., a zero-valued single byte length field).
        let mut session_id = Vec::new();
        if config.middlebox_compatibility {
            //= rfc8446#section-4.1.2
            //# In compatibility mode (see Appendix D.4), this field MUST be non-empty, so a client not
            //# offering a pre-TLS 1.3 session MUST generate a new 32-byte value.
            session_id.extend_from_slice(&compatible_session_id);
        }
        //= rfc8446#section-4.2.8
        //# Each KeyShareEntry value MUST correspond to a group offered in the "supported_groups" extension
        //# and MUST appear in the same order.
        //= rfc8446#section-4.2.8
        //# Clients MUST NOT offer any KeyShareEntry values for groups not listed in the client's
        //# "supported_groups" extension.
        //= rfc8446#section-4.2.8
        //# The key_exchange values for each KeyShareEntry MUST be generated independently.
        // RFC 9954, Section 3.2, excepts X25519 beside a hybrid with it.
        let key_shares = KeyShares::generate(config.offered_shares(), &mut *random)?;
        let psks = (0..config.psks.len()).collect();
        let log = Log { key_log: config.key_log.clone(), client_random };
        let offered = Box::new(Offered { config, now, log, random, session_id, key_shares, psks });
        //= rfc8446#section-4.2.2
        //# Clients MUST NOT use cookies in their initial ClientHello in subsequent connections.
        let client_hello = offered.client_hello(None, None)?;
        records.send(&client_hello);
        records.allow_change_cipher_spec();
        Ok(Self { offered, client_hello })
    }

    /// Sends a second ClientHello as the server asks (RFC 8446, Section 4.1.4).
    pub(super) fn on_hello_retry_request(
        self,
        message: Message<'_>,
        records: &mut Records,
    ) -> Result<WaitSecondServerHello, Error> {
        let Self { mut offered, client_hello } = self;
        let request = HelloRetryRequest::read(message.body)?;
        records.end_flight()?;
        let suite = offered.check_hello(&request.hello)?;
        offered.retry(&request, suite)?;
        let mut transcript = Transcript::after_retry(suite.hash(), &client_hello);
        transcript.add(message.bytes);
        //= rfc8446#section-4.1.2
        //# In that case, the client MUST send the same ClientHello without modification, except as follows:
        //= rfc8446#section-4.1.4
        //# Otherwise, the client MUST process all extensions in the HelloRetryRequest and send a second
        //# updated ClientHello.
        let second = offered.client_hello(request.cookie, Some(&transcript))?;
        transcript.add(&second);
        if offered.config.middlebox_compatibility {
            records.send_change_cipher_spec()?;
        }
        records.send(&second);
        Ok(WaitSecondServerHello { offered, suite, transcript })
    }

    pub(super) fn on_server_hello(
        self,
        message: Message<'_>,
        records: &mut Records,
    ) -> Result<WaitEncryptedExtensions, Error> {
        let Self { offered, client_hello } = self;
        let server_hello = ServerHello::read(message.body)?;
        let suite = offered.check_hello(&server_hello.hello)?;
        let transcript = Transcript::new(suite.hash(), &client_hello);
        // Section D.4: before our second flight, even if that is no more than an alert.
        if offered.config.middlebox_compatibility {
            records.owe_change_cipher_spec();
        }
        offered.exchange(&server_hello, message.bytes, suite, transcript, false, records)
    }
}

impl WaitSecondServerHello {
    pub(super) fn on_server_hello(
        self,
        message: Message<'_>,
        records: &mut Records,
    ) -> Result<WaitEncryptedExtensions, Error> {
        let Self { offered, suite, transcript } = self;
        let server_hello = ServerHello::read(message.body)?;
        //= rfc8446#section-4.1.4
        //# Upon receiving the ServerHello, clients MUST check that the cipher suite supplied in
        //# the ServerHello is the same as that in the HelloRetryRequest and
        //# otherwise abort the handshake with an "illegal_parameter" alert.
        if offered.check_hello(&server_hello.hello)? != suite {
            return Err(Violation::RetrySuiteChanged.into());
        }
        offered.exchange(&server_hello, message.bytes, suite, transcript, true, records)
    }
}

impl Offered {
    /// Writes a ClientHello, the first or (with the transcript so far) the second.
    fn client_hello(&self, cookie: Option<&[u8]>, transcript: Option<&Transcript>) -> Result<Vec<u8>, Error> {
        let config = &self.config;
        let if_verifying = |schemes: &[_]| match config.verifier {
            Some(_) => signature_algorithms(schemes),
            None => Vec::new(),
        };
        let psks: Vec<_> = self.psks().map(|psk| (psk.identity(), psk.hash().length())).collect();
        let entry =
            |(group, key_exchange): (NamedGroup, _)| KeyShareEntry { group: group.code(), key_exchange };
        let key_shares: Vec<_> = self.key_shares.iter().map(entry).collect();
        //= rfc8446#section-9.3
        //# A client sending a ClientHello MUST support all parameters advertised in it.
        let offer = Offer {
            random: &self.log.client_random,
            session_id: &self.session_id,
            suites: &self.suites().map(CipherSuite::code).collect::<Vec<_>>(),
            server_name: config.server_name_to_send(),
            groups: &config.groups.iter().map(|group| group.code()).collect::<Vec<_>>(),
            signature_algorithms: &if_verifying(&config.signature_schemes),
            signature_algorithms_cert: &if_verifying(&SignatureScheme::CERTIFICATE),
            protocols: &config.alpn,
            record_size_limit: config.record_size_limit,
            cookie,
            key_shares: &key_shares,
            psk_modes: !config.psks.is_empty(),
            psks: &psks,
        };
        let mut message = message::write(HandshakeType::ClientHello, |w| offer.write(w))?;
        self.bind(&mut message, transcript)?;
        Ok(message)
    }

    /// Replaces the zeros at the end of a ClientHello by the PSKs' binders (RFC 8446, Section 4.2.11.2).
    fn bind(&self, message: &mut Vec<u8>, transcript: Option<&Transcript>) -> Result<(), Error> {
        if self.psks.is_empty() {
            return Ok(());
        }
        let lengths = self.psks().map(|psk| psk.hash().length().saturating_add(1));
        let binders_length = lengths.fold(2, usize::saturating_add);
        message.truncate(message.len().saturating_sub(binders_length));
        let mut w = Writer::default();
        w.vector16(|w| {
            for psk in self.psks() {
                let hash = transcript.map_or_else(|| psk.hash().digest(message), |t| t.hash_with(message));
                let binder = psk.early_secret().binder(psk.kind()).verify_data(&hash);
                w.vector8(|w| w.bytes(binder.as_ref()));
            }
        });
        message.extend_from_slice(&w.finish()?);
        Ok(())
    }

    fn psks(&self) -> impl Iterator<Item = &Psk> {
        self.psks.iter().filter_map(|index| self.config.psks.get(*index))
    }

    /// The suites on offer: without certificates, only those that some PSK can be used with.
    fn suites(&self) -> impl Iterator<Item = CipherSuite> {
        let config = &self.config;
        let any = config.verifier.is_some();
        config
            .suites
            .iter()
            .copied()
            .filter(move |suite| any || config.psks.iter().any(|psk| psk.hash() == suite.hash()))
    }

    /// Checks what a ServerHello and a HelloRetryRequest have in common (RFC 8446, Section 4.1.3).
    fn check_hello(&self, hello: &ServerHelloHead<'_>) -> Result<CipherSuite, Violation> {
        //= rfc8446#section-4.1.3
        //# A client which
        //# receives a legacy_session_id_echo field that does not match what
        //# it sent in the ClientHello MUST abort the handshake with an
        //# "illegal_parameter" alert.
        if hello.session_id_echo != self.session_id {
            return Err(Violation::SessionIdNotEchoed);
        }
        //= rfc8446#section-4.1.3
        //# A client which receives a
        //# cipher suite that was not offered MUST abort the handshake with an
        //# "illegal_parameter" alert.
        //= rfc8446#section-4.1.4
        //# A client which receives a cipher suite that was not offered MUST abort the handshake.
        self.suites().find(|suite| suite.code() == hello.cipher_suite).ok_or(Violation::UnofferedSuite)
    }

    /// Makes the offer that a HelloRetryRequest asks for (RFC 8446, Sections 4.1.4 and 4.2.8).
    fn retry(&mut self, request: &HelloRetryRequest<'_>, suite: CipherSuite) -> Result<(), Error> {
        //= rfc8446#section-4.1.4
        //# Clients MUST abort the handshake with an
        //# "illegal_parameter" alert if the HelloRetryRequest would not result
        //# in any change in the ClientHello.
        if request.selected_group.is_none() && request.cookie.is_none() {
            return Err(Violation::RetryChangesNothing.into());
        }
        if request.cookie.is_some_and(|cookie| cookie.len() > MAX_COOKIE) {
            return Err(Violation::CookieTooLong.into());
        }
        if let Some(code) = request.selected_group {
            //= rfc8446#section-4.2.8
            //# the client MUST verify that (1) the selected_group field corresponds to a group which was
            //# provided in the "supported_groups" extension in the original ClientHello and (2) the
            //# selected_group field does not correspond to a group which was provided in the "key_share"
            //# extension in the original ClientHello.
            //= rfc8446#section-4.2.8
            //# If either of these checks fails, then the client MUST abort the handshake with an
            //# "illegal_parameter" alert.
            let group = NamedGroup::from_code(code).filter(|group| self.config.groups.contains(group));
            let group = group.ok_or(Violation::UnofferedGroup)?;
            if self.key_shares.has(group) {
                return Err(Violation::RetryChangesNothing.into());
            }
            //= rfc8446#section-4.2.8
            //# the client MUST replace the original "key_share" extension with one containing only a new
            //# KeyShareEntry
            self.key_shares = KeyShares::generate(Vec::from([group]), &mut *self.random)?;
        }
        let config = Arc::clone(&self.config);
        self.psks.retain(|index| config.psks.get(*index).is_some_and(|psk| psk.hash() == suite.hash()));
        if self.psks.is_empty() && config.verifier.is_none() {
            return Err(Violation::PskHash.into());
        }
        Ok(())
    }

    /// Agrees on the keys of the handshake. K_recv = handshake, and so is K_send: what we send next is protected.
    fn exchange(
        self,
        server_hello: &ServerHello<'_>,
        bytes: &[u8],
        suite: CipherSuite,
        mut transcript: Transcript,
        hello_retry: bool,
        records: &mut Records,
    ) -> Result<WaitEncryptedExtensions, Error> {
        let config = Arc::clone(&self.config);
        let (early_secret, peer) = match server_hello.selected_identity {
            Some(selected_identity) => {
                let (index, psk) = self.selected_psk(&config, selected_identity, suite)?;
                (Some(psk.early_secret()), Some(Peer::Psk { identity: psk.identity().into(), index }))
            }
            None if config.verifier.is_none() => return Err(Violation::PskNotAccepted.into()),
            None => (None, None),
        };
        let Self { now, log, key_shares, .. } = self;
        //= rfc8446#section-4.2.8
        //# If using (EC)DHE key establishment, servers offer exactly one
        //# KeyShareEntry in the ServerHello.  This value MUST be in the same
        //# group as the KeyShareEntry value offered by the client that the
        //# server has selected for the negotiated key exchange.
        //= rfc8446#section-4.2.8
        //# the client MUST verify that the selected NamedGroup in the ServerHello is the same as that in the
        //# HelloRetryRequest.
        //= rfc8446#section-4.2.8
        //# If this check fails, the client MUST abort the handshake with an "illegal_parameter" alert.
        let share = key_shares.take(server_hello.key_share.group).ok_or(Violation::UnofferedGroup)?;
        let group = share.group();
        let shared_secret = share.agree(server_hello.key_share.key_exchange)?;
        transcript.add(bytes);
        let keys = HandshakeKeys::new(suite, early_secret, &shared_secret, &transcript, &log);
        records.receive_with(&keys.server)?;
        records.send_with(&keys.client)?;
        let negotiated =
            Negotiated { suite, group, alpn: None, server_name: None, record_size_limits: None, hello_retry };
        let protected = Box::new(Protected { config, now, log, negotiated, transcript, keys });
        Ok(WaitEncryptedExtensions::new(protected, peer))
    }

    /// The PSK that the server selected, and its index in the configuration (RFC 8446, Section 4.2.11).
    //= rfc8446#section-4.2.11
    //# Clients MUST verify that the server's selected_identity is within the
    //# range supplied by the client, that the server selected a cipher suite
    //# indicating a Hash associated with the PSK, and that a server
    //# "key_share" extension is present if required by the ClientHello
    //# "psk_key_exchange_modes" extension.  If these values are not
    //# consistent, the client MUST abort the handshake with an
    //# "illegal_parameter" alert.
    fn selected_psk<'c>(
        &self,
        config: &'c ClientConfig,
        selected_identity: u16,
        suite: CipherSuite,
    ) -> Result<(usize, &'c Psk), Violation> {
        if self.psks.is_empty() {
            return Err(Violation::UnsolicitedExtension(ExtensionType::PRE_SHARED_KEY));
        }
        let index = *self.psks.get(usize::from(selected_identity)).ok_or(Violation::UnofferedPsk)?;
        match config.psks.get(index) {
            Some(psk) if psk.hash() == suite.hash() => Ok((index, psk)),
            _ => Err(Violation::PskHash),
        }
    }
}

#[cfg(test)]
#[path = "../rfc8448/entry/client_key_exchange.rs"]
mod entry;
