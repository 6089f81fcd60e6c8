//! Authentication material: certificates, private keys and trust anchors, from files and from keys in keyrings, checked when they
//! are loaded.

use std::{fs, io, os::unix::fs::MetadataExt, path::Path, sync::Arc};

use crate::{
    crypto::{
        pem,
        secret::Secret,
        sign::SigningKey,
        x509::{self, TrustStore, Verifier},
    },
    engine::config::Credential,
};

use super::{
    config::{self, Config, ConfigError, FileAt, Section},
    failure::Failure,
    keyring::{self, KeySerial},
    log,
    stamps::Stamps,
    trust_store::{self, Trust},
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

/// The material of one side.
#[derive(Debug, Default)]
pub(super) struct Side {
    pub(super) identity: Option<Arc<Identity>>,
    pub(super) verifier: Option<Arc<Verifier>>,
    /// What the verifier is made of.
    pub(super) trust: Option<Trust>,
}

/// The configuration with everything that it names.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) config: Config,
    pub(super) client: Side,
    pub(super) server: Side,
    /// The files that all this was read from.
    pub(super) stamps: Stamps,
}

impl Settings {
    /// Reads the configuration (the one that is named, or the one that is found) and its files.
    pub(super) fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let mut stamps = Stamps::default();
        config::candidates(path).into_iter().for_each(|path| stamps.add(path));
        let config = Config::load(path)?;
        config.files().for_each(|file| stamps.add(&file.path));
        let mut client = load_side(&config, &config.client)?;
        let server = load_side(&config, &config.server)?;
        if client.verifier.is_none() {
            system_store().into_iter().for_each(|path| stamps.add(Path::new(path)));
            (client.verifier, client.trust) = system_trust(&config)?.unzip();
        }
        Ok(Self { config, client, server, stamps })
    }
}

fn load_side(config: &Config, section: &Section) -> Result<Side, ConfigError> {
    let anchors = section.truststore.as_ref();
    let trust = anchors.map(|file| load_trust(config, file, section)).transpose()?;
    let (verifier, trust) = trust.unzip();
    Ok(Side { identity: load_identity(config, section)?.map(Arc::new), verifier, trust })
}

fn load_identity(config: &Config, section: &Section) -> Result<Option<Identity>, ConfigError> {
    let at = |file: &FileAt, problem: String| config_error(config, file, problem);
    match (&section.certificate, &section.private_key) {
        (None, None) => Ok(None),
        (Some(file), None) => Err(at(file, "x509.certificate is set, but x509.private_key is not".into())),
        (None, Some(file)) => Err(at(file, "x509.private_key is set, but x509.certificate is not".into())),
        (Some(certificate), Some(private_key)) => {
            let chain = read_chain(config, certificate)?;
            let text =
                read_key_file(&private_key.path).map_err(|error| at(private_key, error.to_string()))?;
            let key =
                SigningKey::from_pem(text.expose()).map_err(|error| at(private_key, error.to_string()))?;
            identity(chain, key).map(Some).map_err(|problem| at(private_key, problem))
        }
    }
}

/// Puts a chain and a key together, if they belong together.
pub(super) fn identity(chain: Vec<Vec<u8>>, key: SigningKey) -> Result<Identity, String> {
    let certificate = chain.first().ok_or("there is no certificate")?;
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
    trust.demands = demands;
    Ok((Arc::new(trust_store::verifier(store, demands)), trust))
}

/// The system's own authorities, for a client without a truststore; a system without any has no verifier.
fn system_trust(config: &Config) -> Result<Option<(Arc<Verifier>, Trust)>, ConfigError> {
    let Some(path) = system_store() else { return Ok(None) };
    let anchors = FileAt { path: path.into(), line: 0 };
    load_trust(config, &anchors, &config.client).map(Some)
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
