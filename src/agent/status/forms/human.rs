//! For people, and for `handclasp status`.

use std::fmt::{self, Write};
use std::time::{Duration, SystemTime};

use super::{names, seconds};
use crate::{
    agent::{
        log,
        status::{Counters, Status, View, counters::Counts},
    },
    crypto::{certificate::UnixTime, x509::time::Rfc3339},
};

pub(super) fn tell(status: &Status, view: &View<'_>) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = write_agent(&mut text, status, view);
    for counters in view.counters {
        let _ = write_namespace(&mut text, counters);
    }
    text
}

fn write_agent(text: &mut String, status: &Status, view: &View<'_>) -> fmt::Result {
    let View {
        configuration, lifetimes, in_flight, max_in_flight, workers, workers_wanted, restarts, ..
    } = view;
    let uptime = status.started.elapsed().unwrap_or_default();
    writeln!(text, "handclasp {}, up for {}", env!("CARGO_PKG_VERSION"), Span(uptime))?;
    let loaded = Time(status.loaded);
    match &status.trouble {
        None => writeln!(text, "configuration  {}, read at {loaded}", configuration.display())?,
        Some(trouble) => writeln!(
            text,
            "configuration  {}, as it was; REFUSED at {loaded}: {trouble}",
            configuration.display()
        )?,
    }
    for lifetime in *lifetimes {
        let end = Rfc3339(lifetime.not_after);
        writeln!(text, "certificate    {}: {}, until {end}", lifetime.section, lifetime.path)?;
    }
    let ready = workers.iter().filter(|worker| worker.is_ready).count();
    writeln!(text, "workers        {ready} of {workers_wanted} ready, {restarts} restarted")?;
    let pauses = status.pauses;
    writeln!(text, "in flight      {in_flight} of {max_in_flight} at most, {pauses} times full")?;
    let (left_out, lost) = log::totals();
    writeln!(text, "log            {left_out} lines left out, {lost} lost")
}

fn write_namespace(text: &mut String, counters: &Counters) -> fmt::Result {
    let (done, failed) = counters.totals();
    let (of, netns) = if counters.netns().is_empty() { ("", "") } else { (" in ", counters.netns()) };
    writeln!(text, "\nhandshakes{of}{netns}: {done} done, {failed} failed")?;
    for (flow, counts) in counters.flows().iter() {
        let (role, authentication) = names(*flow);
        writeln!(text, "{role} {authentication}")?;
        write_counts(text, counts)?;
    }
    Ok(())
}

fn write_counts(text: &mut String, counts: &Counts) -> fmt::Result {
    for ((group, suite), count) in &counts.done {
        writeln!(text, "{count:>10} done, {group}, {suite}")?;
    }
    for ((cause, errno), count) in &counts.failed {
        writeln!(text, "{count:>10} failed, {}, {errno}", cause.name())?;
    }
    let quantile = |per_mille| counts.latency.quantile(per_mille).map(|time| time.as_secs_f64() * 1000.0);
    if let (Some(half), Some(most), Some(slowest)) = (quantile(500), quantile(990), quantile(1000)) {
        writeln!(text, "           p50 {half:.1} ms, p99 {most:.1} ms, longest {slowest:.1} ms")?;
    }
    Ok(())
}

/// "3 d 04:05:06"
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
        write!(f, "{days} d {hours:02}:{minutes:02}:{:02}", seconds % 60)
    }
}

struct Time(SystemTime);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Rfc3339(UnixTime(seconds(self.0))).fmt(f)
    }
}
