//! The files that sections name, each read once.

use std::{
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{Identity, Side, identity, peer, system_store};
use crate::{
    agent::{
        config::{Config, ConfigError, FileAt, Section},
        log,
        process::now,
        request::Role,
        trust_store::{self, Demands, Idle, Trust},
    },
    crypto::{
        pem,
        secret::Secret,
        sign::SigningKey,
        x509::{TrustStore, Verifier},
    },
};

/// Reads what sections name; what several name is read once.
pub(super) struct Loader<'a> {
    config: &'a Config,
    identities: Vec<([FileAt; 2], Arc<Identity>)>,
    pub(super) trusts: Vec<(Source, (Arc<Verifier>, Trust))>,
    /// What can be used, but should not be as it is.
    pub(super) warnings: Vec<ConfigError>,
}

/// What a verifier is made of: anchors, CRLs, and demands.
type Source = (PathBuf, Option<PathBuf>, Demands);

impl<'a> Loader<'a> {
    pub(super) fn new(config: &'a Config) -> Self {
        Self { config, identities: Vec::new(), trusts: Vec::new(), warnings: Vec::new() }
    }

    pub(super) fn load(&mut self, role: Role, section: &Section) -> Result<Side, ConfigError> {
        let identity = self.identity(section)?;
        let anchors = section.truststore.clone().or_else(|| system_anchors(role));
        let trust = match anchors.as_ref().map(|anchors| self.trust(anchors, section)).transpose() {
            // Nobody here has chosen the system's: what cannot be used is as if it were not there.
            Err(error) if section.truststore.is_none() && error.line == 0 => {
                self.warn(error);
                None
            }
            trust => trust?,
        };
        let (verifier, trust) = trust.unzip();
        if let (Some(anchors), Some(verifier)) = (&anchors, &verifier) {
            self.look_for_idle(anchors, section, Idle::find(verifier, peer(role), now()));
        }
        Ok(Side { identity, verifier, trust: trust.unwrap_or_default() })
    }

    /// Says what of a trust store is of no use: of the system's only to the curious, for nobody here has chosen what is in it.
    fn look_for_idle(&mut self, anchors: &FileAt, section: &Section, idle: Option<Idle>) {
        let Some(Idle { text, .. }) = idle else { return };
        if section.truststore.is_none() {
            return log::debug(format_args!("{}: {text}", anchors.path.display()));
        }
        self.warn(config_error(self.config, anchors, text));
    }

    /// Warns once: a profile repeats what it has from its side.
    fn warn(&mut self, warning: ConfigError) {
        if !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
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
        let [_, private_key] = &files;
        if is_exposed(&private_key.path) {
            let advice = "a private key should be root's, with mode 0600";
            self.warn(config_error(self.config, private_key, advice.into()));
        }
        self.identities.push((files, Arc::clone(&identity)));
        Ok(Some(identity))
    }
}

fn load_identity(config: &Config, [certificate, private_key]: &[FileAt; 2]) -> Result<Identity, ConfigError> {
    let at = |problem: String| config_error(config, private_key, problem);
    let chain = read_chain(config, certificate)?;
    let text = read_secret(&private_key.path).map_err(|error| at(error.to_string()))?;
    let key = SigningKey::from_pem(text.expose()).map_err(|error| at(error.to_string()))?;
    identity(chain, key).map_err(at)
}

fn read_chain(config: &Config, file: &FileAt) -> Result<Vec<Vec<u8>>, ConfigError> {
    let at = |problem: String| config_error(config, file, problem);
    let text = fs::read(&file.path).map_err(|error| at(error.to_string()))?;
    let chain = pem::certificates(&text).map_err(|error| at(error.to_string()))?;
    if chain.is_empty() { Err(at("there is no certificate in it".into())) } else { Ok(chain) }
}

/// Whether others may read or change a file; tlshd, too, complains about such a private key, and goes on.
fn is_exposed(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.uid() != 0 || metadata.mode() & 0o077 != 0)
}

/// Reads a file into memory that is wiped.
fn read_secret(path: &Path) -> io::Result<Secret> {
    const LARGEST: u64 = 64 * 1024;
    let length = fs::metadata(path)?.len();
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
    trust.demands = demands.clone();
    Ok((Arc::new(trust_store::verifier(store, demands)), trust))
}

/// The system's own authorities, for a client without a truststore, if there are any.
fn system_anchors(role: Role) -> Option<FileAt> {
    let path = system_store().filter(|_| role == Role::Client)?;
    Some(FileAt { path: path.into(), line: 0 })
}

fn config_error(config: &Config, file: &FileAt, problem: String) -> ConfigError {
    ConfigError {
        path: config.path.clone(),
        line: file.line,
        problem: format!("{}: {problem}", file.path.display()),
    }
}
