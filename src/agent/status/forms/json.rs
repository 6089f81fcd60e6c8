//! For machines; dist/monitoring.md tells what each member means.

use std::time::Duration;

use super::{names, seconds};
use crate::agent::{
    expiry::Lifetime,
    json::Object,
    log,
    status::{
        Counters, Status, View, WorkerState,
        counters::{Counts, Flow},
    },
};

pub(super) fn tell(status: &Status, view: &View<'_>) -> String {
    let View {
        counters,
        configuration,
        lifetimes,
        in_flight,
        max_in_flight,
        workers,
        workers_wanted,
        restarts,
    } = view;
    let mut object = Object::new();
    object.string("version", env!("CARGO_PKG_VERSION"));
    object.number("start_time", seconds(status.started));
    object.string("configuration", configuration.display());
    object.number("configuration_time", seconds(status.loaded));
    status.trouble.iter().for_each(|trouble| object.string("configuration_refused", trouble));
    object.list("certificates", lifetimes.iter().map(certificate));
    object.list("workers", workers.iter().map(worker));
    object.number("workers_wanted", number(*workers_wanted));
    object.number("worker_restarts", *restarts);
    object.number("in_flight", number(*in_flight));
    object.number("in_flight_max", number(*max_in_flight));
    object.number("full", status.pauses);
    let (left_out, lost) = log::totals();
    object.number("log_lines_left_out", left_out);
    object.number("log_lines_lost", lost);
    let flows = counters.iter().flat_map(|counters| {
        let flows = counters.flows();
        flows.iter().map(|(flow, counts)| flow_of(counters, *flow, counts)).collect::<Vec<_>>()
    });
    object.list("flows", flows);
    object.finish() + "\n"
}

fn certificate(lifetime: &Lifetime) -> Object {
    let mut object = Object::new();
    object.string("section", &lifetime.section);
    object.string("path", &lifetime.path);
    object.number("not_after", lifetime.not_after.0);
    object
}

fn worker(state: &WorkerState) -> Object {
    let mut object = Object::new();
    object.number("process", state.process.into());
    object.flag("ready", state.is_ready);
    object
}

fn flow_of(counters: &Counters, flow: Flow, counts: &Counts) -> Object {
    let (role, authentication) = names(flow);
    let mut object = Object::new();
    object.string("netns", counters.netns());
    object.string("role", role);
    object.string("authentication", authentication);
    object.list(
        "done",
        counts.done.iter().map(|((group, suite), count)| {
            let mut object = Object::new();
            object.string("group", group);
            object.string("suite", suite);
            object.number("count", *count);
            object
        }),
    );
    object.list(
        "failed",
        counts.failed.iter().map(|((cause, errno), count)| {
            let mut object = Object::new();
            object.string("cause", cause.name());
            object.string("errno", errno);
            object.number("count", *count);
            object
        }),
    );
    for (name, per_mille) in [("p50_us", 500), ("p90_us", 900), ("p99_us", 990), ("max_us", 1000)] {
        let time = counts.latency.quantile(per_mille);
        time.iter().for_each(|time| object.number(name, microseconds(*time)));
    }
    object
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
