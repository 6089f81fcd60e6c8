//! The configuration file: tlshd's, as it is (tlshd.conf(5)): a GLib key file.
//!
//! A wrong line is an error that names it. (tlshd ignores what it does not know; here a misspelt truststore is no truststore at
//! all only if it is said so.)

use std::{
    collections::BTreeSet,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use crate::crypto::{
    kx::NamedGroup,
    x509::{RequiredPurpose, Revocation},
};

use super::trust_store::Demands;

/// Where the configuration is looked for, in this order.
const PATHS: [&str; 3] = ["/etc/handclasp/config", "/etc/tlshd/config", "/etc/tlshd.conf"];

/// A path in the configuration, and the line that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FileAt {
    pub(super) path: PathBuf,
    pub(super) line: usize,
}

/// [authenticate.client] or [authenticate.server]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) truststore: Option<FileAt>,
    pub(super) crl: Option<FileAt>,
    pub(super) certificate: Option<FileAt>,
    pub(super) private_key: Option<FileAt>,
    /// `policy.groups`, in order of preference; empty: the default.
    groups: Vec<NamedGroup>,
    /// `policy.require_pq`
    require_pq: bool,
    /// `policy.purpose`
    purpose: RequiredPurpose,
    /// `policy.crl_required`, and the line that says so.
    crl_required: Option<(Revocation, usize)>,
}

impl Section {
    /// The groups to negotiate, in order of preference; none if nothing is left of them.
    pub(super) fn groups(&self) -> Vec<NamedGroup> {
        let groups = if self.groups.is_empty() { NamedGroup::ALL } else { &self.groups };
        groups.iter().copied().filter(|group| !self.require_pq || group.is_post_quantum()).collect()
    }

    /// What a peer's certificates must show beside the rest.
    pub(super) fn demands(&self) -> Demands {
        let revocation = self.crl_required.map_or(Revocation::default(), |(revocation, _)| revocation);
        Demands { purpose: self.purpose, revocation }
    }
}

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

enum Line<'a> {
    Nothing,
    Section(&'a str),
    Setting(&'a str, &'a str),
}

fn read_line(text: &str) -> Result<Line<'_>, String> {
    if text.is_empty() || text.starts_with('#') {
        return Ok(Line::Nothing);
    }
    if let Some(name) = text.strip_prefix('[') {
        return name
            .strip_suffix(']')
            .map(Line::Section)
            .ok_or_else(|| format!("{text:?} has no closing bracket"));
    }
    let (key, value) =
        text.split_once('=').ok_or_else(|| format!("{text:?} is neither a [section] nor key=value"))?;
    Ok(Line::Setting(key.trim_end(), value.trim_start()))
}

fn known_section(name: &str) -> Result<&'static str, String> {
    let known = ["debug", "authenticate", "authenticate.client", "authenticate.server"];
    known.into_iter().find(|known| *known == name).ok_or_else(|| format!("there is no section [{name}]"))
}

fn number(key: &str, value: &str) -> Result<u32, String> {
    value.parse().map_err(|_| format!("{key} takes a number, not {value:?}"))
}

fn purpose(key: &str, value: &str) -> Result<RequiredPurpose, String> {
    match value {
        "tls" => Ok(RequiredPurpose::Tls),
        "rpc" => Ok(RequiredPurpose::RpcTls),
        _ => Err(format!("{key} is tls or rpc, not {value:?}")),
    }
}

fn revocation(key: &str, value: &str) -> Result<Revocation, String> {
    match value {
        "end-entity" => Ok(Revocation::EndEntity),
        "whole-path" => Ok(Revocation::WholePath),
        _ => Err(format!("{key} is end-entity or whole-path, not {value:?}")),
    }
}

fn boolean(key: &str, value: &str) -> Result<bool, String> {
    value.parse().map_err(|_| format!("{key} is true or false, not {value:?}"))
}

fn groups(key: &str, value: &str) -> Result<Vec<NamedGroup>, String> {
    let mut groups = Vec::new();
    for name in list(value) {
        let group =
            NamedGroup::from_name(&name).ok_or_else(|| format!("{key}: there is no group {name:?}"))?;
        if groups.contains(&group) {
            return Err(format!("{key} names {name} twice"));
        }
        groups.push(group);
    }
    Ok(groups)
}

/// A list separated by semicolons, the last of which may be missing.
fn list(value: &str) -> Vec<String> {
    value.split(';').map(str::trim).filter(|entry| !entry.is_empty()).map(Into::into).collect()
}

/// The RFC 7512 and TPM URLs that GnuTLS takes in place of a file.
fn is_url(value: &str) -> bool {
    ["pkcs11:", "tpmkey:", "system:"].iter().any(|scheme| value.starts_with(scheme))
}

/// The escapes of a GLib key file: `\s \n \t \r \\`.
fn unescape(value: &str) -> Result<String, String> {
    let mut text = String::new();
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        text.push(match character {
            '\\' => match characters.next() {
                Some('s') => ' ',
                Some('n') => '\n',
                Some('t') => '\t',
                Some('r') => '\r',
                Some('\\') => '\\',
                Some(';') => ';',
                _ => return Err(format!("{value:?} has an unknown escape")),
            },
            character => character,
        });
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(Path::new("c"), text)
    }

    fn file(path: &str, line: usize) -> Option<FileAt> {
        Some(FileAt { path: path.into(), line })
    }

    #[test]
    fn reads_a_file_of_tlshd() {
        let config = parse(
            "# a comment\n[debug]\nloglevel=1\ntls=0\nnl=0\n\n[authenticate]\nkeyrings= .nvme;my keys;\n\
             [authenticate.client]\nx509.truststore = /etc/ca.pem\n#x509.certificate= <pathname>\n\
             [authenticate.server]\nx509.certificate=/etc/a\\sb.pem\nx509.private_key=/etc/key.pem\n",
        )
        .unwrap();
        assert!(config.debug && config.warnings.is_empty());
        assert_eq!(config.keyrings, [".nvme", "my keys"]);
        assert_eq!(config.client, Section { truststore: file("/etc/ca.pem", 10), ..Section::default() });
        assert_eq!(config.server.certificate, file("/etc/a b.pem", 13));
        assert_eq!(config.server.private_key, file("/etc/key.pem", 14));
        assert_eq!(parse("").unwrap().client, Section::default());
    }

    #[test]
    fn groups_are_ordered_and_restricted() {
        let groups = |text: &str| parse(&format!("[authenticate.client]\n{text}")).map(|c| c.client.groups());
        assert_eq!(groups("").unwrap(), NamedGroup::ALL);
        let ordered = groups("policy.groups=secp384r1;X25519").unwrap();
        assert_eq!(ordered, [NamedGroup::Secp384r1, NamedGroup::X25519]);
        let refused = |text| groups(text).unwrap_err().to_string();
        assert_eq!(refused("policy.groups=x25519;x448"), "c:2: policy.groups: there is no group \"x448\"");
        assert_eq!(refused("policy.groups=x25519;x25519"), "c:2: policy.groups names x25519 twice");
        assert_eq!(refused("policy.require_pq=1"), "c:2: policy.require_pq is true or false, not \"1\"");
    }

    #[test]
    fn a_purpose_and_revocation_lists_can_be_demanded() {
        let demands =
            |text: &str| parse(&format!("[authenticate.server]\n{text}")).map(|c| c.server.demands());
        assert_eq!(demands("").unwrap(), Demands::default());
        let (purpose, revocation) = (RequiredPurpose::RpcTls, Revocation::WholePath);
        let text = "x509.crl=/c\npolicy.crl_required=whole-path\npolicy.purpose=rpc";
        assert_eq!(demands(text).unwrap(), Demands { purpose, revocation });
        for (text, expected) in [
            ("policy.purpose=nfs", "c:2: policy.purpose is tls or rpc, not \"nfs\""),
            ("policy.crl_required=yes", "c:2: policy.crl_required is end-entity or whole-path, not \"yes\""),
            (
                "policy.crl_required=end-entity",
                "c:2: policy.crl_required needs x509.crl: nobody could be accepted",
            ),
        ] {
            assert_eq!(demands(text).unwrap_err().to_string(), expected);
        }
    }

    #[cfg(feature = "pq")]
    #[test]
    fn a_post_quantum_group_can_be_required() {
        let text = "[authenticate.server]\npolicy.require_pq=true\npolicy.groups=x25519;X25519MLKEM768";
        let config = parse(text).unwrap();
        assert_eq!(config.server.groups(), [NamedGroup::X25519MlKem768]);
        assert_eq!(config.client.groups(), NamedGroup::ALL);
        let error = parse("[authenticate.server]\npolicy.groups=x25519\npolicy.require_pq=true").unwrap_err();
        assert_eq!(error.to_string(), "c:3: policy.require_pq leaves nothing of the groups");
    }

    #[test]
    fn what_has_no_effect_is_said() {
        let config =
            parse("[debug]\ntls=3\n[authenticate.server]\nx509.pq.certificate=/p\nx509.crl=/c\n").unwrap();
        let lines: Vec<_> = config.warnings.iter().map(|warning| warning.line).collect();
        assert_eq!(lines, [2, 4, 5]);
    }

    #[test]
    fn errors_tell_file_and_line() {
        for (text, expected) in [
            ("[debug]\nloglevel=high", "c:2: loglevel takes a number, not \"high\""),
            ("\n[authenticate.clients]", "c:2: there is no section [authenticate.clients]"),
            (
                "[authenticate]\nx509.truststore=/a",
                "c:2: there is no setting \"x509.truststore\" in [authenticate]",
            ),
            (
                "[authenticate.client]\nx509.trustore=/a",
                "c:2: there is no setting \"x509.trustore\" in [authenticate.client]",
            ),
            ("loglevel=1", "c:1: loglevel stands before any [section]"),
            ("[debug", "c:1: \"[debug\" has no closing bracket"),
            ("[debug]\nloglevel", "c:2: \"loglevel\" is neither a [section] nor key=value"),
            ("[debug]\nnl=0\nnl=0", "c:3: nl is set a second time in [debug]"),
            (
                "[authenticate.server]\nx509.private_key=pkcs11:x",
                "c:2: x509.private_key: keys in hardware (pkcs11:x) are not supported; name a PEM file",
            ),
            ("[authenticate.server]\nx509.crl=\\x", "c:2: \"\\\\x\" has an unknown escape"),
        ] {
            assert_eq!(parse(text).unwrap_err().to_string(), expected);
        }
    }
}
