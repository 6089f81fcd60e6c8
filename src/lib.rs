//! Handclasp: a TLS 1.3 handshake engine without I/O, and the handshake agent of the Linux kernel built on it.
//!
//! The engine is a deterministic function of its inputs: it asks for bytes, signatures and PSKs ([`engine::Step`]), and ends with a
//! [`engine::Session`], whose two traffic secrets are exactly what kernel TLS needs. Here two engines shake hands under a PSK:
//!
//! ```
//! use handclasp::crypto::{certificate::UnixTime, hash::Hash, random::SystemRandom};
//! use handclasp::engine::{config::{ClientConfig, ServerConfig}, Error, Handshake, Psk, Session, Step};
//!
//! /// Goes on until a session, or until the peer must speak; `wire` holds what it said.
//! fn go_on(end: &mut Handshake, wire: &mut Vec<u8>, out: &mut Vec<u8>) -> Result<Option<Session>, Error> {
//!     loop {
//!         match end.step() {
//!             Step::Send(bytes) => { out.extend(bytes); let n = bytes.len(); end.sent(n) }
//!             Step::Receive(n) if wire.len() < n => return Ok(None),
//!             Step::Receive(n) => { let bytes: Vec<u8> = wire.drain(..n).collect(); end.receive(&bytes) }
//!             Step::FindPsk(_) => end.psk(0, Psk::external(b"client@example", &[7; 32], Hash::Sha256)?),
//!             Step::Sign(_) => end.sign_failed(), // nobody here has a certificate
//!             Step::Done(session) => return Ok(Some(*session)),
//!             Step::Failed(error) => return Err(error),
//!         }
//!     }
//! }
//!
//! let psks = vec![Psk::external(b"client@example", &[7; 32], Hash::Sha256)?];
//! let now = UnixTime(1_800_000_000);
//! let (config, theirs) = (ClientConfig { psks, ..ClientConfig::default() }, ServerConfig { psk: true, ..ServerConfig::default() });
//! let mut client = Handshake::client(config.into(), Box::new(SystemRandom), now)?;
//! let mut server = Handshake::server(theirs.into(), Box::new(SystemRandom), now)?;
//! let (mut up, mut down) = (Vec::new(), Vec::new());
//! assert!(go_on(&mut client, &mut down, &mut up)?.is_none()); // ClientHello
//! assert!(go_on(&mut server, &mut up, &mut down)?.is_none()); // ServerHello ... Finished
//! let ours = go_on(&mut client, &mut down, &mut up)?.unwrap(); // Finished
//! let theirs = go_on(&mut server, &mut up, &mut down)?.unwrap();
//! assert_eq!(ours.tx.secret.expose(), theirs.rx.secret.expose());
//! # Ok::<(), Error>(())
//! ```
//!
//! Reading order, about an hour: [`crypto::key_schedule`] (the drawing of Section 7.1), `engine::transcript`, `engine::client`
//! (Appendix A.1, then the three phases of Figure 1, which [`engine`] draws), `engine::record`, `engine::server` (Appendix A.2). Another
//! hour: `agent`, in the order that its documentation gives.
//!
//! Section numbers without another name are RFC 8446's, and RFC 5280's in [`crypto::x509`]. RFC 9846 revises RFC 8446: there 4.1.x became
//! 4.2.x, 4.2.x became 4.3.x, and 4.4.2 to 4.4.4 became 4.5.1 to 4.5.3; Sections 5 to 7 kept their numbers.
//!
//! The limits, with candour: TLS 1.3 only, without 0-RTT, resumption and post-handshake authentication; post-quantum key exchange
//! (feature `pq`), but no post-quantum certificates. Every secret is wiped when it is dropped, ring's contexts included, but for private
//! keys ([`crypto::sign::SigningKey`]), whose copy in ring stays in freed memory. The key schedule, the comparison of MACs and the
//! removal of padding are constant-time, as ring's primitives are; identities, names and certificates are public and are compared
//! plainly. The engine has been reviewed and tested, and not audited.
#![cfg_attr(not(feature = "x509"), no_std)]

extern crate alloc;

#[cfg(feature = "agent")]
pub mod agent;
pub mod crypto;
pub mod engine;
