//! Where else something of a tenant lies: objects, and files of the log.

use logkeep_record::{Class, TenantId};
use logkeep_store::{ObjectKind, ObjectPath};

use super::statement::Gone;
use crate::engine::Shared;
use crate::flush::FlushError;
use crate::wal::wipe_keys;

/// Deletes every segment of these classes, also those that a crash has left and no row names.
pub(super) async fn delete_objects(shared: &Shared, tenant: &TenantId, classes: &[Gone]) -> Result<(), FlushError> {
    for gone in classes {
        let class = Class::new(&gone.class)?;
        for path in shared.objects.list(&ObjectPath::prefix(tenant, &class, ObjectKind::Segment)).await? {
            shared.objects.delete(&path).await?;
        }
    }
    Ok(())
}

/// Makes it durable that older files of the log are gone, and wipes the tenant's keys from damaged ones that were set aside.
pub(super) fn wipe_log(shared: &Shared, tenant: &TenantId) -> Result<(), FlushError> {
    shared.disk.sync_folder(&shared.wal_folder)?;
    let folder = shared.config.data_dir.join("quarantine");
    let entries = match shared.disk.list(&folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    for entry in entries.into_iter().filter(|entry| !entry.is_folder) {
        let path = folder.join(entry.name);
        let mut bytes = shared.disk.read(&path)?;
        if wipe_keys(&mut bytes, tenant) {
            shared.disk.replace(&path, &bytes)?;
        }
    }
    Ok(())
}
