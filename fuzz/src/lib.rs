//! What the fuzz targets share: two ends that always do the same, the keys between them, and what a bad peer can change.
//!
//! A target never uses the system's randomness or clock, so that an input is the whole story of a crash. (ring signs with ECDSA
//! only at random, and so everybody here has an Ed25519 key; key exchange is a stand-in, [`ends::Scripted`].)

pub mod certificates;
#[path = "../../tests/common/drive.rs"]
mod drive;
pub mod ends;
pub mod input;
#[path = "../../tests/common/keys.rs"]
pub mod keys;
pub mod mutation;
#[path = "../../tests/common/pinned.rs"]
mod pinned;
#[path = "../../tests/common/tap.rs"]
mod tap;
pub mod wire;
