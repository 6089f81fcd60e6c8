//! How an engine is driven: the one loop of the tests and the fuzz targets, which differ only in their answers.
#![allow(unreachable_pub, reason = "the fuzz targets use it from another crate")]

use handclasp::engine::{Error, Handshake, Psk, PskOffer, Session, SignRequest, Step};

/// The longest record's body (RFC 8446, Section 5.2).
const LONGEST_RECORD: usize = (1 << 14) + 256;

/// Goes on until bytes are missing or it is over; `incoming` is consumed exactly as asked for.
pub fn drive(
    handshake: &mut Handshake,
    incoming: &mut &[u8],
    mut send: impl FnMut(&[u8]),
    mut sign: impl FnMut(&SignRequest<'_>) -> Option<Vec<u8>>,
    mut find_psk: impl FnMut(&[PskOffer]) -> Option<(usize, Psk)>,
) -> Option<Result<Box<Session>, Error>> {
    loop {
        match handshake.step() {
            Step::Send(bytes) => {
                send(bytes);
                let count = bytes.len();
                handshake.sent(count);
            }
            Step::Receive(count) => {
                assert!((1..=LONGEST_RECORD).contains(&count), "never more than a record, never nothing");
                let (bytes, rest) = incoming.split_at_checked(count)?;
                *incoming = rest;
                handshake.receive(bytes);
            }
            Step::Sign(_) | Step::FindPsk(_) => answer(handshake, &mut sign, &mut find_psk),
            Step::Done(session) => return Some(Ok(session)),
            Step::Failed(error) => return Some(Err(error)),
        }
    }
}

/// Answers the question that is asked.
pub fn answer(
    handshake: &mut Handshake,
    sign: impl FnOnce(&SignRequest<'_>) -> Option<Vec<u8>>,
    find_psk: impl FnOnce(&[PskOffer]) -> Option<(usize, Psk)>,
) {
    match handshake.step() {
        Step::Sign(request) => match sign(&request) {
            Some(signature) => handshake.signed(&signature),
            None => handshake.sign_failed(),
        },
        Step::FindPsk(offers) => match find_psk(offers) {
            Some((index, psk)) => handshake.psk(index, psk),
            None => handshake.no_psk(),
        },
        step => panic!("nothing is asked: {step:?}"),
    }
}
