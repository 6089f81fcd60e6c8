//! The program's own tools, which talk with each other.

use std::{
    io::{BufRead, BufReader},
    process::{Command, ExitStatus, Stdio},
};

fn tool(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_handclasp"));
    command.args(words).stdin(Stdio::null());
    command
}

/// Runs the program until it ends; what it said.
pub(crate) fn say(words: &[&str]) -> String {
    let output = tool(words).output().unwrap();
    [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat()
}

/// Runs a server for so many clients as there are, one after the other; how it ended, what it said, and what each of them said.
pub(crate) fn converse(server: &[&str], clients: &[&[&str]]) -> (ExitStatus, String, Vec<String>) {
    let count = clients.len().to_string();
    let mut serve = tool(&[&["serve", "--accept", &count], server, &["127.0.0.1:0"]].concat());
    let mut serve = serve.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(serve.stderr.take().unwrap()).lines().map(Result::unwrap);
    let listening = lines.next().unwrap();
    let address = listening.strip_prefix("listening on ").unwrap();
    let connect = |client: &&[&str]| say(&[&["connect"], *client, &[address]].concat());
    let clients = clients.iter().map(connect).collect();
    let said = lines.map(|line| line + "\n").collect();
    (serve.wait().unwrap(), said, clients)
}
