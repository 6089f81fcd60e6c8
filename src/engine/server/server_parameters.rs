//! The server parameters phase of a server, and its own authentication: EncryptedExtensions, CertificateRequest, Certificate,
//! CertificateVerify, Finished (RFC 8446, Sections 4.3 and 4.4).

use alloc::boxed::Box;

use super::{
    Protected, State, WaitCertificate, WaitFinished,
    negotiate::{Authentication, FoundPsk},
};
use crate::engine::{
    SignRequest,
    authentication::{
        self as common, PendingSignature, send_finished, signature_algorithms, signature_algorithms_cert,
    },
    config::ClientAuthentication,
    error::Error,
    message::{CertificateRequest, EncryptedExtensions, HandshakeType, Side},
    record::Records,
    session::Peer,
};

/// After our Certificate: its CertificateVerify waits for a signature.
#[derive(Debug)]
pub(in crate::engine) struct WaitSignature {
    protected: Box<Protected>,
    signature: PendingSignature,
}

/// Sends everything after the ServerHello, as far as it goes without a signature.
//= rfc8446#section-4
//# Protocol messages MUST be sent in the order defined in Section 4.4.1 and shown in the diagrams in Section
//# 2.
pub(super) fn send(
    mut protected: Box<Protected>,
    authentication: Authentication<'_>,
    records: &mut Records,
) -> Result<State, Error> {
    //= rfc8446#section-4.3.1
    //# In all handshakes, the server MUST send the EncryptedExtensions message immediately after the
    //# ServerHello message.
    protected.send_encrypted_extensions(records)?;
    match authentication {
        Authentication::Certificate(credential, scheme) => {
            //= rfc8446#section-4.3.2
            //# This message, if sent, MUST follow EncryptedExtensions.
            protected.send_certificate_request(records)?;
            let Protected { config, transcript, .. } = &mut *protected;
            let credentials = &config.credentials;
            let choice = (credential, scheme);
            //= rfc8446#section-4.4.2
            //# The server MUST send a Certificate message whenever the agreed-upon key exchange method uses
            //# certificates for authentication
            let signature = PendingSignature::new(Side::Server, credentials, choice, transcript, records)?;
            Ok(State::WaitSignature(WaitSignature { protected, signature }))
        }
        //= rfc8446#section-4.3.2
        //# Servers which are authenticating with a PSK MUST NOT send the CertificateRequest message in the
        //# main handshake
        //= rfc8446#appendix-E.1
        //# Implementations MUST NOT combine external PSKs with certificate-based authentication of either the
        //# client or the server
        Authentication::Psk(FoundPsk { index, psk }) => {
            let peer = Peer::Psk { identity: psk.identity().into(), index: usize::from(*index) };
            protected.finish(Some(peer), records)
        }
    }
}

impl WaitSignature {
    pub(in crate::engine) fn request(&self) -> SignRequest<'_> {
        self.signature.request()
    }

    pub(super) fn on_signature(self, signature: &[u8], records: &mut Records) -> Result<State, Error> {
        let Self { mut protected, signature: pending } = self;
        //= rfc8446#section-4.4.3
        //# Servers MUST send this message when authenticating via a certificate.
        pending.complete(signature, &mut protected.transcript, records)?;
        protected.finish(None, records)
    }
}

impl Protected {
    fn send_encrypted_extensions(&mut self, records: &mut Records) -> Result<(), Error> {
        let record_size_limits = self.negotiated.record_size_limits;
        //= rfc8446#section-4.2
        //# Implementations MUST NOT send extension responses if the remote endpoint did not send the
        //# corresponding extension requests
        let extensions = EncryptedExtensions {
            protocol: self.negotiated.alpn.as_deref(),
            record_size_limit: record_size_limits.map(|(ours, _)| ours),
            server_name: false,
        };
        if let Some((ours, peers)) = record_size_limits {
            records.limit_record_size(ours, peers);
        }
        common::send(HandshakeType::EncryptedExtensions, &mut self.transcript, records, |w| {
            extensions.write(w)
        })
    }

    fn send_certificate_request(&mut self, records: &mut Records) -> Result<(), Error> {
        let config = &self.config;
        if config.client_authentication == ClientAuthentication::None {
            return Ok(());
        }
        let authorities = config.verifier.as_ref().map_or(&[][..], |verifier| verifier.authorities());
        common::send(HandshakeType::CertificateRequest, &mut self.transcript, records, |w| {
            let schemes = signature_algorithms(&config.signature_schemes);
            CertificateRequest::write(w, &schemes, &signature_algorithms_cert(), authorities);
        })
    }

    /// Sends our Finished, derives the application's secrets, and waits for the client's flight. K_send = application.
    fn finish(mut self: Box<Self>, psk_peer: Option<Peer>, records: &mut Records) -> Result<State, Error> {
        send_finished(&self.keys.server, &mut self.transcript, records)?;
        let secrets = self.keys.application(&self.transcript, &self.log);
        records.send_with(&secrets.server)?;
        let asks = self.config.client_authentication != ClientAuthentication::None;
        Ok(match psk_peer {
            None if asks => State::WaitCertificate(WaitCertificate::new(self, secrets)),
            peer => State::WaitFinished(WaitFinished::new(self, secrets, peer.unwrap_or(Peer::Anonymous))),
        })
    }
}

#[cfg(test)]
#[path = "../rfc8448/entry/server_server_parameters.rs"]
mod entry;
