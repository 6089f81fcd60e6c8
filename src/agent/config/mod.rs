//! The configuration file: tlshd's, as it is (tlshd.conf(5)): a GLib key file.
//!
//! A wrong line is an error that names it. (tlshd ignores what it does not know; here a misspelt truststore is no truststore at
//! all only if it is said so.)

mod key_file;
mod section;

use std::{
    collections::BTreeSet,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use key_file::{Line, boolean, list, number, read_line, unescape};
use section::{groups, is_url, purpose, revocation};

pub(super) use section::{FileAt, Section};

/// Where the configuration is looked for, in this order.
const PATHS: [&str; 3] = ["/etc/handclasp/config", "/etc/tlshd/config", "/etc/tlshd.conf"];

/// What the file says; nothing that it names is read yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Config {
    pub(super) path: PathBuf,
    /// `[debug]`: a `loglevel` above 0 asks for debug messages.
    pub(super) debug: bool,
    /// `[authenticate]`: the names of keyrings to possess.
    pub(super) keyrings: Vec<String>,
    pub(super) client: Section,
    pub(super) server: Section,
    /// Settings that are understood and have no effect here.
    pub(super) warnings: Vec<ConfigError>,
}

/// What is wrong with the configuration, and where: "PATH:LINE: what".
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ConfigError {
    pub(super) path: PathBuf,
    /// From 1; 0 when it is about the file as a whole.
    pub(super) line: usize,
    pub(super) problem: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path.display())?;
        match self.line {
            0 => write!(f, " {}", self.problem),
            line => write!(f, "{line}: {}", self.problem),
        }
    }
}

/// The files to look at, in order: the one that is named, else [`PATHS`].
pub(super) fn candidates(path: Option<&Path>) -> Vec<&Path> {
    path.map_or_else(|| PATHS.into_iter().map(Path::new).collect(), |path| vec![path])
}

impl Config {
    /// Reads the file that is named, else the first of [`PATHS`] that exists; if there is none, the defaults are enough for NVMe
    /// and for NFS clients.
    pub(super) fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        match candidates(path).into_iter().find(|candidate| path.is_some() || candidate.exists()) {
            Some(path) => Self::read(path),
            None => Ok(Self { path: "no configuration file".into(), ..Self::default() }),
        }
    }

    fn read(path: &Path) -> Result<Self, ConfigError> {
        let error = |error: io::Error| ConfigError { path: path.into(), line: 0, problem: error.to_string() };
        Self::parse(path, &fs::read_to_string(path).map_err(error)?)
    }

    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let mut config = Self { path: path.into(), ..Self::default() };
        let (mut section, mut seen) = (None, BTreeSet::new());
        for (line, text) in text.lines().enumerate().map(|(index, text)| (index + 1, text.trim())) {
            let error = |problem| ConfigError { path: path.into(), line, problem };
            match read_line(text).map_err(error)? {
                Line::Nothing => {}
                Line::Section(name) => section = Some(known_section(name).map_err(error)?),
                Line::Setting(key, value) => {
                    let section =
                        section.ok_or_else(|| error(format!("{key} stands before any [section]")))?;
                    if !seen.insert((section, key)) {
                        return Err(error(format!("{key} is set a second time in [{section}]")));
                    }
                    config.set(section, key, &unescape(value).map_err(error)?, line)?;
                }
            }
        }
        for side in [&config.client, &config.server] {
            if let Section { crl: None, crl_required: Some((_, line)), .. } = side {
                let problem = "policy.crl_required needs x509.crl: nobody could be accepted".into();
                return Err(ConfigError { path: path.into(), line: *line, problem });
            }
        }
        if let Self { server: Section { truststore: None, crl: Some(crl), .. }, .. } = &config {
            let problem =
                "x509.crl has no effect without x509.truststore: no client is asked for a certificate";
            let warning = ConfigError { path: path.into(), line: crl.line, problem: problem.into() };
            config.warnings.push(warning);
        }
        Ok(config)
    }

    /// The files that it names.
    pub(super) fn files(&self) -> impl Iterator<Item = &FileAt> {
        let sides = [&self.client, &self.server].into_iter();
        sides.flat_map(|side| [&side.truststore, &side.crl, &side.certificate, &side.private_key]).flatten()
    }

    fn set(&mut self, section: &str, key: &str, value: &str, line: usize) -> Result<(), ConfigError> {
        let error = |problem| ConfigError { path: self.path.clone(), line, problem };
        match (section, key) {
            ("debug", "loglevel") => self.debug = number(key, value).map_err(error)? > 0,
            ("debug", "tls" | "nl" | "delay_done") => self.ignore_number(key, value, line)?,
            ("authenticate", "keyrings") => self.keyrings = list(value),
            ("authenticate.client" | "authenticate.server", _) => {
                if let Some(ignored) = self.set_file(section, key, value, line)? {
                    self.warnings.push(ignored);
                }
            }
            _ => return Err(error(format!("there is no setting {key:?} in [{section}]"))),
        }
        Ok(())
    }

    fn ignore_number(&mut self, key: &str, value: &str, line: usize) -> Result<(), ConfigError> {
        let error = |problem| ConfigError { path: self.path.clone(), line, problem };
        if number(key, value).map_err(error)? > 0 {
            self.warnings.push(error(format!("{key} has no effect here; use loglevel")));
        }
        Ok(())
    }

    /// Sets a file of one side; `Some` when the setting is tlshd's but has no effect here.
    fn set_file(
        &mut self,
        section: &str,
        key: &str,
        value: &str,
        line: usize,
    ) -> Result<Option<ConfigError>, ConfigError> {
        let error = |problem| ConfigError { path: self.path.clone(), line, problem };
        let file = (!value.is_empty()).then(|| FileAt { path: value.into(), line });
        let side = if section == "authenticate.client" { &mut self.client } else { &mut self.server };
        match key {
            "x509.truststore" => side.truststore = file,
            "x509.crl" => side.crl = file,
            "x509.certificate" => side.certificate = file,
            "x509.private_key" if is_url(value) => {
                return Err(error(format!(
                    "{key}: keys in hardware ({value}) are not supported; name a PEM file"
                )));
            }
            "x509.private_key" => side.private_key = file,
            "policy.groups" => side.groups = groups(key, value).map_err(error)?,
            "policy.require_pq" => side.require_pq = boolean(key, value).map_err(error)?,
            "policy.purpose" => side.purpose = purpose(key, value).map_err(error)?,
            "policy.crl_required" => {
                side.crl_required = Some((revocation(key, value).map_err(error)?, line));
            }
            "x509.pq.certificate" | "x509.pq.private_key" => {
                return Ok(Some(error(format!("{key} has no effect: ML-DSA is not supported"))));
            }
            _ => return Err(error(format!("there is no setting {key:?} in [{section}]"))),
        }
        if side.groups().is_empty() {
            return Err(error("policy.require_pq leaves nothing of the groups".into()));
        }
        Ok(None)
    }
}

fn known_section(name: &str) -> Result<&'static str, String> {
    let known = ["debug", "authenticate", "authenticate.client", "authenticate.server"];
    known.into_iter().find(|known| *known == name).ok_or_else(|| format!("there is no section [{name}]"))
}

#[cfg(test)]
mod tests;
