//! `handclasp connect` and `handclasp serve` by themselves: their manners, and strangers who do not speak TLS.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use crate::{
    Case, Outcome,
    ends::{
        Implementation::{self, GnuTls, Handclasp, OpenSsl},
        Options,
    },
    lab::Lab,
    process::Process,
};

/// More than the buffers between two processes hold.
const LARGE: usize = 20 << 20;
/// How long a stranger waits for an answer before the case fails.
const PATIENCE: Duration = Duration::from_secs(30);

/// Command lines, pages, several clients, strangers, addresses, half-closed connections.
pub fn cases() -> Vec<Case> {
    let case = |what: &str, run: fn(&Lab) -> Outcome| Case::new(format!("handclasp: {what}"), run);
    let mut cases = vec![
        case("wrong command lines", |_| wrong_command_lines()),
        case("help", |_| help()),
        case("files that are missing or do not fit", unfit_files),
        case("nobody listens", |_| nobody_listens()),
        case("a silent client delays nobody", silent_client),
        case("garbage and HTTP to the server", strangers_at_the_server),
        case("garbage and HTTP to the client", strangers_at_the_client),
        case("single bytes on the wire", single_bytes),
        case("IPv4 and IPv6 addresses as names", addresses),
        case("--ktls falls back where it must", ktls),
        case("the client stops talking first", half_closed_client),
        case("the server stops talking first", half_closed_server),
        case("input from /dev/null closes nothing", empty_input),
    ];
    for client in [Handclasp, OpenSsl, GnuTls] {
        cases.push(Case::new(format!("{client} -> handclasp --http"), move |lab| page(lab, client)));
    }
    cases
}

fn handclasp(words: &[&str]) -> Result<Process, String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_handclasp"));
    command.args(words);
    Process::start("handclasp", command)
}

fn wrong_command_lines() -> Outcome {
    let lines: [(&[&str], &str); 12] = [
        (&["connect"], "HOST:PORT"),
        (&["connect", "localhost"], "localhost"),
        (&["connect", "a:1", "b:2"], "b:2"),
        (&["connect", "--nonsense", "a:1"], "--nonsense"),
        (&["connect", "--suites", "TLS_RSA_WITH_RC4_128_MD5", "a:1"], "TLS_RSA_WITH_RC4_128_MD5"),
        (&["connect", "--groups", "x25519,p-999", "a:1"], "p-999"),
        (&["connect", "--psk", "00", "a:1"], "--psk-identity"),
        (&["connect", "--psk-identity", "me", "--psk", "0g", "a:1"], "hex"),
        (&["connect", "--psk-identity", "me", "--psk", "00", "--psk-hash", "md5", "a:1"], "md5"),
        (&["serve", "127.0.0.1:0"], "--cert"),
        (&["serve", "--cert", "x", "--require-client-cert", "127.0.0.1:0"], "--cafile"),
        (&["serve", "--cert", "x", "--accept", "many", "127.0.0.1:0"], "many"),
    ];
    lines.iter().try_for_each(|(words, complaint)| {
        let mut process = handclasp(words)?;
        process.exit_with(2)?;
        process.expect(complaint)
    })
}

fn help() -> Outcome {
    for (words, mention) in [(["connect", "--help"], "--servername"), (["serve", "--help"], "--accept N")] {
        let mut process = handclasp(&words)?;
        process.exit_with(0)?;
        process.expect(mention)?;
    }
    Ok(())
}

fn unfit_files(lab: &Lab) -> Outcome {
    let file = |name: &str| lab.file(name).display().to_string();
    let (certificate, other_key) = (file("p256.pem"), file("p384.key"));
    let lines: [(&[&str], &str); 4] = [
        (&["serve", "--cert", "/nonexistent", "127.0.0.1:0"], "/nonexistent"),
        (&["serve", "--cert", &certificate, "--key", &other_key, "127.0.0.1:0"], &certificate),
        (&["serve", "--cert", &other_key, "127.0.0.1:0"], &other_key),
        (&["connect", "--cafile", &other_key, "127.0.0.1:1"], &other_key),
    ];
    lines.iter().try_for_each(|(words, complaint)| {
        let mut process = handclasp(words)?;
        process.exit_with(1)?;
        process.expect(complaint)
    })
}

/// A port that was free a moment ago: its listener is gone.
fn nobody_listens() -> Outcome {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    let address = listener.local_addr().map_err(|error| error.to_string())?.to_string();
    drop(listener);
    let mut process = handclasp(&["connect", "--servername", "a", &address])?;
    process.exit_with(1)?;
    process.expect(&address)
}

/// Our server for several connections; its port.
fn server(lab: &Lab, certificate: &'static str, words: &[&str]) -> Result<(Process, u16), String> {
    // The later --accept counts.
    let mut command = Handclasp.server(lab, &Options::server(certificate));
    command.args(words);
    let mut server = Process::start("server", command)?;
    let port = server.port()?;
    server.expect(&format!("listening on 127.0.0.1:{port}"))?;
    Ok((server, port))
}

fn client(lab: &Lab, port: u16) -> Result<Process, String> {
    Process::start("client", Handclasp.client(lab, &Options::client(), port))
}

fn stranger(port: u16) -> Result<TcpStream, String> {
    let stream = TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(|error| error.to_string())?;
    Ok(stream)
}

fn silent_client(lab: &Lab) -> Outcome {
    let (mut server, port) = server(lab, "p256", &["--accept", "3"])?;
    let silent = stranger(port)?;
    for number in 1..=2 {
        let mut client = client(lab, port)?;
        client.send(&format!("number {number}\n"))?;
        client.close_input();
        server.expect(&format!("number {number}"))?;
        client.exit_with(0)?;
    }
    drop(silent);
    // The silent one failed.
    server.exit_with(1)?;
    server.expect("without an alert")
}

const GREETINGS: [&[u8]; 3] =
    [b"GET / HTTP/1.0\r\n\r\n", b"\0\0\0\0\0\0\0\0", b"\xff\xff\xff\xff\xff\xff\xff\xff"];

/// Each gets a plain alert (RFC 8446, Section 6), and the next client a handshake.
fn strangers_at_the_server(lab: &Lab) -> Outcome {
    let (mut server, port) = server(lab, "p256", &["--accept", "4"])?;
    for (number, greeting) in GREETINGS.iter().enumerate() {
        let mut stream = stranger(port)?;
        stream.write_all(greeting).map_err(|error| error.to_string())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).map_err(|error| error.to_string())?;
        if !matches!(answer[..], [21, 3, _, 0, 2, 2, _]) {
            return Err(server.report(&format!("{greeting:?} was answered with {answer:?}")));
        }
        server.expect_times("the peer sent", number + 1)?;
    }
    let mut client = client(lab, port)?;
    client.close_input();
    client.exit_with(0)?;
    server.exit_with(1)
}

fn strangers_at_the_client(lab: &Lab) -> Outcome {
    for greeting in GREETINGS {
        let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
        let port = listener.local_addr().map_err(|error| error.to_string())?.port();
        let mut client = client(lab, port)?;
        let (mut stream, _) = listener.accept().map_err(|error| error.to_string())?;
        stream.write_all(greeting).map_err(|error| error.to_string())?;
        client.expect("the peer sent")?;
        drop(stream);
        client.exit_with(1)?;
    }
    Ok(())
}

/// A wire that carries one byte at a time, both ways.
fn single_bytes(lab: &Lab) -> Outcome {
    let (mut server, port) = server(lab, "intermediates", &[])?;
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    let wire = listener.local_addr().map_err(|error| error.to_string())?.port();
    let mut client = client(lab, wire)?;
    let (near, _) = listener.accept().map_err(|error| error.to_string())?;
    let far = stranger(port)?;
    for (mut from, mut to) in [(clone(&near)?, clone(&far)?), (far, near)] {
        to.set_nodelay(true).map_err(|error| error.to_string())?;
        thread::spawn(move || {
            let mut byte = [0];
            while from.read_exact(&mut byte).and_then(|()| to.write_all(&byte)).is_ok() {}
            to.shutdown(std::net::Shutdown::Write)
        });
    }
    client.send("hello over a thin wire\n")?;
    server.expect("hello over a thin wire")?;
    server.send("and back\n")?;
    client.expect("and back")?;
    client.close_input();
    client.exit_with(0)?;
    server.exit_with(0)
}

fn clone(stream: &TcpStream) -> Result<TcpStream, String> {
    stream.try_clone().map_err(|error| error.to_string())
}

/// The certificate has both as iPAddress; without --servername the address is what is verified.
fn addresses(lab: &Lab) -> Outcome {
    let file = |name: &str| lab.file(name).display().to_string();
    let has_ipv6 = TcpListener::bind("[::1]:0").is_ok();
    for address in
        ["127.0.0.1", "[::1]", "localhost"].into_iter().filter(|address| has_ipv6 || *address != "[::1]")
    {
        let (certificate, key) = (file("p256.pem"), file("p256.key"));
        let listen = format!("{address}:0");
        let mut server =
            handclasp(&["serve", "--cert", &certificate, "--key", &key, "--accept", "1", &listen])?;
        server.expect("listening on ")?;
        let stderr = server.stderr();
        let port = stderr.trim().rsplit(':').next().unwrap_or_default();
        let mut client = handclasp(&["connect", "--cafile", &file("ca.pem"), &format!("{address}:{port}")])?;
        client.close_input();
        client.exit_with(0)?;
        server.exit_with(0)?;
    }
    Ok(())
}

/// With kTLS or, on a kernel without it, after a word about that: the data arrives.
fn ktls(lab: &Lab) -> Outcome {
    let (mut server, port) = server(lab, "p256", &["--ktls"])?;
    let options = Options::client().with(&["--ktls"]);
    let mut client = Process::start("client", Handclasp.client(lab, &options, port))?;
    client.send("question\n")?;
    server.expect("question")?;
    server.send("answer\n")?;
    client.expect("answer")?;
    client.close_input();
    client.exit_with(0)?;
    server.exit_with(0)?;
    let ulp =
        fs::read_to_string("/proc/sys/net/ipv4/tcp_available_ulp").map_err(|error| error.to_string())?;
    if ulp.split_whitespace().any(|name| name == "tls") {
        return Ok(());
    }
    client.expect("no kTLS here").and_then(|()| server.expect("no kTLS here"))
}

/// What the server has to say is still delivered after the client's close_notify.
fn half_closed_client(lab: &Lab) -> Outcome {
    let (long, empty) = (scratch(lab, LARGE)?, scratch(lab, 0)?);
    one_way(lab, (&empty, 0), (&long, LARGE))
}

/// And the other way round: the server's input ends first.
fn half_closed_server(lab: &Lab) -> Outcome {
    let (long, short) = (scratch(lab, LARGE)?, scratch(lab, 1)?);
    one_way(lab, (&long, LARGE), (&short, 1))
}

/// Each end has a file to send, and stops talking when it is sent.
fn one_way(lab: &Lab, (upload, up): (&Path, usize), (download, down): (&Path, usize)) -> Outcome {
    let command = Handclasp.server(lab, &Options::server("p256"));
    let mut server = Process::start_with_input("server", command, download)?;
    let port = server.port()?;
    let command = Handclasp.client(lab, &Options::client(), port);
    let mut client = Process::start_with_input("client", command, upload)?;
    client.exit_with(0)?;
    server.exit_with(0)?;
    for (process, length) in [(&client, down), (&server, up)] {
        if process.length() != length {
            return Err(process.report(&format!("{} of {length} bytes came", process.length())));
        }
    }
    Ok(())
}

fn scratch(lab: &Lab, length: usize) -> Result<PathBuf, String> {
    let path = lab.scratch_file();
    fs::write(&path, vec![b'x'; length]).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(path)
}

fn empty_input(lab: &Lab) -> Outcome {
    let (mut server, port) = server(lab, "p256", &["--accept", "2"])?;
    server.close_input();
    for number in 1..=2 {
        let mut client = client(lab, port)?;
        client.send(&format!("number {number}\n"))?;
        server.expect(&format!("number {number}"))?;
        client.close_input();
        client.exit_with(0)?;
    }
    server.exit_with(0)
}

/// A page about the session, then close_notify, whoever asks.
fn page(lab: &Lab, implementation: Implementation) -> Outcome {
    let (mut server, port) = server(lab, "p256", &["--http"])?;
    let mut client = Process::start("client", implementation.client(lab, &Options::client(), port))?;
    client.send("GET / HTTP/1.0\r\n\r\n")?;
    client.expect("HTTP/1.0 200 OK\r\n")?;
    client.expect("suite: TLS_")?;
    client.expect("server_name: server.test")?;
    client.exit()?;
    server.exit_with(0)
}
