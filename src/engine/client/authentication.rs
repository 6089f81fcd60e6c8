//! The authentication phase of a client: the server's Certificate, CertificateVerify, Finished, and ours (RFC 8446, Section 4.4).

use alloc::{boxed::Box, vec::Vec};

use super::{Protected, State};
use crate::{
    crypto::{certificate::Purpose, public_key::PublicKey, signature_scheme::SignatureScheme},
    engine::{
        SignRequest,
        authentication::{
            PendingSignature, VerifiedFinished, chain_of, check_certificate_verify, check_finished, send,
            send_finished,
        },
        error::{ConfigError, Error, Violation},
        message::{Certificate, CertificateVerify, Finished, HandshakeType, Message, Side},
        record::Records,
        session::{ApplicationSecrets, Peer, Role, Session},
    },
};

/// The answer to a CertificateRequest: a credential and its scheme, or that none fits.
type Choice = Option<(usize, SignatureScheme)>;

/// After EncryptedExtensions, without a PSK.
#[derive(Debug)]
pub(in crate::engine) struct WaitCertificate {
    pub(super) protected: Box<Protected>,
    /// Whether the server asked for our certificate, and which one it will get.
    pub(super) requested: Option<Choice>,
}

/// After the server's Certificate: its path was verified, its key was not yet proved.
#[derive(Debug)]
pub(in crate::engine) struct WaitCertificateVerify {
    protected: Box<Protected>,
    requested: Option<Choice>,
    chain: Vec<Vec<u8>>,
    key: PublicKey,
}

/// After everything but the server's Finished.
#[derive(Debug)]
pub(in crate::engine) struct WaitFinished {
    protected: Box<Protected>,
    requested: Option<Choice>,
    peer: Peer,
    scheme: Option<SignatureScheme>,
}

/// After the server's Finished, when our certificate was asked for and sent.
#[derive(Debug)]
pub(in crate::engine) struct WaitSignature {
    finishing: Finishing,
    signature: PendingSignature,
}

/// What is left to do is ours.
#[derive(Debug)]
struct Finishing {
    protected: Box<Protected>,
    peer: Peer,
    scheme: Option<SignatureScheme>,
    proof: VerifiedFinished,
    secrets: ApplicationSecrets,
}

impl WaitCertificate {
    pub(super) fn new(protected: Box<Protected>) -> Self {
        Self { protected, requested: None }
    }

    pub(super) fn was_requested(&self) -> bool {
        self.requested.is_some()
    }

    pub(super) fn on_certificate(self, message: Message<'_>) -> Result<WaitCertificateVerify, Error> {
        let Self { mut protected, requested } = self;
        let certificate = Certificate::read(message.body)?;
        //= rfc8446#section-4.4.2
        //# Otherwise (in the case of server authentication), this field SHALL be zero length.
        if !certificate.context.is_empty() {
            return Err(Violation::RequestContext.into());
        }
        let chain = chain_of(&certificate);
        //= rfc8446#section-4.4.2.4
        //# If the server supplies an empty Certificate message, the client MUST
        //# abort the handshake with a "decode_error" alert.
        if chain.is_empty() {
            return Err(Violation::EmptyCertificate.into());
        }
        let config = &protected.config;
        let (Some(verifier), Some(name)) = (&config.verifier, &config.server_name) else {
            return Err(Error::Config(ConfigError::NoAuthentication));
        };
        //= rfc8446#section-4.4.2
        //# the end-entity certificate which MUST be first.
        let key =
            verifier.verify(&chain, Purpose::Server(name), protected.now).map_err(Error::Certificate)?;
        protected.transcript.add(message.bytes);
        Ok(WaitCertificateVerify { protected, requested, chain, key })
    }
}

impl WaitCertificateVerify {
    pub(super) fn on_certificate_verify(self, message: Message<'_>) -> Result<WaitFinished, Error> {
        let Self { mut protected, requested, chain, key } = self;
        let verify = CertificateVerify::read(message.body)?;
        let offered = &protected.config.signature_schemes;
        let scheme = check_certificate_verify(&verify, (Side::Server, &key), offered, &protected.transcript)?;
        protected.transcript.add(message.bytes);
        Ok(WaitFinished { protected, requested, peer: Peer::Certificate { chain }, scheme: Some(scheme) })
    }
}

impl WaitFinished {
    pub(super) fn under_psk(protected: Box<Protected>, peer: Peer) -> Self {
        Self { protected, requested: None, peer, scheme: None }
    }

    /// Verifies the server's Finished, and sends our last flight or asks for its signature.
    ///
    /// K_recv = application, for whoever takes the session: nothing more is read here.
    pub(super) fn on_finished(self, message: Message<'_>, records: &mut Records) -> Result<State, Error> {
        let Self { mut protected, requested, peer, scheme } = self;
        let finished = Finished::read(message.body);
        let proof = check_finished(&finished, &protected.keys.server, &protected.transcript)?;
        protected.transcript.add(message.bytes);
        let secrets = protected.keys.application(&protected.transcript, &protected.log);
        records.end_flight()?;
        let mut finishing = Finishing { protected, peer, scheme, proof, secrets };
        //= rfc8446#section-4.4.2
        //# The client MUST send a Certificate message if and only if the server has requested client
        //# authentication via a CertificateRequest message
        match requested {
            None => {}
            //= rfc8446#section-4.4.2
            //# the client MUST send a Certificate message containing no certificates
            Some(None) => finishing.send_empty_certificate(records)?,
            Some(Some(choice)) => {
                return finishing.send_certificate(choice, records).map(State::WaitSignature);
            }
        }
        //= rfc8446#section-4.4.2
        //# A Finished message MUST be sent regardless of whether the Certificate message is empty.
        Ok(State::Connected(finishing.finish(records)?))
    }
}

impl WaitSignature {
    pub(in crate::engine) fn request(&self) -> SignRequest<'_> {
        self.signature.request()
    }

    pub(super) fn on_signature(self, signature: &[u8], records: &mut Records) -> Result<Box<Session>, Error> {
        let Self { mut finishing, signature: pending } = self;
        //= rfc8446#section-4.4.3
        //# Clients MUST send this message whenever authenticating via a certificate (i.e., when the
        //# Certificate message is non-empty).
        pending.complete(signature, &mut finishing.protected.transcript, records)?;
        finishing.finish(records)
    }
}

impl Finishing {
    fn send_certificate(
        mut self,
        choice: (usize, SignatureScheme),
        records: &mut Records,
    ) -> Result<WaitSignature, Error> {
        let Protected { config, transcript, .. } = &mut *self.protected;
        let signature =
            PendingSignature::new(Side::Client, &config.credentials, choice, transcript, records)?;
        Ok(WaitSignature { finishing: self, signature })
    }

    /// RFC 8446, Section 4.4.2: a client without a suitable certificate sends an empty list.
    fn send_empty_certificate(&mut self, records: &mut Records) -> Result<(), Error> {
        send(HandshakeType::Certificate, &mut self.protected.transcript, records, |w| {
            Certificate::write(w, b"", &[])
        })
    }

    /// Sends our Finished. K_send = application.
    fn finish(self, records: &mut Records) -> Result<Box<Session>, Error> {
        let Self { mut protected, peer, scheme, proof, secrets } = self;
        send_finished(&protected.keys.client, &mut protected.transcript, records)?;
        //= rfc8446#section-4.4.4
        //# Any records following a Finished message MUST be encrypted under the appropriate application
        //# traffic key as described in Section 7.2.
        records.send_with(&secrets.client)?;
        Ok(Box::new(Session::new(proof, Role::Client, protected.negotiated, secrets, peer, scheme)))
    }
}

#[cfg(test)]
#[path = "../rfc8448/entry/client_authentication.rs"]
mod entry;
