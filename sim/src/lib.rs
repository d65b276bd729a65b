//! The way of a record from its sender to a merged segment and into an answer, on one seed: disk, clock, randomness,
//! catalog and the order of the engine's steps are simulated, and everything that can fail does.
//!
//! The engine is the real one. A seed that breaks an invariant breaks it again in every run.

mod catalog;
mod crash;
mod disk;
mod faults;
mod files;
#[cfg(test)]
mod full_tests;
mod keys;
mod ledger;
mod model;
mod questions;
mod rng;
mod senders;
mod trail;
mod world;

pub use catalog::{Gate, ModelCatalog};
pub use faults::Tally;
pub use senders::Counts;
pub use world::{Outcome, Scenario};

/// Runs seeds.
pub struct Simulator {
    grants: trail::Grants,
    runtime: tokio::runtime::Runtime,
}

impl Simulator {
    /// Ready to run.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn new() -> std::io::Result<Self> {
        // The engine asks for a runtime with threads; only one of them ever has anything to do.
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build()?;
        Ok(Self { grants: trail::Grants::new(&runtime).map_err(std::io::Error::other)?, runtime })
    }

    /// Runs one seed.
    ///
    /// # Errors
    /// The invariant that was broken.
    pub fn run(&self, scenario: Scenario) -> Result<Outcome, String> {
        world::World::new(&self.runtime, &self.grants, scenario).run()
    }
}
