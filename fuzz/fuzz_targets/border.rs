//! What a worker that was taken over could send to the broker, and the orders that go the other way.
#![no_main]

use handclasp::agent::fuzzing::read_border;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = read_border(bytes);
});
