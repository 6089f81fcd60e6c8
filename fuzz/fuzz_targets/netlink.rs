//! Netlink datagrams: messages, attributes, and what the agent reads in them.
#![no_main]

use handclasp::agent::fuzzing::read_netlink;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|datagram: &[u8]| {
    let _ = read_netlink(datagram);
});
