use super::*;
use crate::{
    agent::{
        border::{self, Established, Order, Proved, Report, Verifiers},
        driver::Answers,
        trust_store,
        worker::Worker,
    },
    crypto::{certificate::UnixTime, kx::NamedGroup},
};
use std::{
    os::unix::net::UnixStream,
    path::PathBuf,
    sync::atomic::{AtomicU32, Ordering},
};

/// The certificates are valid from 2026 to 2126.
const NOW: UnixTime = UnixTime(1_900_000_000);
const SERVER: &str =
    "[authenticate.server]\nx509.certificate=DIR/server.pem\nx509.private_key=DIR/server.key\n";
const MUTUAL: &str = "x509.truststore=DIR/ca.pem\n";
const ANONYMOUS: &str = "[authenticate.client]\nx509.truststore=DIR/ca.pem\n";
const CLIENT: &str = "x509.certificate=DIR/client.pem\nx509.private_key=DIR/client.key\n";

fn settings(text: &str) -> Settings {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("handclasp-flow-{}-{count}", std::process::id()));
    let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/agent");
    std::fs::write(&path, text.replace("DIR", fixtures.to_str().unwrap())).unwrap();
    let settings = Settings::load(Some(&path));
    std::fs::remove_file(&path).unwrap();
    settings.unwrap()
}

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

fn flow(request: &Request, settings: &Settings) -> Result<Flow, Failure> {
    Flow::new(
        request,
        &Circumstances {
            settings,
            keyrings: &[],
            abilities: Abilities { record_size_limit: true },
            peer: "192.0.2.1".parse().unwrap(),
        },
    )
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
        let Flow { config, broker } = flow(request, settings).unwrap();
        let trust = [settings.client.trust.as_ref(), settings.server.trust.as_ref()];
        let verifiers = trust_store::read_verifiers(&trust_store::write(trust).unwrap()).unwrap();
        let verifiers = verifiers.map(|verifier| verifier.map(|verifier| Arc::new(verifier) as _));
        let we_are_server = request.role == Role::Server;
        let mut end = Self { worker: Worker::default(), verifiers, broker, we_are_server, result: None };
        end.order(Order::Begin { config, now: NOW, socket: socket.into() });
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
    assert_eq!(suites_for(&[psk(Hash::Sha384)]), [Aes256GcmSha384]);
    assert_eq!(
        suites_for(&[psk(Hash::Sha384), psk(Hash::Sha256), psk(Hash::Sha384)]),
        [Aes256GcmSha384, Aes128GcmSha256, Chacha20Poly1305Sha256]
    );
}

#[test]
fn we_give_up_before_the_consumer_does() {
    let limit = |role, timeout| time_limit(&Request { timeout, ..request(role, Authentication::X509) });
    let ten = Some(Duration::from_secs(10));
    assert_eq!(limit(Role::Server, None), Duration::from_millis(4500));
    assert_eq!(limit(Role::Client, None), Duration::from_secs(9));
    assert_eq!(limit(Role::Server, ten), Duration::from_secs(9));
    assert_eq!(limit(Role::Client, Some(Duration::from_millis(1))), Duration::from_micros(900));
}
