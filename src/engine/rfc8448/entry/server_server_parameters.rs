//! Where the traces of RFC 8448 enter.
use super::*;
use crate::engine::transcript::Transcript;

impl WaitSignature {
    /// Begins the flight anew after other EncryptedExtensions than ours (and another CertificateRequest).
    pub(in crate::engine) fn restart(
        self,
        mut transcript: Transcript,
        messages: &[&[u8]],
        records: &mut Records,
    ) -> Result<Self, Error> {
        for message in messages {
            transcript.add(message);
            records.send(message);
        }
        let Self { mut protected, signature } = self;
        let (credentials, request) = (&protected.config.credentials, signature.request());
        let choice = (request.credential, request.scheme);
        let signature = PendingSignature::new(Side::Server, credentials, choice, &mut transcript, records)?;
        protected.transcript = transcript;
        Ok(Self { protected, signature })
    }
}
