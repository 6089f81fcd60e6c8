//! Where the traces of RFC 8448 enter.
use super::*;
use crate::engine::message::signed_content;

impl WaitCertificateVerify {
    /// Takes a CertificateVerify whose key our policy refuses, if `verifies` says so of the end entity and the signed content.
    pub(in crate::engine) fn trust(
        self,
        bytes: &[u8],
        verifies: impl FnOnce(&[u8], &[u8]) -> bool,
    ) -> WaitFinished {
        let Self { mut protected, secrets, chain, key: _ } = self;
        let content = signed_content(Side::Client, protected.transcript.hash().as_ref());
        assert!(verifies(&chain[0], &content));
        protected.transcript.add(bytes);
        let scheme = Some(SignatureScheme::RsaPssRsaeSha256);
        WaitFinished { protected, secrets, peer: Peer::Certificate { chain }, scheme }
    }
}
