//! What the kernel can do: the handshake service, the tls module, the ciphers; and who else answers it.

use std::fs;

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

/// Two agents on one kernel take requests from each other; only one can have the right certificates.
fn other_agents() -> Vec<Finding> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let others = processes.flatten().filter_map(|process| {
        let name = fs::read_to_string(process.path().join("comm")).ok()?;
        (name.trim_end() == "tlshd").then(|| process.file_name().to_string_lossy().into_owned())
    });
    others
        .map(|id| {
            Finding::warn(
                "other agents",
                format!("tlshd runs, too (process {id}); only one of the two should"),
            )
        })
        .collect()
}
