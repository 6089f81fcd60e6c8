//! The traces of RFC 8448, byte for byte, through the real states in both roles.
//!
//! Some of a trace's messages are not ours to write: its ClientHello and EncryptedExtensions carry other extensions, its
//! HelloRetryRequest another cookie. There the state is entered as after the trace's message (the `cfg(test)` constructors in `client`
//! and `server`); everything else is received, computed and sent by the code that runs in earnest, and compared to the byte.
//!
//! The traces' RSA keys have 1024 bits, which our policy refuses: their CertificateVerify is checked by `rsa_pss` here, over the content
//! that the states computed, and then taken as verified.
//!
//! Section 4 resumes, which we never do: of it the key schedule alone is compared, and its binder is derived from the binder key that the
//! RFC prints, because `EarlySecret` has no label for resumption ("res binder").

mod client;
mod drawing;
mod peer;
mod rsa_pss;
mod schedule;
mod server;
mod transitions;

use alloc::{format, string::String, vec::Vec};

/// What one of the two sides does, and the values that come with it.
struct Step {
    /// `{client}  send handshake record:`
    heading: String,
    values: Vec<(String, Vec<u8>)>,
}

/// One section of the RFC.
struct Trace {
    steps: Vec<Step>,
}

const SIMPLE: &str = include_str!("../../../tests/vectors/rfc8448/section-3.txt");
const RESUMED: &str = include_str!("../../../tests/vectors/rfc8448/section-4.txt");
const HELLO_RETRY: &str = include_str!("../../../tests/vectors/rfc8448/section-5.txt");
const CLIENT_AUTHENTICATION: &str = include_str!("../../../tests/vectors/rfc8448/section-6.txt");
const COMPATIBILITY: &str = include_str!("../../../tests/vectors/rfc8448/section-7.txt");

impl Trace {
    fn read(text: &str) -> Self {
        let mut steps: Vec<Step> = Vec::new();
        let mut octets = Vec::new();
        for line in text.lines() {
            if line.starts_with("   {") {
                steps.push(Step { heading: line.trim().into(), values: Vec::new() });
            } else if let Some((name, hex)) = line.strip_prefix("      ").and_then(|l| l.split_once(":  ")) {
                let step = steps.last_mut().expect("a step before its values");
                let (name, count) = name.split_once(" (").unwrap_or((name, "0"));
                octets.push(count.trim_end_matches(" octets)").parse::<usize>().unwrap());
                step.values.push((name.trim().into(), hex_of(hex)));
            } else if line.starts_with("         ") {
                steps.last_mut().unwrap().values.last_mut().unwrap().1.extend(hex_of(line));
            }
        }
        let lengths = steps.iter().flat_map(|step| &step.values).map(|(_, value)| value.len());
        assert!(lengths.eq(octets), "each value is as long as the RFC says");
        Self { steps }
    }

    /// The value of this name in the first step whose heading starts so and that has it.
    fn value(&self, heading: &str, name: &str) -> &[u8] {
        let mut steps = self.steps.iter().filter(|step| step.heading.starts_with(heading));
        steps.find_map(|step| step.value(name)).unwrap_or_else(|| panic!("no {heading} {name}"))
    }

    /// The handshake message of this name that `{client}` or `{server}` constructs first.
    fn message(&self, side: &str, name: &str) -> &[u8] {
        self.value(&format!("{side}  construct"), name)
    }

    /// Every record that one side sends, in order.
    fn records(&self, side: &str) -> Vec<&[u8]> {
        let steps = self.steps.iter().filter(|step| step.heading.starts_with(side));
        steps.filter_map(|step| step.value("complete record")).collect()
    }
}

impl Step {
    fn value(&self, name: &str) -> Option<&[u8]> {
        self.values.iter().find(|value| value.0 == name).map(|value| value.1.as_slice())
    }
}

/// One message of each type, and a HelloRetryRequest.
pub(super) fn messages() -> Vec<Vec<u8>> {
    let names = ["ClientHello", "ServerHello", "EncryptedExtensions", "CertificateRequest", "Certificate"];
    let names = names.iter().chain(&["CertificateVerify", "Finished", "NewSessionTicket", "EndOfEarlyData"]);
    let traces = [CLIENT_AUTHENTICATION, SIMPLE, RESUMED].map(Trace::read);
    let steps = || traces.iter().flat_map(|trace| &trace.steps);
    let of_traces = names.map(|name| steps().find_map(|step| step.value(name)).expect(name).to_vec());
    let hello_retry_request = Trace::read(HELLO_RETRY).message("{server}", "ServerHello").to_vec();
    of_traces.chain([hello_retry_request, Vec::from([24, 0, 0, 1, 0])]).collect()
}

/// `01 02 03`; "(empty)" and "0 (all zero octets)" are no bytes.
fn hex_of(text: &str) -> Vec<u8> {
    if text.contains('(') {
        return Vec::new();
    }
    text.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}
