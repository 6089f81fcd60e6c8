//! Kernel TLS: gives the record protection of a socket to the kernel (Linux, Documentation/networking/tls.rst).

use std::{
    io,
    net::{Ipv4Addr, TcpListener, TcpStream},
    os::fd::{AsFd, BorrowedFd},
};

use crate::crypto::{
    key_schedule::{TrafficSecret, WriteKeys},
    secret::Secret,
    suite::CipherSuite,
};

use super::system;

/// TLS_1_3_VERSION of linux/tls.h.
const VERSION: u16 = 0x0304;
/// TLS_TX_MAX_PAYLOAD_LEN of linux/tls.h: the plaintext limit of records that the kernel sends; newer kernels only.
const TX_MAX_PAYLOAD_LENGTH: i32 = 5;

/// Turns the "tls" upper layer protocol of a connected socket on.
///
/// It is an error of its own because it is the one that a missing `tls` module makes (ENOENT).
pub(crate) fn attach(socket: BorrowedFd<'_>) -> io::Result<()> {
    system::set_socket_option(socket, libc::SOL_TCP, libc::TCP_ULP, b"tls")
}

/// Gives the kernel the keys of both directions, each with the number of its next record.
///
/// The socket is [`attach`]ed, and nothing is read or written by user space between the last handshake record and this.
pub(crate) fn install(
    socket: BorrowedFd<'_>,
    tx: (&TrafficSecret, u64),
    rx: (&TrafficSecret, u64),
) -> io::Result<()> {
    for (option, (secret, sequence)) in [(libc::TLS_TX, tx), (libc::TLS_RX, rx)] {
        system::set_socket_option(socket, libc::SOL_TLS, option, crypto_info(secret, sequence).expose())?;
    }
    Ok(())
}

/// Tells the kernel the largest record that the peer takes: its record_size_limit (RFC 8449), content type octet included.
///
/// It comes after [`install`]: only then does the kernel take the smallest limit. `Ok(false)`: this kernel has no such option.
pub(crate) fn limit_records(socket: BorrowedFd<'_>, record_size_limit: u16) -> io::Result<bool> {
    let plaintext = record_size_limit.saturating_sub(1).min(1 << 14);
    match system::set_socket_option(socket, libc::SOL_TLS, TX_MAX_PAYLOAD_LENGTH, &plaintext.to_ne_bytes()) {
        Ok(()) => Ok(true),
        Err(error) if error.raw_os_error() == Some(libc::ENOPROTOOPT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Loads the kernel's tls module by using it on a connection of our own; whether it can limit the size of records.
///
/// The module loads by itself when a process with CAP_NET_ADMIN asks for it; without it the answer is ENOENT.
pub(crate) fn probe() -> io::Result<bool> {
    let (client, _server) = loopback_connection()?;
    attach(client.as_fd())?;
    limit_records(client.as_fd(), u16::MAX)
}

/// Tries keys on a connection of our own: whether the kernel has their cipher.
pub(crate) fn try_keys(tx: (&TrafficSecret, u64), rx: (&TrafficSecret, u64)) -> io::Result<()> {
    let (client, _server) = loopback_connection()?;
    attach(client.as_fd())?;
    install(client.as_fd(), tx, rx)
}

fn loopback_connection() -> io::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let client = TcpStream::connect(listener.local_addr()?)?;
    Ok((client, listener.accept()?.0))
}

/// Sends an alert (level, description) on a socket that the kernel encrypts.
#[cfg(feature = "tools")]
pub(crate) fn send_alert(socket: BorrowedFd<'_>, alert: [u8; 2]) -> io::Result<()> {
    /// The content type of an alert.
    const ALERT: u8 = 21;
    system::send_record(socket, ALERT, &alert)
}

/// `struct tls12_crypto_info_*` of linux/tls.h, as its bytes: they are wiped, and have no `Debug`.
///
/// ```text
/// u16 version; u16 cipher_type; u8 iv[]; u8 key[]; u8 salt[]; u8 rec_seq[8];
/// ```
/// The fields follow each other without padding. AES-GCM splits the 12 bytes of the IV into a salt of 4 and an `iv` of 8.
fn crypto_info(secret: &TrafficSecret, sequence: u64) -> Secret {
    let WriteKeys { key, iv } = secret.write_keys();
    let (salt, iv) = iv.expose().split_at(salt_length(secret.suite()));
    let head = [VERSION.to_ne_bytes(), cipher_type(secret.suite()).to_ne_bytes()].concat();
    let fields: [&[u8]; 5] = [&head, iv, key.expose(), salt, &sequence.to_be_bytes()];
    let mut info = Secret::zeroed(fields.iter().map(|field| field.len()).sum());
    let mut rest = info.expose_mut();
    for field in fields {
        let (place, after) = rest.split_at_mut(field.len());
        place.copy_from_slice(field);
        rest = after;
    }
    info
}

fn cipher_type(suite: CipherSuite) -> u16 {
    match suite {
        CipherSuite::Aes128GcmSha256 => libc::TLS_CIPHER_AES_GCM_128,
        CipherSuite::Aes256GcmSha384 => libc::TLS_CIPHER_AES_GCM_256,
        CipherSuite::Chacha20Poly1305Sha256 => libc::TLS_CIPHER_CHACHA20_POLY1305,
    }
}

fn salt_length(suite: CipherSuite) -> usize {
    match suite {
        CipherSuite::Aes128GcmSha256 | CipherSuite::Aes256GcmSha384 => 4,
        CipherSuite::Chacha20Poly1305Sha256 => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::{hash::Hash, key_schedule::EarlySecret};

    fn traffic_secret(suite: CipherSuite) -> TrafficSecret {
        let shared = Secret::from_slice(&[7; 32]);
        let master = EarlySecret::new(suite.hash(), None).handshake(&shared).master();
        master.traffic(suite, Hash::digest(suite.hash(), b"").as_ref()).client
    }

    #[test]
    fn crypto_info_has_the_layout_of_the_kernel() {
        let sizes = [
            (CipherSuite::Aes128GcmSha256, size_of::<libc::tls12_crypto_info_aes_gcm_128>()),
            (CipherSuite::Aes256GcmSha384, size_of::<libc::tls12_crypto_info_aes_gcm_256>()),
            (CipherSuite::Chacha20Poly1305Sha256, size_of::<libc::tls12_crypto_info_chacha20_poly1305>()),
        ];
        for (suite, size) in sizes {
            assert_eq!(crypto_info(&traffic_secret(suite), 0).expose().len(), size, "{suite:?}");
        }
    }

    #[test]
    fn the_iv_of_aes_gcm_is_split() {
        let secret = traffic_secret(CipherSuite::Aes128GcmSha256);
        let (info, iv) = (crypto_info(&secret, 0x0102), secret.write_keys().iv);
        let info = info.expose();
        assert_eq!(info[..4], [VERSION.to_ne_bytes(), 51_u16.to_ne_bytes()].concat());
        assert_eq!(info[4..12], iv.expose()[4..]);
        assert_eq!(info[12..28], *secret.write_keys().key.expose());
        assert_eq!(info[28..32], iv.expose()[..4]);
        assert_eq!(info[32..], [0, 0, 0, 0, 0, 0, 1, 2]);
    }
}
