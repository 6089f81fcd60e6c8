//! The configuration file: tlshd's, as it is (tlshd.conf(5)): a GLib key file.
//!
//! A wrong line is an error that names it. (tlshd ignores what it does not know; here a misspelt truststore is no truststore at
//! all only if it is said so.)

mod key_file;
mod profile;
mod section;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use super::request::Role;
use key_file::{Group, Problem, Setting, list, number, path};

pub(super) use profile::{Connection, Profile};
pub(super) use section::{Alpn, FileAt, Section};

/// Where the configuration is looked for, in this order; tlshd's in that of tlshd, where the older place comes first.
const PATHS: [&str; 3] = ["/etc/handclasp/config", "/etc/tlshd.conf", "/etc/tlshd/config"];

/// What the file says; nothing that it names is read yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Config {
    pub(super) path: PathBuf,
    /// Whether there is nothing in the file at all.
    is_blank: bool,
    /// `[debug]`: a `loglevel` above 0 asks for debug messages.
    pub(super) debug: bool,
    /// `[authenticate]`: the names of keyrings to possess.
    pub(super) keyrings: Vec<String>,
    pub(super) client: Section,
    pub(super) server: Section,
    /// `[authenticate.client.NAME]` and `[authenticate.server.NAME]`, in the order of the file.
    pub(super) profiles: Vec<Profile>,
    /// `[metrics]`: the file to keep fresh for Prometheus' node exporter.
    pub(super) textfile: Option<PathBuf>,
    /// Settings that have no effect here, and files that can be used, but should not be as they are.
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

/// Whether there is nothing of this name. A link that leads nowhere, or a directory that may not be entered, is there: to go on
/// with the next would be to trust more than was wished.
fn is_absent(path: &Path) -> bool {
    let trouble = fs::symlink_metadata(path).err();
    trouble
        .is_some_and(|error| matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory))
}

impl Config {
    /// Reads the file that is named, else the first of [`PATHS`] that exists; if there is none, the defaults are enough for NVMe
    /// and for NFS clients.
    pub(super) fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        match candidates(path).into_iter().find(|candidate| path.is_some() || !is_absent(candidate)) {
            Some(path) => Self::read(path),
            None => Ok(Self { path: "no configuration file".into(), ..Self::default() }),
        }
    }

    /// Refuses what an agent at work would find in the moment in which an editor, or a package's removal, has taken its
    /// configuration away: the defaults trust more than it did.
    pub(super) fn replaces(&self, former: &Self) -> Result<(), ConfigError> {
        let rank = |config: &Self| PATHS.iter().position(|path| Path::new(path) == config.path);
        let came_after =
            rank(self).is_none_or(|rank_now| rank(former).is_some_and(|before| before < rank_now));
        let (path, problem) = match () {
            () if self.path != former.path && rank(former).is_some() && came_after => {
                (&former.path, "it is gone")
            }
            () if self.is_blank && !former.is_blank => (&self.path, "there is nothing in it"),
            () => return Ok(()),
        };
        Err(ConfigError { path: path.clone(), line: 0, problem: problem.into() })
    }

    fn read(path: &Path) -> Result<Self, ConfigError> {
        let error = |error: io::Error| ConfigError { path: path.into(), line: 0, problem: error.to_string() };
        Self::parse(path, &fs::read_to_string(path).map_err(error)?)
    }

    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let error = |(line, problem)| ConfigError { path: path.into(), line, problem };
        let is_blank = text.trim().is_empty();
        let mut config = Self { path: path.into(), is_blank, ..Self::default() };
        let mut warnings = Vec::new();
        if is_blank {
            warnings.push((0, "there is nothing in it: the defaults hold".into()));
        }
        config.read_groups(&key_file::read(text).map_err(error)?, &mut warnings).map_err(error)?;
        // A profile repeats what it has from its side.
        warnings.sort();
        warnings.dedup();
        config.warnings = warnings.into_iter().map(error).collect();
        Ok(config)
    }

    fn read_groups(&mut self, groups: &[Group<'_>], warnings: &mut Vec<Problem>) -> Result<(), Problem> {
        let of_side = |role| {
            let group = groups.iter().find(|group| group.name == name_of(role));
            group.map_or(&[][..], |group| &group.settings)
        };
        for Group { name, line, settings } in groups {
            match (*name, profile_of(name)) {
                ("debug" | "authenticate" | "metrics", _) => self.set_all(name, settings, warnings)?,
                ("authenticate.client", _) => {
                    self.client = Section::read((Role::Client, name), settings.iter(), warnings)?;
                }
                ("authenticate.server", _) => {
                    self.server = Section::read((Role::Server, name), settings.iter(), warnings)?;
                }
                (_, Some(role)) => {
                    let which = (role, *name, *line);
                    self.profiles.push(Profile::read(which, settings, of_side(role), warnings)?);
                }
                (_, None) => return Err((*line, format!("there is no section [{name}]"))),
            }
        }
        Ok(())
    }

    fn set_all(
        &mut self,
        section: &str,
        settings: &[Setting<'_>],
        warnings: &mut Vec<Problem>,
    ) -> Result<(), Problem> {
        for Setting { key, value, line } in settings {
            let at = |problem| (*line, problem);
            match (section, *key) {
                ("debug", "loglevel") => self.debug = number(key, value).map_err(at)? > 0,
                ("debug", "tls" | "nl" | "delay_done") => {
                    if number(key, value).map_err(at)? > 0 {
                        warnings.push(at(format!("{key} has no effect here; use loglevel")));
                    }
                }
                ("authenticate", "keyrings") => self.keyrings = list(value),
                ("metrics", "textfile") => self.textfile = Some(path(key, value).map_err(at)?.into()),
                _ => return Err(at(format!("there is no setting {key:?} in [{section}]"))),
            }
        }
        Ok(())
    }

    /// Whether some client is to trust the system's authorities.
    pub(super) fn trusts_the_system(&self) -> bool {
        let profiles = self.profiles.iter().filter(|profile| profile.role == Role::Client);
        let mut clients = profiles.map(|profile| &profile.section).chain([&self.client]);
        clients.any(|section| section.truststore.is_none())
    }

    /// Its sides, and their profiles.
    fn sections(&self) -> impl Iterator<Item = &Section> {
        [&self.client, &self.server].into_iter().chain(self.profiles.iter().map(|profile| &profile.section))
    }

    /// The files that it names.
    pub(super) fn files(&self) -> impl Iterator<Item = &FileAt> {
        self.sections().flat_map(Section::files)
    }
}

fn name_of(role: Role) -> &'static str {
    match role {
        Role::Client => "authenticate.client",
        Role::Server => "authenticate.server",
    }
}

/// The side whose profile a section of this name is.
fn profile_of(name: &str) -> Option<Role> {
    [Role::Client, Role::Server].into_iter().find(|role| {
        let rest = name.strip_prefix(name_of(*role)).and_then(|rest| rest.strip_prefix('.'));
        rest.is_some_and(|rest| !rest.is_empty())
    })
}

#[cfg(test)]
mod tests;
