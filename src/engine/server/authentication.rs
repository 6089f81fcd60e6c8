//! The authentication phase of a server: the client's Certificate, CertificateVerify and Finished (RFC 8446, Section 4.4).

use alloc::{boxed::Box, vec::Vec};

use super::{Protected, State};
use crate::{
    crypto::{certificate::Purpose, public_key::PublicKey, signature_scheme::SignatureScheme},
    engine::{
        authentication::{chain_of, check_certificate_verify, check_finished},
        config::ClientAuthentication,
        error::{ConfigError, Error, Violation},
        message::{Certificate, CertificateVerify, Finished, Message, Side},
        record::Records,
        session::{ApplicationSecrets, Peer, Role, Session},
    },
};

/// After our Finished, when a certificate was asked for.
#[derive(Debug)]
pub(in crate::engine) struct WaitCertificate {
    protected: Box<Protected>,
    secrets: ApplicationSecrets,
}

/// After the client's Certificate: its path was verified, its key was not yet proved.
#[derive(Debug)]
pub(in crate::engine) struct WaitCertificateVerify {
    protected: Box<Protected>,
    secrets: ApplicationSecrets,
    chain: Vec<Vec<u8>>,
    key: PublicKey,
}

/// After everything but the client's Finished.
#[derive(Debug)]
pub(in crate::engine) struct WaitFinished {
    protected: Box<Protected>,
    secrets: ApplicationSecrets,
    peer: Peer,
    scheme: Option<SignatureScheme>,
}

impl WaitCertificate {
    pub(super) fn new(protected: Box<Protected>, secrets: ApplicationSecrets) -> Self {
        Self { protected, secrets }
    }

    pub(super) fn on_certificate(self, message: Message<'_>) -> Result<State, Error> {
        let Self { mut protected, secrets } = self;
        let certificate = Certificate::read(message.body)?;
        if !certificate.context.is_empty() {
            return Err(Violation::RequestContext.into());
        }
        let chain = chain_of(&certificate);
        let config = &protected.config;
        if chain.is_empty() {
            //= rfc8446#section-4.4.2.4
            //# If the client does not send any certificates (i.e., it sends an empty
            //# Certificate message), the server MAY at its discretion either
            //# continue the handshake without client authentication or abort the
            //# handshake with a "certificate_required" alert.
            if config.client_authentication == ClientAuthentication::Required {
                return Err(Violation::NoCertificate.into());
            }
            protected.transcript.add(message.bytes);
            return Ok(State::WaitFinished(WaitFinished::new(protected, secrets, Peer::Anonymous)));
        }
        let verifier = config.verifier.as_ref().ok_or(Error::Config(ConfigError::NoVerifier))?;
        let key = verifier.verify(&chain, Purpose::Client, protected.now).map_err(Error::Certificate)?;
        protected.transcript.add(message.bytes);
        Ok(State::WaitCertificateVerify(WaitCertificateVerify { protected, secrets, chain, key }))
    }
}

impl WaitCertificateVerify {
    pub(super) fn on_certificate_verify(self, message: Message<'_>) -> Result<WaitFinished, Error> {
        let Self { mut protected, secrets, chain, key } = self;
        let verify = CertificateVerify::read(message.body)?;
        let offered = &protected.config.signature_schemes;
        let scheme = check_certificate_verify(&verify, (Side::Client, &key), offered, &protected.transcript)?;
        protected.transcript.add(message.bytes);
        Ok(WaitFinished { protected, secrets, peer: Peer::Certificate { chain }, scheme: Some(scheme) })
    }
}

impl WaitFinished {
    pub(super) fn new(protected: Box<Protected>, secrets: ApplicationSecrets, peer: Peer) -> Self {
        Self { protected, secrets, peer, scheme: None }
    }

    /// Verifies the client's Finished.
    ///
    /// K_recv = application, for whoever takes the session: nothing more is read here.
    pub(super) fn on_finished(
        self,
        message: Message<'_>,
        records: &mut Records,
    ) -> Result<Box<Session>, Error> {
        let Self { protected, secrets, peer, scheme } = self;
        let finished = Finished::read(message.body);
        let proof = check_finished(&finished, &protected.keys.client, &protected.transcript)?;
        records.end_flight()?;
        Ok(Box::new(Session::new(proof, Role::Server, protected.negotiated, secrets, peer, scheme)))
    }
}

#[cfg(test)]
#[path = "../rfc8448/entry/server_authentication.rs"]
mod entry;
