//! Somebody for whom a demonstration is made: a link that signs in once, and a token for the command line.

use std::time::Duration;

use logkeep_access::{DirectoryError, Purpose, Rights, Role, TokenSpec, UserName};
use logkeep_record::TenantId;

use crate::server::{Running, StartError};

const NAME: &str = "demo";
/// How long link and token are good.
const LASTS: Duration = Duration::from_secs(24 * 3_600);

/// How to be the guest.
pub struct Guest {
    /// Behind `#sign-in=`; good once.
    pub link: String,
    /// For programs; reads, and does nothing else.
    pub token: String,
}

impl Running {
    /// Lets in a guest who may see everything, and has no password: who has lost the link starts anew.
    ///
    /// # Errors
    /// [`StartError`]; nobody is let in.
    pub async fn guest(&self) -> Result<Guest, StartError> {
        let what = format!("a link and a token for the guest `{NAME}`");
        self.access.note("audit.guest", what, vec![("audit.object", format!("users/{NAME}"))]).await?;
        let name = UserName::new(NAME)?;
        let roles = [Role::Administrator, Role::Analyst, Role::Auditor].into();
        match self.directory.add_user(&name, None, Rights { roles, scope: None }).await {
            // Of an earlier demonstration over the same folder.
            Ok(()) | Err(DirectoryError::Exists(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let expires_ns = self.ingest.clock().now_ns() + LASTS.as_nanos() as i64;
        let roles = [Role::Analyst, Role::Auditor].into();
        let (owner, tenant) = (name.clone(), TenantId::default());
        let spec = TokenSpec { name: NAME.to_owned(), owner, roles, scope: None, tenant, expires_ns };
        let token = self.directory.add_token(spec).await?.secret;
        let link = self.directory.add_link(Purpose::SignIn(name), LASTS).await?;
        Ok(Guest { link, token })
    }
}
