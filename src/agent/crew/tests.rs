//! Real worker processes: this very test binary, which is told to run [`a_worker`] alone.

use super::*;
use crate::{
    agent::{
        border::{self, Config, Verdict},
        driver::tests::client_hello,
        failure::Failure,
        material::Settings,
        worker,
    },
    crypto::certificate::UnixTime,
    engine::config::ServerConfig,
};
use nix::{
    sys::{
        signal::{Signal, kill},
        socket::{MsgFlags, recv, send},
    },
    unistd::Pid,
};
use std::{
    fs,
    io::{Read, Write},
    os::{
        fd::{AsFd, AsRawFd},
        unix::net::UnixStream,
    },
};

#[test]
#[ignore = "run by the tests below, in a process of its own"]
fn a_worker() {
    worker::process::run().unwrap();
}

struct Broker {
    crew: Crew,
}

impl Broker {
    fn new(count: usize) -> Self {
        Self::with_service(count, u32::MAX)
    }

    /// Workers that are replaced after so many handshakes.
    fn with_service(count: usize, service: u32) -> Self {
        let settings = Settings::default();
        let test = "agent::crew::tests::a_worker";
        let recruitment = Recruitment {
            program: std::env::current_exe().unwrap(),
            arguments: vec!["--exact", test, "--ignored", "--nocapture"],
            service,
            ..Recruitment::new(&settings).unwrap()
        };
        let mut broker = Self { crew: Crew::Processes(Pool::start(count, recruitment)) };
        broker.until(|broker| broker.processes().len() == count);
        broker
    }

    /// Begins the handshake of a server that looks for PSKs; the client's end of its connection.
    fn begin(&mut self, number: Number) -> UnixStream {
        let (client, socket) = UnixStream::pair().unwrap();
        let config = Config::Server(ServerConfig { psk: true, ..ServerConfig::default() });
        self.crew.order(number, Order::Begin { config, trust: 0, now: UnixTime(0), socket: socket.into() });
        client
    }

    /// Turns until there is a report.
    fn report(&mut self) -> (Number, Report) {
        loop {
            if let Some(report) = self.crew.report() {
                return report;
            }
            self.turn();
        }
    }

    fn until(&mut self, condition: impl Fn(&Self) -> bool) {
        while !condition(self) {
            self.turn();
        }
    }

    fn turn(&mut self) {
        let patience = self.crew.deadline().map(|_| Duration::from_millis(10));
        let ready = wait(self.crew.interests(), patience).unwrap();
        self.crew.advance(&ready);
    }

    fn processes(&self) -> Vec<u32> {
        let ready = self.crew.workers().into_iter().filter(|worker| worker.is_ready);
        ready.map(|worker| worker.process).collect()
    }
}

fn is_lost(report: &Report) -> bool {
    matches!(report, Report::Failed(Verdict { errno: libc::ETIMEDOUT, reason, .. }) if reason.contains("ended"))
}

#[test]
fn a_worker_asks_and_reports() {
    let mut broker = Broker::new(1);
    let mut client = broker.begin(1);
    client.write_all(&client_hello()).unwrap();
    let (1, Report::FindPsk(offers)) = broker.report() else { panic!("a question") };
    assert_eq!(offers[0].identity, b"client@example");
    broker.crew.order(1, Order::Psk(None));
    let (1, Report::Failed(verdict)) = broker.report() else { panic!("a failure") };
    assert_eq!(verdict.errno, libc::EKEYREJECTED);
    let mut alert = [0; 7];
    client.read_exact(&mut alert).unwrap();
    assert_eq!(alert, [21, 3, 3, 0, 2, 2, 115]);
}

#[test]
fn handshakes_are_spread_and_a_lost_worker_costs_only_its_own() {
    let mut broker = Broker::new(2);
    let mut clients: Vec<_> = (1..=4).map(|number| broker.begin(number)).collect();
    let [first, _] = broker.processes()[..] else { panic!("two workers") };
    signal(first, Signal::SIGKILL);
    let lost = [broker.report(), broker.report()];
    assert!(lost.iter().all(|(_, report)| is_lost(report)), "{lost:?}");
    let mut numbers: Vec<_> = lost.iter().map(|(number, _)| *number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 3], "every other one");
    clients[1].write_all(&client_hello()).unwrap();
    assert!(matches!(broker.report(), (2, Report::FindPsk(_))), "the other worker goes on");
    broker.until(|broker| broker.processes().len() == 2);
    let mut client = broker.begin(5);
    client.write_all(&client_hello()).unwrap();
    assert!(matches!(broker.report(), (5, Report::FindPsk(_))), "and a new one comes");
}

#[test]
fn a_lost_worker_is_made_up_for_in_its_own_place() {
    let mut broker = Broker::new(2);
    let Crew::Processes(pool) = &mut broker.crew else { panic!("processes") };
    // As after one has retired, the first place is free.
    pool.members.swap(0, 2);
    pool.members[2].dismiss();
    let vacancies = pool.vacancies();
    // Unless this took longer than the pause.
    if pool.members[2].opens() > Instant::now() {
        assert_eq!(vacancies, [2]);
    }
}

#[test]
fn a_worker_that_cannot_be_started_again_is_still_wanted() {
    let mut broker = Broker::new(2);
    let Crew::Processes(pool) = &mut broker.crew else { panic!("processes") };
    pool.recruitment.program = "/nowhere".into();
    let [first, other] = broker.processes()[..] else { panic!("two workers") };
    signal(first, Signal::SIGKILL);
    broker.until(|broker| broker.processes() == [other]);
    assert_eq!((broker.crew.workers().len(), broker.crew.wanted()), (1, 2));
}

fn signal(process: u32, signal: Signal) {
    kill(Pid::from_raw(process.cast_signed()), signal).unwrap();
}

/// Whether all threads of a process stand still: a signal only asks them to.
fn has_stopped(process: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap();
    threads.flatten().all(|thread| {
        let status = fs::read_to_string(thread.path().join("stat")).unwrap();
        status.rsplit(") ").next().unwrap().starts_with('T')
    })
}

#[test]
fn a_worker_that_hangs_is_replaced() {
    let mut broker = Broker::new(1);
    let _client = broker.begin(1);
    let process = broker.processes()[0];
    signal(process, Signal::SIGSTOP);
    while !has_stopped(process) {
        std::thread::sleep(Duration::from_millis(1));
    }
    broker.crew.order(1, Order::Abort(crate::engine::AlertDescription::UserCanceled));
    let (1, report) = broker.report() else { panic!("the handshake's end") };
    assert!(is_lost(&report));
    broker.until(|broker| !broker.processes().is_empty());
    assert_ne!(broker.processes()[0], process);
    let mut client = broker.begin(2);
    client.write_all(&client_hello()).unwrap();
    assert!(matches!(broker.report(), (2, Report::FindPsk(_))));
}

#[test]
fn a_worker_whose_last_word_is_unheard_owes_no_other() {
    let mut broker = Broker::new(1);
    let process = broker.processes()[0];
    let mut client = broker.begin(1);
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let has_spoken = |broker: &Broker| match &broker.crew {
        Crew::Processes(pool) => !pool.reports.is_empty(),
        Crew::Alone(_) => false,
    };
    broker.until(has_spoken);
    broker.crew.order(1, Order::Abort(crate::engine::AlertDescription::UserCanceled));
    assert!(matches!(broker.report(), (1, Report::Failed(_))));
    let _client = broker.begin(2);
    broker.until(|broker| broker.crew.deadline().is_none());
    assert_eq!(broker.processes(), [process], "it was taken for one that hangs");
}

#[test]
fn a_worker_has_no_privileges() {
    let mut broker = Broker::new(1);
    let mut client = broker.begin(1);
    client.write_all(&client_hello()).unwrap();
    broker.report();
    // The test's thread is not its process's first, which may have a filter from outside.
    let process = broker.processes()[0].to_string();
    let threads = fs::read_dir(format!("/proc/{process}/task")).unwrap().map(|thread| thread.unwrap());
    let others = threads.filter(|thread| thread.file_name() != process.as_str());
    let mut statuses = others.map(|thread| fs::read_to_string(thread.path().join("status")).unwrap());
    let status = statuses.find(|status| status.contains("Seccomp:\t2")).unwrap();
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().to_owned()
    };
    assert_eq!(field("NoNewPrivs:"), "1");
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        assert_eq!(u64::from_str_radix(&field(set), 16), Ok(0), "{set}");
    }
    let uids = field("Uid:");
    assert!(uids.split_whitespace().all(|uid| uid != "0"), "{uids}");
    assert_eq!(field("Groups:"), "");
    let score = |process: &str| -> i32 {
        fs::read_to_string(format!("/proc/{process}/oom_score_adj")).unwrap().trim().parse().unwrap()
    };
    assert_eq!(score(&process), (score("self") + 500).min(1000), "it is ended before its broker");
}

#[test]
fn workers_retire_without_losing_a_handshake() {
    let mut broker = Broker::with_service(2, 2);
    let first = broker.processes();
    let mut clients: Vec<_> = (1..=6).map(|number| broker.begin(number)).collect();
    // Both have served their time, and both are still at work: nobody is replaced over it.
    assert_eq!(broker.processes(), first);
    for client in &mut clients {
        client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    }
    for _ in &clients {
        let (_, Report::Failed(verdict)) = broker.report() else { panic!("a failure") };
        assert_eq!(verdict.errno, libc::EACCES, "{}", verdict.reason);
    }
    broker.until(|broker| {
        let now = broker.processes();
        now.len() == 2 && now.iter().all(|process| !first.contains(process))
    });
    let mut client = broker.begin(7);
    client.write_all(&client_hello()).unwrap();
    assert!(matches!(broker.report(), (7, Report::FindPsk(_))));
}

#[test]
fn the_only_worker_retires_though_it_is_never_idle() {
    let mut broker = Broker::with_service(1, 2);
    let first = broker.processes()[0];
    let mut clients = [broker.begin(1), broker.begin(2)];
    broker.until(|broker| broker.processes().len() == 2);
    let mut client = broker.begin(3);
    for client in &mut clients {
        client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
        assert!(matches!(broker.report(), (1 | 2, Report::Failed(Verdict { errno: libc::EACCES, .. }))));
    }
    broker.until(|broker| !broker.processes().contains(&first));
    assert_eq!((broker.crew.workers().len(), broker.crew.wanted(), broker.crew.restarts()), (1, 1, 0));
    client.write_all(&client_hello()).unwrap();
    assert!(matches!(broker.report(), (3, Report::FindPsk(_))), "the successor has it");
}

#[test]
fn a_worker_that_lied_is_replaced() {
    let mut broker = Broker::new(1);
    let mut client = broker.begin(1);
    let _other = broker.begin(2);
    let process = broker.processes()[0];
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    assert!(matches!(broker.report(), (1, Report::Failed(_))));
    broker.crew.distrust(1);
    let (2, report) = broker.report() else { panic!("the other handshake's end") };
    assert!(is_lost(&report));
    broker.until(|broker| !broker.processes().is_empty());
    assert_ne!(broker.processes()[0], process);
}

/// Says that it is ready, and once it has a handshake, that another one is done; and then nothing that makes sense.
#[test]
#[ignore = "run by the test below, in a process of its own"]
fn a_hostile_worker() {
    let broker = std::io::stdin();
    let descriptor = broker.as_fd().as_raw_fd();
    let say = |bytes: &[u8]| send(descriptor, bytes, MsgFlags::empty()).unwrap();
    say(&border::write_report(0, &Report::Ready).unwrap().public);
    // The trust stores, then the order to begin.
    for _ in 0..2 {
        recv(descriptor, &mut [0; 4096], MsgFlags::empty()).unwrap();
    }
    let verdict = Failure::Bug.verdict(false);
    say(&border::write_report(77, &Report::Failed(verdict)).unwrap().public);
    say(&[0xff; 70_000]);
    wait([(broker.as_fd(), PollFlags::empty())], None).unwrap();
}

#[test]
fn a_hostile_worker_harms_only_its_own_handshakes() {
    let mut broker = Broker::new(1);
    let Crew::Processes(pool) = &mut broker.crew else { panic!("processes") };
    pool.recruitment.arguments[1] = "agent::crew::tests::a_hostile_worker";
    pool.wanted = 2;
    broker.until(|broker| broker.processes().len() == 2);
    let _clients = [broker.begin(1), broker.begin(2)];
    let Crew::Processes(pool) = &broker.crew else { panic!("processes") };
    let hostile = pool.assigned.iter().find(|(_, member)| **member == 1).map(|(number, _)| *number);
    let (number, report) = broker.report();
    assert!(is_lost(&report) && Some(number) == hostile, "{number} {report:?}");
}
