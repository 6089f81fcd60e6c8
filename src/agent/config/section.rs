//! What a side of the configuration sets: its files and its policy.

use std::path::PathBuf;

use crate::{
    agent::trust_store::Demands,
    crypto::{
        kx::NamedGroup,
        x509::{RequiredPurpose, Revocation},
    },
};

use super::key_file::list;

/// A path in the configuration, and the line that names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::agent) struct FileAt {
    pub(in crate::agent) path: PathBuf,
    pub(in crate::agent) line: usize,
}

/// [authenticate.client] or [authenticate.server]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::agent) struct Section {
    pub(in crate::agent) truststore: Option<FileAt>,
    pub(in crate::agent) crl: Option<FileAt>,
    pub(in crate::agent) certificate: Option<FileAt>,
    pub(in crate::agent) private_key: Option<FileAt>,
    /// `policy.groups`, in order of preference; empty: the default.
    pub(super) groups: Vec<NamedGroup>,
    /// `policy.require_pq`
    pub(super) require_pq: bool,
    /// `policy.purpose`
    pub(super) purpose: RequiredPurpose,
    /// `policy.crl_required`, and the line that says so.
    pub(super) crl_required: Option<(Revocation, usize)>,
}

impl Section {
    /// The groups to negotiate, in order of preference; none if nothing is left of them.
    pub(in crate::agent) fn groups(&self) -> Vec<NamedGroup> {
        let groups = if self.groups.is_empty() { NamedGroup::ALL } else { &self.groups };
        groups.iter().copied().filter(|group| !self.require_pq || group.is_post_quantum()).collect()
    }

    /// What a peer's certificates must show beside the rest.
    pub(in crate::agent) fn demands(&self) -> Demands {
        let revocation = self.crl_required.map_or(Revocation::default(), |(revocation, _)| revocation);
        Demands { purpose: self.purpose, revocation }
    }
}

pub(super) fn purpose(key: &str, value: &str) -> Result<RequiredPurpose, String> {
    match value {
        "tls" => Ok(RequiredPurpose::Tls),
        "rpc" => Ok(RequiredPurpose::RpcTls),
        _ => Err(format!("{key} is tls or rpc, not {value:?}")),
    }
}

pub(super) fn revocation(key: &str, value: &str) -> Result<Revocation, String> {
    match value {
        "end-entity" => Ok(Revocation::EndEntity),
        "whole-path" => Ok(Revocation::WholePath),
        _ => Err(format!("{key} is end-entity or whole-path, not {value:?}")),
    }
}

pub(super) fn groups(key: &str, value: &str) -> Result<Vec<NamedGroup>, String> {
    let mut groups = Vec::new();
    for name in list(value) {
        let group =
            NamedGroup::from_name(&name).ok_or_else(|| format!("{key}: there is no group {name:?}"))?;
        if groups.contains(&group) {
            return Err(format!("{key} names {name} twice"));
        }
        groups.push(group);
    }
    Ok(groups)
}

/// The RFC 7512 and TPM URLs that GnuTLS takes in place of a file.
pub(super) fn is_url(value: &str) -> bool {
    ["pkcs11:", "tpmkey:", "system:"].iter().any(|scheme| value.starts_with(scheme))
}
