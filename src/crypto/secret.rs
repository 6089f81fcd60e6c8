//! A byte string that is wiped when it is dropped and never shown.

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
        self.0.zeroize();
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({} bytes)", self.0.len())
    }
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
