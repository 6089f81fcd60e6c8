//! Whether workers can give up what they must not have: real ones try what is forbidden to them.

use std::{
    fs, io,
    os::unix::process::ExitStatusExt,
    process::{Command, Output, Stdio},
};

use super::Finding;
use crate::agent::worker::{probe::FORBIDDEN, sandbox};

/// What of an agent with so many.
pub(super) fn check(count: usize) -> Vec<Finding> {
    if count == 0 {
        return vec![Finding::ok("workers", "none: the agent itself parses what peers send")];
    }
    let attempts = FORBIDDEN.iter().map(|(name, _)| (*name, attempt(name)));
    let found = finding(attempts, &fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default());
    let nobody = "there is no user handclasp, so they share the user nobody: make one (systemd-sysusers)";
    let user = sandbox::own_user().is_none().then(|| Finding::warn("workers", nobody));
    [found].into_iter().chain(user).collect()
}

/// Runs a worker that tries it.
fn attempt(name: &str) -> io::Result<Output> {
    let mut command = Command::new("/proc/self/exe");
    command.args(["worker", "--try", name]).env_clear().stdin(Stdio::null()).stdout(Stdio::null()).output()
}

/// `modules` are the kernel's security modules.
fn finding(attempts: impl Iterator<Item = (&'static str, io::Result<Output>)>, modules: &str) -> Finding {
    let fail = |text| Finding::fail("workers", text);
    let mut refused = Vec::new();
    for (name, outcome) in attempts {
        match outcome {
            Ok(output) if output.status.signal() == Some(libc::SIGSYS) => refused.push(name),
            Ok(output) if output.status.success() => {
                return fail(format!(
                    "a worker that is taken over could {name}: the kernel's seccomp lets it"
                ));
            }
            Ok(output) => {
                let words = String::from_utf8_lossy(&output.stderr);
                let words = words.trim().trim_start_matches("handclasp: ");
                return fail(format!("a worker cannot start: {words} (--workers 0 does without)"));
            }
            Err(error) => {
                return fail(format!("a worker cannot be started: {error} (--workers 0 does without)"));
            }
        }
    }
    let refused = refused.join(", ");
    Finding::ok(
        "workers",
        format!("{}: one was started for each, and none could {refused}", confines(modules)),
    )
}

fn confines(modules: &str) -> &'static str {
    if modules.trim().split(',').any(|module| module == "landlock") {
        "confined by seccomp and Landlock"
    } else {
        "confined by seccomp (Landlock is not there, or cannot be seen: lsm=landlock,... at boot)"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::ExitStatus;

    fn output(status: i32, stderr: &str) -> io::Result<Output> {
        Ok(Output { status: ExitStatus::from_raw(status), stdout: vec![], stderr: stderr.into() })
    }

    #[test]
    fn only_a_worker_that_was_ended_for_each_is_good() {
        let attempts = |second| [("fly", output(libc::SIGSYS, "")), ("swim", second)].into_iter();
        let told = |second| finding(attempts(second), "lockdown,landlock\n").to_string();
        assert_eq!(
            told(output(libc::SIGSYS, "")),
            "ok    workers       confined by seccomp and Landlock: one was started for each, and none could fly, swim"
        );
        let without = finding(attempts(output(libc::SIGSYS, "")), "lockdown,yama").to_string();
        assert!(without.contains("seccomp (Landlock is not there"), "{without}");
        assert!(told(output(0, "")).contains("FAIL  workers       a worker that is taken over could swim"));
        let words = "handclasp: sandbox: seccomp: Function not implemented\n";
        assert!(
            told(output(1 << 8, words))
                .contains("cannot start: sandbox: seccomp: Function not implemented (")
        );
    }
}
