//! The server parameters phase of a client: EncryptedExtensions, CertificateRequest (RFC 8446, Section 4.3).

use alloc::boxed::Box;

use super::{Protected, State, WaitCertificate, WaitFinished};
use crate::engine::{
    authentication::choose_credential,
    error::{Error, Violation},
    message::{CertificateRequest, EncryptedExtensions, ExtensionType, Message, RECORD_SIZE_LIMITS},
    record::Records,
    session::Peer,
};

/// After the ServerHello.
#[derive(Debug)]
pub(in crate::engine) struct WaitEncryptedExtensions {
    protected: Box<Protected>,
    /// Who the server is, if it selected a PSK.
    psk: Option<Peer>,
}

impl WaitEncryptedExtensions {
    pub(super) fn new(protected: Box<Protected>, psk: Option<Peer>) -> Self {
        Self { protected, psk }
    }

    pub(super) fn on_encrypted_extensions(
        self,
        message: Message<'_>,
        records: &mut Records,
    ) -> Result<State, Error> {
        let Self { mut protected, psk } = self;
        let answers = EncryptedExtensions::read(message.body)?;
        protected.check_answers(&answers)?;
        //= rfc7301#section-3.2
        //# The protocol identified in the "application_layer_protocol_negotiation" extension type in the
        //# ServerHello SHALL be definitive for the connection, until renegotiated.
        protected.negotiated.alpn = answers.protocol.map(Into::into);
        if let (Some(ours), Some(peers)) = (protected.config.record_size_limit, answers.record_size_limit) {
            protected.negotiated.record_size_limits = Some((ours, peers));
            records.limit_record_size(ours, peers);
        }
        protected.transcript.add(message.bytes);
        Ok(match psk {
            Some(peer) => State::WaitFinished(WaitFinished::under_psk(protected, peer)),
            None => State::WaitCertificate(WaitCertificate::new(protected)),
        })
    }
}

impl Protected {
    /// Refuses answers to what was not asked, and answers that were not on offer.
    //= rfc8446#section-4.2
    //# Implementations MUST NOT send extension responses if the remote
    //# endpoint did not send the corresponding extension requests, with the
    //# exception of the "cookie" extension in the HelloRetryRequest.  Upon
    //# receiving such an extension, an endpoint MUST abort the handshake
    //# with an "unsupported_extension" alert.
    fn check_answers(&self, answers: &EncryptedExtensions<'_>) -> Result<(), Violation> {
        let config = &self.config;
        if answers.server_name && config.server_name_to_send().is_none() {
            return Err(Violation::UnsolicitedExtension(ExtensionType::SERVER_NAME));
        }
        if let Some(protocol) = answers.protocol {
            if config.alpn.is_empty() {
                return Err(Violation::UnsolicitedExtension(
                    ExtensionType::APPLICATION_LAYER_PROTOCOL_NEGOTIATION,
                ));
            }
            if !config.alpn.iter().any(|offered| offered == protocol) {
                return Err(Violation::UnofferedProtocol);
            }
        } else if config.alpn_required {
            return Err(Violation::NoCommonProtocol);
        }
        match (config.record_size_limit, answers.record_size_limit) {
            (None, Some(_)) => Err(Violation::UnsolicitedExtension(ExtensionType::RECORD_SIZE_LIMIT)),
            (Some(_), Some(limit)) if !RECORD_SIZE_LIMITS.contains(&limit) => Err(Violation::RecordSizeLimit),
            _ => Ok(()),
        }
    }
}

impl WaitCertificate {
    /// Chooses the certificate to answer with, if one fits (RFC 8446, Section 4.3.2).
    pub(super) fn on_certificate_request(self, message: Message<'_>) -> Result<Self, Error> {
        let Self { mut protected, requested: _ } = self;
        let request = CertificateRequest::read(message.body)?;
        //= rfc8446#section-4.3.2
        //# This field SHALL be zero length unless used for the
        //# post-handshake authentication exchanges described in
        //# Section 4.6.2.
        if !request.context.is_empty() {
            return Err(Violation::RequestContext.into());
        }
        let credentials = &protected.config.credentials;
        let choice = choose_credential(credentials, request.signature_algorithms, request.authorities);
        if protected.config.certificate_required {
            choice?;
        }
        protected.transcript.add(message.bytes);
        Ok(Self { protected, requested: Some(choice.ok()) })
    }
}
