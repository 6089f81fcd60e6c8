//! Where the traces of RFC 8448 enter.
use super::*;
use crate::crypto::kx::KeyShare;

impl State {
    /// As after a ClientHello that another implementation wrote.
    pub(in crate::engine) fn after_client_hello(
        config: Arc<ClientConfig>,
        random: Box<dyn Random>,
        client_hello: &[u8],
        key_share: Box<dyn KeyShare>,
    ) -> Self {
        WaitSh(WaitServerHello::after_client_hello(config, random, client_hello, key_share))
    }
}
