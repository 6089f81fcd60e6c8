//! Stderr as it is in bad nights: each in a process of its own, which is this very test binary.

use super::*;
use crate::{
    agent::{driver::tests::session, failure::Failure, process::tests::alone},
    engine::{Error, Violation},
};
use std::{
    env,
    fs::OpenOptions,
    io::{self, BufRead, BufReader, Read, Write},
    process::{Child, Stdio},
    thread,
};

#[test]
fn a_peer_cannot_write_lines_of_its_own() {
    assert_eq!(Sanitised(b"a\n<0>b\x1b[2J\xff\"").to_string(), "a\\u{a}<0>b\\u{1b}[2J\u{fffd}\\\"");
    assert_eq!(Sanitised("\u{202e}x".as_bytes()).to_string(), "\\u{202e}x");
    assert_eq!(Sanitised(&[b'x'; 500]).to_string().len(), 203);
    let line =
        |format| line(format, Priority::Error, "message", "a\n<0>b", |object| object.string("text", "a\nb"));
    assert_eq!(line(Format::Human), "a\u{fffd}<0>b\n");
    assert_eq!(line(Format::Worker), "<3>a\u{fffd}<0>b\n");
    let (json, end) =
        (line(Format::Json), "\"level\":\"error\",\"event\":\"message\",\"text\":\"a\u{fffd}b\"}\n");
    assert!(json.starts_with("{\"time\":\"2") && json.ends_with(end), "{json}");
}

const FLOOD: usize = 3000;

/// Writes more than anything takes, and goes on when it is told that there is room.
#[test]
#[ignore = "run by the tests below, in a process of its own"]
fn flood() {
    start(Format::Human);
    (0..FLOOD).for_each(|number| error(format_args!("{number} {}", "x".repeat(200))));
    println!("\nflooded");
    io::stdin().read_line(&mut String::new()).unwrap();
    while deadline().is_some() {
        flush();
        thread::yield_now();
    }
    error(format_args!("after"));
    println!("\nlost {}", totals().1);
}

/// Starts [`flood`] with this stderr, and waits until it has written all that it could.
fn flooding(stderr: Stdio) -> (Child, impl FnOnce(&mut Child) -> u64) {
    let mut child = alone("agent::log::tests::flood")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "flooded"), "it did not wait");
    let end = move |child: &mut Child| {
        child.stdin.take().unwrap().write_all(b"\n").unwrap();
        let lost = lines.find_map(|line| Some(line.strip_prefix("lost ")?.parse().unwrap())).unwrap();
        assert!(child.wait().unwrap().success());
        lost
    };
    (child, end)
}

/// What got through is the beginning, how much was lost, and what came after.
fn is_honest(text: &str, lost: u64) {
    let lines: Vec<_> = text.lines().collect();
    let [kept @ .., told, after] = &lines[..] else { panic!("{text}") };
    assert!(kept.iter().enumerate().all(|(number, line)| line.starts_with(&format!("{number} x"))));
    assert_eq!(*told, format!("{lost} lines were lost here: nobody took them"));
    assert_eq!((*after, kept.len() + usize::try_from(lost).unwrap()), ("after", FLOOD));
    assert!(lost > 0 && kept.len() > 1000);
}

#[test]
fn a_pipe_that_nobody_reads_stops_nothing() {
    let (mut child, end) = flooding(Stdio::piped());
    let mut pipe = child.stderr.take().unwrap();
    let reader = thread::spawn(move || io::read_to_string(&mut pipe).unwrap());
    let lost = end(&mut child);
    is_honest(&reader.join().unwrap(), lost);
}

#[test]
fn a_socket_that_nobody_reads_stops_nothing() {
    // As the journal's is.
    let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let (mut child, end) = flooding(std::os::fd::OwnedFd::from(theirs).into());
    let reader = thread::spawn(move || {
        let mut text = String::new();
        ours.read_to_string(&mut text).unwrap();
        text
    });
    let lost = end(&mut child);
    is_honest(&reader.join().unwrap(), lost);
}

#[test]
fn a_full_disk_and_a_reader_that_is_gone_stop_nothing() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (reader, writer) = io::pipe().unwrap();
    drop(reader);
    for stderr in [Stdio::from(full), Stdio::from(writer)] {
        let (mut child, _) = flooding(stderr);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

/// Ends so many handshakes: strangers', one that took too long, and good ones.
#[test]
#[ignore = "run by the test below, in a process of its own"]
fn refusals() {
    start(Format::Human);
    let subject = Subject::new("");
    let elapsed = std::time::Duration::ZERO;
    let end = |outcome| handshake(&Ended { subject: &subject, outcome, elapsed, told: Ok(()) });
    let hostile = Failure::from(Error::Peer(Violation::NotTls13)).verdict(false);
    let slow = Failure::Timeout(elapsed).verdict(false);
    (0..500).for_each(|_| end(Outcome::Failed { verdict: &hostile, trouble: None }));
    end(Outcome::Failed { verdict: &slow, trouble: None });
    let session = session().into();
    (0..100).for_each(|_| end(Outcome::Done { session: &session, has_signed: false }));
}

#[test]
fn strangers_hide_neither_what_succeeds_nor_what_fails_otherwise() {
    let output = alone("agent::log::tests::refusals").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let failed = text.lines().filter(|line| line.contains("FAILED")).count();
    // 50 at once and 5 in each second that it took, and the one of another kind.
    assert!((51..300).contains(&failed), "{failed}");
    assert_eq!(text.lines().filter(|line| line.contains("done in")).count(), 100);
}

#[test]
fn a_file_is_appended_to() {
    let path = env::temp_dir().join(format!("handclasp-log-{}", std::process::id()));
    let file = OpenOptions::new().create(true).write(true).truncate(true).open(&path).unwrap();
    let (mut child, end) = flooding(file.into());
    assert_eq!(end(&mut child), 0);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!((text.lines().count(), text.lines().last()), (FLOOD + 1, Some("after")));
}
