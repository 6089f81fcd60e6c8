//! The server of each trace: the client's records in, ours compared.

use alloc::{boxed::Box, sync::Arc, vec, vec::Vec};

use super::{
    CLIENT_AUTHENTICATION, COMPATIBILITY, HELLO_RETRY, SIMPLE, Trace,
    client::credential,
    peer::{Log, Printed, Share, Verifier, check_session, done, receive, sent},
    rsa_pss,
};
use crate::{
    crypto::{
        certificate::{CertificateVerifier, Purpose, UnixTime},
        hash::Hash,
        kx::NamedGroup,
        signature_scheme::SignatureScheme,
        suite::CipherSuite,
    },
    engine::{
        Handshake, Peer, State, Step,
        config::{ClientAuthentication, ServerConfig},
        message::{CertificateVerify, Message},
        server,
        transcript::Transcript,
    },
};

/// A handshake that waits for the trace's ClientHello.
pub(super) fn listening(
    trace: &Trace,
    log: &Arc<Log>,
    scheme: SignatureScheme,
    config: ServerConfig,
) -> Handshake {
    let certificate = trace.message("{server}", "Certificate");
    let config = ServerConfig {
        suites: vec![CipherSuite::Aes128GcmSha256],
        credentials: vec![credential(certificate, scheme)],
        record_size_limit: Some(16385),
        key_log: Some(log.clone()),
        ..config
    };
    let mut hellos = trace.steps.iter().filter_map(|step| step.value("ServerHello"));
    let random = hellos.next_back().unwrap()[6..38].to_vec();
    let random = Printed { random: vec![random], shares: vec![Share::of(trace, "{server}")] };
    Handshake::server(Arc::new(config), Box::new(random), UnixTime(0)).unwrap()
}

/// Answers [`Step::Sign`] with the trace's signature, which must be one over what is to be signed.
pub(super) fn sign(handshake: &mut Handshake, trace: &Trace, side: &str) {
    let message = Message::read(trace.message(side, "CertificateVerify")).unwrap();
    let verify = CertificateVerify::read(message.body).unwrap();
    let Step::Sign(request) = handshake.step() else { panic!("a question") };
    assert_eq!(request.scheme.code(), verify.algorithm);
    let chain = credential(trace.message(side, "Certificate"), request.scheme).chain;
    if request.scheme == SignatureScheme::RsaPssRsaeSha256 {
        assert!(rsa_pss::verifies(&chain[0], request.message, verify.signature));
    } else {
        let key = Verifier.verify(&chain, Purpose::Client, UnixTime(0)).unwrap();
        key.verify_scheme(request.scheme, request.message, verify.signature).unwrap();
    }
    handshake.signed(verify.signature);
}

/// Begins the server's flight anew, with the trace's EncryptedExtensions and CertificateRequest instead of ours.
pub(super) fn restart(handshake: &mut Handshake, trace: &Trace, transcript: Transcript, messages: &[&str]) {
    let messages: Vec<&[u8]> = messages.iter().map(|name| trace.message("{server}", name)).collect();
    handshake.records.forget_unsent();
    let state = core::mem::replace(&mut handshake.state, State::InHand);
    let State::Server(server::State::WaitSignature(wait)) = state else { panic!("{state:?}") };
    let wait = wait.restart(transcript, &messages, &mut handshake.records).unwrap();
    handshake.state = State::Server(server::State::WaitSignature(wait));
}

/// Sends the server's flight with the trace's EncryptedExtensions and CertificateRequest instead of ours.
fn send_flight(
    handshake: &mut Handshake,
    trace: &Trace,
    transcript: Transcript,
    messages: &[&str],
) -> Vec<u8> {
    restart(handshake, trace, transcript, messages);
    sign(handshake, trace, "{server}");
    sent(handshake)
}

/// The transcript of ClientHello and ServerHello.
pub(super) fn hellos(trace: &Trace) -> Transcript {
    let mut transcript = Transcript::new(Hash::Sha256, trace.message("{client}", "ClientHello"));
    transcript.add(trace.message("{server}", "ServerHello"));
    transcript
}

#[test]
fn simple_one_rtt() {
    let (trace, log) = (Trace::read(SIMPLE), Arc::default());
    let mut handshake = listening(&trace, &log, SignatureScheme::RsaPssRsaeSha256, ServerConfig::default());
    let (ours, theirs) = (trace.records("{server}"), trace.records("{client}"));
    receive(&mut handshake, theirs[0]);
    assert_eq!(sent(&mut handshake), ours[0]);
    let flight = send_flight(&mut handshake, &trace, hellos(&trace), &["EncryptedExtensions"]);
    assert_eq!(flight, ours[1]);
    receive(&mut handshake, theirs[1]);
    log.check(&trace);
    let session = done(&mut handshake);
    assert_eq!(session.server_name.as_deref(), Some("server"));
    check_session(session, &trace, "{server}", "{client}");
}

#[test]
fn hello_retry_request() {
    let (trace, log) = (Trace::read(HELLO_RETRY), Arc::default());
    let config = ServerConfig { groups: vec![NamedGroup::Secp256r1], ..ServerConfig::default() };
    let mut handshake = listening(&trace, &log, SignatureScheme::RsaPssRsaeSha256, config);
    let (ours, theirs) = (trace.records("{server}"), trace.records("{client}"));
    receive(&mut handshake, theirs[0]);
    handshake.records.forget_unsent();
    let mut transcript = Transcript::after_retry(Hash::Sha256, &theirs[0][5..]);
    transcript.add(&ours[0][5..]);
    handshake.state = match handshake.state {
        State::Server(server::State::WaitSecondClientHello(state)) => {
            let state = state.with_transcript(transcript.clone());
            State::Server(server::State::WaitSecondClientHello(state))
        }
        other => panic!("{other:?}"),
    };
    receive(&mut handshake, theirs[1]);
    assert_eq!(sent(&mut handshake), ours[1]);
    transcript.add(&theirs[1][5..]);
    transcript.add(&ours[1][5..]);
    let flight = send_flight(&mut handshake, &trace, transcript, &["EncryptedExtensions"]);
    assert_eq!(flight, ours[2]);
    receive(&mut handshake, theirs[2]);
    log.check(&trace);
    let session = done(&mut handshake);
    assert!(session.hello_retry);
    check_session(session, &trace, "{server}", "{client}");
}

#[test]
fn client_authentication() {
    let (trace, log) = (Trace::read(CLIENT_AUTHENTICATION), Arc::default());
    let config = ServerConfig {
        client_authentication: ClientAuthentication::Required,
        verifier: Some(Arc::new(Verifier)),
        ..ServerConfig::default()
    };
    let mut handshake = listening(&trace, &log, SignatureScheme::EcdsaSecp256r1Sha256, config);
    let (ours, theirs) = (trace.records("{server}"), trace.records("{client}"));
    receive(&mut handshake, theirs[0]);
    assert_eq!(sent(&mut handshake), ours[0]);
    let messages = ["EncryptedExtensions", "CertificateRequest"];
    assert_eq!(send_flight(&mut handshake, &trace, hellos(&trace), &messages), ours[1]);
    receive(&mut handshake, theirs[1]);
    log.check(&trace);
    let session = done(&mut handshake);
    let certificate = trace.message("{client}", "Certificate");
    let chain = credential(certificate, SignatureScheme::RsaPssRsaeSha256).chain;
    assert_eq!(session.peer, Peer::Certificate { chain });
    check_session(session, &trace, "{server}", "{client}");
}

#[test]
fn compatibility_mode() {
    let (trace, log) = (Trace::read(COMPATIBILITY), Arc::default());
    let mut handshake = listening(&trace, &log, SignatureScheme::RsaPssRsaeSha256, ServerConfig::default());
    let (ours, theirs) = (trace.records("{server}"), trace.records("{client}"));
    receive(&mut handshake, theirs[0]);
    assert_eq!(sent(&mut handshake), ours[..2].concat());
    let flight = send_flight(&mut handshake, &trace, hellos(&trace), &["EncryptedExtensions"]);
    assert_eq!(flight, ours[2]);
    receive(&mut handshake, theirs[1]);
    receive(&mut handshake, theirs[2]);
    log.check(&trace);
    check_session(done(&mut handshake), &trace, "{server}", "{client}");
}
