//! Trust stores and CRLs from files and directories.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::crypto::x509::{Policy, TrustStore, Verifier};

/// What the agent and the tools demand of a path: all but the rules for issuers that deployed private CAs break without harm.
pub(crate) fn policy() -> Policy {
    Policy { issuer_profile: false, ..Policy::default() }
}

/// Verifies peers against a store, by [`policy`].
pub(crate) fn verifier(store: TrustStore) -> Verifier {
    Verifier::with_policy(Arc::new(store), policy())
}

/// Reads trust anchors: a file must hold at least one certificate, of a directory every file that holds any is taken.
pub(crate) fn add_anchors(store: &mut TrustStore, path: &Path) -> Result<(), String> {
    if !path.is_dir() {
        return store.add_pem(&read(path)?, &path.display().to_string()).map_err(|error| error.to_string());
    }
    for file in files(path).map_err(|error| format!("{}: {error}", path.display()))? {
        let text = read(&file)?;
        if text.windows(CERTIFICATE.len()).any(|window| window == CERTIFICATE) {
            store.add_pem(&text, &file.display().to_string()).map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

/// Reads CRLs, in PEM or in DER: a file, or all files of a directory.
pub(crate) fn add_crls(store: &mut TrustStore, path: &Path) -> Result<(), String> {
    let files = if path.is_dir() {
        files(path).map_err(|error| format!("{}: {error}", path.display()))?
    } else {
        vec![path.to_owned()]
    };
    for file in files {
        let (contents, origin) = (read(&file)?, file.display().to_string());
        let is_der = contents.first() == Some(&0x30);
        let added =
            if is_der { store.add_crl(&contents, &origin) } else { store.add_crl_pem(&contents, &origin) };
        added.map_err(|error| error.to_string())?;
    }
    Ok(())
}

const CERTIFICATE: &[u8] = b"CERTIFICATE-----";

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// The files of a directory, links followed, in the order of their names.
fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path()));
    let mut files = entries.collect::<io::Result<Vec<_>>>()?;
    files.retain(|path| path.is_file());
    files.sort();
    Ok(files)
}
