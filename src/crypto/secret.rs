//! A byte string that is wiped when it is dropped and never shown, and computations that leave nothing on the stack.

use alloc::{boxed::Box, vec};
use core::{fmt, hint, mem};

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

/// Holds a key of ring's or of whoever else wipes nothing: its place is overwritten when the key is taken, or dropped.
///
/// The place is `WORDS` words long, and must not be moved while the key is in it: it is boxed, or part of what is.
pub(super) struct Overwritten<K, const WORDS: usize>(Place<K, WORDS>);

/// In C's representation both variants begin at the same address: so the one that is as long covers the other.
#[repr(C)]
enum Place<K, const WORDS: usize> {
    Key(K),
    Zeros([usize; WORDS]),
}

/// How many words cover a `K`.
pub(super) const fn words<K>() -> usize {
    size_of::<K>().div_ceil(size_of::<usize>())
}

impl<K, const WORDS: usize> Overwritten<K, WORDS> {
    const IS_COVERED: () = assert!(words::<K>() <= WORDS);

    pub(super) fn new(key: K) -> Self {
        let () = Self::IS_COVERED;
        Self(Place::Key(key))
    }

    /// The key; nobody asks for one that was taken.
    pub(super) fn get(&self) -> &K {
        match &self.0 {
            Place::Key(key) => Some(key),
            Place::Zeros(_) => None,
        }
        .expect("whoever takes a key gives its place up")
    }

    /// Takes the key, once.
    pub(super) fn take(&mut self) -> Option<K> {
        let place = mem::replace(&mut self.0, Place::Zeros([0; WORDS]));
        hint::black_box(&self.0);
        match place {
            Place::Key(key) => Some(key),
            Place::Zeros(_) => None,
        }
    }
}

impl<K, const WORDS: usize> Drop for Overwritten<K, WORDS> {
    fn drop(&mut self) {
        // Where it is, and not as `take` does: that would move a copy onto the stack.
        self.0 = Place::Zeros([0; WORDS]);
        hint::black_box(&self.0);
    }
}

/// How much of the stack a hash or a cipher of ring uses at most, in bytes: unoptimised code copies more. Optimised it was seen to use
/// 3.7 KiB, for a binder with SHA-256; `make shipped` looks for what a smaller bound would leave.
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
    hint::black_box(&mut area);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    /// tests/residue looks for the bytes themselves.
    #[test]
    fn a_key_is_taken_once() {
        let mut key = Overwritten::<_, 4>::new([7_u8; 32]);
        assert_eq!(key.get(), &[7; 32]);
        assert_eq!(key.take(), Some([7; 32]));
        assert!(matches!(key.0, Place::Zeros([0, 0, 0, 0])));
        assert_eq!(key.take(), None);
    }

    #[test]
    fn debug_shows_only_the_length() {
        assert_eq!(format!("{:?}", Secret::from_slice(b"hunter2")), "Secret(7 bytes)");
    }
}
