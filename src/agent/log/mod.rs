//! The log: stderr, one line for each event, for people or for machines, with the priorities that the journal reads.
//!
//! Nothing here waits ([`sink`]). What strangers cause has a budget ([`REFUSALS`]); successes and the agent's own troubles have none.

mod budget;
mod handshake;
mod sink;

use std::{
    fmt,
    os::unix::fs::MetadataExt,
    str::FromStr,
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use super::{failure::Cause, json::Object};
use crate::crypto::{
    certificate::UnixTime,
    x509::{
        distinguished_name::{is_hidden, shown},
        time::Rfc3339,
    },
};
pub(super) use budget::{Budget, Rate};
pub(super) use handshake::{Ended, Outcome, Subject};
use sink::Sink;

/// How many lines of failed handshakes are written, of each cause: strangers cause them, and none may hide another.
const REFUSALS: Rate = Rate { burst: 50, per_second: 5 };

/// How important a message is (sd-daemon(3)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Priority {
    Error = 3,
    Warning = 4,
    Notice = 5,
    Info = 6,
    Debug = 7,
}

impl Priority {
    /// As it stands at the start of a line.
    pub(super) fn from_digit(digit: u8) -> Self {
        match digit {
            b'4' => Self::Warning,
            b'5' => Self::Notice,
            b'6' => Self::Info,
            b'7' => Self::Debug,
            _ => Self::Error,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// Whom the lines are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// People.
    Human,
    /// Machines: an object of JSON on each line (dist/monitoring.md).
    Json,
    /// The broker of the worker that we are: the priority, and the text.
    Worker,
}

impl FromStr for Format {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "human" => Ok(Self::Human),
            "json" => Ok(Self::Json),
            _ => Err("the formats are human and json"),
        }
    }
}

struct Log {
    format: Format,
    sink: Sink,
    /// How many lines were left out, and how many lost, in all.
    totals: (u64, u64),
    /// One for each cause.
    refusals: [Budget; Cause::ALL.len()],
}

static LOG: Mutex<Log> = Mutex::new(Log {
    format: Format::Human,
    sink: Sink::new(),
    totals: (0, 0),
    refusals: [const { Budget::new(REFUSALS) }; Cause::ALL.len()],
});
static DEBUG: AtomicBool = AtomicBool::new(false);

fn log() -> MutexGuard<'static, Log> {
    LOG.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From here on lines have this format, and no write waits.
pub(super) fn start(format: Format) {
    let mut log = log();
    log.format = format;
    log.sink.stop_waiting();
}

/// From here on lines are those of a worker, which may wait: for its broker, who reads always.
pub(super) fn start_as_worker() {
    log().format = Format::Worker;
}

/// How many lines were left out because there were too many, and how many stderr did not take.
pub(super) fn totals() -> (u64, u64) {
    log().totals
}

/// Turns debug messages on or off.
pub(super) fn set_debug(on: bool) {
    DEBUG.store(on, Ordering::Relaxed);
}

/// Whether there are debug messages.
pub(super) fn is_debug() -> bool {
    DEBUG.load(Ordering::Relaxed)
}

/// Something does not work.
pub(super) fn error(message: fmt::Arguments<'_>) {
    write(Priority::Error, message);
}

/// Something works, but not as it should.
pub(super) fn warning(message: fmt::Arguments<'_>) {
    write(Priority::Warning, message);
}

/// The agent's own life.
pub(super) fn notice(message: fmt::Arguments<'_>) {
    write(Priority::Notice, message);
}

/// What helps to find a mistake; off unless `loglevel` is above 0.
pub(super) fn debug(message: fmt::Arguments<'_>) {
    if is_debug() {
        write(Priority::Debug, message);
    }
}

/// A handshake ended.
pub(super) fn handshake(ended: &Ended<'_>) {
    let may = |cause: Cause| {
        log().refusals.get_mut(cause as usize).is_none_or(|budget| budget.take(Instant::now()))
    };
    if ended.cause().is_none_or(may) {
        write_event(ended.priority(), "handshake", ended, |object| ended.members(object));
    }
}

/// A worker's line, which may be a hostile worker's.
pub(super) fn worker(process: u32, priority: Priority, text: &[u8]) {
    if priority != Priority::Debug || is_debug() {
        let text = String::from_utf8_lossy(text);
        write_event(priority, "worker", format_args!("worker {process}: {text}"), |object| {
            object.number("worker", process.into());
            object.string("text", &text);
        });
    }
}

/// Writes what waits to be written, and, when that is due, how much was left out or lost.
pub(super) fn flush() {
    tell(Instant::now());
}

/// Writes whatever there is to be told yet.
pub(super) fn end() {
    tell(Instant::now() + budget::TELLING);
}

fn tell(now: Instant) {
    for cause in Cause::ALL {
        let due = log().refusals.get_mut(cause as usize).and_then(|budget| budget.due(now));
        due.into_iter().for_each(|count| left_out(cause, count));
    }
    let mut log = log();
    log.sink.flush();
    log.tell_lost();
}

fn left_out(cause: Cause, count: u64) {
    log().totals.0 += count;
    let name = cause.name();
    let text = format_args!(
        "{count} lines of failed handshakes were left out, of the cause {name:?}: there are too many"
    );
    write_event(Priority::Warning, "left_out", text, |object| {
        object.string("cause", name);
        object.number("count", count);
    });
}

/// When [`flush`] has something to do.
pub(super) fn deadline() -> Option<Instant> {
    let log = log();
    log.sink.deadline().into_iter().chain(log.refusals.iter().filter_map(Budget::deadline)).min()
}

fn write(priority: Priority, message: fmt::Arguments<'_>) {
    write_event(priority, "message", message, |object| object.string("text", message));
}

/// One line: for people `text`, for machines `members`.
fn write_event(priority: Priority, event: &str, text: impl fmt::Display, members: impl FnOnce(&mut Object)) {
    let format = log().format;
    let line = line(format, priority, event, text, members);
    let mut log = log();
    log.tell_lost();
    log.sink.write(&line);
}

fn line(
    format: Format,
    priority: Priority,
    event: &str,
    text: impl fmt::Display,
    members: impl FnOnce(&mut Object),
) -> String {
    let mark = if format == Format::Worker || is_journal() {
        format!("<{}>", priority as u8)
    } else {
        String::new()
    };
    if format != Format::Json {
        // Whatever is in it, it stays one line.
        let text: String = text.to_string().chars().take(LONGEST).map(shown).collect();
        return format!("{mark}{text}\n");
    }
    let mut object = Object::new();
    object.string("time", Now);
    object.string("level", priority.name());
    object.string("event", event);
    members(&mut object);
    format!("{mark}{}\n", object.finish())
}

/// The longest line for people, in characters.
const LONGEST: usize = 3000;

impl Log {
    fn tell_lost(&mut self) {
        if let Some(count) = self.sink.take_lost() {
            self.totals.1 += count;
            let text = format_args!("{count} lines were lost here: nobody took them");
            let line =
                line(self.format, Priority::Warning, "lost", text, |object| object.number("count", count));
            self.sink.write(&line);
        }
    }
}

/// The time, as RFC 3339 writes it, to the millisecond.
struct Now;

impl fmt::Display for Now {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = Rfc3339(UnixTime(now.as_secs())).to_string();
        write!(f, "{}.{:03}Z", seconds.trim_end_matches('Z'), now.subsec_millis())
    }
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
                _ if is_hidden(character) => {
                    write!(f, "{}", character.escape_unicode())?;
                }
                _ => write!(f, "{character}")?,
            }
        }
        if text.chars().nth(LONGEST).is_some() { f.write_str("...") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
