//! The `-expect-..` flags, after a handshake.

use std::{fmt::Debug, fs};

use handclasp::{crypto::pem, engine::Peer};

use crate::{Failure, flags::Flags, handshake::Done};

/// Compares what was negotiated with what the runner expects.
pub fn check(flags: &Flags, done: &Done) -> Result<(), Failure> {
    let Done { session, selected, received } = done;
    let alpn = if flags.server { &flags.select_alpn } else { &flags.expect_alpn };
    same("version", flags.expect_version, 0x0304)?;
    same("cipher", flags.expect_cipher, session.suite.code())?;
    same("group", flags.expect_curve_id, session.group.code())?;
    same("HelloRetryRequest", flags.expect_hrr, session.hello_retry)?;
    same("ALPN", Some(alpn.as_ref().map(|protocol| protocol.as_bytes())), session.alpn.as_deref())?;
    same("selected credential", flags.expect_selected_credential, selected.unwrap_or(-1))?;
    let scheme = session.signature_scheme.map_or(0, |scheme| scheme.code());
    same("signature scheme", flags.expect_peer_signature_algorithm, scheme)?;
    if flags.expect_server_name.is_some() || flags.expect_no_server_name {
        same("server name", Some(flags.expect_server_name.as_ref()), session.server_name.as_ref())?;
    }
    if let Some(protocols) = &flags.expect_advertised_alpn {
        same("ALPN offered", Some(true), offers(received, protocols))?;
    }
    if flags.expect_session_miss {
        // A PSK that is not one of the flags' can only be a session's.
        let resumed = matches!(session.peer, Peer::Psk { .. }) && selected.is_none();
        same("resumption", Some(false), resumed)?;
    }
    check_peer(flags, &session.peer)
}

/// Whether a client's bytes hold the whole extension application_layer_protocol_negotiation with this list (RFC 7301, Section 3.1). The
/// engine tells its caller what was chosen alone; what was offered passes through the caller's hands.
fn offers(received: &[u8], protocols: &str) -> bool {
    let length = u16::try_from(protocols.len()).expect("a short list");
    let head = [[0, 16], (length + 2).to_be_bytes(), length.to_be_bytes()].concat();
    let extension = [&head, protocols.as_bytes()].concat();
    received.windows(extension.len()).any(|window| window == extension)
}

fn check_peer(flags: &Flags, peer: &Peer) -> Result<(), Failure> {
    let chain = match peer {
        Peer::Certificate { chain } => Some(chain),
        Peer::Anonymous | Peer::Psk { .. } => None,
    };
    if flags.expect_no_peer_cert {
        same("peer's certificate", Some(false), chain.is_some())?;
    }
    if let Some(file) = &flags.expect_peer_cert_file {
        let expected = pem::certificates(&fs::read(file)?)
            .map_err(|error| Failure::Unexpected(format!("{file}: {error:?}")))?;
        same("peer's certificates", Some(Some(&expected)), chain)?;
    }
    Ok(())
}

fn same<T: PartialEq + Debug>(what: &str, expected: Option<T>, got: T) -> Result<(), Failure> {
    match expected {
        Some(expected) if expected != got => {
            Err(Failure::Unexpected(format!("{what}: {got:?} instead of {expected:?}")))
        }
        _ => Ok(()),
    }
}
