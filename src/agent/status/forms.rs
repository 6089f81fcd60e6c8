//! The status in words, as JSON, and in the text format of Prometheus.

mod human;
mod json;
mod prometheus;

use std::time::{SystemTime, UNIX_EPOCH};

use super::{Form, Status, View, counters::Flow};

/// The status in this form.
pub(super) fn tell(status: &Status, view: &View<'_>, form: Form) -> String {
    match form {
        Form::Human => human::tell(status, view),
        Form::Json => json::tell(status, view),
        Form::Prometheus => prometheus::tell(status, view),
    }
}

/// The names of a flow: who we are, and what authenticates.
fn names(flow: Flow) -> (&'static str, &'static str) {
    flow.map_or(("unknown", "unknown"), |(role, authentication)| (role.name(), authentication.name()))
}

/// Seconds since 1970.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests;
