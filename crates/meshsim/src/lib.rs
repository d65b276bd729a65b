//! A simulated service mesh: what its proxies, applications and API server would log, byte for byte the same for a seed.
//!
//! `logkeep demo` needs a mesh that is alive and has something wrong with it; `bench/` needs two million lines that
//! anyone can make again. Both come from here, so what is measured is what is shown. Nothing here opens a file or a
//! socket or reads a clock.

mod audit;
mod bench_profile;
mod event;
mod families;
mod labelled;
pub mod render;
mod rng;
mod shop_profile;
mod sim;
mod span;
mod text;
mod topology;
mod words;

pub use event::{Access, AppLog, Audit, Event, Kind, Level, Side, Trace};
pub use families::{Family, Written, families};
pub use labelled::{Labelled, labelled};
pub use rng::Rng;
pub use sim::{Fault, Mix, Options, Simulator};
pub use span::{Exception, Span};
pub use topology::{Call, Language, Mesh, Platform, Pod, Route, Service};
pub use words::FAULT_MESSAGE;
