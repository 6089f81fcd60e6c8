//! The secrets of sessions in the format of NSS key logs, for who reads a capture: they undo all protection.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use zeroize::Zeroizing;

use super::{border::Established, log};
use crate::{crypto::secret::Secret, engine::config::KeyLog};

/// The labels of a handshake's secrets, and of its session's.
const HANDSHAKE: [&str; 2] = ["CLIENT_HANDSHAKE_TRAFFIC_SECRET", "SERVER_HANDSHAKE_TRAFFIC_SECRET"];
const SESSION: [&str; 2] = ["CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"];

/// A key log; a line is written in one go, so that several processes may share it.
#[derive(Debug)]
pub(super) struct KeyLogFile(Mutex<File>);

impl KeyLogFile {
    /// Goes on with a file, or begins one.
    #[cfg(feature = "tools")]
    pub(super) fn append(path: &Path) -> io::Result<Self> {
        Self::open(OpenOptions::new().append(true).create(true), path)
    }

    /// Begins a file that nobody else has open, or is in a position to read.
    pub(super) fn create(path: &Path) -> io::Result<Self> {
        Self::open(OpenOptions::new().append(true).create_new(true), path)
    }

    fn open(options: &mut OpenOptions, path: &Path) -> io::Result<Self> {
        options.mode(0o600).open(path).map(|file| Self(Mutex::new(file)))
    }

    /// Writes what is known of a session: what the kernel gets, and what protected the handshake.
    pub(super) fn write_session(&self, session: &Established, we_are_server: bool) {
        let Some(KeyLogEntry { client_random, handshake }) = &session.key_log else { return };
        let (ours, theirs) = (session.tx.secret.expose(), session.rx.secret.expose());
        let of_session = if we_are_server { [theirs, ours] } else { [ours, theirs] };
        let of_handshake = handshake.each_ref().map(Secret::expose);
        let labels = HANDSHAKE.into_iter().chain(SESSION);
        for (label, secret) in labels.zip(of_handshake.into_iter().chain(of_session)) {
            self.log(label, client_random, secret);
        }
    }
}

impl KeyLog for KeyLogFile {
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &[u8]) {
        let mut line = Zeroizing::new(String::with_capacity(label.len() + 3 + 2 * (32 + secret.len())));
        line.push_str(label);
        for bytes in [client_random, secret] {
            line.push(' ');
            bytes.iter().for_each(|byte| line.extend(hex(*byte)));
        }
        line.push('\n');
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = file.write_all(line.as_bytes()) {
            log::warning(format_args!("the key log: {error}"));
        }
    }
}

fn hex(byte: u8) -> [char; 2] {
    [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or('?'))
}

/// What a session's own secrets do not tell.
#[derive(Debug)]
pub(super) struct KeyLogEntry {
    pub(super) client_random: [u8; 32],
    /// The client's, the server's.
    pub(super) handshake: [Secret; 2],
}

/// Keeps a handshake's secrets until it is done.
#[derive(Debug, Default)]
pub(super) struct Collector(Mutex<([u8; 32], [Option<Secret>; 2])>);

impl Collector {
    pub(super) fn take(&self) -> Option<KeyLogEntry> {
        let (client_random, secrets) = &mut *self.lock();
        let [client, server] = secrets.each_mut().map(Option::take);
        Some(KeyLogEntry { client_random: *client_random, handshake: [client?, server?] })
    }

    fn lock(&self) -> MutexGuard<'_, ([u8; 32], [Option<Secret>; 2])> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeyLog for Collector {
    fn log(&self, label: &str, client_random: &[u8; 32], secret: &[u8]) {
        let mut kept = self.lock();
        kept.0 = *client_random;
        if let Some(place) =
            HANDSHAKE.iter().position(|known| *known == label).and_then(|at| kept.1.get_mut(at))
        {
            *place = Some(Secret::from_slice(secret));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::{
        border::{self, Report},
        driver::tests::session,
    };
    use std::{fs, os::unix::fs::PermissionsExt};

    #[test]
    fn a_session_crosses_the_border_and_stands_in_a_file_that_only_we_read() {
        let collector = Collector::default();
        for (label, byte) in HANDSHAKE.into_iter().zip([1, 2]).chain([("EXPORTER_SECRET", 9)]) {
            collector.log(label, &[7; 32], &[byte; 32]);
        }
        let session = Established { key_log: collector.take(), ..Established::from(session()) };
        let secrets = [&session.tx, &session.rx].map(|direction| direction.secret.expose().to_vec());
        let parcel = border::write_report(1, &Report::Done(Box::new(session))).unwrap();
        let bytes = [&parcel.public, parcel.secrets.expose()].concat();
        let (1, Report::Done(session)) = border::read_report(&bytes).unwrap() else { panic!("a session") };

        let path = std::env::temp_dir().join(format!("handclasp-keylog-{}", std::process::id()));
        let file = KeyLogFile::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(KeyLogFile::create(&path).is_err(), "whoever made it may read it");
        file.write_session(&session, false);
        file.write_session(&session, true);
        let text = fs::read_to_string(&path).unwrap();
        fs::remove_file(&path).unwrap();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let line = |label, secret: &[u8]| format!("{label} {} {}\n", "07".repeat(32), hex(secret));
        let [tx, rx] = secrets;
        let common = [line(HANDSHAKE[0], &[1; 32]), line(HANDSHAKE[1], &[2; 32])].concat();
        assert_eq!(
            text,
            [
                common.clone(),
                line(SESSION[0], &tx) + &line(SESSION[1], &rx),
                common,
                line(SESSION[0], &rx) + &line(SESSION[1], &tx)
            ]
            .concat()
        );
    }
}
