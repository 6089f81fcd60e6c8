//! Orders and reports as bytes, between two processes: in the presentation language of TLS, with its strict reader.
//!
//! ```text
//! struct {
//!     uint32 number;
//!     Kind kind;
//!     opaque public<0..2^24-1>;
//!     opaque secrets[];          // one after the other, each as long as its hash
//! } Message;
//! ```
//! Secrets stand apart, so that every copy of them is in memory that is wiped. A socket goes with [`Order::Begin`], beside the bytes.

mod config;
mod parts;

use std::{os::fd::OwnedFd, sync::Arc};

use super::{Config, Established, Number, Order, Proved, Report, Verdict};
use crate::agent::{failure::Cause, key_log::KeyLogEntry};
use crate::{
    crypto::{
        certificate::CertificateVerifier, key_schedule::TrafficSecret, kx::NamedGroup, secret::Secret,
        signature_scheme::SignatureScheme, suite::CipherSuite, x509::distinguished_name::shown,
    },
    engine::{
        AlertDescription, Direction, PskOffer,
        codec::{Malformed, Reader, TooLong, Writer},
    },
};
use config::{read_client, read_psk, read_server, write_client, write_psk, write_server};
use parts::{
    read_all, read_blob, read_flag, read_index, read_option, read_u64, write_blob, write_flag, write_index,
    write_option,
};

/// The longest message: a ClientHello's identities, or a configuration with the longest certificate chain.
pub(in crate::agent) const MAX_MESSAGE: usize = 160 * 1024;

const BEGIN_CLIENT: u8 = 1;
const BEGIN_SERVER: u8 = 2;
const SIGNATURE: u8 = 3;
const PSK: u8 = 4;
const ABORT: u8 = 5;
const SIGN: u8 = 6;
const FIND_PSK: u8 = 7;
const DONE: u8 = 8;
const FAILED: u8 = 9;
const TRUST: u8 = 10;
const READY: u8 = 11;

/// How many PSKs a worker may ask for at once: as many as the engine looks at.
const MAX_OFFERS: usize = 32;

/// A message to send: the public part, and the secrets that follow it.
pub(in crate::agent) struct Parcel {
    pub(in crate::agent) public: Vec<u8>,
    pub(in crate::agent) secrets: Secret,
}

/// Who verifies the peers in a worker: one for each trust store of the broker's.
pub(in crate::agent) type Verifiers = Vec<Arc<dyn CertificateVerifier>>;

pub(in crate::agent) fn write_order(number: Number, order: &Order) -> Result<Parcel, TooLong> {
    match order {
        Order::Begin { config: Config::Client(config), trust, now, .. } => {
            let secrets: Vec<_> = config.psks.iter().map(|psk| psk.early_secret().expose()).collect();
            parcel(number, BEGIN_CLIENT, &secrets, |w| write_client(w, config, *trust, *now))
        }
        Order::Begin { config: Config::Server(config), trust, now, .. } => {
            parcel(number, BEGIN_SERVER, &[], |w| write_server(w, config, *trust, *now))
        }
        Order::Signature(signature) => {
            parcel(number, SIGNATURE, &[], |w| write_option(w, signature.as_deref(), write_blob))
        }
        Order::Psk(found) => {
            let secrets: Vec<_> = found.iter().map(|(_, psk)| psk.early_secret().expose()).collect();
            parcel(number, PSK, &secrets, |w| {
                write_option(w, found.as_ref(), |w, (index, psk)| {
                    write_index(w, *index);
                    write_psk(w, psk);
                });
            })
        }
        Order::Abort(alert) => parcel(number, ABORT, &[], |w| w.u8(alert.code())),
        Order::Trust { is_debug, .. } => parcel(number, TRUST, &[], |w| write_flag(w, *is_debug)),
    }
}

/// Reads an order; `descriptor` is what came beside it, `verifiers` are the worker's.
pub(in crate::agent) fn read_order(
    bytes: &[u8],
    descriptor: Option<OwnedFd>,
    verifiers: &[Arc<dyn CertificateVerifier>],
) -> Result<(Number, Order), Malformed> {
    let Parts { number, kind, mut public, mut secrets } = Parts::read(bytes)?;
    let r = &mut public;
    let malformed = Malformed("order");
    let order = match kind {
        BEGIN_CLIENT => {
            let (config, trust, now) = read_client(r, &mut secrets, verifiers)?;
            Order::Begin { config: Config::Client(config), trust, now, socket: descriptor.ok_or(malformed)? }
        }
        BEGIN_SERVER => {
            let (config, trust, now) = read_server(r, verifiers)?;
            Order::Begin { config: Config::Server(config), trust, now, socket: descriptor.ok_or(malformed)? }
        }
        SIGNATURE => Order::Signature(read_option(r, read_blob)?),
        PSK => Order::Psk(read_option(r, |r| Ok((read_index(r)?, read_psk(r, &mut secrets)?)))?),
        ABORT => Order::Abort(AlertDescription::from_code(r.u8()?)),
        TRUST => Order::Trust { is_debug: read_flag(r)?, file: descriptor.ok_or(malformed)? },
        _ => return Err(malformed),
    };
    public.finish()?;
    secrets.finish()?;
    Ok((number, order))
}

pub(in crate::agent) fn write_report(number: Number, report: &Report) -> Result<Parcel, TooLong> {
    match report {
        Report::Ready => parcel(number, READY, &[], |_| {}),
        Report::Sign { scheme, message } => parcel(number, SIGN, &[], |w| {
            w.u16(scheme.code());
            w.vector16(|w| w.bytes(message));
        }),
        Report::FindPsk(offers) => parcel(number, FIND_PSK, &[], |w| {
            for offer in offers {
                w.vector16(|w| w.bytes(&offer.identity));
                w.u32(offer.obfuscated_ticket_age);
            }
        }),
        Report::Done(session) => parcel(number, DONE, &session.secrets(), |w| write_session(w, session)),
        Report::Failed(verdict) => parcel(number, FAILED, &[], |w| {
            w.u32(verdict.errno.unsigned_abs());
            for alert in [verdict.alert, verdict.received] {
                write_option(w, alert.as_ref(), |w, alert| w.u8(alert.code()));
            }
            write_index(w, verdict.cause as usize);
            write_flag(w, verdict.may_lack_group);
            let reason: String = verdict.reason.chars().take(LONGEST_REASON).collect();
            w.vector16(|w| w.bytes(reason.as_bytes()));
        }),
    }
}

pub(in crate::agent) fn read_report(bytes: &[u8]) -> Result<(Number, Report), Malformed> {
    let Parts { number, kind, mut public, mut secrets } = Parts::read(bytes)?;
    let r = &mut public;
    let report = match kind {
        SIGN => Report::Sign { scheme: read_scheme(r)?, message: r.vector16()?.rest().into() },
        READY => Report::Ready,
        FIND_PSK => Report::FindPsk(read_offers(r)?),
        DONE => Report::Done(Box::new(read_session(r, &mut secrets)?)),
        FAILED => Report::Failed(read_verdict(r)?),
        _ => return Err(Malformed("report")),
    };
    public.finish()?;
    secrets.finish()?;
    Ok((number, report))
}

fn parcel(
    number: Number,
    kind: u8,
    secrets: &[&[u8]],
    body: impl FnOnce(&mut Writer),
) -> Result<Parcel, TooLong> {
    let mut w = Writer::default();
    w.u32(number);
    w.u8(kind);
    w.vector24(body);
    let public = w.finish()?;
    let mut joined = Secret::zeroed(secrets.iter().map(|secret| secret.len()).sum());
    let mut rest = joined.expose_mut();
    for secret in secrets {
        let (place, others) = rest.split_at_mut(secret.len());
        place.copy_from_slice(secret);
        rest = others;
    }
    match public.len() + joined.expose().len() {
        0..=MAX_MESSAGE => Ok(Parcel { public, secrets: joined }),
        _ => Err(TooLong),
    }
}

struct Parts<'a> {
    number: Number,
    kind: u8,
    public: Reader<'a>,
    secrets: Reader<'a>,
}

impl<'a> Parts<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes, "message between broker and worker");
        Ok(Self { number: r.u32()?, kind: r.u8()?, public: r.vector24()?, secrets: r })
    }
}

fn write_session(w: &mut Writer, session: &Established) {
    let Established { suite, group, tx, rx, peer_record_size_limit, alpn, peer, key_log } = session;
    w.u16(suite.code());
    w.u16(group.code());
    w.bytes(&tx.next_sequence.to_be_bytes());
    w.bytes(&rx.next_sequence.to_be_bytes());
    write_option(w, peer_record_size_limit.as_ref(), |w, limit| w.u16(*limit));
    write_option(w, alpn.as_deref(), write_blob);
    match peer {
        Proved::Nobody => w.u8(0),
        Proved::Psk { identity, index } => {
            w.u8(1);
            write_blob(w, identity);
            write_index(w, *index);
        }
        Proved::Certificate(words) => {
            w.u8(2);
            write_blob(w, words.as_bytes());
        }
    }
    write_option(w, key_log.as_ref(), |w, entry| w.bytes(&entry.client_random));
}

fn read_session(r: &mut Reader<'_>, secrets: &mut Reader<'_>) -> Result<Established, Malformed> {
    let suite = CipherSuite::from_code(r.u16()?).ok_or(Malformed("cipher suite"))?;
    let group = NamedGroup::from_code(r.u16()?).ok_or(Malformed("group"))?;
    let mut direction = |r: &mut Reader<'_>| {
        let secret = Secret::from_slice(secrets.bytes(suite.hash().length())?);
        let secret = TrafficSecret::from_bytes(suite, secret).ok_or(Malformed("traffic secret"))?;
        Ok(Direction { secret, next_sequence: read_u64(r)? })
    };
    Ok(Established {
        suite,
        group,
        tx: direction(r)?,
        rx: direction(r)?,
        peer_record_size_limit: read_option(r, Reader::u16)?,
        alpn: read_option(r, read_blob)?,
        peer: match r.u8()? {
            0 => Proved::Nobody,
            1 => Proved::Psk { identity: read_blob(r)?, index: read_index(r)? },
            2 => Proved::Certificate(printable(&read_blob(r)?)),
            _ => return Err(Malformed("peer")),
        },
        key_log: read_option(r, |r| read_key_log(r, secrets, suite))?,
    })
}

fn read_key_log(
    r: &mut Reader<'_>,
    secrets: &mut Reader<'_>,
    suite: CipherSuite,
) -> Result<KeyLogEntry, Malformed> {
    let mut secret = || secrets.bytes(suite.hash().length()).map(Secret::from_slice);
    Ok(KeyLogEntry { client_random: *r.array()?, handshake: [secret()?, secret()?] })
}

fn read_offers(r: &mut Reader<'_>) -> Result<Vec<PskOffer>, Malformed> {
    let offers = read_all(r, |r| {
        let identity = r.vector16()?.rest().into();
        Ok(PskOffer { identity, obfuscated_ticket_age: r.u32()? })
    })?;
    if offers.len() > MAX_OFFERS { Err(Malformed("list of PSKs")) } else { Ok(offers) }
}

/// The handshake that a message is about, whatever else is wrong with it.
pub(in crate::agent) fn number_of(bytes: &[u8]) -> Option<Number> {
    Reader::new(bytes, "message").u32().ok()
}

fn read_verdict(r: &mut Reader<'_>) -> Result<Verdict, Malformed> {
    // 4095 is the kernel's largest errno; 0 would be a success.
    let errno = i32::try_from(r.u32()?).ok().filter(|errno| (1..=4095).contains(errno));
    Ok(Verdict {
        errno: errno.ok_or(Malformed("errno"))?,
        alert: read_option(r, |r| r.u8().map(AlertDescription::from_code))?,
        received: read_option(r, |r| r.u8().map(AlertDescription::from_code))?,
        cause: Cause::ALL.get(read_index(r)?).copied().ok_or(Malformed("cause"))?,
        may_lack_group: read_flag(r)?,
        reason: printable(r.vector16()?.rest()),
    })
}

fn read_scheme(r: &mut Reader<'_>) -> Result<SignatureScheme, Malformed> {
    SignatureScheme::from_code(r.u16()?).ok_or(Malformed("signature scheme"))
}

/// The longest reason of a failure, in characters.
const LONGEST_REASON: usize = 600;

/// A worker's words, fit for a line of the log, whoever chose them.
fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).chars().take(LONGEST_REASON).map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Psk;

    #[test]
    fn every_message_reads_back_and_no_prefix_of_one_does() {
        let psk = || Psk::external(b"host", &[7; 32], crate::crypto::hash::Hash::Sha384).unwrap();
        let orders = [Order::Signature(Some(vec![1, 2])), Order::Psk(Some((3, psk()))), Order::Psk(None)];
        for order in orders {
            let Parcel { public, secrets } = write_order(7, &order).unwrap();
            let bytes = [&public, secrets.expose()].concat();
            let (number, read) = read_order(&bytes, None, &[]).unwrap();
            assert_eq!((number, format!("{read:?}")), (7, format!("{order:?}")));
            for length in 0..bytes.len() {
                assert!(read_order(&bytes[..length], None, &[]).is_err());
            }
            assert!(read_order(&[&bytes, &[0][..]].concat(), None, &[]).is_err());
        }
        let offer = PskOffer { identity: b"host".into(), obfuscated_ticket_age: 9 };
        let verdict = Verdict {
            errno: 13,
            alert: Some(AlertDescription::BadCertificate),
            received: Some(AlertDescription::AccessDenied),
            cause: Cause::Internal,
            may_lack_group: true,
            reason: "a\nb".into(),
        };
        for report in [Report::FindPsk(vec![offer.clone(), offer]), Report::Failed(verdict)] {
            let bytes = write_report(7, &report).unwrap().public;
            let (_, read) = read_report(&bytes).unwrap();
            assert_eq!(format!("{read:?}"), format!("{report:?}").replace("\\n", "\u{fffd}"));
            for length in 0..bytes.len() {
                assert!(read_report(&bytes[..length]).is_err());
            }
        }
        assert!(read_report(&write_order(7, &Order::Signature(None)).unwrap().public).is_err());
    }

    /// It may quote a peer, and a worker that cannot tell of one handshake is no good for the others.
    #[test]
    fn no_reason_is_too_long_to_be_told() {
        let reason = "\u{fffd}".repeat(100_000);
        let verdict = Verdict {
            errno: 13,
            alert: None,
            received: None,
            cause: Cause::Internal,
            may_lack_group: false,
            reason,
        };
        let parcel = write_report(7, &Report::Failed(verdict)).unwrap();
        let (_, Report::Failed(read)) = read_report(&parcel.public).unwrap() else { panic!("a failure") };
        assert_eq!(read.reason, "\u{fffd}".repeat(LONGEST_REASON));
    }
}
