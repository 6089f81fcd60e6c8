//! Answers the engine's questions: the one holder of private keys and PSKs.
//!
//! What parses a peer's bytes asks ([`super::worker`]); what has the keys answers. The border between two processes runs here.

use std::sync::Arc;

use crate::{
    crypto::{hash::Hash, signature_scheme::SignatureScheme},
    engine::{Psk, PskOffer, Side, SignRequest, signed_content},
};

use super::{
    border::Proved,
    driver::Answers,
    flow::read_psk,
    keyring::{KeySerial, Loan, PskSearch},
    log::Sanitised,
    material::Identity,
};

/// REMOTE_AUTH for a client that proved a certificate: nfsd only looks whether it is 0, so no key is made for it.
const CERTIFIED: u32 = u32::MAX;
/// How often PSKs are looked for in one handshake: a worker that was taken over learns no more of them.
const MAX_SEARCHES: u8 = 4;

/// What one handshake's questions are answered from.
#[derive(Debug)]
pub(super) struct Broker {
    source: Source,
    /// How often PSKs were looked for.
    searches: u8,
    /// Whether a signature was asked for.
    has_signed: bool,
    /// Why a PSK that exists was not used.
    trouble: Option<String>,
}

#[derive(Debug)]
enum Source {
    /// A certificate's key, or none.
    Signer(Option<Arc<Identity>>),
    /// The PSKs that we offer, in order, with their identities.
    Offerer(Vec<(KeySerial, Vec<u8>)>),
    /// The keyrings to look in, and what was found there.
    Finder { keyrings: Vec<KeySerial>, found: Option<Found> },
}

/// A PSK that was handed out.
#[derive(Debug)]
struct Found {
    key: KeySerial,
    identity: Vec<u8>,
}

impl Broker {
    /// For a handshake with certificates.
    pub(super) fn signer(identity: Option<Arc<Identity>>) -> Self {
        Self::new(Source::Signer(identity))
    }

    /// For a client that offers these PSKs, with their identities.
    pub(super) fn offerer(keys: Vec<(KeySerial, Vec<u8>)>) -> Self {
        Self::new(Source::Offerer(keys))
    }

    /// For a server that looks for PSKs in these keyrings.
    pub(super) fn finder(keyrings: Vec<KeySerial>) -> Self {
        Self::new(Source::Finder { keyrings, found: None })
    }

    fn new(source: Source) -> Self {
        Self { source, searches: 0, has_signed: false, trouble: None }
    }

    /// Whether our certificate was shown.
    pub(super) fn has_signed(&self) -> bool {
        self.has_signed
    }

    #[cfg(test)]
    pub(super) fn note_signature(&mut self) {
        self.has_signed = true;
    }

    /// Whether this PSK was offered at this place, or looked for and handed out: then the worker alone knows the places, as it asks
    /// only for what is left of the offers.
    pub(super) fn knows_psk(&self, index: usize, identity: &[u8]) -> bool {
        match &self.source {
            Source::Signer(_) => false,
            Source::Offerer(keys) => keys.get(index).is_some_and(|(_, offered)| offered == identity),
            Source::Finder { found, .. } => found.as_ref().is_some_and(|found| found.identity == identity),
        }
    }

    /// Who the peer is, for DONE: the serial of its PSK, or that a client proved a certificate.
    pub(super) fn remote_auth(&self, peer: &Proved, we_are_server: bool) -> Option<u32> {
        match (peer, &self.source) {
            (Proved::Psk { index, .. }, Source::Offerer(keys)) => {
                keys.get(*index).map(|(key, _)| key.number())
            }
            (Proved::Psk { .. }, Source::Finder { found, .. }) => {
                found.as_ref().map(|found| found.key.number())
            }
            (Proved::Certificate(_), Source::Signer(_)) if we_are_server => Some(CERTIFIED),
            _ => None,
        }
    }

    /// Why a PSK that exists was not used, for the log.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Signs what a worker asks for: once in a handshake, and nothing but the content of a CertificateVerify of our side.
    pub(super) fn sign_content(
        &mut self,
        we_are_server: bool,
        scheme: SignatureScheme,
        message: &[u8],
    ) -> Option<Vec<u8>> {
        let side = if we_are_server { Side::Server } else { Side::Client };
        let is_content = [Hash::Sha256, Hash::Sha384].iter().any(|hash| {
            let transcript_hash = message.len().checked_sub(hash.length()).and_then(|at| message.get(at..));
            transcript_hash.is_some_and(|transcript_hash| signed_content(side, transcript_hash) == message)
        });
        if self.has_signed || !is_content {
            return None;
        }
        self.sign(&SignRequest { credential: 0, scheme, message })
    }

    /// Looks an identity up; the first keyring that has it decides.
    fn look_up(&mut self, searches: &[PskSearch], identity: &[u8]) -> Option<(KeySerial, Psk)> {
        for search in searches {
            let keyring = search.keyring;
            // One that we may not link may still be one that we may search.
            let _loan = Loan::of(keyring);
            let outcome = match search.find(identity) {
                Ok(None) => continue,
                Ok(Some(key)) => read_psk(key).map(|psk| (key, psk)).map_err(|error| error.to_string()),
                Err(error) => Err(format!("searching {keyring}: {error}")),
            };
            match outcome {
                Ok(found) => return Some(found),
                Err(problem) => self.trouble = Some(problem),
            }
        }
        None
    }
}

impl Answers for Broker {
    fn sign(&mut self, request: &SignRequest<'_>) -> Option<Vec<u8>> {
        let Source::Signer(Some(identity)) = &self.source else { return None };
        self.has_signed = true;
        identity.key.sign(request.scheme, request.message).ok()
    }

    fn find_psk(&mut self, offers: &[PskOffer]) -> Option<(usize, Psk)> {
        let Source::Finder { keyrings, .. } = &self.source else { return None };
        let keyrings = keyrings.clone();
        self.source = Source::Finder { keyrings: keyrings.clone(), found: None };
        // Once, again after a HelloRetryRequest, and each time again when the PSK went with none of the client's suites.
        self.searches = self.searches.saturating_add(1);
        if self.searches > MAX_SEARCHES {
            return None;
        }
        let searches: Vec<_> = keyrings.iter().copied().map(PskSearch::new).collect();
        for (index, offer) in offers.iter().enumerate() {
            if let Some((key, psk)) = self.look_up(&searches, &offer.identity) {
                let found = Some(Found { key, identity: offer.identity.clone() });
                self.source = Source::Finder { keyrings, found };
                return Some((index, psk));
            }
        }
        if self.trouble.is_none() {
            self.trouble =
                offers.first().map(|offer| format!("it offered \"{}\"", Sanitised(&offer.identity)));
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(serial: i32) -> KeySerial {
        KeySerial::new(serial).unwrap()
    }

    #[test]
    fn a_psk_is_known_wherever_it_stands_among_the_offers() {
        let found = Found { key: key(11), identity: b"a".into() };
        let finder = Broker::new(Source::Finder { keyrings: vec![], found: Some(found) });
        // The second offer of a client: the broker was asked for it alone, after the first went with no suite.
        assert!(finder.knows_psk(1, b"a") && !finder.knows_psk(1, b"b"));
        let offerer = Broker::offerer(vec![(key(11), b"a".into()), (key(12), b"b".into())]);
        assert!(offerer.knows_psk(1, b"b") && !offerer.knows_psk(0, b"b"));
    }

    #[test]
    fn the_kernel_learns_who_the_peer_is() {
        let psk = |index| Proved::Psk { identity: vec![], index };
        let offerer = Broker::offerer(vec![(key(11), b"a".into()), (key(12), b"b".into())]);
        assert_eq!(offerer.remote_auth(&psk(1), false), Some(12));
        let signer = Broker::signer(None);
        let certificate = Proved::Certificate(String::new());
        assert_eq!(signer.remote_auth(&certificate, true), Some(u32::MAX));
        assert_eq!(
            signer.remote_auth(&certificate, false),
            None,
            "a server's certificate is not the peer of a mount"
        );
        assert_eq!(signer.remote_auth(&Proved::Nobody, true), None);
    }
}
