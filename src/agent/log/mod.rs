//! Messages to stderr, one line each, with the priorities that the journal reads.

use std::{
    fmt, io,
    io::Write,
    os::unix::fs::MetadataExt,
    sync::{
        OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

/// How important a message is (sd-daemon(3)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Priority {
    Error = 3,
    Warning = 4,
    Notice = 5,
    Info = 6,
    Debug = 7,
}

static DEBUG: AtomicBool = AtomicBool::new(false);

/// Turns debug messages on or off.
pub(super) fn set_debug(on: bool) {
    DEBUG.store(on, Ordering::Relaxed);
}

/// Something does not work.
pub(super) fn error(message: fmt::Arguments<'_>) {
    write(Priority::Error, message);
}

/// Something works, but not as it should.
pub(super) fn warning(message: fmt::Arguments<'_>) {
    write(Priority::Warning, message);
}

/// A handshake failed, or the agent's own life.
pub(super) fn notice(message: fmt::Arguments<'_>) {
    write(Priority::Notice, message);
}

/// A handshake succeeded.
pub(super) fn info(message: fmt::Arguments<'_>) {
    write(Priority::Info, message);
}

/// What helps to find a mistake; off unless `loglevel` is above 0.
pub(super) fn debug(message: fmt::Arguments<'_>) {
    if DEBUG.load(Ordering::Relaxed) {
        write(Priority::Debug, message);
    }
}

/// One `write` for one line, so that lines of several agents on one terminal do not mix; a full disk stops no handshake.
fn write(priority: Priority, message: fmt::Arguments<'_>) {
    let line = if is_journal() { format!("<{}>{message}\n", priority as u8) } else { format!("{message}\n") };
    let _unwritten = io::stderr().write_all(line.as_bytes());
}

/// Whether stderr is the journal: $JOURNAL_STREAM holds its device and inode (systemd.exec(5)).
fn is_journal() -> bool {
    static ANSWER: OnceLock<bool> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
        std::fs::metadata("/proc/self/fd/2")
            .is_ok_and(|stderr| stream == format!("{}:{}", stderr.dev(), stderr.ino()))
    })
}

/// Bytes that a peer chose, fit for a line: escaped, and cut after 200 characters.
pub(super) struct Sanitised<'a>(pub(super) &'a [u8]);

impl fmt::Display for Sanitised<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const LONGEST: usize = 200;
        let text = String::from_utf8_lossy(self.0);
        for character in text.chars().take(LONGEST) {
            match character {
                '"' | '\\' => write!(f, "\\{character}")?,
                _ if character.is_control() || is_reordering(character) => {
                    write!(f, "{}", character.escape_unicode())?;
                }
                _ => write!(f, "{character}")?,
            }
        }
        if text.chars().nth(LONGEST).is_some() { f.write_str("...") } else { Ok(()) }
    }
}

/// The characters that turn the direction of text, or hide.
pub(super) fn is_reordering(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_cannot_write_lines_of_its_own() {
        assert_eq!(Sanitised(b"a\n<0>b\x1b[2J\xff\"").to_string(), "a\\u{a}<0>b\\u{1b}[2J\u{fffd}\\\"");
        assert_eq!(Sanitised("\u{202e}x".as_bytes()).to_string(), "\\u{202e}x");
        assert_eq!(Sanitised(&[b'x'; 500]).to_string().len(), 203);
    }
}
