//! Tells the service manager how the agent is (sd_notify(3)).

use std::{
    env,
    os::{
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixDatagram},
    },
};

/// Sends one message ("READY=1"); without a service manager, or with one that is gone, nothing happens.
pub(super) fn notify(message: &str) {
    let Ok(path) = env::var("NOTIFY_SOCKET") else { return };
    let address = match path.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(&path),
    };
    let _nobody_listens =
        address.and_then(|address| UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &address));
}
