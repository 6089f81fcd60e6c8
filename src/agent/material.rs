//! Authentication material: certificates, private keys and trust anchors, from files and from keys in keyrings, checked when they
//! are loaded.

mod loader;

use std::{path::Path, sync::Arc};

use crate::{
    crypto::{
        pem,
        secret::Secret,
        sign::SigningKey,
        x509::{self, TrustStore, Verifier},
    },
    engine::{config::Credential, is_sendable},
};

use self::loader::Loader;
use super::{
    config::{self, Config, ConfigError, Connection, Profile, Section},
    failure::Failure,
    keyring::{self, KeySerial},
    request::Role,
    stamps::Stamps,
    trust_store::{self, Demands, Trust},
};

/// Where systems keep the certificates of the authorities that they trust.
const SYSTEM_STORES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// Who we are: a certificate chain and its private key.
#[derive(Debug)]
pub(super) struct Identity {
    pub(super) credential: Credential,
    pub(super) key: SigningKey,
}

/// The material of one side, or of a profile.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) identity: Option<Arc<Identity>>,
    pub(super) verifier: Option<Arc<Verifier>>,
    /// Which of [`Settings::trusts`] the verifier is made of.
    pub(super) trust: usize,
}

/// The configuration with everything that it names.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) config: Config,
    pub(super) client: Side,
    pub(super) server: Side,
    /// In the order of the configuration's.
    pub(super) profiles: Vec<Side>,
    pub(super) trusts: Vec<Trust>,
}

/// What holds for one connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice<'a> {
    /// The name of its section.
    pub(super) name: &'a str,
    pub(super) section: &'a Section,
    pub(super) side: &'a Side,
}

impl Settings {
    /// Reads the configuration (the one that is named, or the one that is found) and its files, and notes how each was before: also of
    /// what cannot be used, for it may be mended.
    pub(super) fn load(path: Option<&Path>, stamps: &mut Stamps) -> Result<Self, ConfigError> {
        *stamps = Stamps::default();
        config::candidates(path).into_iter().for_each(|path| stamps.add(path));
        let mut config = Config::load(path)?;
        config.files().for_each(|file| stamps.add(&file.path));
        if config.trusts_the_system() {
            // All: one may come that is not there yet.
            SYSTEM_STORES.into_iter().for_each(|path| stamps.add(Path::new(path)));
        }
        let mut loader = Loader::new(&config);
        let client = loader.load(Role::Client, &config.client)?;
        let server = loader.load(Role::Server, &config.server)?;
        let profiles = config.profiles.iter().map(|profile| loader.load(profile.role, &profile.section));
        let profiles = profiles.collect::<Result<_, _>>()?;
        let Loader { trusts, warnings, .. } = loader;
        let trusts = trusts.into_iter().map(|(_, (_, trust))| trust).collect();
        config.warnings.extend(warnings);
        Ok(Self { client, server, profiles, trusts, config })
    }

    /// Leaves it to workers, who have the trust stores by now, to verify peers: here a verifier of nobody stands for each.
    pub(super) fn hand_trust_over(&mut self) {
        let nobody = Arc::new(trust_store::verifier(TrustStore::empty(), Demands::default()));
        let sides = [&mut self.client, &mut self.server].into_iter().chain(&mut self.profiles);
        sides.filter_map(|side| side.verifier.as_mut()).for_each(|verifier| *verifier = Arc::clone(&nobody));
        self.trusts.clear();
    }

    /// The first profile that is for a connection, else the side itself.
    pub(super) fn choose(&self, role: Role, connection: &Connection<'_>) -> Choice<'_> {
        let is_for = |profile: &Profile| profile.role == role && profile.is_for(connection);
        let choice = self.choices().skip(2).zip(&self.config.profiles).find(|(_, profile)| is_for(profile));
        choice.map_or_else(|| self.side(role), |(choice, _)| choice)
    }

    /// What holds for a side where no profile does.
    pub(super) fn side(&self, role: Role) -> Choice<'_> {
        match role {
            Role::Client => {
                Choice { name: "authenticate.client", section: &self.config.client, side: &self.client }
            }
            Role::Server => {
                Choice { name: "authenticate.server", section: &self.config.server, side: &self.server }
            }
        }
    }

    /// Both sides, then all profiles.
    pub(super) fn choices(&self) -> impl Iterator<Item = Choice<'_>> {
        let profiles = self.config.profiles.iter().zip(&self.profiles);
        let profiles = profiles.map(|(Profile { name, section, .. }, side)| Choice { name, section, side });
        [self.side(Role::Client), self.side(Role::Server)].into_iter().chain(profiles)
    }
}

/// Puts a chain and a key together, if they belong together.
pub(super) fn identity(chain: Vec<Vec<u8>>, key: SigningKey) -> Result<Identity, String> {
    let certificate = chain.first().ok_or("there is no certificate")?;
    // One that is longer than what our own engine takes of a peer is a bundle that was taken for a chain.
    if !is_sendable(&chain) {
        let size = chain.iter().map(Vec::len).sum::<usize>();
        return Err(format!(
            "{} certificates of {size} bytes are more than any peer takes (needed: its own and its intermediates)",
            chain.len()
        ));
    }
    let public_key =
        x509::public_key(certificate).map_err(|problem| format!("the certificate: {problem}"))?;
    if !key.fits(&public_key) {
        return Err("the private key does not belong to the certificate".into());
    }
    Ok(Identity { credential: Credential::new(chain, key.algorithm()), key })
}

/// An identity from the two keys that a request names. A key holds DER, or PEM (then a chain is possible).
pub(super) fn identity_from_keys(
    certificate: KeySerial,
    private_key: KeySerial,
) -> Result<Identity, Failure> {
    let broken = |key: KeySerial, problem: String| Failure::Material(format!("{key}: {problem}"));
    let content = keyring::read(certificate)?;
    let chain = if is_pem(&content) {
        pem::certificates(content.expose()).map_err(|error| broken(certificate, error.to_string()))?
    } else {
        vec![content.expose().to_vec()]
    };
    let content = keyring::read(private_key)?;
    let parsed = if is_pem(&content) {
        SigningKey::from_pem(content.expose())
    } else {
        SigningKey::from_der(content.expose())
    };
    let key = parsed.map_err(|error| broken(private_key, error.to_string()))?;
    identity(chain, key).map_err(|problem| broken(certificate, problem))
}

fn is_pem(content: &Secret) -> bool {
    content.expose().trim_ascii_start().starts_with(b"-----BEGIN ")
}

/// Whose certificates a side verifies.
pub(super) fn peer(role: Role) -> x509::Side {
    match role {
        Role::Client => x509::Side::Server,
        Role::Server => x509::Side::Client,
    }
}

/// The file with the system's own authorities, if it has any.
pub(super) fn system_store() -> Option<&'static str> {
    SYSTEM_STORES.into_iter().find(|path| Path::new(path).exists())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::{
        fs,
        sync::atomic::{AtomicU32, Ordering},
    };

    /// The settings of this configuration, in which DIR stands for the folder with the tests' files.
    pub(in crate::agent) fn settings(text: &str) -> Settings {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("handclasp-settings-{}-{count}", std::process::id()));
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/agent");
        fs::write(&path, text.replace("DIR", fixtures)).unwrap();
        let settings = Settings::load(Some(&path), &mut Stamps::default());
        fs::remove_file(&path).unwrap();
        settings.unwrap()
    }

    #[test]
    fn a_file_that_was_missed_is_watched() {
        let directory = std::env::temp_dir().join(format!("handclasp-missed-{}", std::process::id()));
        fs::create_dir_all(&directory).unwrap();
        let (configuration, store) = (directory.join("config"), directory.join("store.pem"));
        let text = format!("[authenticate.server]\nx509.truststore={}\n", store.display());
        fs::write(&configuration, text).unwrap();
        let mut stamps = Stamps::default();
        assert!(Settings::load(Some(&configuration), &mut stamps).is_err());
        assert!(!stamps.changed());
        fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/agent/ca.pem"), &store).unwrap();
        assert!(stamps.changed());
        assert!(Settings::load(Some(&configuration), &mut stamps).is_ok());
        fs::remove_dir_all(&directory).unwrap();
    }

    #[test]
    fn a_bundle_is_not_taken_for_a_chain() {
        let pem = include_bytes!("../../tests/vectors/agent/server.pem");
        let key = include_bytes!("../../tests/vectors/agent/server.key");
        let certificate = pem::certificates(pem).unwrap().remove(0);
        let put_together = |chain| identity(chain, SigningKey::from_pem(key).unwrap());
        assert!(put_together(vec![certificate.clone(); 64]).is_ok());
        let error = put_together(vec![certificate.clone(); 65]).unwrap_err();
        assert!(error.starts_with("65 certificates of "), "{error}");
        // RFC 8446, Section 4.4.2: four bytes of lengths for all, and five for each of two.
        let rest = (1 << 16) - 4 - 5 - certificate.len() - 5;
        assert!(put_together(vec![certificate.clone(), vec![0; rest]]).is_ok());
        let error = put_together(vec![certificate, vec![0; rest + 1]]).unwrap_err();
        assert!(error.starts_with("2 certificates of 65523 bytes are more"), "{error}");
    }
}
