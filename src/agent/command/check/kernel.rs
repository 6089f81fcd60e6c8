//! What the kernel can do: the handshake service, the tls module, the ciphers; and who else answers it.

use std::{fs, path::Path};

use super::Finding;
use crate::{
    agent::{
        ktls,
        netlink::{Kernel, KernelError},
    },
    crypto::{
        hash::Hash,
        key_schedule::{EarlySecret, TrafficSecrets},
        secret::Secret,
        suite::CipherSuite,
    },
};

pub(super) fn check() -> Vec<Finding> {
    let mut findings = vec![service(), key_updates()];
    findings.extend(kernel_tls());
    findings.extend(other_agents());
    findings
}

fn service() -> Finding {
    match Kernel::look()
        .and_then(|kernel| kernel.policy().map_err(|error| KernelError::Io("its policy", error)))
    {
        Ok(policy) if policy.takes_results() => {
            Finding::ok("kernel", "it has the handshake service, and takes the results that the agent sends")
        }
        Ok(policy) => {
            Finding::warn("kernel", format!("its handshake service takes other results: {policy:?}"))
        }
        Err(error) => Finding::fail("kernel", error.to_string()),
    }
}

/// KeyUpdates are passed on by kernels that are only proposed; they are to be known by their policy then.
fn key_updates() -> Finding {
    Finding::ok(
        "key updates",
        "no kernel passes a peer's KeyUpdate on, so the connection ends: turn rekeying off at peers that do it",
    )
}

fn kernel_tls() -> Vec<Finding> {
    match ktls::probe() {
        Ok(true) => vec![Finding::ok("tls module", "there; it can limit the size of records (RFC 8449)")],
        Ok(false) => vec![Finding::ok(
            "tls module",
            "there; it cannot limit the size of records, so that is not negotiated",
        )],
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {
            let advice =
                "missing: modprobe tls, and a line `tls` in /etc/modules-load.d/tls.conf (CONFIG_TLS)";
            return vec![Finding::fail("tls module", advice)];
        }
        Err(error) => {
            return vec![Finding::fail(
                "tls module",
                format!("cannot be tried on a loopback connection: {error}"),
            )];
        }
    }
    .into_iter()
    .chain(CipherSuite::ALL.into_iter().map(cipher))
    .collect()
}

/// Tries a cipher on a connection of our own, with keys that protect nothing.
fn cipher(suite: CipherSuite) -> Finding {
    let transcript = Hash::digest(suite.hash(), b"");
    let master = EarlySecret::new(suite.hash(), None).handshake(&Secret::zeroed(32)).master();
    let TrafficSecrets { client, server } = master.traffic(suite, transcript.as_ref());
    match ktls::try_keys((&client, 0), (&server, 0)) {
        Ok(()) => Finding::ok("cipher", suite.name()),
        Err(error) => Finding::fail(
            "cipher",
            format!("{}: the kernel does not take it: {error} (a missing crypto module?)", suite.name()),
        ),
    }
}

/// Two agents in one network namespace take requests from each other; only one can have the right certificates.
fn other_agents() -> Vec<Finding> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let namespace = |process: &Path| fs::read_link(process.join("ns/net")).ok();
    let own = namespace(Path::new("/proc/self"));
    let agents = processes.flatten().filter_map(|process| {
        let path = process.path();
        let agent = agent(&fs::read(path.join("comm")).ok()?, &fs::read(path.join("cmdline")).ok()?)?;
        let is_here = namespace(&path).is_none_or(|namespace| Some(namespace) == own);
        is_here.then(|| (agent, process.file_name().to_string_lossy().into_owned()))
    });
    too_many(&agents.collect::<Vec<_>>())
}

/// Which agent a process is, if any. Our workers, and whoever checks, are none.
fn agent(name: &[u8], command_line: &[u8]) -> Option<&'static str> {
    match (name, command_line.split(|octet| *octet == 0).nth(1)) {
        (b"tlshd\n", _) => Some("tlshd"),
        (b"handclasp\n", Some(b"agent")) => Some("handclasp"),
        _ => None,
    }
}

/// One of ours is as it should be; `agents` are names and processes.
fn too_many(agents: &[(&str, String)]) -> Vec<Finding> {
    let (ours, others): (Vec<_>, Vec<_>) = agents.iter().partition(|(name, _)| *name == "handclasp");
    let told = others
        .iter()
        .map(|(name, id)| format!("{name} runs, too (process {id}); only one of the two should"));
    let ours: Vec<_> = ours.iter().map(|(_, id)| id.as_str()).collect();
    let twice = (ours.len() > 1).then(|| {
        format!(
            "handclasp runs {} times in this network namespace (processes {}); only one should",
            ours.len(),
            ours.join(", ")
        )
    });
    told.chain(twice).map(|text| Finding::warn("other agents", text)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_agent_is_enough() {
        let told = |agents: &[(&'static str, &str)]| {
            let agents: Vec<_> = agents.iter().map(|(name, id)| (*name, (*id).into())).collect();
            too_many(&agents).into_iter().map(|finding| finding.text).collect::<Vec<_>>()
        };
        assert!(told(&[("handclasp", "7")]).is_empty());
        assert_eq!(
            told(&[("handclasp", "7"), ("handclasp", "9")]),
            ["handclasp runs 2 times in this network namespace (processes 7, 9); only one should"]
        );
        assert_eq!(
            told(&[("tlshd", "8"), ("handclasp", "7")]),
            ["tlshd runs, too (process 8); only one of the two should"]
        );
    }

    #[test]
    fn only_agents_are_agents() {
        assert_eq!(agent(b"tlshd\n", b"/usr/sbin/tlshd\0"), Some("tlshd"));
        assert_eq!(agent(b"handclasp\n", b"/usr/sbin/handclasp\0agent\0--netns-all\0"), Some("handclasp"));
        for arguments in [&b"handclasp\0worker\0"[..], b"handclasp\0check\0", b"handclasp\0", b""] {
            assert_eq!(agent(b"handclasp\n", arguments), None);
        }
        assert_eq!(agent(b"vi\n", b"vi\0agent\0"), None);
    }
}
