//! Native instructions, counted by stepping through a child process: no counter of the processor's is needed, and no feature of it is
//! masked (valgrind masks ADX and the SHA extensions, and so measures another program).
//!
//! ring's arithmetic on curves and with RSA, millions of instructions that everybody runs alike, is passed over: in a virtual machine
//! a step takes twenty microseconds. Its hashes and ciphers are counted.

use std::{collections::HashSet, env, fs, process::Command};

use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    sys::{
        ptrace,
        signal::{Signal, raise},
        wait::{WaitStatus, waitpid},
    },
    unistd::{ForkResult, Pid, fork},
};

use crate::meter::{Meter, Side, Sides};

/// Tells the parent by signals where a part begins, and whose it is, and where it ends.
pub struct Marks;

impl Meter for Marks {
    fn measure<T>(&mut self, side: Side, part: impl FnOnce() -> T) -> T {
        let begin = match side {
            Side::Client => Signal::SIGUSR1,
            Side::Server => Signal::SIGUSR2,
        };
        raise(begin).expect("a signal");
        let result = part();
        raise(Signal::SIGURG).expect("a signal");
        result
    }
}

const MYSELF: Pid = Pid::from_raw(0);

/// Instructions and parts.
#[derive(Clone, Copy, Default)]
struct Count {
    instructions: u64,
    parts: u64,
}

/// How many instructions each side of this takes in user space.
pub fn count(run: impl FnOnce(&mut Marks)) -> Sides<u64> {
    let empty = stepped(|marks| marks.measure(Side::Client, || ())).client.instructions;
    let Sides { client, server } = stepped(run);
    let own = |count: Count| count.instructions.saturating_sub(empty * count.parts);
    Sides { client: own(client), server: own(server) }
}

fn stepped(run: impl FnOnce(&mut Marks)) -> Sides<Count> {
    let before = sched_getaffinity(MYSELF).expect("some processor");
    // Two processes that wait for each other in turn are ten times as fast on one processor.
    let first = (0..CpuSet::count()).find(|number| before.is_set(*number).unwrap_or(false));
    let mut one = CpuSet::new();
    one.set(first.expect("some processor")).expect("its number");
    sched_setaffinity(MYSELF, &one).expect("it is ours");
    let counts = in_child(run);
    sched_setaffinity(MYSELF, &before).expect("they were ours");
    counts
}

fn in_child(run: impl FnOnce(&mut Marks)) -> Sides<Count> {
    // SAFETY: this process has one thread, so its copy has all there is.
    match unsafe { fork() }.expect("a process") {
        ForkResult::Child => {
            ptrace::traceme().expect("a parent");
            run(&mut Marks);
            // SAFETY: the copy ends here, and cleans up nothing that is its parent's.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => watch(child),
    }
}

/// Where the functions of ring begin that are passed over, in this process and so in its child.
fn arithmetic() -> HashSet<u64> {
    const COUNTED: [&str; 5] = ["sha", "aes", "gcm", "chacha", "poly1305"];
    let maps = fs::read_to_string("/proc/self/maps").expect("our memory");
    let base = maps.split('-').next().and_then(|start| u64::from_str_radix(start, 16).ok()).expect("a start");
    let symbols = Command::new("nm").arg(env::current_exe().expect("this program")).output().expect("nm");
    let symbols = String::from_utf8(symbols.stdout).expect("names");
    let functions = symbols.lines().filter_map(|line| line.split_once(' '));
    let passed_over = functions
        .filter(|(_, name)| name.contains("ring_core") && !COUNTED.iter().any(|part| name.contains(part)));
    passed_over.filter_map(|(start, _)| Some(base + u64::from_str_radix(start, 16).ok()?)).collect()
}

/// Lets a function run that was just called, until it returns.
fn pass_over(child: Pid, stack: u64) -> nix::Result<()> {
    const BREAKPOINT: i64 = 0xcc;
    let back = ptrace::read(child, stack as ptrace::AddressType)?;
    let code = ptrace::read(child, back as ptrace::AddressType)?;
    ptrace::write(child, back as ptrace::AddressType, code & !0xff | BREAKPOINT)?;
    ptrace::cont(child, None)?;
    assert_eq!(waitpid(child, None)?, WaitStatus::Stopped(child, Signal::SIGTRAP));
    ptrace::write(child, back as ptrace::AddressType, code)?;
    let mut registers = ptrace::getregs(child)?;
    registers.rip = back as u64;
    ptrace::setregs(child, registers)
}

/// Lets the child run between the parts, and steps through them.
fn watch(child: Pid) -> Sides<Count> {
    let arithmetic = arithmetic();
    let mut counts = Sides::<Count>::default();
    let (mut side, mut last) = (None, 0);
    loop {
        match waitpid(child, None).expect("our child") {
            WaitStatus::Stopped(_, Signal::SIGTRAP) => {
                // A repeated string instruction stops at each repetition; it is one instruction.
                let registers = ptrace::getregs(child).expect("it is stopped");
                if let Some(side) = side.filter(|_| registers.rip != last) {
                    counts.get_mut(side).instructions += 1;
                }
                last = registers.rip;
                if arithmetic.contains(&registers.rip) {
                    pass_over(child, registers.rsp).expect("it is stopped");
                }
            }
            WaitStatus::Stopped(_, Signal::SIGUSR1) => side = Some(Side::Client),
            WaitStatus::Stopped(_, Signal::SIGUSR2) => side = Some(Side::Server),
            WaitStatus::Stopped(_, Signal::SIGURG) => {
                if let Some(side) = side.take() {
                    counts.get_mut(side).parts += 1;
                }
            }
            WaitStatus::Exited(_, 0) => return counts,
            other => panic!("{other:?}"),
        }
        match side {
            Some(_) => ptrace::step(child, None),
            None => ptrace::cont(child, None),
        }
        .expect("it is stopped");
    }
}
