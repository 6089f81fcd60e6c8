//! Trust stores and CRLs from files and directories, and on their way to a worker, which may read neither.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use crate::{
    crypto::{
        certificate::UnixTime,
        x509::{AllowList, Policy, Property, RequiredPurpose, Revocation, Side, TrustStore, Verifier},
    },
    engine::codec::{Malformed, Reader, TooLong, Writer},
};

use super::log;

/// What the agent and the tools demand of a path: all but the rules for issuers that deployed private CAs break without harm.
pub(crate) fn policy() -> Policy {
    Policy { issuer_profile: false, ..Policy::default() }
}

/// Verifies peers against a store, by [`policy`] and these demands.
pub(crate) fn verifier(store: TrustStore, demands: Demands) -> Verifier {
    let Demands { purpose, revocation, min_rsa_bits, allowed } = demands;
    Verifier::with_policy(Arc::new(store), Policy { purpose, revocation, min_rsa_bits, allowed, ..policy() })
}

/// What is of no use in a trust store.
#[derive(Debug)]
pub(super) struct Idle {
    /// Whether nothing is of use.
    pub(super) all: bool,
    /// How much, what and why, in words.
    pub(super) text: String,
}

impl Idle {
    /// Looks for what vouches now for no peer in this role.
    pub(super) fn find(verifier: &Verifier, peer: Side, now: UnixTime) -> Option<Self> {
        let (idle, count) = verifier.idle_anchors(peer, now);
        if idle.is_empty() {
            return None;
        }
        let text = format!("{} of {count} certificates vouch for nobody now: {}", idle.len(), some_of(&idle));
        Some(Self { all: idle.len() == count, text })
    }
}

/// The first of a list, and how many more there are.
pub(super) fn some_of(list: &[String]) -> String {
    const TOLD: usize = 3;
    let told = list.iter().take(TOLD).map(String::as_str).collect::<Vec<_>>().join("; ");
    match list.len().saturating_sub(TOLD) {
        0 => told,
        more => format!("{told}; and {more} more"),
    }
}

/// What one side demands of its peers' paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Demands {
    /// Which extendedKeyUsage the end entity needs.
    pub(crate) purpose: RequiredPurpose,
    /// Of which certificates it must be known that they are not revoked.
    pub(crate) revocation: Revocation,
    /// How short an RSA key may be.
    pub(crate) min_rsa_bits: usize,
    /// Which end entities are wanted.
    pub(crate) allowed: AllowList,
}

impl Demands {
    fn write(&self, w: &mut Writer) {
        let Self { purpose, revocation, min_rsa_bits, allowed } = self;
        w.u8(match purpose {
            RequiredPurpose::Tls => 0,
            RequiredPurpose::ExplicitTls => 1,
            RequiredPurpose::RpcTls => 2,
        });
        w.u8(match revocation {
            Revocation::WhereKnown => 0,
            Revocation::EndEntity => 1,
            Revocation::WholePath => 2,
        });
        w.u16(u16::try_from(*min_rsa_bits).unwrap_or(u16::MAX));
        w.vector24(|w| {
            for (property, text) in allowed.entries() {
                w.vector16(|w| w.bytes(property.name().as_bytes()));
                w.vector16(|w| w.bytes(text.as_bytes()));
            }
        });
    }

    /// What is not understood is refused: a demand must not get lost.
    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let malformed = Malformed("demands");
        let purpose = match r.u8()? {
            0 => RequiredPurpose::Tls,
            1 => RequiredPurpose::ExplicitTls,
            2 => RequiredPurpose::RpcTls,
            _ => return Err(malformed),
        };
        let revocation = match r.u8()? {
            0 => Revocation::WhereKnown,
            1 => Revocation::EndEntity,
            2 => Revocation::WholePath,
            _ => return Err(malformed),
        };
        let min_rsa_bits = r.u16()?.into();
        let (mut entries, mut allowed) = (r.vector24()?, AllowList::default());
        while !entries.is_empty() {
            let (name, text) = (entries.vector16()?.rest(), entries.vector16()?.rest());
            let property = Property::ALL.into_iter().find(|property| property.name().as_bytes() == name);
            let text = std::str::from_utf8(text).map_err(|_| malformed)?;
            allowed.add(property.ok_or(malformed)?, text).map_err(|_| malformed)?;
        }
        Ok(Self { purpose, revocation, min_rsa_bits, allowed })
    }
}

/// Whom one side trusts, and whom no longer: the files as they were read.
#[derive(Debug, Default)]
pub(crate) struct Trust {
    anchors: Vec<Contents>,
    crls: Vec<Contents>,
    pub(crate) demands: Demands,
}

#[derive(Debug)]
struct Contents {
    origin: String,
    bytes: Vec<u8>,
}

impl Trust {
    /// Reads trust anchors: a file must hold at least one certificate, of a directory every file that holds any is taken.
    pub(crate) fn anchors(path: &Path) -> Result<Self, String> {
        let is_wanted = |text: &[u8]| ANCHORS.iter().any(|begin| contains(text, begin));
        Ok(Self { anchors: read_all(path, "certificate", is_wanted)?, ..Self::default() })
    }

    /// Reads CRLs, in PEM or in DER: a file, or every file of a directory that holds any.
    pub(crate) fn crls(path: &Path) -> Result<Self, String> {
        // An empty file is a CRL about to be written: without it, the revoked would be trusted again.
        let is_wanted = |text: &[u8]| text.is_empty() || is_der(text) || contains(text, CRL);
        Ok(Self { crls: read_all(path, "CRL", is_wanted)?, ..Self::default() })
    }

    /// Takes the files of another, too.
    pub(crate) fn extend(&mut self, other: Self) {
        self.anchors.extend(other.anchors);
        self.crls.extend(other.crls);
    }

    /// Adds everything to a store.
    pub(crate) fn add_to(&self, store: &mut TrustStore) -> Result<(), String> {
        let mut anchors = self.anchors.iter();
        anchors.try_for_each(|file| store.add_pem(&file.bytes, &file.origin)).map_err(|e| e.to_string())?;
        for Contents { origin, bytes } in &self.crls {
            let added =
                if is_der(bytes) { store.add_crl(bytes, origin) } else { store.add_crl_pem(bytes, origin) };
            added.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Verifies by these anchors and CRLs, and by demands that need not be its own.
    pub(crate) fn verifier(&self, demands: Demands) -> Result<Verifier, String> {
        let mut store = TrustStore::empty();
        self.add_to(&mut store)?;
        Ok(verifier(store, demands))
    }

    fn write(&self, w: &mut Writer) {
        self.demands.write(w);
        for files in [&self.anchors, &self.crls] {
            w.vector24(|w| {
                for Contents { origin, bytes } in files {
                    w.vector16(|w| w.bytes(origin.as_bytes()));
                    w.vector24(|w| w.bytes(bytes));
                }
            });
        }
    }

    fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let demands = Demands::read(r)?;
        let mut files = || {
            let (mut list, mut files) = (r.vector24()?, Vec::new());
            while !list.is_empty() {
                let origin = String::from_utf8_lossy(list.vector16()?.rest()).into_owned();
                files.push(Contents { origin, bytes: list.vector24()?.rest().into() });
            }
            Ok(files)
        };
        Ok(Self { anchors: files()?, crls: files()?, demands })
    }
}

/// Writes trust stores, each after its length in three bytes; the error is for people.
pub(crate) fn write(trusts: &[Trust]) -> Result<Vec<u8>, String> {
    let mut w = Writer::default();
    trusts.iter().for_each(|trust| w.vector24(|w| trust.write(w)));
    w.finish().map_err(|TooLong| "the trust stores and CRLs of one side are larger than 16 MiB".into())
}

/// Makes a verifier of one trust store that [`write()`] wrote, without its length.
pub(crate) fn read_verifier(bytes: &[u8]) -> Result<Verifier, String> {
    let mut r = Reader::new(bytes, "trust store");
    let trust = Trust::read(&mut r).and_then(|trust| r.finish().map(|()| trust));
    let trust = trust.map_err(|error| format!("malformed {}", error.0))?;
    trust.verifier(trust.demands.clone())
}

/// How anchors begin, with one dash of five: a line that lost some is an error of the file, no reason to pass the file over.
const ANCHORS: [&[u8]; 2] = [b"-BEGIN CERTIFICATE-", b"-BEGIN X509 CERTIFICATE-"];
const CRL: &[u8] = b"-BEGIN X509 CRL-";

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

fn is_der(text: &[u8]) -> bool {
    text.first() == Some(&0x30)
}

/// Reads a file, or those files of a directory that are wanted: at least one.
fn read_all(path: &Path, what: &str, is_wanted: impl Fn(&[u8]) -> bool) -> Result<Vec<Contents>, String> {
    if !path.is_dir() {
        return Ok(vec![read_file(path)?]);
    }
    let files = files(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let files = files.iter().map(|file| read_file(file)).collect::<Result<Vec<_>, _>>()?;
    let (wanted, others): (Vec<_>, Vec<_>) = files.into_iter().partition(|file| is_wanted(&file.bytes));
    others.iter().for_each(|file| log::debug(format_args!("{}: passed over: no {what} in it", file.origin)));
    if wanted.is_empty() {
        Err(format!("{}: no {what} in any file of it", path.display()))
    } else {
        Ok(wanted)
    }
}

fn read_file(path: &Path) -> Result<Contents, String> {
    let origin = path.display().to_string();
    let bytes = fs::read(path).map_err(|error| format!("{origin}: {error}"))?;
    Ok(Contents { origin, bytes })
}

/// The files of a directory, links followed, in the order of their names.
pub(super) fn files(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory)?.map(|entry| entry.map(|entry| entry.path()));
    let mut files = entries.collect::<io::Result<Vec<_>>>()?;
    files.retain(|path| path.is_file());
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_demand_that_is_not_understood_is_refused() {
        let mut demands = Demands { min_rsa_bits: 3072, ..Demands::default() };
        demands.allowed.add(Property::Subject, "CN=a").unwrap();
        let bytes = write(&[Trust { demands, ..Trust::default() }]).unwrap().split_off(3);
        read_verifier(&bytes).unwrap();
        read_verifier(&bytes[..bytes.len() - 1]).unwrap_err();
        for (known, unknown) in
            [("\0\0", "\x09\0"), ("\0\0", "\0\x09"), ("allow.dn", "allow.dx"), ("CN=a", "XY=a")]
        {
            let at = bytes.windows(known.len()).position(|window| window == known.as_bytes()).unwrap();
            let mut changed = bytes.clone();
            changed[at..at + known.len()].copy_from_slice(unknown.as_bytes());
            assert!(read_verifier(&changed).is_err(), "{unknown:?}");
        }
    }
}
