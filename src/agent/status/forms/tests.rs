use super::*;
use crate::{
    agent::{
        border::{Established, Verdict},
        driver::tests::session,
        expiry::Lifetime,
        failure::Cause,
        log::{Ended, Outcome, Subject},
        request::{Authentication, Role},
        status::{Counters, WorkerState},
    },
    crypto::certificate::UnixTime,
};
use std::{
    path::Path,
    rc::Rc,
    time::{Duration, UNIX_EPOCH},
};

/// Two sessions of an NVMe host, and a mount that was refused.
fn counters() -> Rc<Counters> {
    let counters = Counters::new("red");
    let nvme = Subject { flow: Some((Role::Client, Authentication::Psk)), ..Subject::new("red") };
    let session = Established::from(session());
    for milliseconds in [3, 7] {
        let outcome = Outcome::Done { session: &session, has_signed: false };
        let elapsed = Duration::from_millis(milliseconds);
        counters.count(&Ended { subject: &nvme, outcome, elapsed, told: Ok(()) });
    }
    let nfs = Subject { flow: Some((Role::Server, Authentication::X509)), ..Subject::new("red") };
    let verdict = Verdict {
        errno: libc::EACCES,
        alert: None,
        received: None,
        cause: Cause::Certificate,
        may_lack_group: false,
        reason: "no".into(),
    };
    let outcome = Outcome::Failed { verdict: &verdict, trouble: None };
    counters.count(&Ended { subject: &nfs, outcome, elapsed: Duration::ZERO, told: Ok(()) });
    Rc::new(counters)
}

fn told(form: Form) -> String {
    let mut status = Status::start(None);
    (status.started, status.loaded) = (UNIX_EPOCH, UNIX_EPOCH + Duration::from_secs(7));
    status.trouble = Some("c:1: \"x\" is wrong".into());
    let path = "/etc/s\"\\.pem".to_owned();
    let view = View {
        counters: &[counters()],
        configuration: Path::new("/etc/c"),
        lifetimes: &[Lifetime { section: "s".into(), path, not_after: UnixTime(1_709_251_199) }],
        in_flight: 4,
        max_in_flight: 5,
        workers: vec![
            WorkerState { process: 10, is_ready: true },
            WorkerState { process: 11, is_ready: false },
        ],
        workers_wanted: 3,
        restarts: 6,
    };
    tell(&status, &view, form)
}

#[test]
fn people_are_told() {
    let text = told(Form::Human);
    for line in [
        "configuration  /etc/c, as it was; REFUSED at 1970-01-01T00:00:07Z: c:1: \"x\" is wrong\n",
        "certificate    s: /etc/s\"\\.pem, until 2024-02-29T23:59:59Z\n",
        "workers        1 of 3 ready, 6 restarted\n",
        "in flight      4 of 5 at most, 0 times full\n",
        "\nhandshakes in red: 2 done, 1 failed\n",
        "client psk\n         2 done, x25519, TLS_AES_128_GCM_SHA256\n           p50 3.1 ms, p99 7.2 ms, longest 7.2 ms\n",
        "server x509\n         1 failed, certificate, EACCES\n",
    ] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
}

#[test]
fn machines_are_told() {
    let text = told(Form::Json);
    for part in [
        r#""configuration_time":7,"configuration_refused":"c:1: \"x\" is wrong""#,
        r#""certificates":[{"section":"s","path":"/etc/s\"\\.pem","not_after":1709251199}]"#,
        r#""workers":[{"process":10,"ready":true},{"process":11,"ready":false}],"workers_wanted":3,"worker_restarts":6"#,
        r#"{"netns":"red","role":"client","authentication":"psk","done":[{"group":"x25519","suite":"TLS_AES_128_GCM_SHA256","count":2}],"failed":[],"p50_us":3072"#,
        r#""failed":[{"cause":"certificate","errno":"EACCES","count":1}]}]}"#,
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(text.lines().count(), 1);
}

/// The rules of the text format: https://prometheus.io/docs/instrumenting/exposition_formats/
#[test]
fn prometheus_is_told() {
    let text = told(Form::Prometheus);
    for line in [
        "handclasp_workers 3\n",
        "handclasp_workers_ready 1\n",
        "handclasp_certificate_not_after_seconds{section=\"s\",path=\"/etc/s\\\"\\\\.pem\"} 1709251199\n",
        "# TYPE handclasp_handshakes_done_total counter\nhandclasp_handshakes_done_total{netns=\"red\",role=\"client\",authentication=\"psk\",group=\"x25519\",suite=\"TLS_AES_128_GCM_SHA256\"} 2\n",
        "handclasp_handshakes_failed_total{netns=\"red\",role=\"server\",authentication=\"x509\",cause=\"certificate\",errno=\"EACCES\"} 1\n",
        "handclasp_handshake_seconds_bucket{netns=\"red\",role=\"client\",authentication=\"psk\",le=\"0.004096\"} 1\n",
        "handclasp_handshake_seconds_bucket{netns=\"red\",role=\"client\",authentication=\"psk\",le=\"+Inf\"} 2\n",
        "handclasp_handshake_seconds_sum{netns=\"red\",role=\"client\",authentication=\"psk\"} 0.01\n",
    ] {
        assert!(text.contains(line), "{line:?} in {text}");
    }
    // Each family once, and its samples below it.
    let mut family = "";
    let mut seen = std::collections::BTreeSet::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("# HELP ").and_then(|rest| rest.split(' ').next()) {
            assert!(seen.insert(name), "{name}");
            family = name;
        }
        assert!(
            line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ").starts_with(family),
            "{line}"
        );
    }
}
