//! What the runner gives us to prove who we are with, certificates with their keys and PSKs, and the answers made from it.

use std::fs;

use handclasp::{
    crypto::{
        hash::Hash,
        pem,
        public_key::KeyError,
        sign::{SigningError, SigningKey},
        signature_scheme::SignatureScheme,
        x509,
    },
    engine::{Error, ExternalPsk, Psk, PskOffer, SignRequest, config::Credential},
};

use crate::{
    Failure,
    flags::{CredentialFlags, CredentialKind, FlagError, Flags},
};

/// A certificate and the key that goes with it.
struct Certified {
    number: i32,
    credential: Credential,
    key: SigningKey,
}

/// A PSK bound to one hash.
struct Shared {
    number: i32,
    psk: CredentialFlags,
    target: Hash,
}

/// Everything that can be proved.
///
/// The runner numbers credentials by their `-new-..-credential` flags, the default one is -1. As in BoringSSL, it comes last.
pub struct Credentials {
    certified: Vec<Certified>,
    shared: Vec<Shared>,
}

impl Credentials {
    /// Reads what the flags name.
    pub fn load(flags: &Flags) -> Result<Self, Failure> {
        let mut credentials = Self { certified: Vec::new(), shared: Vec::new() };
        let numbered = flags.credentials.iter().zip(-1..);
        for (flags, number) in numbered.clone().skip(1).chain(numbered.take(1)) {
            match flags.kind {
                CredentialKind::Psk => {
                    let bound_to = |target| Shared { number, psk: flags.clone(), target };
                    credentials.shared.extend([Hash::Sha256, Hash::Sha384].map(bound_to));
                }
                _ => credentials.certified.extend(certified(flags, number)?),
            }
        }
        Ok(credentials)
    }

    /// The certificates, for a configuration.
    pub fn certificates(&self) -> Vec<Credential> {
        self.certified.iter().map(|certified| certified.credential.clone()).collect()
    }

    /// Keeps only these schemes.
    pub fn sign_only_with(&mut self, schemes: &[SignatureScheme]) {
        for certified in &mut self.certified {
            certified.credential.schemes.retain(|scheme| schemes.contains(scheme));
        }
    }

    /// The PSKs in the order in which a client offers them.
    pub fn psks(&self) -> Result<Vec<Psk>, Error> {
        self.shared.iter().map(Shared::import).collect()
    }

    pub fn has_psks(&self) -> bool {
        !self.shared.is_empty()
    }

    /// Answers `Step::Sign`, and tells the runner's number of the credential.
    pub fn sign(&self, request: &SignRequest<'_>) -> (i32, Result<Vec<u8>, SigningError>) {
        let Certified { number, key, .. } = &self.certified[request.credential];
        (*number, key.sign(request.scheme, request.message))
    }

    /// Answers `Step::FindPsk` by our preference: the index of the offer.
    pub fn find_psk(&self, offers: &[PskOffer]) -> Option<(usize, Psk)> {
        self.imported().find_map(|(_, psk)| {
            let index = offers.iter().position(|offer| offer.identity == psk.identity())?;
            Some((index, psk))
        })
    }

    /// The runner's number of the PSK with this identity.
    pub fn number_of(&self, identity: &[u8]) -> Option<i32> {
        self.imported().find(|(_, psk)| psk.identity() == identity).map(|(number, _)| number)
    }

    fn imported(&self) -> impl Iterator<Item = (i32, Psk)> {
        self.shared.iter().filter_map(|shared| Some((shared.number, shared.import().ok()?)))
    }
}

impl Shared {
    fn import(&self) -> Result<Psk, Error> {
        let CredentialFlags { psk: secret, psk_identity: identity, psk_context: context, psk_sha384, .. } =
            &self.psk;
        let hash = if *psk_sha384 { Hash::Sha384 } else { Hash::Sha256 };
        Psk::imported(&ExternalPsk { identity, secret, hash, context }, self.target)
    }
}

fn certified(flags: &CredentialFlags, number: i32) -> Result<Option<Certified>, Failure> {
    let (Some(cert_file), Some(key_file)) = (&flags.cert_file, &flags.key_file) else { return Ok(None) };
    let key = match SigningKey::from_pem(&fs::read(key_file)?) {
        Ok(key) => key,
        Err(error @ (KeyError::Algorithm | KeyError::RsaSize(_) | KeyError::Inconsistent)) => {
            return Err(FlagError::Unimplemented(format!("-key-file: {error}")).into());
        }
        Err(error) => return Err(Failure::Unexpected(format!("{key_file}: {error}"))),
    };
    let chain = pem::certificates(&fs::read(cert_file)?)
        .map_err(|error| Failure::Unexpected(format!("{cert_file}: {error:?}")))?;
    let mut credential = Credential::new(chain, key.algorithm());
    if !flags.signing_prefs.is_empty() {
        let preferred = flags.signing_prefs.iter().filter_map(|code| SignatureScheme::from_code(*code));
        credential.schemes = preferred.collect();
    }
    if flags.must_match_issuer {
        let issuers: Result<_, _> = credential.chain.iter().map(|der| x509::issuer(der)).collect();
        credential.issuers =
            issuers.map_err(|problem| Failure::Unexpected(format!("{cert_file}: {problem}")))?;
        credential.issuer_required = true;
    }
    Ok(Some(Certified { number, credential, key }))
}
