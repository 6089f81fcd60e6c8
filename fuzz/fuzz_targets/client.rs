//! A whole handshake of a client with raw bytes for a server; its questions are answered as the input says.
#![no_main]

use handclasp::engine::{AlertDescription, Role};
use handclasp_fuzz::{
    ends::{Answers, End, Shape},
    input::Input,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let shape = Shape::read(&mut input);
    let answers = Answers::read(&mut input);
    let mut end = End::new(Role::Client, shape, answers);
    end.run(&mut input.0.to_vec());
    if end.outcome.is_none() {
        end.handshake.abort(AlertDescription::UserCanceled);
        end.run(&mut Vec::new());
        assert!(matches!(end.outcome, Some(Err(_))), "an aborted handshake has failed");
    }
});
