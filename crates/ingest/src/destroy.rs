//! Destroying what one tenant has, so that nobody can read it again: neither we nor whoever has the key of the provider.
//!
//! Each object of a tenant has a key of its own, which lies wrapped in the catalog, or in a file of the log. These wrapped keys
//! go, first those of the catalog, which is the moment from which on nothing can be read; then whatever could have a copy
//! of them, and what they opened. The trees stay, so that what was proven once is proven, and so does the audit trail.
//!
//! The order is durable before anything of this begins, and each step may be done twice: a process that is killed anywhere does
//! it from the beginning after its next start, and nothing is taken in or answered meanwhile.

mod order;
mod remnants;
mod statement;

#[cfg(test)]
mod kill;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use logkeep_catalog::{CatalogError, Head};
use logkeep_record::TenantId;

pub use order::DESTRUCTION_ORDERS;
pub(crate) use order::{Destructions, orders};
use statement::{Gone, Progress};

use crate::engine::{Ingest, Shared};
use crate::flush::FlushError;
use crate::order::Approval;
use crate::replace::{Replacement, replace};
use crate::retention::Rules;
use crate::state::{ClassKey, Partition};

/// How often to look whether somebody still reads what is destroyed, and how often at most: longer than any question may take.
const LOOK: Duration = Duration::from_millis(20);
const LOOKS: u32 = 6_000;

impl Ingest {
    /// By whose word what this tenant has was destroyed, or is being; `None` if it was not.
    pub fn destruction(&self, tenant: &TenantId) -> Option<Arc<Approval>> {
        self.shared.destructions.of(tenant)
    }

    /// Takes up the orders in the catalog. From then on nothing more is stored for their tenants.
    ///
    /// # Errors
    /// [`CatalogError`]: an order cannot be read, or is none.
    pub async fn take_up_destructions(&self) -> Result<(), CatalogError> {
        self.shared.destructions.know(orders(&*self.shared.catalog).await?);
        Ok(())
    }

    /// Tenants whose destruction was ordered and of which [`Ingest::destruction_is_told`] was not said.
    ///
    /// # Errors
    /// [`CatalogError`].
    pub async fn unfinished_destructions(&self) -> Result<Vec<TenantId>, CatalogError> {
        let mut unfinished = Vec::new();
        for tenant in self.shared.destructions.tenants() {
            let progress = Progress::load(&*self.shared.catalog, &tenant).await?;
            if progress.is_none_or(|progress| !progress.is_told) {
                unfinished.push(tenant);
            }
        }
        Ok(unfinished)
    }

    /// Destroys what a tenant has, as was ordered, and gives the signed statement of it. When this returns no file has a key of it
    /// any more, and no memory but that of caches above. To be called once at a time, in a multi-threaded runtime.
    ///
    /// # Errors
    /// There is no order, or what stood in the way: the next call goes on.
    pub async fn destroy(&self, tenant: &TenantId) -> Result<String, FlushError> {
        let shared = &self.shared;
        let by = self.destruction(tenant).ok_or("nobody has ordered to destroy this")?;
        let known = Progress::load(&*shared.catalog, tenant).await?;
        if let Some(statement) = known.as_ref().and_then(|progress| progress.statement.clone()) {
            return Ok(statement);
        }
        check_not_held(shared, tenant).await?;
        self.empty_log().await?;
        let (work, of) = (shared.clone(), tenant.clone());
        let mut progress = tokio::task::spawn_blocking(move || destroy_keys(&work, &of, known)).await??;
        self.wait_for_readers(tenant).await?;
        remnants::delete_objects(shared, tenant, &progress.classes).await?;
        let (work, of) = (shared.clone(), tenant.clone());
        tokio::task::spawn_blocking(move || remnants::wipe_log(&work, &of)).await??;
        shared.catalog.forget_tenant(tenant).await?;
        let statement = progress.sign(tenant, &by, &shared.signer)?;
        progress.statement = Some(statement.clone());
        progress.save(&*shared.catalog, tenant).await?;
        Ok(statement)
    }

    /// The audit trail has the statement: there is nothing left to do.
    ///
    /// # Errors
    /// [`CatalogError`].
    pub async fn destruction_is_told(&self, tenant: &TenantId) -> Result<(), CatalogError> {
        let Some(mut progress) = Progress::load(&*self.shared.catalog, tenant).await? else { return Ok(()) };
        progress.is_told = true;
        progress.save(&*self.shared.catalog, tenant).await
    }

    /// Brings all that came before to segments, so that no file of the log has a key of it.
    async fn empty_log(&self) -> Result<(), FlushError> {
        let rotation = self.rotation();
        let file = rotation.begin_log_file().await?;
        Ok(self.wait_for_older_files(&rotation, file).await?)
    }

    /// A question that began before may still read, and has keys in memory for as long.
    async fn wait_for_readers(&self, tenant: &TenantId) -> Result<(), FlushError> {
        for _ in 0..LOOKS {
            if !is_read(&self.shared, tenant) {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
        Err("questions that began before still read what is to be destroyed".into())
    }
}

/// Who ordered it could not, while something was held: so this is of somebody who has changed the catalog.
async fn check_not_held(shared: &Shared, tenant: &TenantId) -> Result<(), FlushError> {
    let rules = Rules::read(&*shared.catalog).await?;
    let classes: Vec<ClassKey> = shared.state.lock().partitions.keys().cloned().collect();
    let goes = |class: &&ClassKey| class.0 == *tenant && shared.destructions.takes(&class.0, &class.1);
    match classes.iter().filter(goes).find_map(|class| rules.hold_of(class)) {
        Some((id, hold)) => Err(format!("it is held by `{id}` ({})", hold.reason).into()),
        None => Ok(()),
    }
}

fn is_read(shared: &Shared, tenant: &TenantId) -> bool {
    let state = shared.state.lock();
    let is_read = |(class, partition): (&ClassKey, &Partition)| {
        shared.destructions.takes(&class.0, &class.1) && class.0 == *tenant && partition.is_replaced_read()
    };
    state.partitions.iter().any(is_read)
}

/// Takes all segments of the tenant, and with them their keys, out of the catalog and out of view.
fn destroy_keys(shared: &Shared, tenant: &TenantId, known: Option<Progress>) -> Result<Progress, FlushError> {
    // Nobody has stored a segment and not told the catalog yet.
    let _nobody = shared.key_turn.write();
    let _turn = shared.catalog_turn.lock();
    let classes = classes_of(shared, tenant)?;
    let progress = match known {
        Some(progress) => progress,
        None => {
            let progress = begin(shared, &classes);
            shared.runtime.block_on(progress.save(&*shared.catalog, tenant))?;
            progress
        }
    };
    for class in classes {
        destroy_class(shared, &class)?;
    }
    Ok(progress)
}

fn classes_of(shared: &Shared, tenant: &TenantId) -> Result<Vec<ClassKey>, FlushError> {
    let state = shared.state.lock();
    let goes = |class: &ClassKey| class.0 == *tenant && shared.destructions.takes(&class.0, &class.1);
    let own: Vec<(&ClassKey, &Partition)> = state.partitions.iter().filter(|(class, _)| goes(class)).collect();
    if own.iter().any(|(_, partition)| !partition.live.is_empty()) {
        return Err("batches of the tenant are not in segments yet".into());
    }
    Ok(own.into_iter().map(|(class, _)| class.clone()).collect())
}

fn begin(shared: &Shared, classes: &[ClassKey]) -> Progress {
    let state = shared.state.lock();
    let gone = |class: &ClassKey| Some(Gone::of(&class.1, state.partitions.get(class)?));
    let classes = classes.iter().filter_map(gone).collect();
    Progress { began_ns: shared.clock.now_ns(), classes, statement: None, is_told: false }
}

fn destroy_class(shared: &Shared, class: &ClassKey) -> Result<(), FlushError> {
    let (segments, head) = {
        let state = shared.state.lock();
        let Some(partition) = state.partitions.get(class) else { return Ok(()) };
        let flushed = partition.head.flushed;
        let head = Head { destroyed: flushed, segments: Head::commit_to(&[]), ..partition.head.clone() };
        (partition.segments.clone(), head)
    };
    replace(shared, class, Replacement { segments: vec![], add: vec![], gone: &segments, head, secrets: vec![] })
}
