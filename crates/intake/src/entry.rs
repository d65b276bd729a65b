//! What a record passes on its way in, after it is decoded and before it is stored.

use std::sync::Arc;

use logkeep_ingest::Ingest;
use logkeep_normalize::Arrival;
use logkeep_pipeline::{Dropped, Joining, PipelineSet, Place, Run, spec::Signal};
use logkeep_record::{Record, TenantId};
use logkeep_redact::{KeyLines, LeftOut, Redaction, Redactor};

use crate::Intake;
use crate::account::reason;
use crate::origin::Origin;

/// The policies of a tenant.
#[derive(Clone)]
pub(crate) struct Policies {
    /// The same from a request's first record to its last, whatever is loaded meanwhile.
    pipelines: Arc<PipelineSet>,
    redactor: Arc<Redactor>,
    tenant: TenantId,
    /// Knows of which tenants everything was destroyed.
    ingest: Ingest,
}

impl Policies {
    /// What joins records that are lines of one text, if something does.
    pub(crate) fn joining(&self) -> Option<Joining> {
        Joining::new(&self.pipelines, &self.tenant)
    }

    /// Whether these are the policies that it joins by.
    pub(crate) fn is_source_of(&self, joining: &Joining) -> bool {
        joining.is_of(&self.pipelines)
    }
}

/// How the records of one sender come in.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) arrival: Arrival,
    pub(crate) policies: Policies,
}

/// Policies, applied to one record after the other.
pub(crate) struct Screen {
    /// `None` if none is for such records.
    pipelines: Option<Run>,
    /// After the pipelines, so that none can write what must not be stored.
    redaction: Redaction,
    tenant: TenantId,
    ingest: Ingest,
}

impl Screen {
    pub(crate) fn new(policies: &Policies, signal: Signal) -> Self {
        let pipelines = Run::new(&policies.pipelines, &policies.tenant, signal);
        let redaction = Redaction::new(policies.redactor.clone(), policies.tenant.clone());
        Self { pipelines, redaction, tenant: policies.tenant.clone(), ingest: policies.ingest.clone() }
    }

    /// Changes a record as the policies say, and says where it goes if they do.
    ///
    /// # Errors
    /// [`LeftOut`]: it is not to be stored.
    pub(crate) fn apply(&mut self, record: &mut Record<'_>) -> Result<Option<Place>, LeftOut> {
        let place = match &mut self.pipelines {
            Some(pipelines) => pipelines.apply(record).map_err(|Dropped(pipeline)| LeftOut(pipeline))?,
            None => None,
        };
        if place.as_ref().is_some_and(|place| self.is_destroyed(place)) {
            return Err(LeftOut(reason::DESTROYED.into()));
        }
        self.redaction.apply(record)?;
        Ok(place)
    }

    /// Whether everything of the tenant that a pipeline routes to was destroyed. The others of a request are no less wanted for that;
    /// of a sender's own tenant the sender must know.
    fn is_destroyed(&self, place: &Place) -> bool {
        let other = place.tenant.as_ref().filter(|tenant| **tenant != self.tenant);
        other.is_some_and(|tenant| self.ingest.destruction(tenant).is_some())
    }

    /// Goes on where another stopped, whose records came before.
    pub(crate) fn go_on(&mut self, keys: KeyLines) {
        self.redaction.go_on(keys);
    }

    pub(crate) fn key_lines(&self) -> KeyLines {
        self.redaction.key_lines().clone()
    }

    /// Whether some records may go elsewhere than others.
    pub(crate) fn may_route(&self) -> bool {
        self.pipelines.is_some()
    }
}

impl Intake {
    pub(crate) fn policies(&self, tenant: &TenantId) -> Policies {
        let redactor = self.inner.options.redactor.clone();
        Policies { pipelines: self.pipelines(), redactor, tenant: tenant.clone(), ingest: self.inner.ingest.clone() }
    }

    /// The pipelines that requests pass from now on.
    pub fn pipelines(&self) -> Arc<PipelineSet> {
        self.inner.pipelines.load_full()
    }

    /// Replaces the pipelines. Requests under way go on with those before.
    pub fn set_pipelines(&self, pipelines: Arc<PipelineSet>) {
        self.inner.pipelines.store(pipelines);
    }

    pub(crate) fn entry(&self, origin: &Origin) -> Entry {
        Entry { arrival: origin.arrival(), policies: self.policies(&origin.tenant) }
    }
}
