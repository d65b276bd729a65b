//! What a record passes on its way in, after it is decoded and before it is stored.

use std::sync::Arc;

use logkeep_normalize::Arrival;
use logkeep_record::{Record, TenantId};
use logkeep_redact::{LeftOut, Redaction, Redactor};

use crate::Intake;
use crate::origin::Origin;

/// The policies of a tenant.
#[derive(Clone)]
pub(crate) struct Policies {
    redactor: Arc<Redactor>,
    tenant: TenantId,
}

/// How the records of one sender come in.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) arrival: Arrival,
    pub(crate) policies: Policies,
}

/// Policies, applied to one record after the other.
pub(crate) struct Screen {
    redaction: Redaction,
}

impl Screen {
    pub(crate) fn new(policies: &Policies) -> Self {
        Self { redaction: Redaction::new(policies.redactor.clone(), policies.tenant.clone()) }
    }

    /// Changes a record as the policies say.
    ///
    /// # Errors
    /// [`LeftOut`]: it is not to be stored.
    pub(crate) fn apply(&mut self, record: &mut Record<'_>) -> Result<(), LeftOut> {
        self.redaction.apply(record)
    }
}

impl Intake {
    pub(crate) fn policies(&self, tenant: &TenantId) -> Policies {
        Policies { redactor: self.inner.options.redactor.clone(), tenant: tenant.clone() }
    }

    pub(crate) fn entry(&self, origin: &Origin) -> Entry {
        Entry { arrival: origin.arrival(), policies: self.policies(&origin.tenant) }
    }
}
