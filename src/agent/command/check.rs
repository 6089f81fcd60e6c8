//! `handclasp check`: is this host ready? Each line says what is so, and what to do about it if it is not good.

mod files;
mod host;
mod kernel;
mod material;
mod policy;
mod workers;

use std::{fmt, path::PathBuf, process::ExitCode};

use super::{
    Argument, Arguments, CommandError,
    agent::{self, DEFAULT_WORKERS},
    print, unexpected_operand, unknown_option,
};
use crate::{
    agent::{
        flow::read_psk,
        keyring::{self, KeySerial, Keyrings},
        log::Sanitised,
        material::Settings,
        stamps::Stamps,
    },
    crypto::hash::Hash,
};

const USAGE: &str = "\
Tells whether this host is ready: kernel, ciphers, workers, keyrings, configuration, certificates.

Usage: handclasp check [OPTIONS]

  -c, --config FILE   the configuration to check; without it the one that the agent would use
  -w, --workers N     the agent's: 0 for one that is to do without
  -h, --help          this text

Exit code 0: ready, though perhaps with warnings. 1: something must be done first.
";

/// How good a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Ok,
    Warn,
    Fail,
}

/// One line of the report.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    level: Level,
    subject: &'static str,
    text: String,
}

impl Finding {
    fn ok(subject: &'static str, text: impl Into<String>) -> Self {
        Self { level: Level::Ok, subject, text: text.into() }
    }

    fn warn(subject: &'static str, text: impl Into<String>) -> Self {
        Self { level: Level::Warn, subject, text: text.into() }
    }

    fn fail(subject: &'static str, text: impl Into<String>) -> Self {
        Self { level: Level::Fail, subject, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warn => "WARN",
            Level::Fail => "FAIL",
        };
        write!(f, "{level:4}  {:13} {}", self.subject, self.text)
    }
}

/// Checks the host.
pub(super) fn run(mut arguments: Arguments) -> Result<ExitCode, CommandError> {
    let (mut path, mut workers) = (None, DEFAULT_WORKERS);
    while let Some(argument) = arguments.next()? {
        match argument {
            Argument::Option(name) => match name.as_str() {
                "c" | "config" => path = Some(arguments.path()?),
                "w" | "workers" => workers = agent::workers(&mut arguments)?,
                "h" | "help" => {
                    return print(format_args!("{USAGE}"));
                }
                other => return Err(unknown_option(other)),
            },
            Argument::Operand(operand) => return Err(unexpected_operand(&operand)),
        }
    }
    report(path, workers)
}

fn report(path: Option<PathBuf>, workers: usize) -> Result<ExitCode, CommandError> {
    let mut worst = Level::Ok;
    let mut show = |findings: Vec<Finding>| {
        findings.into_iter().try_for_each(|finding| {
            worst = worst.max(finding.level);
            print(format_args!("{finding}\n")).map(drop)
        })
    };
    show(host::check())?;
    show(kernel::check())?;
    show(workers::check(workers))?;
    match Settings::load(path.as_deref(), &mut Stamps::default()) {
        Err(error) => show(vec![Finding::fail("configuration", error.to_string())])?,
        Ok(settings) => {
            show(keyrings(&settings.config.keyrings))?;
            show(material::check(&settings))?;
            show(files::check(&settings.config))?;
        }
    }
    Ok(if worst == Level::Fail { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn keyrings(configured: &[String]) -> Vec<Finding> {
    let mut keyrings = Keyrings::new(configured);
    keyrings.refresh();
    let missing = keyrings.missing().map(missing_keyring);
    missing.chain(keyrings.present().flat_map(|(name, keyring)| keys(name, keyring))).collect()
}

fn missing_keyring(name: &str) -> Finding {
    match name {
        ".nvme" => Finding::warn(
            "keyrings",
            ".nvme is not there: NVMe over TLS needs it (modprobe nvme-tcp or nvmet-tcp)",
        ),
        ".nfs" => Finding::ok(
            "keyrings",
            ".nfs is not there: only newer kernels have it, and nothing here needs it",
        ),
        name => Finding::warn("keyrings", format!("{name} is not there; it is named in the configuration")),
    }
}

/// The PSKs of a keyring, and whether the agent can use them.
fn keys(name: &str, keyring: KeySerial) -> Vec<Finding> {
    let keys = match keyring::keys_of(keyring) {
        Ok(keys) => keys,
        Err(error) => return vec![Finding::fail("keyrings", format!("{name}: {error}"))],
    };
    let mut findings = vec![Finding::ok("keyrings", format!("{name}: {} keys", keys.len()))];
    for key in keys {
        match keyring::describe(key) {
            Ok(description) if description.kind != "psk" => {}
            Ok(description) => {
                let identity = Sanitised(&description.text).to_string();
                findings.push(match read_psk(key) {
                    Ok(psk) => psk_length(&description.text, key, psk.hash()).map_or_else(
                        || Finding::ok("psk", format!("\"{identity}\", {:?}", psk.hash())),
                        |problem| Finding::warn("psk", format!("\"{identity}\": {problem}")),
                    ),
                    Err(failure) => Finding::fail("psk", format!("\"{identity}\": {failure}")),
                });
            }
            Err(error) => findings.push(Finding::warn("keyrings", format!("{name}: {error}"))),
        }
    }
    findings
}

/// What is wrong with the length of a PSK of NVMe, which is that of its hash (TP 8018).
fn psk_length(identity: &[u8], key: KeySerial, hash: Hash) -> Option<String> {
    let length = keyring::read(key).ok()?.expose().len();
    wrong_length(identity, length, hash)
}

fn wrong_length(identity: &[u8], length: usize, hash: Hash) -> Option<String> {
    let wanted = hash.length();
    (identity.starts_with(b"NVMe") && length != wanted).then(|| {
        format!(
            "it has {length} octets, and {hash:?} wants {wanted}: make it anew (nvme gen-tls-key --insert)"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_finding_decides() {
        assert!(Level::Fail > Level::Warn && Level::Warn > Level::Ok);
    }

    #[test]
    fn a_psk_of_nvme_is_as_long_as_its_hash() {
        let wrong = |length, hash| wrong_length(b"NVMe1R02 host subsystem", length, hash);
        assert!(wrong(48, Hash::Sha384).is_none() && wrong(32, Hash::Sha256).is_none());
        assert!(wrong(32, Hash::Sha384).unwrap().starts_with("it has 32 octets, and Sha384 wants 48"));
        assert!(wrong_length(b"another's", 5, Hash::Sha256).is_none());
    }

    #[test]
    fn a_missing_keyring_comes_with_advice() {
        let findings = keyrings(&["no such keyring".into()]);
        let line = findings.iter().find(|finding| finding.text.contains("no such keyring")).unwrap();
        assert_eq!(
            line.to_string(),
            "WARN  keyrings      no such keyring is not there; it is named in the configuration"
        );
    }
}
