//! The options that `connect` and `serve` share, and the material that they name.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use zeroize::Zeroizing;

use super::say;
use crate::{
    agent::{
        command::{
            Arguments, CommandError,
            tools::{file_error, read_file},
        },
        driver::Answers,
        key_log::KeyLogFile,
        material::{self, Identity},
        tracer::Tracer,
        trust_store::{Demands, Trust},
    },
    crypto::{
        certificate::CertificateVerifier, hash::Hash, kx::NamedGroup, pem, secret::Secret, sign::SigningKey,
        suite::CipherSuite,
    },
    engine::{
        Psk, PskOffer, Session, SignRequest,
        config::{Credential, KeyLog, Trace},
    },
};

/// How many bytes of keying material `--keymatexport` prints.
const EXPORT_LENGTH: u16 = 32;

/// The options of both commands, as they were typed.
#[derive(Debug, Default)]
pub(crate) struct TlsOptions {
    pub(crate) cafile: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    psk_identity: Option<String>,
    psk: Option<Secret>,
    psk_hash: Option<Hash>,
    alpn: Vec<Vec<u8>>,
    groups: Option<Vec<NamedGroup>>,
    suites: Option<Vec<CipherSuite>>,
    keylog: Option<PathBuf>,
    export: Option<String>,
    trace: bool,
    pub(crate) ktls: bool,
}

/// What the options come to.
#[derive(Debug)]
pub(crate) struct Material {
    pub(crate) suites: Vec<CipherSuite>,
    pub(crate) groups: Vec<NamedGroup>,
    pub(crate) alpn: Vec<Vec<u8>>,
    pub(crate) credentials: Vec<Credential>,
    pub(crate) verifier: Option<Arc<dyn CertificateVerifier>>,
    pub(crate) key_log: Option<Arc<dyn KeyLog>>,
    pub(crate) keys: Keys,
    export: Option<String>,
    trace: bool,
}

/// The secrets that answer the engine's questions.
#[derive(Debug)]
pub(crate) struct Keys {
    signing: Option<SigningKey>,
    psk: Option<ExternalPsk>,
}

#[derive(Debug)]
struct ExternalPsk {
    identity: String,
    secret: Secret,
    hash: Hash,
}

impl TlsOptions {
    /// The part of `--help` that both commands have.
    pub(crate) const HELP: &str = "\
\x20 --cert FILE             our certificate and its intermediates (PEM)
  --key FILE              its private key (PEM); without it, from the file of --cert
  --psk-identity ID       authenticate with an external PSK of this identity
  --psk HEX               its key in hex, which others can see in the process list
  --psk-file FILE         its key in hex, from a file
  --psk-hash sha256|sha384
                          its hash (default sha256, whatever the key's length:
                          a PSK belongs to one hash, and its length does not tell)
  --alpn A,B              application protocols in order of preference
  --groups G,G            of X25519MLKEM768, x25519, secp256r1, secp384r1, in order of preference
  --suites S,S            of TLS_AES_128_GCM_SHA256, TLS_AES_256_GCM_SHA384,
                          TLS_CHACHA20_POLY1305_SHA256, in order of preference
  --keylog FILE           append the secrets in NSS key log format, for Wireshark:
                          they undo all protection
  --keymatexport LABEL    print 32 bytes of exported keying material (RFC 8446, 7.5)
  --trace                 show each handshake message as it passes, on standard error;
                          in braces what is protected
  --ktls                  let the kernel encrypt, if it can
  -h, --help              this
";

    /// Takes the option `name` if it is one of these.
    pub(crate) fn take(&mut self, name: &str, arguments: &mut Arguments) -> Result<bool, CommandError> {
        match name {
            "cafile" => self.cafile = Some(arguments.path()?),
            "cert" => self.certificate = Some(arguments.path()?),
            "key" => self.key = Some(arguments.path()?),
            "psk-identity" => self.psk_identity = Some(arguments.text()?),
            "psk" => self.set_psk(parse_hex(&Zeroizing::new(arguments.text()?), "--psk"))?,
            "psk-file" => self.set_psk(read_psk(&arguments.path()?))?,
            "psk-hash" => self.psk_hash = Some(parse_hash(&arguments.text()?)?),
            "alpn" => self.alpn = arguments.list(parse_protocol)?,
            "groups" => self.groups = Some(arguments.list(NamedGroup::from_name)?),
            "suites" => self.suites = Some(arguments.list(CipherSuite::from_name)?),
            "keylog" => self.keylog = Some(arguments.path()?),
            "keymatexport" => self.export = Some(arguments.text()?),
            "trace" => self.trace = true,
            "ktls" => self.ktls = true,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn set_psk(&mut self, psk: Result<Secret, CommandError>) -> Result<(), CommandError> {
        match self.psk.replace(psk?) {
            None => Ok(()),
            Some(_) => Err(usage("there can be one of --psk and --psk-file, once")),
        }
    }

    /// Whether a certificate is named.
    pub(crate) fn has_certificate(&self) -> bool {
        self.certificate.is_some()
    }

    /// Whether a PSK is named.
    pub(crate) fn has_psk(&self) -> bool {
        self.psk_identity.is_some()
    }

    /// Reads the files and checks that everything fits together.
    pub(crate) fn load(self) -> Result<Material, CommandError> {
        self.check()?;
        let psk = self.psk_identity.zip(self.psk).map(|(identity, secret)| {
            let hash = self.psk_hash.unwrap_or(Hash::Sha256);
            ExternalPsk { identity, secret, hash }
        });
        if let Some(psk) = &psk {
            Psk::external(psk.identity.as_bytes(), psk.secret.expose(), psk.hash)
                .map_err(|error| usage(&error.to_string()))?;
        }
        let key = self.key.as_ref().or(self.certificate.as_ref());
        let identity =
            self.certificate.as_ref().zip(key).map(|(chain, key)| load_identity(chain, key)).transpose()?;
        let (credential, signing) = identity.map(|identity| (identity.credential, identity.key)).unzip();
        Ok(Material {
            suites: self.suites.unwrap_or_else(|| CipherSuite::ALL.into()),
            groups: self.groups.unwrap_or_else(|| NamedGroup::ALL.into()),
            alpn: self.alpn,
            credentials: credential.into_iter().collect(),
            verifier: self.cafile.as_deref().map(load_verifier).transpose()?,
            key_log: self.keylog.as_deref().map(open_key_log).transpose()?,
            keys: Keys { signing, psk },
            export: self.export,
            trace: self.trace,
        })
    }

    fn check(&self) -> Result<(), CommandError> {
        if self.key.is_some() && self.certificate.is_none() {
            return Err(usage("--key needs --cert"));
        }
        match (&self.psk_identity, &self.psk) {
            (Some(_), None) => Err(usage("--psk-identity needs --psk or --psk-file")),
            (None, Some(_)) => Err(usage("--psk and --psk-file need --psk-identity")),
            (None, None) if self.psk_hash.is_some() => Err(usage("--psk-hash needs --psk-identity")),
            _ => Ok(()),
        }
    }
}

impl Material {
    /// Who shows the messages of a handshake, with `--trace`; each line begins with `subject`.
    pub(crate) fn tracer(&self, subject: String) -> Option<Arc<dyn Trace>> {
        self.trace.then(|| Tracer::of(subject, say))
    }

    /// Prints what is asked for with `--keymatexport`.
    pub(crate) fn export(&self, session: &Session) {
        let Some(label) = &self.export else { return };
        match session.exporter.export(label.as_bytes(), b"", EXPORT_LENGTH) {
            Some(material) => {
                let hex: String = material.expose().iter().map(|byte| format!("{byte:02x}")).collect();
                say(format_args!("keying material for {label:?}: {hex}"));
            }
            None => say(format_args!("no keying material: the label {label:?} is too long")),
        }
    }
}

impl Keys {
    /// The PSK, made anew for each handshake.
    pub(crate) fn psk(&self) -> Option<Psk> {
        let psk = self.psk.as_ref()?;
        Psk::external(psk.identity.as_bytes(), psk.secret.expose(), psk.hash).ok()
    }
}

impl Answers for &Keys {
    fn sign(&mut self, request: &SignRequest<'_>) -> Option<Vec<u8>> {
        self.signing.as_ref()?.sign(request.scheme, request.message).ok()
    }

    fn find_psk(&mut self, offers: &[PskOffer]) -> Option<(usize, Psk)> {
        let identity = self.psk.as_ref()?.identity.as_bytes();
        let index = offers.iter().position(|offer| offer.identity == identity)?;
        Some((index, self.psk()?))
    }
}

fn open_key_log(path: &Path) -> Result<Arc<dyn KeyLog>, CommandError> {
    let file = KeyLogFile::append(path).map_err(|error| file_error(path, &error))?;
    say(format_args!("warning: whoever reads {} can read these connections", path.display()));
    Ok(Arc::new(file))
}

fn load_identity(chain: &Path, key: &Path) -> Result<Identity, CommandError> {
    let certificates = pem::certificates(&read_file(chain)?).map_err(|error| file_error(chain, &error))?;
    let text = Zeroizing::new(read_file(key)?);
    let signing = SigningKey::from_pem(&text).map_err(|error| file_error(key, &error))?;
    material::identity(certificates, signing).map_err(|error| file_error(chain, &error))
}

/// The trust anchors of a file or a directory.
pub(crate) fn load_verifier(path: &Path) -> Result<Arc<dyn CertificateVerifier>, CommandError> {
    let verifier = Trust::anchors(path).and_then(|trust| trust.verifier(Demands::default()));
    Ok(Arc::new(verifier.map_err(CommandError::Failure)?))
}

fn read_psk(path: &Path) -> Result<Secret, CommandError> {
    let bytes = Zeroizing::new(read_file(path)?);
    let text =
        str::from_utf8(&bytes).map_err(|_| file_error(path, &"it is not text: hex digits are needed"))?;
    parse_hex(text.trim(), &path.display().to_string()).map_err(|error| file_error(path, &error))
}

fn parse_hex(text: &str, origin: &str) -> Result<Secret, CommandError> {
    let wrong = |why: &str| Err(usage(&format!("{origin}: the key {why}")));
    if text.is_empty() || !text.len().is_multiple_of(2) {
        return wrong("needs an even number of hex digits, and at least two");
    }
    let mut key = Secret::zeroed(text.len() / 2);
    for (byte, digits) in key.expose_mut().iter_mut().zip(text.as_bytes().chunks(2)) {
        let value =
            digits.iter().try_fold(0, |value, &digit| Some(value << 4 | char::from(digit).to_digit(16)?));
        let Some(value) = value.and_then(|value| u8::try_from(value).ok()) else {
            return wrong("has something other than hex digits");
        };
        *byte = value;
    }
    Ok(key)
}

fn parse_hash(name: &str) -> Result<Hash, CommandError> {
    match name {
        "sha256" => Ok(Hash::Sha256),
        "sha384" => Ok(Hash::Sha384),
        _ => Err(usage(&format!("--psk-hash: {name:?} is neither sha256 nor sha384"))),
    }
}

/// A name of ALPN has 1 to 255 bytes (RFC 7301, Section 3.1).
fn parse_protocol(name: &str) -> Option<Vec<u8>> {
    (1..=255).contains(&name.len()).then(|| name.as_bytes().into())
}

fn usage(problem: &str) -> CommandError {
    CommandError::Usage(problem.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(words: &'static [&'static str]) -> Result<TlsOptions, CommandError> {
        let mut arguments = Arguments::new(words.iter().map(std::ffi::OsString::from));
        let mut options = TlsOptions::default();
        while let Some(argument) = arguments.next()? {
            let crate::agent::command::Argument::Option(name) = argument else { panic!("{argument:?}") };
            assert!(options.take(&name, &mut arguments)?, "{name}");
        }
        Ok(options)
    }

    #[test]
    fn the_hash_of_a_psk_is_never_guessed_from_its_length() {
        let psk = |words| options(words).unwrap().load().unwrap().keys.psk().unwrap();
        let long = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
        assert_eq!(long.len(), 96);
        let words: &'static [&'static str] = Vec::leak(vec!["--psk-identity", "me", "--psk", long]);
        assert_eq!(psk(words).hash(), Hash::Sha256);
        let short =
            &["--psk-identity", "me", "--psk", "000102030405060708090a0b0c0d0eff", "--psk-hash", "sha384"];
        assert_eq!(psk(short).hash(), Hash::Sha384);
        assert_eq!(psk(short).identity(), b"me");
    }

    #[test]
    fn hex_is_read_strictly() {
        assert_eq!(parse_hex("00fFa5", "here").unwrap().expose(), [0, 255, 0xa5]);
        for wrong in ["", "0", "0g", "+1", "0x00", "00 ff", "\u{e9}"] {
            assert!(parse_hex(wrong, "here").unwrap_err().to_string().starts_with("here: "), "{wrong:?}");
        }
    }

    #[test]
    fn lists_keep_their_order() {
        let options = options(&["--groups", "secp384r1,X25519", "--alpn", "b,a"]).unwrap();
        assert_eq!(options.groups.unwrap(), [NamedGroup::Secp384r1, NamedGroup::X25519]);
        assert_eq!(options.alpn, [b"b", b"a"]);
    }
}
