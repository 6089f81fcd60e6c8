//! Two engines in one process: who they are, and how their bytes travel.
#![allow(dead_code, reason = "each test binary uses its own part")]

mod drive;
pub(crate) mod edit;
pub(crate) mod flows;
pub(crate) mod keys;
mod pinned;
pub(crate) mod reframe;
pub(crate) mod seeded;
pub(crate) mod tap;

use std::sync::Arc;

use handclasp::{
    crypto::{
        certificate::{ServerName, UnixTime},
        public_key::PublicKey,
        random::SystemRandom,
        sign::SigningKey,
    },
    engine::{
        AlertDescription, Connection, Error, Event, Handshake, LocalError, Psk, PskOffer, Role, Session,
        SignRequest,
        config::{ClientConfig, Credential, ServerConfig},
    },
};

pub(crate) use pinned::Pinned;
use reframe::Reframer;

pub(crate) const NOW: UnixTime = UnixTime(1_800_000_000);

/// Someone with a certificate and its key.
pub(crate) struct Identity {
    pub(crate) key: SigningKey,
    pub(crate) credential: Credential,
    pub(crate) pinned: Arc<Pinned>,
}

impl Identity {
    fn new(name: &str, key: SigningKey, public_key: PublicKey) -> Self {
        let certificate = name.as_bytes().to_vec();
        let credential = Credential::new(vec![certificate.clone()], key.algorithm());
        let pinned = Arc::new(Pinned { certificate, key: public_key, authorities: vec![] });
        Self { key, credential, pinned }
    }
}

/// Makes a P-256 identity.
pub(crate) fn identity(name: &str) -> Identity {
    use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING as ALGORITHM, EcdsaKeyPair, KeyPair};
    let random = ring::rand::SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ALGORITHM, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ALGORITHM, pkcs8.as_ref(), &random).unwrap();
    let key = SigningKey::from_der(pkcs8.as_ref()).unwrap();
    // SubjectPublicKeyInfo of an uncompressed P-256 point (RFC 5480).
    let mut spki = vec![
        0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
        0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
    ];
    spki.extend_from_slice(pair.public_key().as_ref());
    Identity::new(name, key, PublicKey::from_spki(&spki).unwrap())
}

type FindPsk<'a> = Box<dyn Fn(&[u8]) -> Option<Psk> + 'a>;

/// One end of a connection, with the answers to its questions.
pub(crate) struct End<'a> {
    pub(crate) handshake: Handshake,
    pub(crate) key: Option<&'a SigningKey>,
    pub(crate) find_psk: FindPsk<'a>,
}

impl<'a> End<'a> {
    pub(crate) fn client(config: ClientConfig, key: Option<&'a SigningKey>) -> Self {
        let handshake = Handshake::client(Arc::new(config), Box::new(SystemRandom), NOW).unwrap();
        Self { handshake, key, find_psk: Box::new(|_| None) }
    }

    pub(crate) fn server(config: ServerConfig, key: Option<&'a SigningKey>) -> Self {
        let handshake = Handshake::server(Arc::new(config), Box::new(SystemRandom), NOW).unwrap();
        Self { handshake, key, find_psk: Box::new(|_| None) }
    }

    pub(crate) fn with_psk(mut self, find_psk: impl Fn(&[u8]) -> Option<Psk> + 'a) -> Self {
        self.find_psk = Box::new(find_psk);
        self
    }

    /// Goes on until bytes are missing or it is over; `incoming` is consumed exactly as asked for.
    pub(crate) fn run(
        &mut self,
        incoming: &mut Vec<u8>,
        outgoing: &mut Vec<u8>,
    ) -> Option<Result<Box<Session>, Error>> {
        let mut rest = &incoming[..];
        let result = self.run_on(&mut rest, |bytes| outgoing.extend_from_slice(bytes));
        incoming.drain(..incoming.len() - rest.len());
        result
    }

    /// The same without a buffer of its own.
    pub(crate) fn run_on(
        &mut self,
        incoming: &mut &[u8],
        send: impl FnMut(&[u8]),
    ) -> Option<Result<Box<Session>, Error>> {
        let Self { handshake, key, find_psk } = self;
        drive::drive(
            handshake,
            incoming,
            send,
            |request| sign(*key, request),
            |offers| find(find_psk, offers),
        )
    }

    /// Answers the question that is asked.
    pub(crate) fn answer(&mut self) {
        let Self { handshake, key, find_psk } = self;
        drive::answer(handshake, |request| sign(*key, request), |offers| find(find_psk, offers));
    }
}

fn sign(key: Option<&SigningKey>, request: &SignRequest<'_>) -> Option<Vec<u8>> {
    let key = key.expect("a key to sign with");
    Some(key.sign(request.scheme, request.message).expect("it signs"))
}

fn find(find_psk: &FindPsk<'_>, offers: &[PskOffer]) -> Option<(usize, Psk)> {
    offers.iter().enumerate().find_map(|(index, offer)| Some((index, find_psk(&offer.identity)?)))
}

/// What an end that still waits is said to have failed with.
pub(crate) const LOST: Error = Error::Local(LocalError::Aborted(AlertDescription::UserCanceled));

/// The outcome at both ends.
pub(crate) struct Outcome {
    pub(crate) client: Result<Box<Session>, Error>,
    pub(crate) server: Result<Box<Session>, Error>,
    /// Everything that the client sent, and the server.
    pub(crate) sent: (Vec<u8>, Vec<u8>),
}

/// Carries bytes between both ends until neither goes on; an end that is still waiting then has lost its peer.
pub(crate) fn connect(client: End<'_>, server: End<'_>) -> Outcome {
    connect_through(client, server, |_, bytes| bytes)
}

/// Carries bytes as [`connect`] does, through somebody who may change them; `Role` is the sender's.
pub(crate) fn connect_through(
    mut client: End<'_>,
    mut server: End<'_>,
    mut wire: impl FnMut(Role, Vec<u8>) -> Vec<u8>,
) -> Outcome {
    let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
    let (mut client_result, mut server_result) = (None, None);
    let mut sent = (Vec::new(), Vec::new());
    loop {
        let (mut from_client, mut from_server) = (Vec::new(), Vec::new());
        if client_result.is_none() {
            client_result = client.run(&mut to_client, &mut from_client);
        }
        sent.0.extend_from_slice(&from_client);
        to_server.append(&mut wire(Role::Client, from_client));
        if server_result.is_none() {
            server_result = server.run(&mut to_server, &mut from_server);
        }
        sent.1.extend_from_slice(&from_server);
        let moved = !from_server.is_empty();
        to_client.append(&mut wire(Role::Server, from_server));
        if !moved {
            break;
        }
    }
    let lost = || Err(LOST);
    Outcome { client: client_result.unwrap_or_else(lost), server: server_result.unwrap_or_else(lost), sent }
}

/// Carries bytes as [`connect`] does, but those of one side in other records.
pub(crate) fn connect_reframed(
    client: End<'_>,
    server: End<'_>,
    side: Role,
    reframer: &mut Reframer<'_>,
) -> Outcome {
    connect_through(
        client,
        server,
        |sender, bytes| {
            if sender == side { reframer.reframe(&bytes) } else { bytes }
        },
    )
}

/// Carries everything from one connection to the other and returns the data that arrived, or the first error.
pub(crate) fn carry(from: &mut Connection, to: &mut Connection) -> Result<Vec<u8>, Error> {
    let mut bytes = from.outgoing().to_vec();
    from.sent(bytes.len());
    let mut data = Vec::new();
    while !bytes.is_empty() {
        let record: Vec<u8> = bytes.drain(..to.wanted()).collect();
        if let Event::Data(part) = to.receive(&record)? {
            data.extend(part);
        }
    }
    Ok(data)
}

/// What application data flows over after an ordinary handshake: the client's end, and the server's.
pub(crate) fn connections() -> (Connection, Connection) {
    let server = identity("server");
    let outcome = connect(
        End::client(client_config(&server), None),
        End::server(server_config(&server), Some(&server.key)),
    );
    (Connection::new(*outcome.client.unwrap()), Connection::new(*outcome.server.unwrap()))
}

pub(crate) fn client_config(server: &Identity) -> ClientConfig {
    ClientConfig {
        server_name: ServerName::parse("server.test"),
        verifier: Some(server.pinned.clone()),
        ..ClientConfig::default()
    }
}

pub(crate) fn server_config(server: &Identity) -> ServerConfig {
    ServerConfig { credentials: vec![server.credential.clone()], ..ServerConfig::default() }
}
