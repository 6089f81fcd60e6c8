use super::*;
use crate::{
    agent::{
        border::{self, Established, Order, Proved, Report, Verifiers},
        driver::Answers,
        material::tests::settings,
        trust_store,
        worker::{Worker, trust},
    },
    crypto::{
        certificate::{Purpose, UnixTime},
        kx::NamedGroup,
    },
    engine::config::ClientAuthentication,
};
use std::os::unix::net::UnixStream;

/// The certificates are valid from 2026 to 2126.
const NOW: UnixTime = UnixTime(1_900_000_000);
const SERVER: &str =
    "[authenticate.server]\nx509.certificate=DIR/server.pem\nx509.private_key=DIR/server.key\n";
const MUTUAL: &str = "x509.truststore=DIR/ca.pem\n";
const ANONYMOUS: &str = "[authenticate.client]\nx509.truststore=DIR/ca.pem\n";
const CLIENT: &str = "x509.certificate=DIR/client.pem\nx509.private_key=DIR/client.key\n";

fn request(role: Role, authentication: Authentication) -> Request {
    Request {
        role,
        authentication,
        peer_name: None,
        timeout: None,
        keyring: None,
        peer_identities: vec![],
        certificate: None,
    }
}

/// An NFS client's, for this server.
fn mount(authentication: Authentication, server: &str) -> Request {
    Request { peer_name: ServerName::parse(server), ..request(Role::Client, authentication) }
}

/// From port 2049 to port 2049.
fn circumstances(settings: &Settings) -> Circumstances<'_> {
    let (local, peer) = ("192.0.2.7:2049".parse().unwrap(), "192.0.2.1:2049".parse().unwrap());
    let connection = Connection { local, peer, netns: None };
    Circumstances { settings, keyrings: &[], abilities: Abilities { record_size_limit: true }, connection }
}

fn flow(request: &Request, settings: &Settings) -> Result<Flow, Failure> {
    Flow::new(request, &circumstances(settings))
}

/// How one end came out: its session and what the kernel is told of the peer, or the errno.
type Outcome = Result<(Established, Option<u32>), i32>;

/// One end: a worker, and the broker that it asks; all that passes between them passes as bytes.
struct End {
    worker: Worker,
    verifiers: Verifiers,
    broker: Broker,
    we_are_server: bool,
    result: Option<Outcome>,
}

impl End {
    fn start(request: &Request, settings: &Settings, socket: UnixStream) -> Self {
        let Flow { config, trust, broker, .. } = flow(request, settings).unwrap();
        let trusts = trust_store::write(&settings.trusts).unwrap();
        let verifiers = trust::verifiers(trust::tests::file(&trusts)).unwrap();
        let we_are_server = request.role == Role::Server;
        let mut end = Self { worker: Worker::default(), verifiers, broker, we_are_server, result: None };
        end.order(Order::Begin { config, trust, now: NOW, socket: socket.into() });
        end
    }

    fn order(&mut self, order: Order) {
        let parcel = border::write_order(7, &order).unwrap();
        let bytes = [&parcel.public, parcel.secrets.expose()].concat();
        let socket = if let Order::Begin { socket, .. } = order { Some(socket) } else { None };
        let (number, order) = border::read_order(&bytes, socket, &self.verifiers).unwrap();
        self.worker.take(number, order);
    }

    fn advance(&mut self) {
        self.worker.advance(&[true]);
        while let Some((number, report)) = self.worker.report() {
            let parcel = border::write_report(number, &report).unwrap();
            let bytes = [&parcel.public, parcel.secrets.expose()].concat();
            match border::read_report(&bytes).unwrap() {
                (7, Report::Sign { scheme, message }) => {
                    let signature = self.broker.sign_content(self.we_are_server, scheme, &message);
                    self.order(Order::Signature(signature));
                }
                (7, Report::FindPsk(offers)) => {
                    let found = self.broker.find_psk(&offers);
                    self.order(Order::Psk(found));
                }
                (7, Report::Done(session)) => {
                    let remote_auth = self.broker.remote_auth(&session.peer, self.we_are_server);
                    self.result = Some(Ok((*session, remote_auth)));
                }
                (7, Report::Failed(verdict)) => self.result = Some(Err(verdict.errno)),
                (number, _) => panic!("{number}"),
            }
        }
    }
}

/// Lets an nfsd of these settings meet a client of those.
fn meet(client: (&Request, &Settings), server: &Settings) -> (Outcome, Outcome) {
    let (client_end, server_end) = UnixStream::pair().unwrap();
    let mut client = End::start(client.0, client.1, client_end);
    let mut server = End::start(&request(Role::Server, Authentication::X509), server, server_end);
    for _ in 0..10 {
        client.advance();
        server.advance();
    }
    (client.result.unwrap(), server.result.unwrap())
}

//= rfc7301#section-3.2
//= type=test
//# The protocol identified in the "application_layer_protocol_negotiation" extension type in the ServerHello
//# SHALL be definitive for the connection, until renegotiated.
//= rfc9289#section-5
//= type=test
//# Client implementations MUST include the "application_layer_protocol_negotiation(16)" extension [RFC7301]
//# in their "ClientHello" message and MUST include the protocol identifier
//= rfc9289#section-5
//= type=test
//# server implementations MUST include the "application_layer_protocol_negotiation(16)" extension [RFC7301]
//# in their "ServerHello" message and MUST include only the protocol identifier
//= rfc9289#section-5.2.1
//= type=test
//# RPC-with-TLS implementations are REQUIRED to support the PKIX mechanism described in [RFC5280].
#[test]
fn a_mount_with_tls() {
    let client = settings(ANONYMOUS);
    let request = mount(Authentication::Unauthenticated, "server.test");
    let (client, server) = meet((&request, &client), &settings(SERVER));
    let ((client, client_auth), (server, server_auth)) = (client.unwrap(), server.unwrap());
    assert!(matches!(client.peer, Proved::Certificate(_)));
    assert_eq!(server.peer, Proved::Nobody);
    assert_eq!((client_auth, server_auth), (None, None));
    assert_eq!((client.alpn.as_deref(), server.alpn.as_deref()), (Some(SUNRPC), Some(SUNRPC)));
    assert_eq!(client.peer_record_size_limit, Some(16385));
}

//= rfc9289#section-5
//= type=test
//# Implementations MUST support certificate-based mutual authentication.
#[cfg(feature = "pq")]
#[test]
fn a_post_quantum_group_can_be_insisted_on() {
    let request = mount(Authentication::Unauthenticated, "server.test");
    let pq = settings(&[SERVER, "policy.require_pq=true\n"].concat());
    let (client, server) = meet((&request, &settings(ANONYMOUS)), &pq);
    assert_eq!(client.unwrap().0.group, NamedGroup::X25519MlKem768);
    assert_eq!(server.unwrap().0.group, NamedGroup::X25519MlKem768);
    let classical = settings(&[ANONYMOUS, "policy.groups=x25519;secp256r1\n"].concat());
    let (client, server) = meet((&request, &classical), &pq);
    assert_eq!((client.unwrap_err(), server.unwrap_err()), (libc::EACCES, libc::EACCES));
    let pq = settings(&[ANONYMOUS, "policy.require_pq=true\n"].concat());
    let server = settings(&[SERVER, "policy.groups=x25519\n"].concat());
    let (client, server) = meet((&request, &pq), &server);
    assert_eq!((client.unwrap_err(), server.unwrap_err()), (libc::EACCES, libc::EACCES));
}

#[test]
fn a_mount_with_mutual_tls() {
    let client = settings(&[ANONYMOUS, CLIENT].concat());
    let request = mount(Authentication::X509, "server.test");
    let (client, server) = meet((&request, &client), &settings(&[SERVER, MUTUAL].concat()));
    assert!(client.is_ok());
    let (session, remote_auth) = server.unwrap();
    assert!(matches!(session.peer, Proved::Certificate(_)));
    assert_eq!(remote_auth, Some(u32::MAX));
}

#[test]
fn a_server_that_verifies_lets_an_anonymous_client_in_and_says_so() {
    let request = mount(Authentication::Unauthenticated, "server.test");
    let (client, server) = meet((&request, &settings(ANONYMOUS)), &settings(&[SERVER, MUTUAL].concat()));
    assert!(client.is_ok());
    let (session, remote_auth) = server.unwrap();
    assert_eq!((session.peer, remote_auth), (Proved::Nobody, None));
}

#[test]
fn without_a_truststore_nobody_is_asked() {
    let client = settings(&[ANONYMOUS, CLIENT].concat());
    let request = mount(Authentication::X509, "server.test");
    let (_, server) = meet((&request, &client), &settings(SERVER));
    let (session, remote_auth) = server.unwrap();
    assert_eq!((session.peer, remote_auth), (Proved::Nobody, None));
}

//= rfc9289#section-4.2
//= type=test
//# If authentication of either peer fails, or if authorization based on those identities blocks access to the
//# server, the peers MUST reject the association.
//= rfc9289#section-5.2.1
//= type=test
//# The server MUST use a procedure conformant to Section 6 of [RFC5280] to validate the client certificate's
//# certification path.
#[test]
fn a_client_of_another_authority_is_refused() {
    let stranger = CLIENT.replace("client.", "stranger.");
    let client = settings(&[ANONYMOUS, &stranger].concat());
    let request = mount(Authentication::X509, "server.test");
    let (_, server) = meet((&request, &client), &settings(&[SERVER, MUTUAL].concat()));
    assert_eq!(server.unwrap_err(), libc::EACCES);
}

#[test]
fn a_revoked_client_is_refused_where_there_is_a_crl() {
    let client = settings(&[ANONYMOUS, &CLIENT.replace("client.", "revoked.")].concat());
    let request = mount(Authentication::X509, "server.test");
    let (_, server) = meet((&request, &client), &settings(&[SERVER, MUTUAL].concat()));
    assert!(server.is_ok());
    let (_, server) =
        meet((&request, &client), &settings(&[SERVER, MUTUAL, "x509.crl=DIR/crl.pem\n"].concat()));
    assert_eq!(server.unwrap_err(), libc::EACCES);
}

//= rfc9289#section-5.2.1
//= type=test
//# Support for the DNS-ID identifier type is REQUIRED in RPC-with-TLS client and server implementations.
//= rfc9289#section-5.2.1
//= type=test
//# Certificate validation MUST include the verification rules as per Section 6 of [RFC5280] and Section 6 of
//# [RFC6125].
//= rfc9289#section-5.2.1
//= type=test
//# Server certificate validation MUST include a check on whether the locally configured expected DNS-ID or
//# iPAddress subjectAltName of the server that is contacted matches its presented certificate.
//= rfc6125#section-6.2.1
//= type=test
//# The client MUST construct a list of acceptable reference identifiers, and MUST do so independently of the
//# identifiers presented by the service.
//= rfc6125#section-6.6.1
//= type=test
//# In this case, the client MUST use the matched reference identifier as the validated identity of the
//# application service.
//= rfc6125#section-6.6.4
//= type=test
//# An automated application MAY provide a configuration setting that disables this behavior, but MUST enable
//# the behavior by default.
#[test]
fn what_the_configuration_demands_of_certificates_reaches_the_worker() {
    let client = settings(&[ANONYMOUS, CLIENT].concat());
    let request = mount(Authentication::X509, "server.test");
    let with = |demand: &str| settings(&[SERVER, MUTUAL, "x509.crl=DIR/crl.pem\n", demand].concat());
    for (demand, is_met) in [
        ("policy.crl_required=end-entity\n", true),
        ("policy.purpose=tls\n", true),
        ("policy.purpose=rpc\n", false),
    ] {
        let (_, server) = meet((&request, &client), &with(demand));
        assert_eq!(server.map(|_| ()).err(), (!is_met).then_some(libc::EACCES), "{demand}");
    }
}

#[test]
fn only_those_on_the_list_are_let_in() {
    let client = settings(&[ANONYMOUS, CLIENT].concat());
    let request = mount(Authentication::X509, "server.test");
    let with = |list: &str| settings(&[SERVER, MUTUAL, list].concat());
    for (list, is_on_it) in [
        ("allow.san=other.test;client.test\n", true),
        ("allow.san=*.test\nallow.issuer=CN=ca\n", true),
        ("allow.dn=CN=client\n", true),
        ("allow.san=other.test\n", false),
        ("allow.san=client.test\nallow.issuer=CN=foreign-ca\n", false),
        ("policy.purpose=tls-explicit\n", true),
    ] {
        let (_, server) = meet((&request, &client), &with(list));
        assert_eq!(server.map(|_| ()).err(), (!is_on_it).then_some(libc::EACCES), "{list}");
    }
    let pinned = |hash: &str| settings(&[ANONYMOUS, "allow.spki_sha256=", hash, "\n"].concat());
    // `openssl x509 -in server.pem -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum`
    let hash = "b91e4f660780aa2a36efd140d497092aa33498de4a4ffaf8e3ed46ce33272f74";
    let request = mount(Authentication::Unauthenticated, "server.test");
    assert!(meet((&request, &pinned(hash)), &settings(SERVER)).0.is_ok());
    let (client, _) = meet((&request, &pinned(&hash.replace('0', "1"))), &settings(SERVER));
    assert_eq!(client.unwrap_err(), libc::EACCES);
}

#[test]
fn a_certificate_can_be_required_and_need_not_be_asked_for() {
    let asks = |what: &str| settings(&[SERVER, MUTUAL, "policy.client_certificate=", what, "\n"].concat());
    let meet = |authentication, what: &str| {
        let client = settings(&[ANONYMOUS, CLIENT].concat());
        meet((&mount(authentication, "server.test"), &client), &asks(what)).1.map(|(_, auth)| auth)
    };
    let (anonymous, known) = (Authentication::Unauthenticated, Authentication::X509);
    assert_eq!(meet(anonymous, "required"), Err(libc::EACCES));
    assert_eq!(meet(known, "required"), Ok(Some(u32::MAX)));
    assert_eq!((meet(anonymous, "optional"), meet(known, "none")), (Ok(None), Ok(None)));
}

#[test]
fn the_protocol_is_named_on_the_ports_of_nfs_or_as_the_configuration_says() {
    let request = mount(Authentication::Unauthenticated, "server.test");
    let named = |alpn: &str, port| {
        let client = settings(&[ANONYMOUS, alpn].concat());
        let mut circumstances = circumstances(&client);
        circumstances.connection.peer.set_port(port);
        let Config::Client(config) = Flow::new(&request, &circumstances).unwrap().config else { panic!() };
        (config.alpn.len(), config.alpn_required)
    };
    assert_eq!((named("", 2049), named("", 20049), named("", 4433)), ((1, false), (1, false), (0, false)));
    assert_eq!(named("policy.alpn=always\n", 4433), (1, false));
    assert_eq!(named("policy.alpn=never\n", 2049), (0, false));
    assert_eq!(named("policy.alpn=required\n", 4433), (1, true));
    let silent = settings(&[ANONYMOUS, "policy.alpn=never\n"].concat());
    let strict = settings(&[SERVER, "policy.alpn=required\n"].concat());
    let (client, server) = meet((&request, &silent), &strict);
    assert_eq!((client.unwrap_err(), server.unwrap_err()), (libc::EACCES, libc::EACCES));
}

#[test]
fn a_suite_in_common_is_needed() {
    let request = mount(Authentication::Unauthenticated, "server.test");
    let client = settings(&[ANONYMOUS, "policy.suites=TLS_AES_256_GCM_SHA384\n"].concat());
    let with = |suites: &str| settings(&[SERVER, "policy.suites=", suites, "\n"].concat());
    let (_, server) = meet((&request, &client), &with("TLS_AES_128_GCM_SHA256;TLS_AES_256_GCM_SHA384"));
    assert_eq!(server.unwrap().0.suite, CipherSuite::Aes256GcmSha384);
    let (client, server) = meet((&request, &client), &with("TLS_AES_128_GCM_SHA256"));
    assert_eq!((client.unwrap_err(), server.unwrap_err()), (libc::EACCES, libc::EACCES));
}

/// The connections of these tests are to and from port 2049 of 192.0.2.1.
#[test]
fn a_profile_has_trust_and_identity_of_its_own() {
    let profile = |port: u16, rest: &str| format!("[authenticate.server.x]\nmatch.local_port={port}\n{rest}");
    let client = settings(&[ANONYMOUS, CLIENT].concat());
    let request = mount(Authentication::X509, "server.test");
    let meet = |profile: String| {
        let text = [SERVER, MUTUAL, &profile].concat();
        meet((&request, &client), &settings(&text)).1.map(|(session, _)| session.peer)
    };
    let foreign = "x509.truststore=DIR/foreign-ca.pem\n";
    assert!(meet(profile(2050, foreign)).is_ok());
    assert_eq!(meet(profile(2049, foreign)), Err(libc::EACCES));
    assert_eq!(meet(profile(2049, "allow.san=other.test\n")), Err(libc::EACCES));
    assert!(matches!(meet(profile(2049, "allow.san=client.test\n")), Ok(Proved::Certificate(_))));
    let other = "x509.certificate=DIR/client.pem\nx509.private_key=DIR/client.key\n";
    assert_eq!(meet(profile(2049, other)), Err(libc::EACCES), "the client refuses the profile's certificate");
    let one = settings(&[SERVER, MUTUAL, &profile(2049, "policy.deadline=1\n")].concat());
    let authorities = usize::from(crate::agent::material::system_store().is_some());
    assert_eq!(one.trusts.len() - authorities, 1, "what the side and its profile share is kept once");
    let flow = flow(&super::tests::request(Role::Server, Authentication::X509), &one).unwrap();
    assert_eq!(flow.limit, Duration::from_secs(1));
    assert_eq!(flow.profile.as_deref(), Some("authenticate.server.x"));
}

#[test]
fn who_has_handed_trust_over_asks_for_certificates_and_takes_none() {
    let mut settings = settings(&[SERVER, MUTUAL, ANONYMOUS].concat());
    settings.hand_trust_over();
    assert!(settings.trusts.is_empty());
    let chain =
        crate::crypto::pem::certificates(include_bytes!("../../../tests/vectors/agent/client.pem")).unwrap();
    let Config::Server(config) =
        flow(&request(Role::Server, Authentication::X509), &settings).unwrap().config
    else {
        panic!("a server");
    };
    assert_eq!(config.client_authentication, ClientAuthentication::Optional);
    config.verifier.unwrap().verify(&chain, Purpose::Client, NOW).unwrap_err();
    assert!(flow(&request(Role::Client, Authentication::Unauthenticated), &settings).is_ok());
}

#[test]
fn a_server_must_prove_its_name() {
    let client = settings(ANONYMOUS);
    for (name, is_right) in
        [("server.test", true), ("other.test", false), ("192.0.2.1", true), ("192.0.2.2", false)]
    {
        let request = mount(Authentication::Unauthenticated, name);
        let (client, server) = meet((&request, &client), &settings(SERVER));
        assert_eq!(client.map(|_| ()).err(), (!is_right).then_some(libc::EACCES), "{name}");
        assert_eq!(server.is_ok(), is_right, "{name}");
    }
}

//= rfc6125#section-6.2.1
//= type=test
//# The extracted data MUST include only information that can be securely parsed out of the inputs
#[test]
fn without_a_name_it_must_prove_its_address() {
    let request = request(Role::Client, Authentication::Unauthenticated);
    let (client, _) = meet((&request, &settings(ANONYMOUS)), &settings(SERVER));
    assert!(client.is_ok());
}

//= rfc9289#section-4.2
//= type=test
//# If authentication of either peer fails, or if authorization based on those identities blocks access to the
//# server, the peers MUST reject the association.
//= rfc9289#section-5.2.1
//= type=test
//# Certificate validation MUST include the verification rules as per Section 6 of [RFC5280] and Section 6 of
//# [RFC6125].
#[test]
fn a_server_of_another_authority_is_refused() {
    let client = settings(&ANONYMOUS.replace("ca.pem", "foreign-ca.pem"));
    let request = mount(Authentication::Unauthenticated, "server.test");
    let (client, server) = meet((&request, &client), &settings(SERVER));
    assert_eq!((client.unwrap_err(), server.unwrap_err()), (libc::EACCES, libc::EACCES));
}

//= rfc9289#section-4.2
//= type=test
//# Each RPC server that supports RPC-with-TLS MUST possess a unique global identity
#[test]
fn what_is_missing_is_no_key() {
    let nothing = settings("");
    for request in [
        request(Role::Server, Authentication::X509),
        request(Role::Server, Authentication::Psk),
        request(Role::Client, Authentication::Psk),
        mount(Authentication::X509, "server.test"),
    ] {
        let Err(failure) = flow(&request, &nothing) else { panic!("{request:?}") };
        assert_eq!(failure.errno(request.authentication == Authentication::Psk), libc::ENOKEY, "{failure}");
    }
}

#[test]
fn each_keyring_is_searched_once() {
    let [first, second, third] = [1, 2, 3].map(|serial| KeySerial::new(serial).unwrap());
    let settings = settings("");
    let circumstances = Circumstances { keyrings: &[first, second], ..circumstances(&settings) };
    let to_search = |keyring| {
        let request = Request { keyring, ..request(Role::Server, Authentication::Psk) };
        to_search(&request, &circumstances)
    };
    assert_eq!(to_search(Some(second)), [second, first]);
    assert_eq!(to_search(Some(third)), [third, first, second]);
    assert_eq!(to_search(None), [first, second]);
}

#[test]
fn an_identity_names_its_hash() {
    assert_eq!(psk_hash(b"NVMe0R01 nqn.host nqn.sub"), Some(Hash::Sha256));
    assert_eq!(psk_hash(b"NVMe1G02 nqn.host nqn.sub digest="), Some(Hash::Sha384));
    assert_eq!(psk_hash(b"NVMe1R03 nqn.host nqn.sub"), None);
    for other in [&b"client@example"[..], b"", b"NVMe", b"NVMe1R0", b"NVMe1R02"] {
        assert_eq!(psk_hash(other), Some(Hash::Sha256), "{other:?}");
    }
}

#[test]
fn suites_go_with_the_hashes_of_the_psks() {
    let psk = |hash| Psk::external(b"i", &[7; 32], hash).unwrap();
    use CipherSuite::{Aes128GcmSha256, Aes256GcmSha384, Chacha20Poly1305Sha256};
    let suites = |psks: &[Psk]| suites_for(psks, &CipherSuite::ALL).unwrap();
    assert_eq!(suites(&[psk(Hash::Sha384)]), [Aes256GcmSha384]);
    assert_eq!(
        suites(&[psk(Hash::Sha384), psk(Hash::Sha256), psk(Hash::Sha384)]),
        [Aes256GcmSha384, Aes128GcmSha256, Chacha20Poly1305Sha256]
    );
    let only = [Chacha20Poly1305Sha256];
    assert_eq!(suites_for(&[psk(Hash::Sha256)], &only).unwrap(), only);
    assert!(suites_for(&[psk(Hash::Sha256), psk(Hash::Sha384)], &only).is_err());
}

#[test]
fn we_give_up_before_the_consumer_does() {
    let within = |role, timeout, deadline| {
        time_limit(&Request { timeout, ..request(role, Authentication::X509) }, deadline)
    };
    let limit = |role, timeout| within(role, timeout, None);
    let ten = Some(Duration::from_secs(10));
    assert_eq!(limit(Role::Server, None), Duration::from_millis(4500));
    assert_eq!(limit(Role::Client, None), Duration::from_secs(9));
    assert_eq!(limit(Role::Server, ten), Duration::from_secs(9));
    assert_eq!(limit(Role::Client, Some(Duration::from_millis(1))), Duration::from_micros(900));
    assert_eq!(within(Role::Server, None, Some(Duration::from_secs(2))), Duration::from_secs(2));
    assert_eq!(
        within(Role::Server, None, ten),
        Duration::from_millis(4500),
        "never longer than the consumer"
    );
}
