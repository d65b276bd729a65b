//! Randomness as an argument, so that a simulation can repeat itself.

use std::fmt::Debug;

use logkeep_cipher::{DataKey, random_bytes};

/// Where keys, seeds and names come from.
pub trait Random: Send + Sync + Debug {
    /// 32 bytes that nobody can guess.
    fn secret(&self) -> [u8; 32];

    /// A key that has sealed nothing yet.
    fn key(&self) -> DataKey {
        DataKey::from_bytes(self.secret())
    }
}

/// The operating system's.
#[derive(Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn secret(&self) -> [u8; 32] {
        random_bytes()
    }
}
