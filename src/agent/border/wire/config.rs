//! What a handshake may do and has to offer, as bytes.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use super::parts::{
    read_blob, read_codes, read_flag, read_index, read_list, read_option, read_time, write_blob, write_codes,
    write_flag, write_index, write_list, write_option, write_time,
};
use crate::{
    agent::key_log::Collector,
    crypto::{
        certificate::{CertificateVerifier, ServerName, UnixTime},
        hash::Hash,
        key_schedule::{EarlySecret, PskKind},
        kx::NamedGroup,
        secret::Secret,
        signature_scheme::SignatureScheme,
        suite::CipherSuite,
    },
    engine::{
        Psk,
        codec::{Malformed, Reader, Writer},
        config::{ClientAuthentication, ClientConfig, Credential, ServerConfig},
    },
};

pub(super) fn write_client(w: &mut Writer, config: &ClientConfig, trust: usize, now: UnixTime) {
    let ClientConfig {
        suites,
        groups,
        key_shares,
        server_name,
        verifier,
        signature_schemes,
        credentials,
        certificate_required,
        psks,
        alpn,
        alpn_required,
        record_size_limit,
        middlebox_compatibility,
        key_log,
        trace: _,
    } = config;
    write_time(w, now);
    write_codes(w, suites.iter().map(|suite| suite.code()));
    write_codes(w, groups.iter().map(|group| group.code()));
    write_option(w, key_shares.as_ref(), |w, groups| write_codes(w, groups.iter().map(|group| group.code())));
    write_option(w, server_name.as_ref(), write_name);
    write_option(w, verifier.as_ref().map(|_| &trust), |w, trust| write_index(w, *trust));
    write_codes(w, signature_schemes.iter().map(|scheme| scheme.code()));
    write_list(w, credentials, write_credential);
    write_flag(w, *certificate_required);
    write_list(w, psks, write_psk);
    write_list(w, alpn, |w, name| write_blob(w, name));
    write_flag(w, *alpn_required);
    write_option(w, record_size_limit.as_ref(), |w, limit| w.u16(*limit));
    write_flag(w, *middlebox_compatibility);
    write_flag(w, key_log.is_some());
}

pub(super) fn read_client(
    r: &mut Reader<'_>,
    secrets: &mut Reader<'_>,
    verifiers: &[Arc<dyn CertificateVerifier>],
) -> Result<(ClientConfig, usize, UnixTime), Malformed> {
    let (now, mut trust) = (read_time(r)?, 0);
    let config = ClientConfig {
        suites: read_codes(r, CipherSuite::from_code)?,
        groups: read_codes(r, NamedGroup::from_code)?,
        key_shares: read_option(r, |r| read_codes(r, NamedGroup::from_code))?,
        server_name: read_option(r, read_name)?,
        verifier: read_verifier(r, verifiers, &mut trust)?,
        signature_schemes: read_codes(r, SignatureScheme::from_code)?,
        credentials: read_list(r, read_credential)?,
        certificate_required: read_flag(r)?,
        psks: read_list(r, |r| read_psk(r, secrets))?,
        alpn: read_list(r, read_blob)?,
        alpn_required: read_flag(r)?,
        record_size_limit: read_option(r, Reader::u16)?,
        middlebox_compatibility: read_flag(r)?,
        key_log: read_flag(r)?.then(|| Arc::new(Collector::default()) as _),
        trace: None,
    };
    Ok((config, trust, now))
}

pub(super) fn write_server(w: &mut Writer, config: &ServerConfig, trust: usize, now: UnixTime) {
    let ServerConfig {
        suites,
        groups,
        credentials,
        psk,
        client_authentication,
        verifier,
        signature_schemes,
        alpn,
        alpn_required,
        record_size_limit,
        hello_retry_cookie,
        key_log,
        trace: _,
    } = config;
    write_time(w, now);
    write_codes(w, suites.iter().map(|suite| suite.code()));
    write_codes(w, groups.iter().map(|group| group.code()));
    write_list(w, credentials, write_credential);
    write_flag(w, *psk);
    w.u8(match client_authentication {
        ClientAuthentication::None => 0,
        ClientAuthentication::Optional => 1,
        ClientAuthentication::Required => 2,
    });
    write_option(w, verifier.as_ref().map(|_| &trust), |w, trust| write_index(w, *trust));
    write_codes(w, signature_schemes.iter().map(|scheme| scheme.code()));
    write_list(w, alpn, |w, name| write_blob(w, name));
    write_flag(w, *alpn_required);
    write_option(w, record_size_limit.as_ref(), |w, limit| w.u16(*limit));
    write_flag(w, *hello_retry_cookie);
    write_flag(w, key_log.is_some());
}

pub(super) fn read_server(
    r: &mut Reader<'_>,
    verifiers: &[Arc<dyn CertificateVerifier>],
) -> Result<(ServerConfig, usize, UnixTime), Malformed> {
    let (now, mut trust) = (read_time(r)?, 0);
    let config = ServerConfig {
        suites: read_codes(r, CipherSuite::from_code)?,
        groups: read_codes(r, NamedGroup::from_code)?,
        credentials: read_list(r, read_credential)?,
        psk: read_flag(r)?,
        client_authentication: match r.u8()? {
            0 => ClientAuthentication::None,
            1 => ClientAuthentication::Optional,
            2 => ClientAuthentication::Required,
            _ => return Err(Malformed("client authentication")),
        },
        verifier: read_verifier(r, verifiers, &mut trust)?,
        signature_schemes: read_codes(r, SignatureScheme::from_code)?,
        alpn: read_list(r, read_blob)?,
        alpn_required: read_flag(r)?,
        record_size_limit: read_option(r, Reader::u16)?,
        hello_retry_cookie: read_flag(r)?,
        key_log: read_flag(r)?.then(|| Arc::new(Collector::default()) as _),
        trace: None,
    };
    Ok((config, trust, now))
}

/// A PSK without its secret.
pub(super) fn write_psk(w: &mut Writer, psk: &Psk) {
    write_blob(w, psk.identity());
    w.u8(match psk.hash() {
        Hash::Sha256 => 1,
        Hash::Sha384 => 2,
    });
    write_flag(w, psk.kind() == PskKind::Imported);
}

pub(super) fn read_psk(r: &mut Reader<'_>, secrets: &mut Reader<'_>) -> Result<Psk, Malformed> {
    let identity = read_blob(r)?;
    let hash = match r.u8()? {
        1 => Hash::Sha256,
        2 => Hash::Sha384,
        _ => return Err(Malformed("hash")),
    };
    let kind = if read_flag(r)? { PskKind::Imported } else { PskKind::External };
    let secret = Secret::from_slice(secrets.bytes(hash.length())?);
    let early_secret = EarlySecret::from_bytes(hash, secret).ok_or(Malformed("Early Secret"))?;
    Ok(Psk::from_early_secret(identity, kind, early_secret))
}

pub(super) fn write_credential(w: &mut Writer, credential: &Credential) {
    let Credential { chain, schemes, issuers, issuer_required } = credential;
    write_list(w, chain, |w, certificate| write_blob(w, certificate));
    write_codes(w, schemes.iter().map(|scheme| scheme.code()));
    write_list(w, issuers, |w, issuer| write_blob(w, issuer));
    write_flag(w, *issuer_required);
}

pub(super) fn read_credential(r: &mut Reader<'_>) -> Result<Credential, Malformed> {
    Ok(Credential {
        chain: read_list(r, read_blob)?,
        schemes: read_codes(r, SignatureScheme::from_code)?,
        issuers: read_list(r, read_blob)?,
        issuer_required: read_flag(r)?,
    })
}

/// A configuration without a verifier must not come of one with: an unknown trust store is an error.
fn read_verifier(
    r: &mut Reader<'_>,
    verifiers: &[Arc<dyn CertificateVerifier>],
    trust: &mut usize,
) -> Result<Option<Arc<dyn CertificateVerifier>>, Malformed> {
    let Some(index) = read_option(r, read_index)? else { return Ok(None) };
    *trust = index;
    verifiers.get(index).cloned().map(Some).ok_or(Malformed("verifier"))
}

pub(super) fn write_name(w: &mut Writer, name: &ServerName) {
    match name {
        ServerName::Dns(name) => {
            w.u8(0);
            write_blob(w, name.as_bytes());
        }
        ServerName::Ip(address) => {
            let octets = match address {
                IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
                IpAddr::V6(v6) => v6.octets(),
            };
            w.u8(if address.is_ipv4() { 4 } else { 6 });
            w.bytes(&octets);
        }
    }
}

pub(super) fn read_name(r: &mut Reader<'_>) -> Result<ServerName, Malformed> {
    let kind = r.u8()?;
    if kind == 0 {
        let name = String::from_utf8(read_blob(r)?).map_err(|_| Malformed("server name"))?;
        return Ok(ServerName::Dns(name));
    }
    let v6 = Ipv6Addr::from(*r.array()?);
    match (kind, v6.to_ipv4_mapped()) {
        (4, Some(v4)) => Ok(ServerName::Ip(v4.into())),
        (6, _) => Ok(ServerName::Ip(v6.into())),
        _ => Err(Malformed("server name")),
    }
}
