//! What was destroyed: kept from before the first key goes, and signed once nothing is left.

use std::fmt::Write as _;

use logkeep_catalog::{Catalog, CatalogError};
use logkeep_cipher::Sha256;
use logkeep_record::{Class, TenantId};
use logkeep_tlog::{Hash, NoteError, Signer, sign_statement};
use serde::{Deserialize, Serialize};

use crate::order::Approval;
use crate::state::Partition;

const KIND: &str = "destruction";

/// How far the destruction of a tenant has come, as the catalog keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// When the first key was about to go, nanoseconds.
    pub(super) began_ns: i64,
    pub(super) classes: Vec<Gone>,
    /// The signed statement, once nothing is left.
    pub(super) statement: Option<String>,
    /// Whether the audit trail has it.
    pub(super) is_told: bool,
}

/// What of one class goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Gone {
    pub(super) class: String,
    pub(super) batches: u64,
    records: u64,
    keys: u64,
    /// SHA-256 over the wrapped keys of its segments, in order of their batches.
    digest: String,
    /// Of the tree over these batches, which stays.
    root: String,
}

impl Gone {
    /// All that is in segments.
    pub(super) fn of(class: &Class, partition: &Partition) -> Self {
        let mut keys = Sha256::new();
        partition.segments.iter().for_each(|segment| keys.update(&segment.row().wrapped_key));
        Self {
            class: class.to_string(),
            batches: partition.head.flushed,
            records: partition.segments.iter().map(|segment| segment.row().records).sum(),
            keys: partition.segments.len() as u64,
            digest: hex::encode(keys.finish()),
            root: Hash(partition.head.root).to_string(),
        }
    }
}

impl Progress {
    fn name(tenant: &TenantId) -> String {
        format!("destroyed/{tenant}")
    }

    pub(super) async fn load(catalog: &dyn Catalog, tenant: &TenantId) -> Result<Option<Self>, CatalogError> {
        let name = Self::name(tenant);
        let read = |bytes: Vec<u8>| {
            serde_json::from_slice(&bytes).map_err(|error| CatalogError::Corrupt(format!("`{name}`: {error}")))
        };
        catalog.secret(&name).await?.map(read).transpose()
    }

    pub(super) async fn save(&self, catalog: &dyn Catalog, tenant: &TenantId) -> Result<(), CatalogError> {
        let bytes = serde_json::to_vec(self).expect("texts and numbers are JSON");
        catalog.set_secret(&Self::name(tenant), &bytes).await
    }

    /// The statement of it (docs/formats/transparency-log.md), by the key that signs checkpoints.
    pub(super) fn sign(&self, tenant: &TenantId, by: &Approval, signer: &Signer) -> Result<String, NoteError> {
        let Approval { approval, requester, approver, approved_ns } = by;
        let mut body = format!(
            "version 1\ntenant {tenant}\napproval {approval}\nrequester {requester}\napprover {approver}\napproved {approved_ns}\n\
            destroyed {}\n",
            self.began_ns
        );
        for Gone { class, batches, records, keys, digest, root } in &self.classes {
            writeln!(body, "class {class} {batches} {records} {keys} {digest} {root}")
                .expect("a string takes all that is written to it");
        }
        sign_statement(signer, KIND, &body)
    }
}
