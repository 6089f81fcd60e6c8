//! What stands around the agent: user and network namespaces, capabilities, and what may be forbidden to it.

use std::fs;

use super::Finding;
use crate::agent::system;

pub(super) fn check() -> Vec<Finding> {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let link = |path| fs::read_link(path).ok();
    let mut findings = vec![privileges(&read("/proc/self/uid_map"), &read("/proc/self/status"))];
    if link("/proc/self/ns/net") != link("/proc/1/ns/net") {
        findings.push(Finding::warn(
            "netns",
            "this is not the network namespace of process 1: an agent here is asked only by sockets made here",
        ));
    }
    if read("/sys/fs/selinux/enforce").trim() == "1" {
        findings.push(Finding::warn(
            "SELinux",
            "it enforces: if keys or files cannot be read, look for denials (ausearch -m avc -c handclasp)",
        ));
    }
    findings
}

/// The kernel wants CAP_NET_ADMIN in the initial user namespace, which no container without privileges has.
fn privileges(uid_map: &str, status: &str) -> Finding {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let effective = effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(0);
    let identity = ["0", "0", "4294967295"];
    if !uid_map.is_empty() && !uid_map.split_whitespace().eq(identity) {
        let advice =
            "this is a user namespace, to which the kernel gives no handshakes: run the agent outside of it";
        return Finding::fail("privileges", advice);
    }
    if effective & system::CAP_NET_ADMIN == 0 {
        let advice = "CAP_NET_ADMIN is missing: the kernel gives handshakes only to those who have it; be root, with it";
        return Finding::fail("privileges", advice);
    }
    Finding::ok("privileges", "CAP_NET_ADMIN in the initial user namespace")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::command::check::Level;

    #[test]
    fn root_is_not_always_enough() {
        let (initial, all) = ("         0          0 4294967295\n", "Name:\tx\nCapEff:\t000001ffffffffff\n");
        assert_eq!(privileges(initial, all).level, Level::Ok);
        let rootless = privileges("         0       1000          1\n", all);
        assert_eq!((rootless.level, rootless.text.contains("user namespace")), (Level::Fail, true));
        let bare = privileges(initial, "CapEff:\t00000000a80425fb\n");
        assert_eq!((bare.level, bare.text.contains("CAP_NET_ADMIN")), (Level::Fail, true));
        assert_eq!(privileges(initial, "").level, Level::Fail);
    }
}
