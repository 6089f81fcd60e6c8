//! What a worker is started with, and its start.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::fd::OwnedFd,
    path::PathBuf,
    process::Child,
};

use nix::{
    fcntl::{FcntlArg, SealFlag, fcntl},
    sys::memfd::{MFdFlags, memfd_create},
};

use super::voice::Voice;
use crate::agent::{material::Settings, passing, trust_store};

/// How many handshakes a worker does before another takes its place: what one of them may have left behind goes with it.
const LONGEST_SERVICE: u32 = 10_000;
/// Half of the host's or cgroup's memory: by so much a worker goes before its broker (proc_pid_oom_score_adj(5)).
const OOM_SCORE: i32 = 500;
/// The score of who goes first.
const HIGHEST_OOM_SCORE: i32 = 1000;

/// What a worker is started with.
#[derive(Debug)]
pub(in crate::agent) struct Recruitment {
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<&'static str>,
    /// The trust stores, in a sealed file without a name, as soon as they are known: a worker is not ready without them.
    pub(super) trust: Option<OwnedFd>,
    /// Whether to write debug messages.
    pub(super) is_debug: bool,
    /// After how many handshakes it is replaced.
    pub(super) service: u32,
}

impl Default for Recruitment {
    fn default() -> Self {
        let (program, arguments) = ("/proc/self/exe".into(), vec!["worker"]);
        Self { program, arguments, trust: None, is_debug: false, service: LONGEST_SERVICE }
    }
}

impl Recruitment {
    /// Writes the trust stores of these settings into a file that nobody can change any more.
    pub(in crate::agent) fn new(settings: &Settings) -> Result<Self, String> {
        let trust = trust_store::write(&settings.trusts)?;
        let flags = MFdFlags::MFD_CLOEXEC | MFdFlags::MFD_ALLOW_SEALING;
        let write = || -> io::Result<OwnedFd> {
            let mut file = File::from(memfd_create("trust stores", flags)?);
            file.write_all(&trust)?;
            let seals = SealFlag::F_SEAL_SEAL
                | SealFlag::F_SEAL_SHRINK
                | SealFlag::F_SEAL_GROW
                | SealFlag::F_SEAL_WRITE;
            fcntl(&file, FcntlArg::F_ADD_SEALS(seals))?;
            Ok(file.into())
        };
        let trust = write().map_err(|error| format!("the trust stores for the workers: {error}"))?;
        Ok(Self { trust: Some(trust), is_debug: settings.config.debug, ..Self::default() })
    }

    /// Starts a worker; returns its process, our end of the socket, and what it says on standard error.
    pub(super) fn start(&self) -> io::Result<(Child, OwnedFd, Voice)> {
        let (voice, stderr) = Voice::new()?;
        let (process, socket) = passing::start(&self.program, &self.arguments, stderr.into())?;
        // Where memory ends, better one worker than the broker, whom nobody speaks for; and from its first page on, for where it
        // ended just now it is short still. A host that hides the file is none the worse.
        let _best_effort = go_first(process.id());
        Ok((process, socket, voice))
    }
}

fn go_first(process: u32) -> io::Result<()> {
    let ours = fs::read_to_string("/proc/self/oom_score_adj")?.trim().parse().unwrap_or(0);
    let score = OOM_SCORE.saturating_add(ours).min(HIGHEST_OOM_SCORE);
    fs::write(format!("/proc/{process}/oom_score_adj"), score.to_string())
}
