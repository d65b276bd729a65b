//! Leave to ask: grants that the real `access` gave, with an audit trail of their own.
//!
//! The trail is in another engine on a disk where nothing fails. In the engine that is simulated a record of each
//! question would take a place among those that are, and what is asked would decide what happens next.

use std::path::Path;
use std::sync::Arc;

use logkeep_access::{Access, Action, Grant, Identity, Rules};
use logkeep_ingest::{Ingest, IngestConfig, Parts, WriterStep};
use logkeep_record::TenantId;
use logkeep_store::{ManualClock, SealedObjects};
use tokio::runtime::Runtime;

use crate::catalog::ModelCatalog;
use crate::disk::SimDisk;
use crate::keys::{Safe, SimKeys};
use crate::model::TENANTS;
use crate::rng::{Rng, SimRandom};

const TRAIL: &str = "/trail";

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// One grant for each tenant that is simulated.
pub(crate) struct Grants(Vec<Grant>);

impl Grants {
    pub(crate) fn new(runtime: &Runtime) -> Result<Self, Fault> {
        let (ingest, mut writer) = trail(runtime)?;
        let access = Access::new(ingest, Rules::default());
        let grants = TENANTS.iter().map(|tenant| grant(runtime, &access, &mut writer, tenant));
        Ok(Self(grants.collect::<Result<_, _>>()?))
    }

    /// Leave to read the data of one tenant.
    pub(crate) fn of(&self, tenant: &str) -> Option<&Grant> {
        self.0.iter().find(|grant| grant.tenant().as_str() == tenant)
    }
}

fn trail(runtime: &Runtime) -> Result<(Ingest, WriterStep), Fault> {
    let root = Path::new(TRAIL);
    let parts = Parts {
        catalog: Arc::new(ModelCatalog::new(Arc::new(|| Ok(())))),
        objects: SealedObjects::on(Arc::new(SimDisk::new(root, Rng::new(0))), root, &root.join("objects"))?,
        keys: Arc::new(SimKeys::of(&Arc::new(Safe::default()))),
        clock: Arc::new(ManualClock::at(0)),
        random: Arc::new(SimRandom::new(Rng::new(0))),
    };
    let (ingest, steps) = runtime.block_on(Ingest::open_stepped(IngestConfig::new(root), parts))?;
    Ok((ingest, steps.split().0))
}

fn grant(runtime: &Runtime, access: &Access, writer: &mut WriterStep, tenant: &str) -> Result<Grant, Fault> {
    let who = Identity::local([127, 0, 0, 1].into(), TenantId::new(tenant)?).ok_or("no loopback address")?;
    let grant = runtime.block_on(access.authorize(&who, Action::Query, &[]))?;
    while !writer.step() {
        // The audit record is on its way, on the runtime's thread.
        std::thread::yield_now();
    }
    runtime.block_on(grant.release())?;
    Ok(grant)
}
