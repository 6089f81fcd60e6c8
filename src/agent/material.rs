//! Authentication material: certificates, private keys and trust anchors, from files and from keys in keyrings, checked when they
//! are loaded.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    crypto::{
        pem,
        secret::Secret,
        sign::SigningKey,
        x509::{self, TrustStore, Verifier},
    },
    engine::{config::Credential, is_sendable},
};

use super::{
    config::{self, Config, ConfigError, Connection, FileAt, Profile, Section},
    failure::Failure,
    keyring::{self, KeySerial},
    log,
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
    /// The files that all this was read from.
    pub(super) stamps: Stamps,
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
    /// Reads the configuration (the one that is named, or the one that is found) and its files.
    pub(super) fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let mut stamps = Stamps::default();
        config::candidates(path).into_iter().for_each(|path| stamps.add(path));
        let config = Config::load(path)?;
        config.files().for_each(|file| stamps.add(&file.path));
        if config.trusts_the_system() {
            system_store().into_iter().for_each(|path| stamps.add(Path::new(path)));
        }
        let mut loader = Loader { config: &config, identities: Vec::new(), trusts: Vec::new() };
        let client = loader.load(Role::Client, &config.client)?;
        let server = loader.load(Role::Server, &config.server)?;
        let profiles = config.profiles.iter().map(|profile| loader.load(profile.role, &profile.section));
        let profiles = profiles.collect::<Result<_, _>>()?;
        let trusts = loader.trusts.into_iter().map(|(_, (_, trust))| trust).collect();
        Ok(Self { client, server, profiles, trusts, stamps, config })
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

/// Reads what sections name; what several name is read once.
struct Loader<'a> {
    config: &'a Config,
    identities: Vec<([FileAt; 2], Arc<Identity>)>,
    trusts: Vec<(Source, (Arc<Verifier>, Trust))>,
}

/// What a verifier is made of: anchors, CRLs, and demands.
type Source = (PathBuf, Option<PathBuf>, Demands);

impl Loader<'_> {
    fn load(&mut self, role: Role, section: &Section) -> Result<Side, ConfigError> {
        let identity = self.identity(section)?;
        let anchors = section.truststore.clone().or_else(|| system_anchors(role));
        let trust = anchors.map(|anchors| self.trust(&anchors, section)).transpose()?;
        let (verifier, trust) = trust.unzip();
        Ok(Side { identity, verifier, trust: trust.unwrap_or_default() })
    }

    fn trust(&mut self, anchors: &FileAt, section: &Section) -> Result<(Arc<Verifier>, usize), ConfigError> {
        let crl = section.crl.as_ref().map(|crl| crl.path.clone());
        let source = (anchors.path.clone(), crl, section.demands());
        let known = self.trusts.iter().position(|(known, _)| *known == source);
        let index = known.unwrap_or(self.trusts.len());
        if known.is_none() {
            self.trusts.push((source, load_trust(self.config, anchors, section)?));
        }
        let verifier = self.trusts.get(index).map(|(_, (verifier, _))| Arc::clone(verifier));
        Ok((verifier.expect("it is there, or was just added"), index))
    }

    fn identity(&mut self, section: &Section) -> Result<Option<Arc<Identity>>, ConfigError> {
        let at = |file: &FileAt, problem: &str| Err(config_error(self.config, file, problem.into()));
        let files = match (&section.certificate, &section.private_key) {
            (None, None) => return Ok(None),
            (Some(file), None) => return at(file, "x509.certificate is set, but x509.private_key is not"),
            (None, Some(file)) => return at(file, "x509.private_key is set, but x509.certificate is not"),
            (Some(certificate), Some(private_key)) => [certificate.clone(), private_key.clone()],
        };
        if let Some((_, identity)) = self.identities.iter().find(|(known, _)| *known == files) {
            return Ok(Some(Arc::clone(identity)));
        }
        let identity = Arc::new(load_identity(self.config, &files)?);
        self.identities.push((files, Arc::clone(&identity)));
        Ok(Some(identity))
    }
}

fn load_identity(config: &Config, [certificate, private_key]: &[FileAt; 2]) -> Result<Identity, ConfigError> {
    let at = |problem: String| config_error(config, private_key, problem);
    let chain = read_chain(config, certificate)?;
    let text = read_key_file(&private_key.path).map_err(|error| at(error.to_string()))?;
    let key = SigningKey::from_pem(text.expose()).map_err(|error| at(error.to_string()))?;
    identity(chain, key).map_err(at)
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

fn read_chain(config: &Config, file: &FileAt) -> Result<Vec<Vec<u8>>, ConfigError> {
    let at = |problem: String| config_error(config, file, problem);
    let text = fs::read(&file.path).map_err(|error| at(error.to_string()))?;
    let chain = pem::certificates(&text).map_err(|error| at(error.to_string()))?;
    if chain.is_empty() { Err(at("there is no certificate in it".into())) } else { Ok(chain) }
}

/// Reads a private key; like tlshd, complains about a file that others may read or change, and goes on.
fn read_key_file(path: &Path) -> io::Result<Secret> {
    let metadata = fs::metadata(path)?;
    if metadata.uid() != 0 || metadata.mode() & 0o077 != 0 {
        log::warning(format_args!("{}: a private key should be root's, with mode 0600", path.display()));
    }
    read_secret(path, metadata.len())
}

/// Reads a file into memory that is wiped.
fn read_secret(path: &Path, length: u64) -> io::Result<Secret> {
    const LARGEST: u64 = 64 * 1024;
    if length > LARGEST {
        return Err(io::Error::other("it is too large for a private key"));
    }
    let mut content = Secret::zeroed(usize::try_from(length).unwrap_or(0));
    io::Read::read_exact(&mut fs::File::open(path)?, content.expose_mut())?;
    Ok(content)
}

fn load_trust(
    config: &Config,
    anchors: &FileAt,
    section: &Section,
) -> Result<(Arc<Verifier>, Trust), ConfigError> {
    let (crl, demands) = (section.crl.as_ref(), section.demands());
    let at = |file: &FileAt| {
        let (path, line) = (config.path.clone(), file.line);
        move |problem| ConfigError { path, line, problem }
    };
    let mut store = TrustStore::empty();
    let mut add = |trust: Trust| trust.add_to(&mut store).map(|()| trust);
    let mut trust = Trust::anchors(&anchors.path).and_then(&mut add).map_err(at(anchors))?;
    if let Some(crl) = crl {
        trust.extend(Trust::crls(&crl.path).and_then(add).map_err(at(crl))?);
    }
    store.set_aside().iter().for_each(|problem| log::debug(format_args!("not trusted: {problem}")));
    trust.demands = demands.clone();
    Ok((Arc::new(trust_store::verifier(store, demands)), trust))
}

/// The system's own authorities, for a client without a truststore, if there are any.
fn system_anchors(role: Role) -> Option<FileAt> {
    let path = system_store().filter(|_| role == Role::Client)?;
    Some(FileAt { path: path.into(), line: 0 })
}

/// The file with the system's own authorities, if it has any.
pub(super) fn system_store() -> Option<&'static str> {
    SYSTEM_STORES.into_iter().find(|path| Path::new(path).exists())
}

fn config_error(config: &Config, file: &FileAt, problem: String) -> ConfigError {
    ConfigError {
        path: config.path.clone(),
        line: file.line,
        problem: format!("{}: {problem}", file.path.display()),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// The settings of this configuration, in which DIR stands for the folder with the tests' files.
    pub(in crate::agent) fn settings(text: &str) -> Settings {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("handclasp-settings-{}-{count}", std::process::id()));
        let fixtures = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/agent");
        fs::write(&path, text.replace("DIR", fixtures)).unwrap();
        let settings = Settings::load(Some(&path));
        fs::remove_file(&path).unwrap();
        settings.unwrap()
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
