//! A byte string that is wiped when it is dropped and never shown, and computations that leave nothing on the stack.

use alloc::{boxed::Box, vec};
use core::fmt;

use zeroize::Zeroize;

/// Holds secret bytes: wiped on drop, not `Clone`, without its bytes in `Debug`.
///
/// It is boxed because a by-value state machine moves its states, a move copies inline arrays, and `Drop` wipes only the
/// last copy. A call of [`Secret::expose`] looks wrong unless the next token is a primitive.
pub struct Secret(Box<[u8]>);

impl Secret {
    /// Copies `bytes`; the caller wipes its own copy.
    pub fn from_slice(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// Makes a secret of `length` zero bytes.
    pub fn zeroed(length: usize) -> Self {
        Self(vec![0; length].into_boxed_slice())
    }

    /// Gives the bytes to a primitive.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// Gives the bytes to a primitive that writes them.
    pub fn expose_mut(&mut self) -> &mut [u8] {
        &mut self.0
    }
}

impl Drop for Secret {
    fn drop(&mut self) {
        // As a slice: a box is wiped by a call for each byte.
        (*self.0).zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
}

/// How much of the stack a hash or a cipher of ring uses at most, in bytes: unoptimised code copies more.
pub(super) const CIPHER_STACK: usize = if cfg!(debug_assertions) { 16 << 10 } else { 8 << 10 };

/// How much of the stack a computation on a curve or with RSA uses at most, in bytes.
pub(super) const CURVE_STACK: usize = 16 << 10;

/// Computes with secrets, and wipes the `DEPTH` bytes of the stack that the computation may have used: ring does not.
///
/// The result is moved up the stack: what is secret in it must be boxed.
pub(super) fn without_trace<const DEPTH: usize, T>(compute: impl FnOnce() -> T) -> T {
    let result = below(compute);
    wipe_stack::<DEPTH>();
    result
}

/// Not inlined, so that everything is below the frame of the caller.
#[inline(never)]
fn below<T>(compute: impl FnOnce() -> T) -> T {
    compute()
}

#[inline(never)]
fn wipe_stack<const DEPTH: usize>() {
    let mut area = [0_u8; DEPTH];
    core::hint::black_box(&mut area);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn debug_shows_only_the_length() {
        assert_eq!(format!("{:?}", Secret::from_slice(b"hunter2")), "Secret(7 bytes)");
    }
}
