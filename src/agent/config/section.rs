//! What a side of the configuration sets, or a profile of a side: its files and its policy.

use std::{path::PathBuf, time::Duration};

use crate::{
    agent::{request::Role, trust_store::Demands},
    crypto::{
        kx::NamedGroup,
        suite::CipherSuite,
        x509::{AllowList, Property, RequiredPurpose, Revocation},
    },
    engine::config::ClientAuthentication,
};

use super::key_file::{Problem, Setting, boolean, choice, list, named, number, path};

/// A path in the configuration, and the line that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::agent) struct FileAt {
    pub(in crate::agent) path: PathBuf,
    pub(in crate::agent) line: usize,
}

/// Whether RPC-with-TLS's name is given in ALPN (RFC 9289, Section 5).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::agent) enum Alpn {
    /// On the ports of NFS.
    #[default]
    NfsPorts,
    Always,
    /// Always, and a peer that does not give it is refused.
    Required,
    Never,
}

/// \[authenticate.client\] or \[authenticate.server\], or a profile of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::agent) struct Section {
    pub(in crate::agent) truststore: Option<FileAt>,
    pub(in crate::agent) crl: Option<FileAt>,
    pub(in crate::agent) certificate: Option<FileAt>,
    pub(in crate::agent) private_key: Option<FileAt>,
    /// `policy.groups`, in order of preference; empty: the default.
    groups: Vec<NamedGroup>,
    /// `policy.require_pq`
    require_pq: bool,
    /// `policy.suites`, in order of preference; empty: the default.
    suites: Vec<CipherSuite>,
    /// `policy.alpn`
    pub(in crate::agent) alpn: Alpn,
    /// `policy.deadline`
    pub(in crate::agent) deadline: Option<Duration>,
    /// `policy.reverse_dns`
    pub(in crate::agent) reverse_dns: bool,
    /// `policy.client_certificate`, and the line that says so.
    client_certificate: Option<(ClientAuthentication, usize)>,
    /// `policy.purpose`, and the line that says so.
    purpose: Option<(RequiredPurpose, usize)>,
    /// `policy.crl_required`, and the line that says so.
    crl_required: Option<(Revocation, usize)>,
    /// `policy.rsa_bits`, and the line that says so.
    min_rsa_bits: Option<(usize, usize)>,
    /// `allow.*`, and the last line of it.
    allowed: AllowList,
    allowed_at: usize,
}

impl Section {
    /// Reads the settings of a side; what has no effect is added to the warnings.
    pub(super) fn read<'a>(
        (role, name): (Role, &str),
        settings: impl Iterator<Item = &'a Setting<'a>>,
        warnings: &mut Vec<Problem>,
    ) -> Result<Self, Problem> {
        let mut section = Self::default();
        for setting in settings {
            let at = |problem| (setting.line, problem);
            match section.set(role, setting).map_err(at)? {
                Effect::Some => {}
                Effect::Empty => warnings.push(at(format!("{} is empty: there is none", setting.key))),
                Effect::None(why) => warnings.push(at(format!("{} has no effect: {why}", setting.key))),
                Effect::Unknown => {
                    return Err(at(format!("there is no setting {:?} in [{name}]", setting.key)));
                }
            }
            if section.groups().is_empty() {
                return Err(at("policy.require_pq leaves nothing of the groups".into()));
            }
        }
        section.check(role, warnings)?;
        Ok(section)
    }

    fn set(&mut self, role: Role, Setting { key, value, line }: &Setting<'_>) -> Result<Effect, String> {
        let (key, line) = (*key, *line);
        let file = || path(key, value).map(|path| Some(FileAt { path: path.into(), line }));
        match (key, role) {
            ("x509.truststore" | "x509.crl" | "x509.certificate" | "x509.private_key", _)
                if value.is_empty() =>
            {
                return Ok(Effect::Empty);
            }
            ("x509.truststore", _) => self.truststore = file()?,
            ("x509.crl", _) => self.crl = file()?,
            ("x509.certificate", _) => self.certificate = file()?,
            ("x509.private_key", _) if is_url(value) => {
                return Err(format!(
                    "{key}: keys in hardware ({value:?}) are not supported; name a PEM file"
                ));
            }
            ("x509.private_key", _) => self.private_key = file()?,
            ("x509.pq.certificate" | "x509.pq.private_key", _) => {
                return Ok(Effect::None("ML-DSA is not supported"));
            }
            ("policy.groups", _) => self.groups = named(key, value, NamedGroup::ALL, NamedGroup::name)?,
            ("policy.require_pq", _) => self.require_pq = boolean(key, value)?,
            ("policy.suites", _) => self.suites = named(key, value, &CipherSuite::ALL, CipherSuite::name)?,
            ("policy.alpn", _) => self.alpn = choice(key, value, ALPN)?,
            ("policy.deadline", _) => self.deadline = Some(deadline(key, value)?),
            ("policy.reverse_dns", Role::Client) => self.reverse_dns = boolean(key, value)?,
            ("policy.client_certificate", Role::Server) => {
                self.client_certificate = Some((choice(key, value, CLIENT_CERTIFICATE)?, line));
            }
            ("policy.purpose", _) => self.purpose = Some((choice(key, value, PURPOSES)?, line)),
            ("policy.crl_required", _) => {
                self.crl_required = Some((choice(key, value, CRL_REQUIRED)?, line));
            }
            ("policy.rsa_bits", _) => self.min_rsa_bits = Some((rsa_bits(key, value)?, line)),
            _ => {
                let Some(property) = Property::ALL.into_iter().find(|property| property.name() == key) else {
                    return Ok(Effect::Unknown);
                };
                self.allow(property, value)?;
                self.allowed_at = line;
            }
        }
        Ok(Effect::Some)
    }

    fn allow(&mut self, property: Property, value: &str) -> Result<(), String> {
        let (entries, key) = (list(value), property.name());
        if entries.is_empty() {
            return Err(format!("{key} is empty: nobody could be accepted"));
        }
        let mut add = |entry: &String| self.allowed.add(property, entry);
        entries.iter().try_for_each(&mut add).map_err(|error| format!("{key}: {error}"))
    }

    /// Looks for settings that do not go together.
    fn check(&self, role: Role, warnings: &mut Vec<Problem>) -> Result<(), Problem> {
        if let (None, Some((_, line))) = (&self.crl, self.crl_required) {
            return Err((line, "policy.crl_required needs x509.crl: nobody could be accepted".into()));
        }
        if role == Role::Client {
            return Ok(());
        }
        if let (Some((ClientAuthentication::None, line)), false) =
            (self.client_certificate, self.allowed.is_empty())
        {
            let problem = "policy.client_certificate=none leaves an allow-list without effect";
            return Err((line, problem.into()));
        }
        if self.truststore.is_some() {
            return Ok(());
        }
        let needs =
            |what| format!("{what} needs x509.truststore: without it no client is asked for a certificate");
        match self.client_certificate {
            Some((ClientAuthentication::Optional | ClientAuthentication::Required, line)) => {
                return Err((line, needs("policy.client_certificate")));
            }
            _ if !self.allowed.is_empty() => return Err((self.allowed_at, needs("an allow-list"))),
            _ => {}
        }
        let idle = [
            (self.crl.as_ref().map(|crl| crl.line), "x509.crl"),
            (self.purpose.map(|(_, line)| line), "policy.purpose"),
            (self.min_rsa_bits.map(|(_, line)| line), "policy.rsa_bits"),
        ];
        let why = "has no effect without x509.truststore: no client is asked for a certificate";
        warnings.extend(idle.iter().filter_map(|(line, what)| Some(((*line)?, format!("{what} {why}")))));
        Ok(())
    }

    /// The groups to negotiate, in order of preference; none if nothing is left of them.
    pub(in crate::agent) fn groups(&self) -> Vec<NamedGroup> {
        let groups = if self.groups.is_empty() { NamedGroup::ALL } else { &self.groups };
        groups.iter().copied().filter(|group| !self.require_pq || group.is_post_quantum()).collect()
    }

    /// The cipher suites to negotiate, in order of preference.
    pub(in crate::agent) fn suites(&self) -> &[CipherSuite] {
        if self.suites.is_empty() { &CipherSuite::ALL } else { &self.suites }
    }

    /// Whether a client is asked for a certificate; without a truststore nobody is: any certificate of a public authority would do.
    /// An allow-list is not to be got round by showing none.
    pub(in crate::agent) fn client_authentication(&self) -> ClientAuthentication {
        match (self.client_certificate, &self.truststore) {
            (Some((authentication, _)), _) => authentication,
            (None, Some(_)) if !self.allowed.is_empty() => ClientAuthentication::Required,
            (None, Some(_)) => ClientAuthentication::Optional,
            (None, None) => ClientAuthentication::None,
        }
    }

    /// What a peer's certificates must show beside the rest.
    pub(in crate::agent) fn demands(&self) -> Demands {
        let revocation = self.crl_required.map_or(Revocation::default(), |(revocation, _)| revocation);
        let purpose = self.purpose.map_or(RequiredPurpose::default(), |(purpose, _)| purpose);
        let min_rsa_bits = self.min_rsa_bits.map_or(0, |(bits, _)| bits);
        Demands { purpose, revocation, min_rsa_bits, allowed: self.allowed.clone() }
    }

    /// The files that it names.
    pub(in crate::agent) fn files(&self) -> impl Iterator<Item = &FileAt> {
        [&self.truststore, &self.crl, &self.certificate, &self.private_key].into_iter().flatten()
    }
}

/// What became of a setting.
enum Effect {
    Some,
    /// It names nothing.
    Empty,
    None(&'static str),
    Unknown,
}

const ALPN: &[(&str, Alpn)] = &[
    ("nfs-ports", Alpn::NfsPorts),
    ("always", Alpn::Always),
    ("required", Alpn::Required),
    ("never", Alpn::Never),
];

const CLIENT_CERTIFICATE: &[(&str, ClientAuthentication)] = &[
    ("none", ClientAuthentication::None),
    ("optional", ClientAuthentication::Optional),
    ("required", ClientAuthentication::Required),
];

const PURPOSES: &[(&str, RequiredPurpose)] = &[
    ("tls", RequiredPurpose::Tls),
    ("tls-explicit", RequiredPurpose::ExplicitTls),
    ("rpc", RequiredPurpose::RpcTls),
];

const CRL_REQUIRED: &[(&str, Revocation)] =
    &[("end-entity", Revocation::EndEntity), ("whole-path", Revocation::WholePath)];

fn deadline(key: &str, value: &str) -> Result<Duration, String> {
    match number(key, value)? {
        0 => Err(format!("{key} takes whole seconds, at least 1, not {value:?}")),
        seconds => Ok(Duration::from_secs(seconds.into())),
    }
}

fn rsa_bits(key: &str, value: &str) -> Result<usize, String> {
    let bits = number(key, value)?;
    let bits = usize::try_from(bits).ok().filter(|bits| (2048..=4096).contains(bits));
    bits.ok_or_else(|| format!("{key} is from 2048 to 4096, not {value:?}"))
}

/// The RFC 7512 and TPM URLs that GnuTLS takes in place of a file.
fn is_url(value: &str) -> bool {
    ["pkcs11:", "tpmkey:", "system:"].iter().any(|scheme| value.starts_with(scheme))
}
