//! Says what passes in a handshake, message by message: in the log's debug messages, and for `--trace` of the tools.

use std::{fmt, sync::Arc};

use crate::engine::{
    AlertDescription, Glimpse,
    config::{Trace, Way},
};

/// Writes a line for each message and each alert.
#[derive(Debug)]
pub(super) struct Tracer {
    /// Whose messages these are: what each line begins with.
    subject: String,
    write: fn(fmt::Arguments<'_>),
}

impl Tracer {
    /// For a handshake's configuration.
    pub(super) fn of(subject: String, write: fn(fmt::Arguments<'_>)) -> Arc<dyn Trace> {
        Arc::new(Self { subject, write })
    }

    fn say(&self, way: Way, what: fmt::Arguments<'_>) {
        let verb = if way == Way::Sent { "sends" } else { "receives" };
        (self.write)(format_args!("{} {verb} {what}", self.subject));
    }
}

impl Trace for Tracer {
    fn message(&self, way: Way, message: &Glimpse<'_>) {
        self.say(way, format_args!("{message}"));
    }

    fn alert(&self, way: Way, alert: AlertDescription) {
        self.say(way, format_args!("alert {alert}"));
    }
}
