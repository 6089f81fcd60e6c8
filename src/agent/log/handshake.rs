//! How a handshake ended, as a line of the log and for the counters.

use std::{
    fmt, io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{Priority, Sanitised};
use crate::{
    agent::{
        border::{Established, Proved, Verdict},
        failure::{Cause, errno_name},
        json::Object,
        request::{Authentication, Role},
    },
    crypto::certificate::ServerName,
};

/// What a line in the log is about.
pub(in crate::agent) struct Subject {
    /// The name of the network namespace; empty for the agent's own.
    pub(in crate::agent) netns: String,
    pub(in crate::agent) flow: Option<(Role, Authentication)>,
    pub(in crate::agent) name: Option<ServerName>,
    pub(in crate::agent) address: Option<SocketAddr>,
    /// The profile of the configuration that it is by.
    pub(in crate::agent) profile: Option<String>,
    pub(in crate::agent) started: Instant,
    /// Only post-quantum groups are allowed.
    pub(in crate::agent) requires_pq: bool,
}

/// A handshake that ended.
pub(in crate::agent) struct Ended<'a> {
    pub(in crate::agent) subject: &'a Subject,
    pub(in crate::agent) outcome: Outcome<'a>,
    pub(in crate::agent) elapsed: Duration,
    /// Whether the kernel took the result.
    pub(in crate::agent) told: io::Result<()>,
}

pub(in crate::agent) enum Outcome<'a> {
    Done {
        session: &'a Established,
        /// Whether our certificate was asked for, and shown.
        has_signed: bool,
    },
    Failed {
        verdict: &'a Verdict,
        /// What else there is to know.
        trouble: Option<&'a str>,
    },
}

impl Subject {
    pub(in crate::agent) fn new(netns: &str) -> Self {
        let (netns, started) = (netns.to_owned(), Instant::now());
        Self { netns, flow: None, name: None, address: None, profile: None, started, requires_pq: false }
    }

    pub(in crate::agent) fn is_psk(&self) -> bool {
        matches!(self.flow, Some((_, Authentication::Psk)))
    }

    pub(in crate::agent) fn we_are_server(&self) -> bool {
        matches!(self.flow, Some((Role::Server, _)))
    }

    /// What a mount with xprtsec=mtls is then refused for by the other side's export, without a word of why.
    fn hides_certificate(&self, has_signed: bool) -> bool {
        self.flow == Some((Role::Client, Authentication::X509)) && !has_signed
    }
}

impl Ended<'_> {
    pub(super) fn priority(&self) -> Priority {
        match (&self.outcome, &self.told) {
            (Outcome::Done { .. }, Ok(())) => Priority::Info,
            (Outcome::Done { .. }, Err(_)) => Priority::Error,
            (Outcome::Failed { .. }, _) => Priority::Notice,
        }
    }

    /// Why it failed, if it did.
    pub(in crate::agent) fn cause(&self) -> Option<Cause> {
        match &self.outcome {
            Outcome::Done { .. } => self.told.is_err().then_some(Cause::Kernel),
            Outcome::Failed { verdict, .. } => Some(verdict.cause),
        }
    }

    /// The members of its object, for machines.
    pub(super) fn members(&self, object: &mut Object) {
        let Subject { netns, flow, name, address, profile, .. } = self.subject;
        object.string("netns", netns);
        if let Some((role, authentication)) = flow {
            object.string("role", role.name());
            object.string("authentication", authentication.name());
        }
        address.iter().for_each(|address| object.string("address", address));
        name.iter().for_each(|name| object.string("name", name));
        profile.iter().for_each(|profile| object.string("profile", profile));
        object.string("result", if self.cause().is_some() { "failed" } else { "done" });
        object.number("ms", u64::try_from(self.elapsed.as_millis()).unwrap_or(u64::MAX));
        match &self.outcome {
            Outcome::Done { session, has_signed } => {
                self.session_members(session, *has_signed, object);
                self.cause().iter().for_each(|cause| object.string("cause", cause.name()));
            }
            Outcome::Failed { verdict, trouble } => failure_members(verdict, *trouble, object),
        }
        if let Err(error) = &self.told {
            object.string("not_told", error);
        }
    }

    fn session_members(&self, session: &Established, has_signed: bool, object: &mut Object) {
        object.string("suite", session.suite.name());
        object.string("group", session.group.name());
        match &session.peer {
            Proved::Nobody => object.string("peer_kind", "none"),
            Proved::Psk { identity, .. } => {
                object.string("peer_kind", "psk");
                object.string("peer", String::from_utf8_lossy(identity));
            }
            Proved::Certificate(words) => {
                object.string("peer_kind", "certificate");
                object.string("peer", words);
            }
        }
        session.alpn.iter().for_each(|name| object.string("alpn", String::from_utf8_lossy(name)));
        object.flag("certificate_hidden", self.subject.hides_certificate(has_signed));
    }
}

fn failure_members(verdict: &Verdict, trouble: Option<&str>, object: &mut Object) {
    let Verdict { errno, alert, received, cause, may_lack_group: _, reason } = verdict;
    object.string("errno", errno_name(*errno));
    object.string("cause", cause.name());
    object.string("reason", reason);
    trouble.iter().for_each(|trouble| object.string("detail", trouble));
    alert.iter().for_each(|alert| object.string("alert_sent", alert));
    received.iter().for_each(|alert| object.string("alert_received", alert));
}

impl fmt::Display for Ended<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, outcome, elapsed, told } = self;
        let milliseconds = elapsed.as_millis();
        match (outcome, told) {
            (Outcome::Done { .. }, Err(error)) => {
                write!(
                    f,
                    "{subject}: FAILED in {milliseconds} ms: the kernel did not take the session: {error}"
                )
            }
            (Outcome::Done { session, has_signed }, Ok(())) => {
                write!(f, "{subject}: done in {milliseconds} ms, ")?;
                write_session(f, session)?;
                if subject.hides_certificate(*has_signed) {
                    f.write_str(
                        ", our certificate not shown: the server did not ask for one, or not for its kind",
                    )?;
                }
                Ok(())
            }
            (Outcome::Failed { verdict, trouble }, told) => {
                let Verdict { errno, alert, reason, .. } = verdict;
                let name = errno_name(*errno);
                write!(f, "{subject}: FAILED with {name} in {milliseconds} ms: {reason}")?;
                trouble.iter().try_for_each(|trouble| write!(f, " ({trouble})"))?;
                alert.iter().try_for_each(|alert| write!(f, "; we sent alert {alert}"))?;
                match told {
                    Ok(()) => Ok(()),
                    Err(error) => write!(f, "; the kernel did not take the result: {error}"),
                }
            }
        }
    }
}

/// What protects a session, and who the peer is.
fn write_session(f: &mut fmt::Formatter<'_>, session: &Established) -> fmt::Result {
    write!(f, "{}, {}", session.suite.name(), session.group.name())?;
    match &session.peer {
        Proved::Nobody => f.write_str(", peer without a certificate")?,
        Proved::Psk { identity, .. } => write!(f, ", psk \"{}\"", Sanitised(identity))?,
        Proved::Certificate(words) => write!(f, ", peer \"{}\"", Sanitised(words.as_bytes()))?,
    }
    session.alpn.iter().try_for_each(|name| write!(f, ", alpn {}", Sanitised(name)))
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.flow {
            None => "handshake",
            Some((Role::Client, Authentication::Unauthenticated)) => "client handshake",
            Some((Role::Client, Authentication::X509)) => "client x509 handshake",
            Some((Role::Client, Authentication::Psk)) => "client psk handshake",
            Some((Role::Server, Authentication::Psk)) => "server psk handshake",
            Some((Role::Server, _)) => "server x509 handshake",
        })?;
        match (&self.name, self.address) {
            (Some(name), Some(address)) => write!(f, " with {name} ({address})"),
            (Some(name), None) => write!(f, " with {name}"),
            (None, Some(address)) => write!(f, " with {address}"),
            (None, None) => Ok(()),
        }?;
        if !self.netns.is_empty() {
            write!(f, " in netns {}", self.netns)?;
        }
        self.profile.iter().try_for_each(|profile| write!(f, " by [{profile}]"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        agent::driver::tests::session,
        engine::{AlertDescription, Peer, Session},
    };

    /// Whatever is told of a session that the kernel took.
    fn done<T>(subject: &Subject, session: &Established, tell: impl Fn(&Ended<'_>) -> T) -> T {
        let outcome = Outcome::Done { session, has_signed: false };
        tell(&Ended { subject, outcome, elapsed: Duration::from_millis(12), told: Ok(()) })
    }

    //= rfc9289#section-6.1
    //= type=test
    //# are REQUIRED to provide an audit log of RPC-with-TLS security mode selection.
    #[test]
    fn a_line_says_what_protects_a_session_and_who_the_peer_is() {
        let flow = Some((Role::Client, Authentication::X509));
        let subject = Subject { flow, ..Subject::new("") };
        let line = |session: Session| done(&subject, &session.into(), |ended| ended.to_string());
        let written = line(session());
        assert!(written.contains("TLS_AES_128_GCM_SHA256, x25519, psk \"client@example\""), "{written}");
        let written = line(Session { peer: Peer::Anonymous, alpn: Some(b"sunrpc".into()), ..session() });
        assert!(
            written.contains("x25519, peer without a certificate, alpn sunrpc, our certificate not shown")
        );
        let certificate = include_bytes!("../../../tests/vectors/agent/server.pem");
        let peer = Peer::Certificate { chain: crate::crypto::pem::certificates(certificate).unwrap() };
        let written = line(Session { peer, ..session() });
        assert!(written.contains("peer \"CN=server (SHA256:"), "{written}");
    }

    #[test]
    fn a_session_that_the_kernel_does_not_take_has_failed() {
        let flow = Some((Role::Client, Authentication::Psk));
        let (subject, session) = (Subject { flow, ..Subject::new("") }, session().into());
        let outcome = Outcome::Done { session: &session, has_signed: false };
        let told = Err(io::Error::other("gone"));
        let ended = Ended { subject: &subject, outcome, elapsed: Duration::from_millis(12), told };
        let line = "client psk handshake: FAILED in 12 ms: the kernel did not take the session: gone";
        assert_eq!(ended.to_string(), line);
        let mut object = Object::new();
        ended.members(&mut object);
        let object = object.finish();
        assert!(object.contains(r#""result":"failed","ms":12,"suite":"#), "{object}");
        assert!(object.ends_with(r#","cause":"kernel","not_told":"gone"}"#), "{object}");
    }

    #[test]
    fn a_line_for_machines_has_what_the_line_for_people_has() {
        let flow = Some((Role::Server, Authentication::Psk));
        let address = Some("192.0.2.1:1023".parse().unwrap());
        let subject = Subject { flow, address, ..Subject::new("red") };
        let members = |ended: &Ended<'_>| {
            let mut object = Object::new();
            ended.members(&mut object);
            object.finish()
        };
        let head =
            r#"{"netns":"red","role":"server","authentication":"psk","address":"192.0.2.1:1023","result":"#;
        assert_eq!(
            done(&subject, &session().into(), members),
            [
                head,
                r#""done","ms":12,"suite":"TLS_AES_128_GCM_SHA256","group":"x25519","#,
                r#""peer_kind":"psk","peer":"client@example","certificate_hidden":false}"#
            ]
            .concat()
        );
        let verdict = Verdict {
            errno: libc::EKEYREJECTED,
            alert: Some(AlertDescription::UnknownPskIdentity),
            received: Some(AlertDescription::AccessDenied),
            cause: Cause::Peer,
            may_lack_group: false,
            reason: "a\n\"reason\"".into(),
        };
        let outcome = Outcome::Failed { verdict: &verdict, trouble: Some("it offered") };
        let told = Err(io::Error::other("gone"));
        let ended = Ended { subject: &subject, outcome, elapsed: Duration::ZERO, told };
        assert_eq!(
            members(&ended),
            [
                head,
                r#""failed","ms":0,"errno":"EKEYREJECTED","cause":"peer","reason":"a"#,
                "\u{fffd}",
                r#"\"reason\"","detail":"it offered","alert_sent":"unknown_psk_identity","alert_received":"access_denied","not_told":"gone"}"#
            ]
            .concat()
        );
        let line = ended.to_string();
        let end =
            "(it offered); we sent alert unknown_psk_identity; the kernel did not take the result: gone";
        assert!(line.ends_with(end), "{line}");
    }
}
