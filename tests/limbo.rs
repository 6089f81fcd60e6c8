//! x509-limbo and BetterTLS against our path validation.
//!
//! `HANDCLASP_LIMBO` names a limbo.json (format of C2SP/x509-limbo); without it there is nothing to run, and the test says so.
//! Where we differ on purpose, `tests/vectors/limbo-exceptions.toml` says why; an exception that is not needed is a failure too.
#![cfg(feature = "x509")]
#![allow(unreachable_pub, reason = "modules of a test")]

#[path = "support/json.rs"]
mod json;

use std::{collections::BTreeMap, sync::Arc, time::SystemTime};

use handclasp::crypto::{
    certificate::{ServerName, UnixTime},
    pem,
    x509::{Policy, Request, Side, TrustStore, Verifier, time},
};
use json::Json;

#[test]
fn agrees_with_limbo() {
    let Ok(path) = std::env::var("HANDCLASP_LIMBO") else {
        println!("skipped: HANDCLASP_LIMBO does not name a limbo.json");
        return;
    };
    let suite = Json::parse(&std::fs::read_to_string(&path).expect(&path));
    let exceptions = exceptions(include_str!("vectors/limbo-exceptions.toml"));
    let mut groups: BTreeMap<String, [usize; 3]> = BTreeMap::new();
    let mut surprises = Vec::new();
    for case in suite.get("testcases").items() {
        let id = case.get("id").text().expect("an id");
        let outcome = run(case);
        let agrees = outcome.is_ok() == (case.get("expected_result").text() == Some("SUCCESS"));
        let excepted = exceptions.contains_key(id);
        groups.entry(group(id)).or_default()[if agrees { 0 } else { 1 + usize::from(!excepted) }] += 1;
        if std::env::var_os("HANDCLASP_LIMBO_VERBOSE").is_some() {
            println!("{id}: {}", outcome.as_ref().map_or_else(|detail| detail.as_str(), |()| "accepted"));
        }
        if agrees == excepted {
            surprises.push(format!("{id}: {outcome:?}"));
        }
    }
    println!("{:24}{:>8}{:>10}{:>10}", "group", "agree", "excepted", "disagree");
    for (group, [agree, excepted, disagree]) in &groups {
        println!("{group:24}{agree:>8}{excepted:>10}{disagree:>10}");
    }
    assert!(surprises.is_empty(), "unexpected outcomes:\n{}", surprises.join("\n"));
}

fn group(id: &str) -> String {
    let parts: Vec<_> = id.split("::").collect();
    parts[..parts.len() - 1].join("::")
}

fn run(case: &Json) -> Result<(), String> {
    let mut store = TrustStore::empty();
    for pem in texts(case.get("trusted_certs")) {
        store.add_pem(pem.as_bytes(), "trusted").map_err(|error| error.to_string())?;
    }
    for pem in texts(case.get("crls")) {
        store.add_crl_pem(pem.as_bytes(), "crl").map_err(|error| error.to_string())?;
    }
    let mut chain = Vec::new();
    for pem in texts(&Json::Array(vec![case.get("peer_certificate").clone()]))
        .chain(texts(case.get("untrusted_intermediates")))
    {
        chain.extend(pem::certificates(pem.as_bytes()).map_err(|error| error.to_string())?);
    }
    let mut policy = Policy::default();
    if let Some(depth) = case.get("max_chain_depth").number() {
        policy.max_intermediates = depth as usize;
    }
    let side = if case.get("validation_kind").text() == Some("CLIENT") { Side::Client } else { Side::Server };
    let expected = case.get("expected_peer_name");
    let names: Vec<_> = match expected.get("kind").text() {
        Some("DNS" | "IP") => {
            vec![ServerName::parse(expected.get("value").text().expect("a name")).ok_or("no such name")?]
        }
        _ => Vec::new(),
    };
    let now = match case.get("validation_time").text() {
        Some(text) => time::parse_rfc3339(text).expect(text),
        None => UnixTime(SystemTime::UNIX_EPOCH.elapsed().expect("a clock past 1970").as_secs()),
    };
    let request = Request { side, names: &names, now };
    let verifier = Verifier::with_policy(Arc::new(store), policy);
    verifier.find_path(&chain, &request).map(drop).map_err(|rejection| rejection.detail)
}

fn texts(list: &Json) -> impl Iterator<Item = String> {
    list.items().iter().map(|item| item.text().expect("PEM").to_owned()).collect::<Vec<_>>().into_iter()
}

/// Reads `[[exception]]` tables of `case` and `reason`.
fn exceptions(toml: &str) -> BTreeMap<String, String> {
    let mut exceptions = BTreeMap::new();
    let mut cases: Vec<String> = Vec::new();
    for line in toml.lines() {
        let value = |key: &str| line.strip_prefix(key)?.trim().strip_prefix('=').map(|v| v.trim().to_owned());
        if let Some(list) = value("cases") {
            cases = list
                .trim_matches(['[', ']'])
                .split(',')
                .map(|c| c.trim().trim_matches('"').to_owned())
                .collect();
        }
        if let Some(reason) = value("reason") {
            assert!(reason.len() > 20, "an exception needs its reason: {cases:?}");
            exceptions.extend(cases.drain(..).map(|case| (case, reason.clone())));
        }
    }
    assert!(cases.is_empty(), "an exception without a reason: {cases:?}");
    exceptions
}
