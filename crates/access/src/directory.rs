//! Who there is: people, machines, and the sessions and tokens by which they are known.
//!
//! All of it lies sealed in the catalog and is held in memory. A change is in the catalog before it has an effect; that
//! it is in the audit trail before that is up to whoever asks for it, who needs a grant. Passwords, tokens, sessions
//! and recovery codes are kept as hashes; what codes of an app are computed from cannot be.

mod carry_out;
mod danger;
mod glass;
mod keeping;
mod link;
mod lockout;
mod oidc;
mod password;
mod request;
mod second;
mod secret;
mod session;
mod token;
mod user;
mod views;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use logkeep_catalog::{Catalog, CatalogError};
use logkeep_cipher::random_bytes;
use logkeep_ingest::{APPROVAL_KEYS, DESTRUCTION_ORDERS, HOLDS, HoldRow, Order, RETENTION, RetentionRow};
use logkeep_store::Clock;
use logkeep_tlog::{PublicKey, Signer};
use parking_lot::{Mutex, RwLock};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

pub use carry_out::By;
pub use glass::{GlassInfo, NewGlass, Review};
pub use keeping::{HoldInfo, new_hold_id};
pub use link::Purpose;
pub use oidc::OidcPerson;
pub use request::{Needed, Request};
pub use second::{Enrolment, Proof};
pub use secret::shows_token;
pub use session::{NewSession, SessionInfo, SessionLimits};
pub use token::{NewToken, TokenInfo, TokenSpec};
pub use user::{Rights, Role, UserInfo, UserName};
pub use views::{SavedView, ViewText};

use crate::identity::{Identity, Known};
use carry_out::Used;
use glass::Glass;
use link::Link;
use lockout::Lockout;
use second::Factor;
use session::Session;
use token::Token;
use user::User;

/// People, tokens and links at most, each.
const MOST: usize = 10_000;
pub(crate) const DAY_NS: i64 = 24 * 3_600 * 1_000_000_000;
/// Hashes of passwords that are computed at once; each takes 19 MiB.
const HASHES_AT_ONCE: usize = 2;

/// Why something about people and machines cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// What was asked for is no good; the text says why.
    #[error("{0}")]
    Invalid(String),
    /// There is one of that name already.
    #[error("{0} exists already")]
    Exists(String),
    /// There is none of that name.
    #[error("there is no {0}")]
    NotFound(String),
    /// It would leave the system in a state that nobody can mend.
    #[error("{0}")]
    Refused(String),
    /// Name, password, link or token are not right, or no longer. Which of them is not said.
    #[error("not recognised")]
    NotRecognised,
    /// The password is right, and a code of their app or a recovery code is needed beside it.
    #[error("a code of your app is needed as well, or a recovery code")]
    CodeNeeded,
    /// Too many attempts.
    #[error("too many attempts; try again in {0} s")]
    TooMany(u64),
    /// The catalog cannot be written.
    #[error("the catalog cannot be written: {0}")]
    Catalog(#[from] CatalogError),
    /// What the catalog has cannot be read.
    #[error("`{0}` in the catalog cannot be read: {1}")]
    Corrupt(&'static str, String),
}

/// Everything that is known, as it lies in the catalog: a row for each kind.
#[derive(Clone, Debug, Default)]
struct Tables {
    users: BTreeMap<UserName, User>,
    factors: BTreeMap<UserName, Factor>,
    tokens: BTreeMap<String, Token>,
    sessions: BTreeMap<String, Session>,
    links: BTreeMap<String, Link>,
    requests: BTreeMap<String, Request>,
    used: Used,
    glasses: BTreeMap<String, Glass>,
    /// By tenant, what `logkeep_ingest` has to destroy, or has destroyed.
    orders: BTreeMap<String, Order>,
    /// By `TENANT/CLASS`, for how long `logkeep_ingest` keeps it.
    retention: BTreeMap<String, RetentionRow>,
    /// What it does not destroy, whatever its age.
    holds: BTreeMap<String, HoldRow>,
}

/// A kind of rows that changes together with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Users,
    Factors,
    Sessions,
    Links,
    Requests,
    Used,
    Orders,
    Retention,
    Holds,
}

/// How much of a kind is written at once, and under which name.
type Row = (&'static str, Zeroizing<Vec<u8>>);

impl Tables {
    fn row(&self, kind: Kind) -> Result<Row, DirectoryError> {
        match kind {
            Kind::Users => row(user::TABLE, &self.users),
            Kind::Factors => row(second::TABLE, &self.factors),
            Kind::Sessions => row(session::TABLE, &self.sessions),
            Kind::Links => row(link::TABLE, &self.links),
            Kind::Requests => row(request::TABLE, &self.requests),
            Kind::Used => row(carry_out::USED_TABLE, &self.used),
            Kind::Orders => row(DESTRUCTION_ORDERS, &self.orders),
            Kind::Retention => row(RETENTION, &self.retention),
            Kind::Holds => row(HOLDS, &self.holds),
        }
    }

    fn adopt(&mut self, kind: Kind, from: &mut Self) {
        match kind {
            Kind::Users => std::mem::swap(&mut self.users, &mut from.users),
            Kind::Factors => std::mem::swap(&mut self.factors, &mut from.factors),
            Kind::Sessions => std::mem::swap(&mut self.sessions, &mut from.sessions),
            Kind::Links => std::mem::swap(&mut self.links, &mut from.links),
            Kind::Requests => std::mem::swap(&mut self.requests, &mut from.requests),
            Kind::Used => std::mem::swap(&mut self.used, &mut from.used),
            Kind::Orders => std::mem::swap(&mut self.orders, &mut from.orders),
            Kind::Retention => std::mem::swap(&mut self.retention, &mut from.retention),
            Kind::Holds => std::mem::swap(&mut self.holds, &mut from.holds),
        }
    }

    /// Whether there is nobody of ours. Those of a provider come by themselves, perhaps before anybody manages anything.
    fn is_new(&self) -> bool {
        self.users.values().all(|user| user.origin.is_some())
    }

    /// Whether somebody has a second factor that they have confirmed.
    fn has_factor(&self, name: &UserName) -> bool {
        self.factors.get(name).is_some_and(Factor::is_on)
    }
}

/// One kind of rows as bytes. The version is for those who come later.
#[derive(Serialize, Deserialize)]
struct Stored<T> {
    version: u32,
    rows: T,
}

const VERSION: u32 = 1;

fn row<T: Serialize>(table: &'static str, rows: &T) -> Result<Row, DirectoryError> {
    let bytes = serde_json::to_vec(&Stored { version: VERSION, rows });
    let bytes = bytes.map_err(|error| DirectoryError::Corrupt(table, error.to_string()))?;
    Ok((table, Zeroizing::new(bytes)))
}

/// The directory.
pub struct Directory {
    catalog: Arc<dyn Catalog>,
    clock: Arc<dyn Clock>,
    limits: SessionLimits,
    tables: RwLock<Tables>,
    lockout: Mutex<Lockout>,
    hashing: Semaphore,
    /// Signs approvals, and nothing else.
    signer: Signer,
    /// Held while something is changed.
    turn: tokio::sync::Mutex<()>,
}

impl Directory {
    /// What the catalog has.
    ///
    /// # Errors
    /// [`DirectoryError`]: the catalog cannot be read.
    pub async fn open(
        catalog: Arc<dyn Catalog>,
        clock: Arc<dyn Clock>,
        limits: SessionLimits,
    ) -> Result<Self, DirectoryError> {
        let tables = Tables {
            users: load(&*catalog, user::TABLE).await?,
            factors: load(&*catalog, second::TABLE).await?,
            tokens: load(&*catalog, token::TABLE).await?,
            sessions: load(&*catalog, session::TABLE).await?,
            links: load(&*catalog, link::TABLE).await?,
            requests: load(&*catalog, request::TABLE).await?,
            used: load(&*catalog, carry_out::USED_TABLE).await?,
            glasses: load(&*catalog, glass::TABLE).await?,
            orders: load(&*catalog, DESTRUCTION_ORDERS).await?,
            retention: load(&*catalog, RETENTION).await?,
            holds: load(&*catalog, HOLDS).await?,
        };
        let signer = signer(&*catalog).await?;
        publish_key(&*catalog, &signer).await?;
        Ok(Self {
            signer,
            catalog,
            clock,
            limits,
            tables: RwLock::new(tables),
            lockout: Mutex::default(),
            hashing: Semaphore::new(HASHES_AT_ONCE),
            turn: tokio::sync::Mutex::default(),
        })
    }

    /// Whether nobody has been set up yet.
    pub fn is_new(&self) -> bool {
        self.tables.read().is_new()
    }

    /// Somebody with what they may do by now; `None` if they are not known any more, or not by this. For requests that last.
    pub fn by_now(&self, who: &Identity) -> Option<Identity> {
        let (roles, scopes) = match who.known() {
            Known::Session { id, user } => {
                let (rights, glass) = self.is_session(id).then(|| self.session_rights(id, user)).flatten()?;
                let scopes = rights.scope.into_iter().collect();
                return Some(who.with_rights(rights.roles, scopes).with_broken_glass(glass));
            }
            Known::Token { id, .. } => self.token_rights(id)?,
            Known::Local | Known::Certificate => return Some(who.clone()),
            Known::Anonymous => return None,
        };
        Some(who.with_rights(roles, scopes))
    }

    fn now_ns(&self) -> i64 {
        self.clock.now_ns()
    }

    /// Stores one kind of rows as `change` leaves it, then lets it have its effect. To be called with the turn held.
    async fn change<K, V, T>(
        &self,
        table: &'static str,
        rows: fn(&mut Tables) -> &mut BTreeMap<K, V>,
        change: impl FnOnce(&mut BTreeMap<K, V>) -> T,
    ) -> Result<T, DirectoryError>
    where
        K: Clone + Ord + Serialize,
        V: Clone + Serialize,
    {
        let mut changed = rows(&mut self.tables.write()).clone();
        let result = change(&mut changed);
        let (table, bytes) = row(table, &changed)?;
        self.catalog.set_secret(table, &bytes).await?;
        *rows(&mut self.tables.write()) = changed;
        Ok(result)
    }

    /// Stores several kinds of rows as `change` leaves them, all or none, then lets it have its effect. To be called with the turn held.
    async fn change_all<T>(&self, kinds: &[Kind], change: impl FnOnce(&mut Tables) -> T) -> Result<T, DirectoryError> {
        let mut changed = self.tables.read().clone();
        let result = change(&mut changed);
        let rows = kinds.iter().map(|kind| changed.row(*kind)).collect::<Result<Vec<Row>, _>>()?;
        let rows: Vec<(&str, &[u8])> = rows.iter().map(|(table, bytes)| (*table, bytes.as_slice())).collect();
        self.catalog.set_secrets(&rows).await?;
        let mut tables = self.tables.write();
        kinds.iter().for_each(|kind| tables.adopt(*kind, &mut changed));
        Ok(result)
    }

    /// By which anybody can check our approvals.
    pub fn approval_key(&self) -> PublicKey {
        self.signer.public_key()
    }

    /// Hashes or compares a password, some at a time, where it keeps nobody else waiting.
    async fn hashing<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, DirectoryError> {
        let stopped = |what: String| DirectoryError::Refused(format!("the server is stopping: {what}"));
        let _turn = self.hashing.acquire().await.map_err(|closed| stopped(closed.to_string()))?;
        tokio::task::spawn_blocking(work).await.map_err(|ended| stopped(ended.to_string()))
    }
}

/// The key that signs approvals, which is made once and for one installation: a restored copy has another.
async fn signer(catalog: &dyn Catalog) -> Result<Signer, DirectoryError> {
    const SECRET: &str = "directory/approval-signer";
    let damaged = |error: String| DirectoryError::Corrupt(SECRET, error);
    let installation = catalog.secret("installation").await?.unwrap_or_default();
    let name = format!("logkeep-{}/approvals", hex::encode(installation));
    if let Some(bytes) = catalog.secret(SECRET).await?.map(Zeroizing::new) {
        let text = std::str::from_utf8(&bytes).map_err(|error| damaged(error.to_string()))?;
        let signer = Signer::from_private_text(text).map_err(|error| damaged(error.to_string()))?;
        if signer.name() == name {
            return Ok(signer);
        }
    }
    let signer = Signer::from_seed(&name, random_bytes()).map_err(|error| damaged(error.to_string()))?;
    catalog.set_secret(SECRET, signer.private_text().as_bytes()).await?;
    Ok(signer)
}

/// Has the layers below know by which key our approvals are checked. Those from before a restore stay, as what they approved does.
async fn publish_key(catalog: &dyn Catalog, signer: &Signer) -> Result<(), DirectoryError> {
    let mut keys = catalog.secret(APPROVAL_KEYS).await?.unwrap_or_default();
    let line = format!("{}\n", signer.public_key());
    if String::from_utf8_lossy(&keys).lines().any(|known| known == line.trim_end()) {
        return Ok(());
    }
    keys.extend_from_slice(line.as_bytes());
    Ok(catalog.set_secret(APPROVAL_KEYS, &keys).await?)
}

/// When what began at a moment ends.
fn after(from_ns: i64, lasts: Duration) -> i64 {
    from_ns.saturating_add(i64::try_from(lasts.as_nanos()).unwrap_or(i64::MAX))
}

async fn load<T: DeserializeOwned + Default>(catalog: &dyn Catalog, table: &'static str) -> Result<T, DirectoryError> {
    let Some(bytes) = catalog.secret(table).await?.map(Zeroizing::new) else { return Ok(T::default()) };
    let stored: Stored<T> =
        serde_json::from_slice(&bytes).map_err(|error| DirectoryError::Corrupt(table, error.to_string()))?;
    if stored.version != VERSION {
        let what = format!("it is of version {}, this program knows {VERSION}; use a later one", stored.version);
        return Err(DirectoryError::Corrupt(table, what));
    }
    Ok(stored.rows)
}
