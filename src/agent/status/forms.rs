//! The status in words, as JSON, and in the text format of Prometheus.

mod human;
mod json;
mod prometheus;

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

#[cfg(test)]
mod tests;
