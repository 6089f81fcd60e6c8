//! What both sides do alike in the authentication phase (RFC 8446, Section 4.4): Certificate, CertificateVerify, Finished.

use alloc::{sync::Arc, vec::Vec};

use super::{
    SignRequest,
    codec::{Codes, Writer},
    config::{Credential, KeyLog},
    error::{Error, Violation},
    message::{
        Certificate, CertificateVerify, DistinguishedNames, Finished, HandshakeType, Side, signed_content,
    },
    record::Records,
    session::{ApplicationSecrets, Negotiated},
    transcript::Transcript,
};
use crate::crypto::{
    certificate::UnixTime,
    key_schedule::{EarlySecret, HandshakeSecret, MasterSecret, TrafficSecret, TrafficSecrets},
    public_key::PublicKey,
    secret::Secret,
    signature_scheme::SignatureScheme,
    suite::CipherSuite,
};

/// The schemes that a CertificateVerify of the peer may use, as it is told them.
pub(super) fn signature_algorithms(schemes: &[SignatureScheme]) -> Vec<u16> {
    schemes.iter().map(|scheme| scheme.code()).collect()
}

/// The schemes that may sign the peer's certificates.
pub(super) fn signature_algorithms_cert() -> Vec<u16> {
    signature_algorithms(&SignatureScheme::CERTIFICATE)
}

/// Writes a message, adds it to the transcript and queues it.
pub(super) fn send(
    handshake_type: HandshakeType,
    transcript: &mut Transcript,
    records: &mut Records,
    body: impl FnOnce(&mut Writer),
) -> Result<(), Error> {
    transcript.add(records.write(handshake_type, body)?);
    Ok(())
}

/// The secrets of the handshake's own records, and what the application's will come from.
#[derive(Debug)]
pub(super) struct HandshakeKeys {
    pub(super) client: TrafficSecret,
    pub(super) server: TrafficSecret,
    master: MasterSecret,
}

impl HandshakeKeys {
    /// Derives everything up to the Master Secret, over ClientHello...ServerHello.
    pub(super) fn new(
        suite: CipherSuite,
        early_secret: Option<&EarlySecret>,
        shared_secret: &Secret,
        transcript: &Transcript,
        log: &Log,
    ) -> Self {
        let hash = transcript.hash();
        let handshake = match early_secret {
            Some(early_secret) => early_secret.handshake(shared_secret),
            None => HandshakeSecret::without_psk(suite.hash(), shared_secret),
        };
        let TrafficSecrets { client, server } = handshake.traffic(suite, hash.as_ref());
        log.secret("CLIENT_HANDSHAKE_TRAFFIC_SECRET", client.expose());
        log.secret("SERVER_HANDSHAKE_TRAFFIC_SECRET", server.expose());
        Self { client, server, master: handshake.master() }
    }

    /// The application's secrets, over ClientHello...server Finished.
    pub(super) fn application(&self, transcript: &Transcript, log: &Log) -> ApplicationSecrets {
        let (suite, hash) = (self.client.suite(), transcript.hash());
        let TrafficSecrets { client, server } = self.master.traffic(suite, hash.as_ref());
        let exporter = self.master.exporter(hash.as_ref());
        log.secret("CLIENT_TRAFFIC_SECRET_0", client.expose());
        log.secret("SERVER_TRAFFIC_SECRET_0", server.expose());
        log.secret("EXPORTER_SECRET", exporter.expose());
        ApplicationSecrets { client, server, exporter }
    }
}

/// What every state after the ServerHello has, on either side.
#[derive(Debug)]
pub(super) struct Protected<Config> {
    pub(super) config: Arc<Config>,
    pub(super) now: UnixTime,
    pub(super) log: Log,
    pub(super) negotiated: Negotiated,
    pub(super) transcript: Transcript,
    pub(super) keys: HandshakeKeys,
}

/// Where a handshake's secrets are logged, if anywhere.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) key_log: Option<Arc<dyn KeyLog>>,
    pub(super) client_random: [u8; 32],
}

impl Log {
    fn secret(&self, label: &str, secret: &[u8]) {
        if let Some(key_log) = &self.key_log {
            key_log.log(label, &self.client_random, secret);
        }
    }
}

/// The certificates of a message, to be kept with the session.
pub(super) fn chain_of(certificate: &Certificate<'_>) -> Vec<Vec<u8>> {
    certificate.entries().map(<[u8]>::to_vec).collect()
}

/// Checks the peer's proof of its private key, before it enters the transcript (Section 4.4.3).
///
/// `offered` holds the schemes that we told the peer.
//= rfc8446#section-4.4.3
//# If the verification fails, the receiver MUST terminate the handshake
//# with a "decrypt_error" alert.
pub(super) fn check_certificate_verify(
    message: &CertificateVerify<'_>,
    (peer, key): (Side, &PublicKey),
    offered: &[SignatureScheme],
    transcript: &Transcript,
) -> Result<SignatureScheme, Violation> {
    //= rfc8446#section-4.2.3
    //# The keys found in certificates MUST also be of appropriate type for the signature algorithms they are
    //# used with.
    //= rfc8446#section-4.4.3
    //# In addition, the signature algorithm MUST be compatible with the key in the sender's end-entity
    //# certificate.
    let scheme = SignatureScheme::from_code(message.algorithm)
        .filter(|scheme| offered.contains(scheme) && key.fits(*scheme))
        .ok_or(Violation::UnofferedScheme)?;
    let content = signed_content(peer, transcript.hash().as_ref());
    //= rfc8446#section-4.4.3
    //# The receiver of a CertificateVerify message MUST verify the signature field.
    key.verify_scheme(scheme, &content, message.signature).map_err(|_| Violation::BadCertificateVerify)?;
    Ok(scheme)
}

/// The peer's Finished was verified: only then can a [`super::Session`] be made, and only here.
#[derive(Debug)]
pub(super) struct VerifiedFinished(());

/// Checks the peer's Finished, before it enters the transcript (Section 4.4.4).
pub(super) fn check_finished(
    message: &Finished<'_>,
    secret: &TrafficSecret,
    transcript: &Transcript,
) -> Result<VerifiedFinished, Violation> {
    //= rfc8446#section-4.4.4
    //# Recipients of Finished messages MUST verify that the contents are correct and if incorrect MUST
    //# terminate the connection with a "decrypt_error" alert.
    if !secret.finished().verify(&transcript.hash(), message.verify_data) {
        return Err(Violation::BadFinished);
    }
    Ok(VerifiedFinished(()))
}

/// Sends our Finished (Section 4.4.4).
pub(super) fn send_finished(
    secret: &TrafficSecret,
    transcript: &mut Transcript,
    records: &mut Records,
) -> Result<(), Error> {
    let verify_data = secret.finished().verify_data(&transcript.hash());
    send(HandshakeType::Finished, transcript, records, |w| w.bytes(verify_data.as_ref()))
}

/// A signature that is being waited for.
#[derive(Debug)]
pub(super) struct PendingSignature {
    credential: usize,
    scheme: SignatureScheme,
    content: Vec<u8>,
}

impl PendingSignature {
    /// Sends our certificate and asks for the signature over everything up to it.
    pub(super) fn new(
        side: Side,
        credentials: &[Credential],
        (credential, scheme): (usize, SignatureScheme),
        transcript: &mut Transcript,
        records: &mut Records,
    ) -> Result<Self, Error> {
        let chain = credentials.get(credential).map_or(&[][..], |credential| &credential.chain);
        //= rfc8446#section-4.4.2
        //# The sender's certificate MUST come in the first CertificateEntry in the list.
        send(HandshakeType::Certificate, transcript, records, |w| Certificate::write(w, b"", chain))?;
        let content = signed_content(side, transcript.hash().as_ref());
        Ok(Self { credential, scheme, content })
    }

    /// The question.
    pub(super) fn request(&self) -> SignRequest<'_> {
        SignRequest { credential: self.credential, scheme: self.scheme, message: &self.content }
    }

    /// Sends the CertificateVerify.
    pub(super) fn complete(
        self,
        signature: &[u8],
        transcript: &mut Transcript,
        records: &mut Records,
    ) -> Result<(), Error> {
        //= rfc8446#section-4.4.3
        //# When sent, this message MUST appear immediately after the Certificate message and immediately
        //# prior to the Finished message.
        let message = CertificateVerify { algorithm: self.scheme.code(), signature };
        send(HandshakeType::CertificateVerify, transcript, records, |w| message.write(w))
    }
}

/// The first credential that can sign in one of the peer's schemes, and that scheme: our preference decides.
///
/// A chain from one of the peer's authorities comes before the others; which authority it will accept is the peer's to judge, unless
/// the credential is for those alone that name its issuer.
pub(super) fn choose_credential(
    credentials: &[Credential],
    schemes: Codes<'_>,
    authorities: Option<DistinguishedNames<'_>>,
) -> Result<(usize, SignatureScheme), Violation> {
    //= rfc8446#section-4.2.3
    //# These values refer solely to signatures
    //# which appear in certificates (see Section 4.4.2.2) and are not
    //# defined for use in signed TLS handshake messages
    let usable = |scheme: &SignatureScheme| SignatureScheme::HANDSHAKE.contains(scheme);
    //= rfc8446#section-4.4.3
    //# the signature algorithm MUST be one offered in the client's "signature_algorithms" extension
    //= rfc8446#section-4.4.3
    //# the signature algorithm used in the signature MUST be one of those present in the
    //# supported_signature_algorithms field
    let scheme_of = |credential: &Credential| {
        credential.schemes.iter().find(|scheme| usable(scheme) && schemes.contains(scheme.code())).copied()
    };
    let is_named = |credential: &Credential| {
        authorities.is_some_and(|names| {
            names.iter().any(|name| credential.issuers.iter().any(|issuer| issuer == name))
        })
    };
    //= rfc8446#section-4.4.2.2
    //# public key (and associated restrictions) MUST be compatible with the selected authentication algorithm
    let able = || credentials.iter().enumerate().filter_map(|(i, c)| Some((i, c, scheme_of(c)?)));
    able().next().ok_or(Violation::NoCommonScheme)?;
    //= rfc8446#section-4.4.2.2
    //= type=exception
    //= reason=A credential is chosen by its key and its issuers; who signed its chain how is the administrator's choice.
    //# All certificates provided by the server MUST be signed by a signature algorithm advertised by the
    //# client if it is able to provide such a chain
    let named = able().find(|(_, credential, _)| is_named(credential));
    let chosen = named.or_else(|| able().find(|(_, credential, _)| !credential.issuer_required));
    chosen.map(|(index, _, scheme)| (index, scheme)).ok_or(Violation::NoNamedIssuer)
}
