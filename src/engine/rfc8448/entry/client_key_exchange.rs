//! Where the traces of RFC 8448 enter.
use super::*;
use crate::{crypto::kx::KeyShare, engine::message::ClientHello};

impl WaitServerHello {
    /// As after a ClientHello that another implementation wrote.
    pub(in crate::engine::client) fn after_client_hello(
        config: Arc<ClientConfig>,
        random: Box<dyn Random>,
        client_hello: &[u8],
        key_share: Box<dyn KeyShare>,
    ) -> Self {
        let hello = ClientHello::read(Message::read(client_hello).unwrap().body).unwrap();
        let log = Log { key_log: config.key_log.clone(), client_random: *hello.random };
        let (session_id, key_shares) = (hello.session_id.into(), KeyShares::of(key_share));
        let (now, psks) = (UnixTime(0), Vec::new());
        let offered = Offered { config, now, log, random, session_id, key_shares, psks };
        Self { offered: offered.into(), client_hello: client_hello.into() }
    }
}

impl WaitSecondServerHello {
    /// As after another ClientHello than ours.
    pub(in crate::engine) fn with_transcript(self, transcript: Transcript) -> Self {
        Self { transcript, ..self }
    }
}
