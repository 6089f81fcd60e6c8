//! The trust stores of a worker, each of which is read when the first certificate is to be verified by it.
//!
//! A system trusts some 150 authorities, whose certificates take longer to read than all the rest of an agent's start, and more memory
//! than all the rest of an idle worker. Handshakes with PSKs need none of them.

use std::{
    fs::File,
    os::{fd::OwnedFd, unix::fs::FileExt},
    sync::{Arc, OnceLock},
};

use crate::{
    agent::{border::Verifiers, trust_store},
    crypto::{
        certificate::{CertificateVerifier, Purpose, Reason, Rejection, UnixTime},
        public_key::PublicKey,
        x509::Verifier,
    },
};

/// Where one trust store is in the broker's file, and a verifier by it, once one was needed, or why there is none.
#[derive(Debug)]
struct Deferred {
    file: Arc<File>,
    start: u64,
    length: u32,
    verifier: OnceLock<Result<Verifier, String>>,
}

/// Finds the trust stores in a file that [`trust_store::write`] has written: each after its length. The file's
/// position is the broker's and every worker's, and so is left alone.
pub(in crate::agent) fn verifiers(file: OwnedFd) -> Result<Verifiers, String> {
    let (file, mut verifiers, mut start) = (Arc::new(File::from(file)), Verifiers::new(), 0);
    loop {
        let mut length = [0; 4];
        match file.read_at(&mut length[1..], start).map_err(|error| format!("the trust stores: {error}"))? {
            0 => return Ok(verifiers),
            3 => start += 3,
            _ => return Err("the trust stores are malformed".into()),
        }
        let length = u32::from_be_bytes(length);
        let (file, verifier) = (Arc::clone(&file), OnceLock::new());
        verifiers.push(Arc::new(Deferred { file, start, length, verifier }));
        start += u64::from(length);
    }
}

impl Deferred {
    fn verifier(&self) -> &Result<Verifier, String> {
        self.verifier.get_or_init(|| {
            let mut bytes = vec![0; self.length as usize];
            self.file.read_exact_at(&mut bytes, self.start).map_err(|error| error.to_string())?;
            trust_store::read_verifier(&bytes)
        })
    }
}

impl CertificateVerifier for Deferred {
    /// Nobody is verified by what cannot be read.
    fn verify(&self, chain: &[Vec<u8>], purpose: Purpose<'_>, now: UnixTime) -> Result<PublicKey, Rejection> {
        match self.verifier() {
            Ok(verifier) => verifier.verify(chain, purpose, now),
            Err(problem) => {
                let detail = format!("the trust store cannot be read: {problem}");
                Err(Rejection { reason: Reason::UnknownAuthority, detail })
            }
        }
    }

    fn authorities(&self) -> &[Vec<u8>] {
        self.verifier().as_ref().map(|verifier| verifier.authorities()).unwrap_or_default()
    }
}

#[cfg(test)]
pub(in crate::agent) mod tests {
    use super::*;
    use crate::{
        agent::trust_store::{Trust, write},
        crypto::pem,
    };
    use nix::sys::memfd::{MFdFlags, memfd_create};
    use std::{io::Write, path::Path};

    pub(in crate::agent) fn file(bytes: &[u8]) -> OwnedFd {
        let mut file = File::from(memfd_create("test", MFdFlags::empty()).unwrap());
        file.write_all(bytes).unwrap();
        file.into()
    }

    fn verify(verifier: &dyn CertificateVerifier) -> Result<PublicKey, Rejection> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/agent/client.pem");
        let chain = pem::certificates(&std::fs::read(folder).unwrap()).unwrap();
        verifier.verify(&chain, Purpose::Client, UnixTime(1_900_000_000))
    }

    #[test]
    fn each_store_is_read_when_it_is_needed_and_nobody_is_trusted_by_a_broken_one() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/agent");
        let trusts = ["foreign-ca.pem", "ca.pem"].map(|name| Trust::anchors(&folder.join(name)).unwrap());
        let bytes = write(&trusts).unwrap();
        let [foreign, own] = &verifiers(file(&bytes)).unwrap()[..] else { panic!("two stores") };
        assert_eq!(verify(&**foreign).unwrap_err().reason, Reason::UnknownAuthority);
        verify(&**own).unwrap();
        assert_eq!(own.authorities().len(), 1);
        let [_, cut] = &verifiers(file(&bytes[..bytes.len() - 1])).unwrap()[..] else { panic!("two stores") };
        let rejection = verify(&**cut).unwrap_err();
        assert!(rejection.detail.starts_with("the trust store cannot be read: "), "{rejection}");
        assert!(cut.authorities().is_empty());
        verifiers(file(&bytes[..2])).unwrap_err();
    }
}
