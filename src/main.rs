//! The command line: parse, dispatch, nothing else.
fn main() {}
