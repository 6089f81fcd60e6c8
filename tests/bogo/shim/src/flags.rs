//! The runner's flags: one command line describes the connections of a case.

use std::{fmt, str::FromStr};

use base64ct::{Base64, Encoding};

use crate::policy::Policy;

const TLS13: u16 = 0x0304;

/// Why a case is not run.
#[derive(Debug)]
pub enum FlagError {
    /// The flag asks for something that we do not have.
    Unimplemented(String),
    /// The flag's value makes no sense.
    Invalid(String),
}

impl fmt::Display for FlagError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unimplemented(flag) => write!(f, "unimplemented: {flag}"),
            Self::Invalid(flag) => write!(f, "invalid value: {flag}"),
        }
    }
}

/// What a credential is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CredentialKind {
    /// The one outside any `-new-..-credential`: a certificate, if it has a file.
    #[default]
    Default,
    /// `-new-x509-credential`
    Certificate,
    /// `-new-psk-credential`
    Psk,
}

/// A certificate or a PSK.
#[derive(Clone, Debug, Default)]
pub struct CredentialFlags {
    pub kind: CredentialKind,
    pub cert_file: Option<String>,
    pub key_file: Option<String>,
    pub signing_prefs: Vec<u16>,
    pub must_match_issuer: bool,
    pub psk: Vec<u8>,
    pub psk_identity: Vec<u8>,
    pub psk_context: Vec<u8>,
    pub psk_sha384: bool,
}

/// Everything the runner says of one connection. Names are the flags' own.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    pub port: u16,
    pub shim_id: u64,
    pub ipv6: bool,
    pub server: bool,
    pub resume_count: u32,
    pub wait_for_debugger: bool,

    /// The default credential, then the others in their order.
    pub credentials: Vec<CredentialFlags>,
    pub verify_peer: bool,
    pub require_any_client_certificate: bool,
    pub verify_fail: bool,
    /// `-use-client-ca-list`: distinguished names in DER.
    pub client_ca_list: Vec<Vec<u8>>,
    pub fail_early_callback: bool,
    pub fail_ddos_callback: bool,
    pub fail_cert_callback: bool,
    pub fail_cert_callback_alert: Option<u8>,

    pub policy: Option<Policy>,
    pub curves: Vec<u16>,
    pub key_shares: Option<Vec<u16>>,
    pub tls13_ciphers: Vec<u16>,
    pub verify_prefs: Vec<u16>,
    pub host_name: Option<String>,
    pub advertise_alpn: Option<String>,
    pub select_alpn: Option<String>,
    pub reject_alpn: bool,

    pub expect_advertised_alpn: Option<String>,
    pub expect_alpn: Option<String>,
    pub expect_cipher: Option<u16>,
    pub expect_curve_id: Option<u16>,
    pub expect_hrr: Option<bool>,
    pub expect_no_peer_cert: bool,
    pub expect_peer_cert_file: Option<String>,
    pub expect_peer_signature_algorithm: Option<u16>,
    pub expect_selected_credential: Option<i32>,
    pub expect_server_name: Option<String>,
    pub expect_no_server_name: bool,
    pub expect_session_miss: bool,
    pub expect_version: Option<u16>,

    /// `-async`
    pub one_byte_at_a_time: bool,
    pub shim_writes_first: bool,
    pub shim_initial_write: Option<String>,
    pub read_with_unfinished_write: bool,
    pub shim_shuts_down: bool,
    pub check_close_notify: bool,
    pub write_different_record_sizes: bool,
    pub send_alert: bool,
    pub key_update: bool,
    pub key_update_before_read: bool,
    pub export_keying_material: Option<u16>,
    pub export_label: String,
    pub export_context: String,
    pub export_traffic_secrets: bool,
}

impl Flags {
    /// Reads the flags of connection `index` of a case: those for all connections, and those for this one (`-on-initial-..`,
    /// `-on-resume-..`).
    pub fn parse(arguments: &[String], index: u32) -> Result<Self, FlagError> {
        let mut flags = Self { credentials: vec![CredentialFlags::default()], ..Self::default() };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let (name, applies) = scope(argument, index);
            if applies {
                flags.read(&mut Argument { name, rest: &mut rest })?;
            } else {
                // Read for its length alone.
                flags.clone().read(&mut Argument { name, rest: &mut rest })?;
            }
        }
        Ok(flags)
    }

    fn read(&mut self, argument: &mut Argument<'_, '_>) -> Result<(), FlagError> {
        let known = self.read_connection(argument)?
            || self.read_version(argument)?
            || self.read_credential(argument)?
            || self.read_authentication(argument)?
            || self.read_negotiation(argument)?
            || self.read_expectation(argument)?
            || self.read_exchange(argument)?;
        if known { Ok(()) } else { Err(argument.unimplemented()) }
    }

    fn read_connection(&mut self, argument: &mut Argument<'_, '_>) -> Result<bool, FlagError> {
        match argument.name {
            "-port" => self.port = argument.number()?,
            "-shim-id" => self.shim_id = argument.number()?,
            "-ipv6" => self.ipv6 = true,
            "-server" => self.server = true,
            "-resume-count" => self.resume_count = argument.number()?,
            "-wait-for-debugger" => self.wait_for_debugger = true,
            "-async" => self.one_byte_at_a_time = true,
            // Ways of calling BoringSSL that come to the same with us: what was read stays with the caller, who may peek at it.
            "-implicit-handshake" | "-handshake-twice" | "-no-op-extra-handshake" | "-peek-then-read" => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn read_version(&mut self, argument: &mut Argument<'_, '_>) -> Result<bool, FlagError> {
        match argument.name {
            "-no-tls1" | "-no-tls11" | "-no-tls12" => {}
            // What TLS 1.3 always has, or never.
            "-expect-extended-master-secret"
            | "-expect-secure-renegotiation"
            | "-no-legacy-server-connect"
            | "-renegotiate-freely" => {}
            // Of DTLS alone, of TLS 1.2 alone.
            "-srtp-profiles" | "-select-next-proto" | "-advertise-npn" => drop(argument.text()?),
            "-no-tls13" => return Err(argument.unimplemented()),
            "-min-version" => argument.require(|version| version <= TLS13)?,
            "-max-version" => argument.require(|version| version >= TLS13)?,
            "-expect-version" => self.expect_version = Some(argument.number()?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// These act on the last `-new-..-credential`, or on the default credential before the first.
    fn read_credential(&mut self, argument: &mut Argument<'_, '_>) -> Result<bool, FlagError> {
        match argument.name {
            "-new-x509-credential" => self.new_credential(CredentialKind::Certificate),
            "-new-psk-credential" => self.new_credential(CredentialKind::Psk),
            _ => {
                let Some(credential) = self.credentials.last_mut() else { return Ok(false) };
                return credential.read(argument);
            }
        }
        Ok(true)
    }

    fn new_credential(&mut self, kind: CredentialKind) {
        self.credentials.push(CredentialFlags { kind, ..CredentialFlags::default() });
    }

    fn read_authentication(&mut self, argument: &mut Argument<'_, '_>) -> Result<bool, FlagError> {
        match argument.name {
            // The verifier does not look for a path.
            "-trust-cert" => drop(argument.text()?),
            "-verify-peer" => self.verify_peer = true,
            "-require-any-client-certificate" => self.require_any_client_certificate = true,
            "-verify-fail" => self.verify_fail = true,
            "-use-client-ca-list" => self.client_ca_list = argument.hex_list()?,
            "-fail-early-callback" => self.fail_early_callback = true,
            "-fail-ddos-callback" => self.fail_ddos_callback = true,
            "-fail-cert-callback" => self.fail_cert_callback = true,
            "-fail-cert-callback-alert" => self.fail_cert_callback_alert = Some(argument.number()?),
            // Where BoringSSL's caller hands in certificates and verdicts; we have one place for each.
            "-use-early-callback"
            | "-use-old-client-cert-callback"
            | "-use-custom-verify-callback"
            | "-install-ddos-callback"
            | "-expect-verify-result" => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn read_negotiation(&mut self, argument: &mut Argument<'_, '_>) -> Result<bool, FlagError> {
        if let Some(policy) = Policy::named(argument.name) {
            self.policy = Some(policy);
            return Ok(true);
        }
        match argument.name {
            "-curves" => self.curves.push(argument.number()?),
            "-key-shares" => self.key_shares.get_or_insert_default().push(argument.number()?),
            "-no-key-shares" => self.key_shares = Some(Vec::new()),
            "-tls13-ciphers" => self.tls13_ciphers.push(argument.number()?),
            "-verify-prefs" => self.verify_prefs.push(argument.number()?),
            "-host-name" => self.host_name = Some(argument.text()?),
            "-advertise-alpn" => self.advertise_alpn = Some(argument.text()?),
            "-select-alpn" => self.select_alpn = Some(argument.text()?),
            "-reject-alpn" => self.reject_alpn = true,
            // We never do.
            "-no-server-name-ack" => {}
            "-decline-alpn" | "-server-preference" => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn read_expectation(&mut self, argument: &mut Argument<'_, '_>) -> Result<bool, FlagError> {
        match argument.name {
            "-expect-advertised-alpn" => self.expect_advertised_alpn = Some(argument.text()?),
            "-expect-alpn" => self.expect_alpn = Some(argument.text()?),
            "-expect-cipher" | "-expect-cipher-aes" => self.expect_cipher = Some(argument.number()?),
            // The order of our suites does not depend on the processor.
            "-expect-cipher-no-aes" => drop(argument.text()?),
            "-expect-curve-id" => self.expect_curve_id = Some(argument.number()?),
            "-expect-hrr" => self.expect_hrr = Some(true),
            "-expect-no-hrr" => self.expect_hrr = Some(false),
            "-expect-no-peer-cert" => self.expect_no_peer_cert = true,
            "-expect-peer-cert-file" => self.expect_peer_cert_file = Some(argument.text()?),
            "-expect-peer-signature-algorithm" => {
                self.expect_peer_signature_algorithm = Some(argument.number()?);
            }
            "-expect-selected-credential" => self.expect_selected_credential = Some(argument.number()?),
            "-expect-server-name" => self.expect_server_name = Some(argument.text()?),
            "-expect-no-server-name" => self.expect_no_server_name = true,
            "-expect-session-miss" => self.expect_session_miss = true,
            // Early data is never offered and never accepted: no other reason can come before this one.
            "-expect-early-data-reason" => {
                if argument.text()? != "disabled" {
                    return Err(argument.unimplemented());
                }
            }
            "-use-ticket-callback" | "-use-ticket-aead-callback" | "-skip-ticket" => {}
            // Resumption is never offered.
            "-no-ticket" | "-expect-no-session" | "-expect-no-session-id" | "-expect-no-offer-early-data" => {
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn read_exchange(&mut self, argument: &mut Argument<'_, '_>) -> Result<bool, FlagError> {
        match argument.name {
            "-shim-writes-first" => self.shim_writes_first = true,
            "-shim-initial-write" => self.shim_initial_write = Some(argument.text()?),
            "-read-with-unfinished-write" => self.read_with_unfinished_write = true,
            "-shim-shuts-down" => self.shim_shuts_down = true,
            "-check-close-notify" => self.check_close_notify = true,
            "-write-different-record-sizes" => self.write_different_record_sizes = true,
            "-send-alert" => self.send_alert = true,
            "-key-update" => self.key_update = true,
            "-key-update-before-read" => self.key_update_before_read = true,
            "-export-keying-material" => self.export_keying_material = Some(argument.number()?),
            "-export-label" => self.export_label = argument.text()?,
            "-export-context" => self.export_context = argument.text()?,
            // RFC 8446, Section 7.5: no context is the empty context.
            "-use-export-context" => {}
            "-export-traffic-secrets" => self.export_traffic_secrets = true,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

impl CredentialFlags {
    fn read(&mut self, argument: &mut Argument<'_, '_>) -> Result<bool, FlagError> {
        match argument.name {
            "-cert-file" => self.cert_file = Some(argument.text()?),
            "-key-file" => self.key_file = Some(argument.text()?),
            "-must-match-issuer" => self.must_match_issuer = true,
            "-signing-prefs" => self.signing_prefs.push(argument.number()?),
            "-psk-importer-key" => self.psk = argument.base64()?,
            "-psk-importer-identity" => self.psk_identity = argument.base64()?,
            "-psk-importer-context" => self.psk_context = argument.base64()?,
            "-psk-importer-sha256" => self.psk_sha384 = false,
            "-psk-importer-sha384" => self.psk_sha384 = true,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// A flag's bare name, and whether it is for connection `index`. What is for BoringSSL's second process is never for us.
fn scope(argument: &str, index: u32) -> (&str, bool) {
    let scopes = [
        ("-on-shim", true),
        ("-on-handshaker", false),
        ("-on-initial", index == 0),
        ("-on-resume", index > 0),
        ("-on-retry", false),
    ];
    for (prefix, applies) in scopes {
        if let Some(name) = argument.strip_prefix(prefix).filter(|name| name.starts_with('-')) {
            let (name, also_applies) = scope(name, index);
            return (name, applies && also_applies);
        }
    }
    (argument, true)
}

/// A flag, and the arguments after it, from which it takes its value.
struct Argument<'a, 'b> {
    name: &'a str,
    rest: &'b mut std::slice::Iter<'a, String>,
}

impl Argument<'_, '_> {
    fn text(&mut self) -> Result<String, FlagError> {
        self.rest.next().cloned().ok_or_else(|| self.invalid("missing"))
    }

    fn number<N: FromStr>(&mut self) -> Result<N, FlagError> {
        let text = self.text()?;
        text.parse().map_err(|_| self.invalid(&text))
    }

    /// Reads a version that we can do nothing about: it suits us, or the case is not for us.
    fn require(&mut self, suits: impl Fn(u16) -> bool) -> Result<(), FlagError> {
        if suits(self.number()?) { Ok(()) } else { Err(self.unimplemented()) }
    }

    fn base64(&mut self) -> Result<Vec<u8>, FlagError> {
        let text = self.text()?;
        Base64::decode_vec(&text).map_err(|_| self.invalid(&text))
    }

    /// Names in hexadecimal, separated by commas; `<EMPTY>` and `<NULL>` stand for none.
    fn hex_list(&mut self) -> Result<Vec<Vec<u8>>, FlagError> {
        let text = self.text()?;
        if text.starts_with('<') {
            return Ok(Vec::new());
        }
        text.split(',').map(decode_hex).collect::<Option<_>>().ok_or_else(|| self.invalid(&text))
    }

    fn invalid(&self, value: &str) -> FlagError {
        FlagError::Invalid(format!("{} {value}", self.name))
    }

    fn unimplemented(&self) -> FlagError {
        FlagError::Unimplemented(self.name.into())
    }
}

fn decode_hex(hex: &str) -> Option<Vec<u8>> {
    let digits = (0..hex.len()).step_by(2).map(|start| hex.get(start..start + 2));
    digits.map(|pair| u8::from_str_radix(pair?, 16).ok()).collect()
}
