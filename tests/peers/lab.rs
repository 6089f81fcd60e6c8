//! What the cases share: the programs of the peers, and a folder with certificates, keys and scratch files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicUsize, Ordering},
};

use crate::ends::Psk;

/// An identity as NVMe/TCP makes them: with spaces, colons and dots.
const IDENTITY: &str = "NVMe0R01 nqn.2014-08.org.nvmexpress:uuid:4d1f host nqn.2026-11.test:subsystem";

/// The PSK of SHA-256.
pub const PSK_SHA256: Psk = Psk {
    identity: IDENTITY,
    key: "5a17c0de000102030405060708090a0b0c0d0e0f101112131415161718191a1b",
    sha384: false,
};

/// The PSK of SHA-384.
pub const PSK_SHA384: Psk = Psk {
    identity: IDENTITY,
    key: "5a17c0de000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b",
    sha384: true,
};

/// The folder of one run.
pub struct Lab {
    folder: PathBuf,
    scratch: AtomicUsize,
}

impl Lab {
    /// Checks that the peers are there, and makes their certificates.
    pub fn open() -> Result<Self, String> {
        for program in ["openssl", "gnutls-cli", "gnutls-serv"] {
            let argument = if program == "openssl" { "version" } else { "--version" };
            let status =
                Command::new(program).arg(argument).stdout(Stdio::null()).stderr(Stdio::null()).status();
            status.map_err(|error| {
                format!("{program}: {error}. The peer tests need it: apt-get install openssl gnutls-bin")
            })?;
        }
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("peers-{}", std::process::id()));
        make_certificates(&folder)?;
        Ok(Self { folder, scratch: AtomicUsize::new(0) })
    }

    /// A file of the lab.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A file that no other case uses.
    pub fn scratch_file(&self) -> PathBuf {
        self.file(&format!("scratch-{}", self.scratch.fetch_add(1, Ordering::Relaxed)))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // What cannot be removed is left to `cargo clean`.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn make_certificates(folder: &Path) -> Result<(), String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/certificates.sh");
    let mut command = Command::new("sh");
    command.arg(&script).arg(folder);
    command.env("PSK_IDENTITY", IDENTITY);
    command.env("PSK_SHA256", PSK_SHA256.key).env("PSK_SHA384", PSK_SHA384.key);
    let output = command.output().map_err(|error| format!("sh: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{}: {}", script.display(), String::from_utf8_lossy(&output.stderr)))
}
