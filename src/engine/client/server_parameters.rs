//! The server parameters phase of a client: EncryptedExtensions, CertificateRequest (RFC 8446, Section 4.3).

use super::{Protected, State, WaitCertificate, WaitFinished};
use crate::engine::{
    authentication::choose_credential,
    error::{Error, Violation},
    message::{CertificateRequest, EncryptedExtensions, ExtensionType, RECORD_SIZE_LIMITS},
    record::Records,
    session::Peer,
};

/// After the ServerHello.
#[derive(Debug)]
pub(in crate::engine) struct WaitEncryptedExtensions {
    protected: Protected,
    /// Who the server is, if it selected a PSK.
    psk: Option<Peer>,
}

impl WaitEncryptedExtensions {
    pub(super) fn new(protected: Protected, psk: Option<Peer>) -> Self {
        Self { protected, psk }
    }

    pub(super) fn on_encrypted_extensions(
        self,
        message: &EncryptedExtensions<'_>,
        bytes: &[u8],
        records: &mut Records,
    ) -> Result<State, Error> {
        let Self { mut protected, psk } = self;
        protected.check_answers(message)?;
        protected.negotiated.alpn = message.protocol.map(Into::into);
        if let (Some(ours), Some(peers)) =
            (protected.common.config.record_size_limit, message.record_size_limit)
        {
            protected.negotiated.record_size_limits = Some((ours, peers));
            records.limit_record_size(ours, peers);
        }
        protected.transcript.add(bytes);
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
    fn check_answers(&self, message: &EncryptedExtensions<'_>) -> Result<(), Violation> {
        let config = &self.common.config;
        if message.server_name && config.server_name_to_send().is_none() {
            return Err(Violation::UnsolicitedExtension(ExtensionType::SERVER_NAME));
        }
        if let Some(protocol) = message.protocol {
            if config.alpn.is_empty() {
                return Err(Violation::UnsolicitedExtension(
                    ExtensionType::APPLICATION_LAYER_PROTOCOL_NEGOTIATION,
                ));
            }
            if !config.alpn.iter().any(|offered| offered == protocol) {
                return Err(Violation::UnofferedProtocol);
            }
        }
        match (config.record_size_limit, message.record_size_limit) {
            (None, Some(_)) => Err(Violation::UnsolicitedExtension(ExtensionType::RECORD_SIZE_LIMIT)),
            (Some(_), Some(limit)) if !RECORD_SIZE_LIMITS.contains(&limit) => Err(Violation::RecordSizeLimit),
            _ => Ok(()),
        }
    }
}

impl WaitCertificate {
    /// Chooses the certificate to answer with, if one fits (RFC 8446, Section 4.3.2).
    pub(super) fn on_certificate_request(
        self,
        message: &CertificateRequest<'_>,
        bytes: &[u8],
    ) -> Result<Self, Error> {
        let Self { mut protected, requested: _ } = self;
        //= rfc8446#section-4.3.2
        //# This field SHALL be zero length unless used for the
        //# post-handshake authentication exchanges described in
        //# Section 4.6.2.
        if !message.context.is_empty() {
            return Err(Violation::RequestContext.into());
        }
        let credentials = &protected.common.config.credentials;
        let choice = choose_credential(credentials, message.signature_algorithms, message.authorities);
        protected.transcript.add(bytes);
        Ok(Self { protected, requested: Some(choice) })
    }
}
