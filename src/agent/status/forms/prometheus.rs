//! The text format of Prometheus (version 0.0.4), for the node exporter's textfile collector.

use std::fmt::Display;

use super::{names, seconds};
use crate::agent::{
    log,
    status::{Status, View, counters::Counts},
};

pub(super) fn tell(status: &Status, view: &View<'_>) -> String {
    let mut page = Page::default();
    write_agent(&mut page, status, view);
    write_configuration(&mut page, status, view);
    write_handshakes(&mut page, view);
    page.0
}

fn write_agent(page: &mut Page, status: &Status, view: &View<'_>) {
    page.family("build_info", "gauge", "The version, as a label.");
    page.sample("build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.single("start_time_seconds", "gauge", "When the agent started.", seconds(status.started));
    let View { in_flight, max_in_flight, workers, workers_wanted, restarts, .. } = view;
    page.single("handshakes_in_flight", "gauge", "Handshakes that are being done.", in_flight);
    page.single("handshakes_in_flight_max", "gauge", "The most that are done at once.", max_in_flight);
    page.single(
        "full_total",
        "counter",
        "How often requests were left waiting in the kernel.",
        status.pauses,
    );
    let ready = workers.iter().filter(|worker| worker.is_ready).count();
    page.single("workers", "gauge", "Workers that there are to be.", workers_wanted);
    page.single("workers_ready", "gauge", "Workers that are ready.", ready);
    page.single(
        "worker_restarts_total",
        "counter",
        "Workers started in place of one that was gone.",
        restarts,
    );
    let (left_out, lost) = log::totals();
    page.single("log_lines_left_out_total", "counter", "Log lines left out by the rate limit.", left_out);
    page.single("log_lines_lost_total", "counter", "Log lines that stderr did not take.", lost);
}

fn write_configuration(page: &mut Page, status: &Status, view: &View<'_>) {
    let is_good = u8::from(status.trouble.is_none());
    page.single("configuration_good", "gauge", "Whether the configuration was good when last read.", is_good);
    let loaded = seconds(status.loaded);
    page.single("configuration_time_seconds", "gauge", "When the configuration was last read.", loaded);
    page.family("certificate_not_after_seconds", "gauge", "When the first certificate of a chain expires.");
    for lifetime in view.lifetimes {
        let labels = [("section", &*lifetime.section), ("path", &*lifetime.path)];
        page.sample("certificate_not_after_seconds", &labels, lifetime.not_after.0);
    }
}

fn write_handshakes(page: &mut Page, view: &View<'_>) {
    page.family("handshakes_done_total", "counter", "Handshakes that succeeded.");
    for_each(view, |flow, counts| {
        for ((group, suite), count) in &counts.done {
            let labels = [&flow[..], &[("group", group), ("suite", suite)]].concat();
            page.sample("handshakes_done_total", &labels, count);
        }
    });
    page.family("handshakes_failed_total", "counter", "Handshakes that failed.");
    for_each(view, |flow, counts| {
        for ((cause, errno), count) in &counts.failed {
            let labels = [&flow[..], &[("cause", cause.name()), ("errno", errno)]].concat();
            page.sample("handshakes_failed_total", &labels, count);
        }
    });
    page.family("handshake_seconds", "histogram", "How long handshakes took that succeeded.");
    for_each(view, |flow, counts| write_histogram(page, flow, counts));
}

fn write_histogram(page: &mut Page, flow: [Label<'_>; 3], counts: &Counts) {
    for (end, count) in counts.latency.octaves() {
        let end = end.as_secs_f64().to_string();
        page.sample("handshake_seconds_bucket", &[&flow[..], &[("le", &end)]].concat(), count);
    }
    let count = counts.latency.count();
    page.sample("handshake_seconds_bucket", &[&flow[..], &[("le", "+Inf")]].concat(), count);
    page.sample("handshake_seconds_sum", &flow, counts.latency.sum().as_secs_f64());
    page.sample("handshake_seconds_count", &flow, count);
}

/// Each flow of each namespace, by its labels.
fn for_each(view: &View<'_>, mut act: impl FnMut([Label<'_>; 3], &Counts)) {
    for counters in view.counters {
        for (flow, counts) in counters.flows().iter() {
            let (role, authentication) = names(*flow);
            act([("netns", counters.netns()), ("role", role), ("authentication", authentication)], counts);
        }
    }
}

type Label<'a> = (&'static str, &'a str);

#[derive(Default)]
struct Page(String);

impl Page {
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        self.0 += &format!("# HELP handclasp_{name} {help}\n# TYPE handclasp_{name} {kind}\n");
    }

    fn sample(&mut self, name: &str, labels: &[Label<'_>], value: impl Display) {
        let labels: Vec<_> =
            labels.iter().map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
        self.0 += &format!("handclasp_{name}{{{}}} {value}\n", labels.join(","));
    }

    /// A family of one sample, without labels.
    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.0 += &format!("handclasp_{name} {value}\n");
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}
