//! What flows after the handshake: records of every size, KeyUpdate, tickets, key logs, exporters, and the end.

use std::{collections::BTreeSet, fs, os::unix::fs::PermissionsExt, path::Path, sync::Arc};

use crate::{
    Case, Outcome,
    conversation::{Conversation, Pair, Side},
    ends::{
        Implementation::{self, GnuTls, Handclasp, OpenSsl, OpenSsl35},
        Options,
    },
    lab::{Lab, PSK_SHA256},
};

/// How much goes each way in the large transfers.
const LARGE: usize = 10 << 20;
/// How much goes each way where many records are enough.
const SOME: (usize, usize) = (100_000, 100_000);
/// What gnutls-cli, which prints in small pieces, receives of it.
const LESS: usize = 2 << 20;

/// Small and large records, fragments, padding, KeyUpdate, tickets, key logs, exporters, truncation.
pub fn cases(pair: Pair) -> Vec<Case> {
    let case = |what: &str, run: fn(&Lab, Pair) -> Outcome| {
        Case::new(format!("{pair}: {what}"), move |lab| run(lab, pair))
    };
    let mut cases =
        vec![case("records of one byte", one_byte_records), case("10 MB both ways", large_transfer)];
    if pair.client == Handclasp || pair.server == Handclasp {
        cases.push(case("the peer dies", truncation));
    }
    // gnutls-serv cannot be told to update its keys.
    if pair.client != Handclasp || pair.server != GnuTls {
        cases.push(case("KeyUpdate", key_update));
    }
    if !pair.is(GnuTls, GnuTls) {
        cases.push(case("key log", key_log));
        cases.push(case("exporter", exporter));
    }
    if pair.client == OpenSsl || pair.server == OpenSsl {
        cases.push(case("handshake and data in small fragments", small_fragments));
        cases.push(case("padded records", padding));
    }
    if pair.server == OpenSsl {
        cases.push(case("tickets", tickets));
    }
    if pair.client == OpenSsl {
        cases.push(case("max_fragment_length", max_fragment_length));
    }
    if (pair.client == GnuTls) != (pair.server == GnuTls) {
        cases.push(case("record_size_limit", record_size_limit));
    }
    cases
}

/// Each byte waits for the one before it, so each is a record of its own.
fn one_byte_records(lab: &Lab, pair: Pair) -> Outcome {
    let mut conversation = Conversation::start(lab, pair, &Options::client(), &Options::server("p256"))?;
    conversation.exchange()?;
    for _ in 0..20 {
        conversation.trickle(Side::Client)?;
        conversation.trickle(Side::Server)?;
    }
    conversation.exchange()?;
    conversation.close()
}

/// Both directions at once, compared to the byte.
fn large_transfer(lab: &Lab, pair: Pair) -> Outcome {
    let download = if pair.client == GnuTls { LESS } else { LARGE };
    transfer(lab, pair, Options::client(), Options::server("p256"), (LARGE, download))
}

/// Sends so many bytes up and down at once; gnutls-serv sends back what it gets.
fn transfer(lab: &Lab, pair: Pair, client: Options, server: Options, (up, down): (usize, usize)) -> Outcome {
    let client = client.with(pair.client.quiet_client());
    let server = server.with(pair.server.quiet_server());
    let (question, answer) = (Arc::new(lines(up)), Arc::new(lines(down)));
    let mut conversation = Conversation::start(lab, pair, &client, &server)?;
    let upload = conversation.client.feed(Arc::clone(&question));
    if pair.server == GnuTls {
        conversation.expect_data(Side::Client, &question)?;
    } else {
        let download = conversation.server.feed(Arc::clone(&answer));
        conversation.expect_data(Side::Server, &question)?;
        conversation.expect_data(Side::Client, &answer)?;
        conversation.server.take_back(download);
    }
    conversation.client.take_back(upload);
    conversation.close()
}

impl Conversation {
    fn expect_data(&mut self, side: Side, data: &[u8]) -> Outcome {
        let process = self.process(side);
        process.expect_length(data.len())?;
        let same = process.stdout() == data;
        same.then_some(()).ok_or_else(|| process.report("what came is not what was sent"))
    }
}

/// Lines of 64 bytes, each another one: gnutls-cli and gnutls-serv handle text.
fn lines(size: usize) -> Vec<u8> {
    (0..size / 64).flat_map(|number| format!("{number:063}\n").into_bytes()).collect()
}

impl Implementation {
    /// Nothing but the data on standard output, and the end of the input closes the connection.
    fn quiet_client(self) -> &'static [&'static str] {
        match self {
            Handclasp => &[],
            OpenSsl | OpenSsl35 => &["-quiet", "-nocommands", "-no_ign_eof"],
            GnuTls => &["--logfile", "/dev/null"],
        }
    }

    fn quiet_server(self) -> &'static [&'static str] {
        match self {
            Handclasp => &[],
            OpenSsl | OpenSsl35 => &["-quiet"],
            GnuTls => &["--quiet"],
        }
    }
}

/// The foreign end updates its keys and asks for ours, again and again, with data under each new key.
fn key_update(lab: &Lab, pair: Pair) -> Outcome {
    let updater = if pair.server == OpenSsl { Side::Server } else { Side::Client };
    let mut client = Options::client();
    if pair.client == GnuTls {
        client = client.with(&["--inline-commands"]);
    }
    let mut conversation = Conversation::start(lab, pair, &client, &Options::server("p256"))?;
    conversation.exchange()?;
    for (round, with_request) in [true, false, true, true].into_iter().enumerate() {
        conversation.update_keys(updater, with_request, round + 1)?;
        conversation.exchange()?;
    }
    conversation.close()
}

impl Conversation {
    /// Lets a side update its keys for the `round`th time, with or without a request for the other's.
    fn update_keys(&mut self, side: Side, with_request: bool, round: usize) -> Outcome {
        let (command, done) = match (self.implementation(side), with_request) {
            (GnuTls, true) => ("^rekey^\n", "Rekey was completed"),
            (GnuTls, false) => ("^rekey1^\n", "Rekey was completed"),
            (_, true) => ("K\n", "KEYUPDATE"),
            (_, false) => ("k\n", "KEYUPDATE"),
        };
        self.process(side).send(command)?;
        // s_server's word stays in a buffer; but what it is told comes before what it then receives.
        if side == Side::Server {
            return Ok(());
        }
        self.process(side).expect_times(done, round)
    }
}

/// OpenSSL's smallest fragments are 512 bytes: less than a Certificate of RSA-4096.
fn small_fragments(lab: &Lab, pair: Pair) -> Outcome {
    let (mut client, mut server) = (Options::client(), Options::server("rsa4096"));
    client.certificate = Some("client-p384");
    server.authority = Some("ca");
    with_openssl(pair, &mut client, &mut server, &["-max_send_frag", "512"]);
    transfer(lab, pair, client, server, SOME)
}

fn padding(lab: &Lab, pair: Pair) -> Outcome {
    let (mut client, mut server) = (Options::client(), Options::server("p256"));
    with_openssl(pair, &mut client, &mut server, &["-record_padding", "1000"]);
    transfer(lab, pair, client, server, SOME)
}

fn with_openssl(pair: Pair, client: &mut Options, server: &mut Options, words: &[&str]) {
    for (implementation, options) in [(pair.client, client), (pair.server, server)] {
        if implementation == OpenSsl {
            *options = options.clone().with(words);
        }
    }
}

/// A server sends tickets to a client that offered a PSK; they stand before and between the data.
fn tickets(lab: &Lab, pair: Pair) -> Outcome {
    let server = Options::psk(PSK_SHA256).with(&["-num_tickets", "9"]);
    transfer(lab, pair, Options::psk(PSK_SHA256), server, SOME)
}

/// The extension of RFC 6066 goes unanswered, and nothing is cut.
fn max_fragment_length(lab: &Lab, pair: Pair) -> Outcome {
    let client = Options::client().with(&["-maxfraglen", "1024"]);
    transfer(lab, pair, client, Options::server("p256"), SOME)
}

/// GnuTLS refuses records above its limit (RFC 8449), so our large ones must be cut to it.
fn record_size_limit(lab: &Lab, pair: Pair) -> Outcome {
    const LIMIT: [&str; 2] = ["--recordsize", "600"];
    if pair.server == GnuTls {
        return transfer(lab, pair, Options::client(), Options::server("p256").with(&LIMIT), SOME);
    }
    // gnutls-cli loses data that it sends with such a limit, also to its own server: it only receives here.
    let client = Options::client().with(&LIMIT).with(GnuTls.quiet_client());
    let server = Options::server("p256").with(pair.server.quiet_server());
    let data = Arc::new(lines(SOME.1));
    let mut conversation = Conversation::start(lab, pair, &client, &server)?;
    let download = conversation.server.feed(Arc::clone(&data));
    conversation.expect_data(Side::Client, &data)?;
    conversation.server.take_back(download);
    conversation.close()
}

/// Without close_notify the end may have been forged (RFC 8446, Section 6.1).
fn truncation(lab: &Lab, pair: Pair) -> Outcome {
    let mut conversation = Conversation::start(lab, pair, &Options::client(), &Options::server("p256"))?;
    conversation.exchange()?;
    let (ours, theirs) =
        if pair.client == Handclasp { (Side::Client, Side::Server) } else { (Side::Server, Side::Client) };
    conversation.process(theirs).kill()?;
    conversation.process(ours).exit_with(1)?;
    conversation.process(ours).expect("close_notify")
}

/// Both ends write the same secrets, ours into a file that nobody else may read.
fn key_log(lab: &Lab, pair: Pair) -> Outcome {
    let (client_log, server_log) = (lab.scratch_file(), lab.scratch_file());
    let client = Options { keylog: Some(client_log.clone()), ..Options::client() };
    let server = Options { keylog: Some(server_log.clone()), ..Options::server("p256") };
    let mut conversation = Conversation::start(lab, pair, &client, &server)?;
    conversation.exchange()?;
    conversation.close()?;
    let (of_client, of_server) = (secrets(&client_log)?, secrets(&server_log)?);
    let labels =
        ["CLIENT_HANDSHAKE", "SERVER_HANDSHAKE", "CLIENT_TRAFFIC_SECRET_0", "SERVER_TRAFFIC_SECRET_0"];
    let both: Vec<_> = of_client.intersection(&of_server).collect();
    if !labels.iter().all(|label| both.iter().any(|line| line.starts_with(label))) {
        return Err(format!("the client logged {of_client:#?}, the server {of_server:#?}"));
    }
    for (implementation, path) in [(pair.client, &client_log), (pair.server, &server_log)] {
        let mode = fs::metadata(path).map_err(|error| error.to_string())?.permissions().mode() & 0o777;
        if implementation == Handclasp && mode != 0o600 {
            return Err(format!("our key log has mode {mode:o}"));
        }
    }
    Ok(())
}

fn secrets(path: &Path) -> Result<BTreeSet<String>, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect())
}

/// Both ends print the same keying material (RFC 8446, Section 7.5).
fn exporter(lab: &Lab, pair: Pair) -> Outcome {
    let client = Options::client().with(pair.client.export());
    let server = Options::server("p256").with(pair.server.export());
    let mut conversation = Conversation::start(lab, pair, &client, &server)?;
    conversation.exchange()?;
    conversation.close()?;
    let client = &conversation.client;
    let candidates = keying_material(&(String::from_utf8_lossy(&client.stdout()) + client.stderr().as_str()));
    conversation.server.expect_any(&candidates)
}

impl Implementation {
    fn export(self) -> &'static [&'static str] {
        const LABEL: &str = "EXPORTER-Handclasp-Test";
        match self {
            Handclasp => &["--keymatexport", LABEL],
            OpenSsl | OpenSsl35 => &["-keymatexport", LABEL, "-keymatexportlen", "32"],
            GnuTls => &["--keymatexport", LABEL, "--keymatexportsize", "32"],
        }
    }
}

/// Every word of 32 bytes in hex: also digests of certificates, but those only a client prints.
fn keying_material(text: &str) -> BTreeSet<String> {
    let is_key = |word: &&str| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.split_whitespace().filter(is_key).map(str::to_owned).collect()
}
