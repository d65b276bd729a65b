//! Views of the console that somebody has saved for everybody of their tenant: a name, and where it is.
//!
//! What one tenant has saved is one row of the catalog, under its name, and is read when it is asked for: it is small, seldom asked for,
//! and so the same for every server.

use std::collections::BTreeMap;

use logkeep_cipher::random_bytes;
use logkeep_record::TenantId;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::carry_out::refused;
use super::{Directory, DirectoryError, Stored, VERSION};

/// Views of one tenant.
const MOST_VIEWS: usize = 500;
/// Characters of a name and of a description, bytes of an address.
const MOST_NAME: usize = 100;
const MOST_DESCRIPTION: usize = 500;
const MOST_ADDRESS: usize = 4_096;
/// Pages of the console that can be saved, each with what is behind it.
const PAGES: &[&str] =
    &["/", "/overview", "/logs", "/patterns", "/compare", "/traces", "/services", "/sources", "/sql"];
/// The one page below which there are others: one of each trace.
const TRACES: &str = "/traces/";

/// What is said of a view by whoever saves it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewText {
    /// What it is called; no two of a tenant are called the same.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Where it is: a page of the console, from its path on.
    pub address: String,
}

/// A view that was saved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SavedView {
    /// What is said of it.
    #[serde(flatten)]
    pub text: ViewText,
    /// Whose it is: a person, or a machine by what it is known.
    pub owner: String,
    /// When it was saved, nanoseconds.
    pub created_ns: i64,
    /// When it was changed last, nanoseconds.
    pub changed_ns: i64,
}

type Views = BTreeMap<String, SavedView>;

fn invalid(what: String) -> DirectoryError {
    DirectoryError::Invalid(what)
}

impl ViewText {
    /// The same without spaces around it.
    fn checked(self) -> Result<Self, DirectoryError> {
        let text = Self {
            name: self.name.trim().to_owned(),
            description: self.description.trim().to_owned(),
            address: self.address,
        };
        let is_line = |text: &str, most: usize| text.chars().count() <= most && !text.chars().any(char::is_control);
        if text.name.is_empty() || !is_line(&text.name, MOST_NAME) {
            return Err(invalid(format!("`name` is a line of 1 to {MOST_NAME} characters")));
        }
        if !is_line(&text.description, MOST_DESCRIPTION) {
            return Err(invalid(format!("`description` is a line of at most {MOST_DESCRIPTION} characters")));
        }
        if text.address.len() > MOST_ADDRESS {
            return Err(invalid(format!("`address` is longer than {MOST_ADDRESS} bytes: search for less")));
        }
        if !is_own_page(&text.address) {
            let pages = PAGES.join("`, `");
            return Err(invalid(format!(
                "`address` is no page of the console: it begins with one of `{pages}`, and goes on with `?` if at all"
            )));
        }
        Ok(text)
    }
}

/// Whether it is a page of the console, and can be nothing else to any browser.
fn is_own_page(address: &str) -> bool {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let is_plain = |id: &str| {
        !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'/')
    };
    let is_page = PAGES.contains(&path) || path.strip_prefix(TRACES).is_some_and(is_plain);
    is_page && query.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"\\#`".contains(&byte))
}

fn row_name(tenant: &TenantId) -> String {
    format!("views/{tenant}")
}

fn none_of(id: &str) -> DirectoryError {
    DirectoryError::NotFound(format!("view `{}`", id.chars().take(64).collect::<String>()))
}

fn check_name(views: &Views, id: &str, name: &str) -> Result<(), DirectoryError> {
    match views.iter().find(|(other, view)| *other != id && view.text.name == name) {
        Some(_) => Err(DirectoryError::Exists(format!("the view `{name}`"))),
        None => Ok(()),
    }
}

impl Directory {
    async fn views_of(&self, tenant: &TenantId) -> Result<Views, DirectoryError> {
        let damaged = |what: String| DirectoryError::Corrupt("views", what);
        let bytes = self.catalog.secret(&row_name(tenant)).await?.map(Zeroizing::new).unwrap_or_default();
        if bytes.is_empty() {
            return Ok(Views::new());
        }
        let stored: Stored<Views> = serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
        if stored.version != VERSION {
            return Err(damaged(format!("it is of version {}, this program knows {VERSION}", stored.version)));
        }
        Ok(stored.rows)
    }

    /// With the turn held.
    async fn keep_views(&self, tenant: &TenantId, rows: &Views) -> Result<(), DirectoryError> {
        let bytes = serde_json::to_vec(&Stored { version: VERSION, rows });
        let bytes = Zeroizing::new(bytes.map_err(|error| DirectoryError::Corrupt("views", error.to_string()))?);
        Ok(self.catalog.set_secret(&row_name(tenant), &bytes).await?)
    }

    /// What was saved of a tenant, with what each is known by; by name.
    ///
    /// # Errors
    /// [`DirectoryError`]: the catalog cannot be read.
    pub async fn views(&self, tenant: &TenantId) -> Result<Vec<(String, SavedView)>, DirectoryError> {
        let mut views: Vec<(String, SavedView)> = self.views_of(tenant).await?.into_iter().collect();
        views.sort_by(|(_, one), (_, other)| one.text.name.cmp(&other.text.name));
        Ok(views)
    }

    /// One of them.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`], or the catalog cannot be read.
    pub async fn view(&self, tenant: &TenantId, id: &str) -> Result<SavedView, DirectoryError> {
        self.views_of(tenant).await?.remove(id).ok_or_else(|| none_of(id))
    }

    /// The text as it is saved, of a new view or of that of the id. With the turn held.
    async fn checked_view(
        &self,
        tenant: &TenantId,
        id: Option<&str>,
        text: ViewText,
    ) -> Result<ViewText, DirectoryError> {
        let text = text.checked()?;
        let views = self.views_of(tenant).await?;
        match id {
            Some(id) if !views.contains_key(id) => return Err(none_of(id)),
            None if views.len() >= MOST_VIEWS => {
                return Err(refused(format!("there are {MOST_VIEWS} views, which is all that may be: delete some")));
            }
            _ => {}
        }
        check_name(&views, id.unwrap_or_default(), &text.name)?;
        Ok(text)
    }

    /// Saves a view; returns by what it is known.
    ///
    /// # Errors
    /// [`DirectoryError`] says what is wrong with it, or that there are too many.
    pub async fn save_view(&self, tenant: &TenantId, owner: &str, text: ViewText) -> Result<String, DirectoryError> {
        let _turn = self.turn.lock().await;
        let text = self.checked_view(tenant, None, text).await?;
        let mut views = self.views_of(tenant).await?;
        let (id, now_ns) = (hex::encode(random_bytes::<8>()), self.now_ns());
        let view = SavedView { text, owner: owner.to_owned(), created_ns: now_ns, changed_ns: now_ns };
        views.insert(id.clone(), view);
        self.keep_views(tenant, &views).await?;
        Ok(id)
    }

    /// Gives a view another text.
    ///
    /// # Errors
    /// As [`Directory::save_view`], and [`DirectoryError::NotFound`].
    pub async fn change_view(&self, tenant: &TenantId, id: &str, text: ViewText) -> Result<(), DirectoryError> {
        let _turn = self.turn.lock().await;
        let text = self.checked_view(tenant, Some(id), text).await?;
        let mut views = self.views_of(tenant).await?;
        let view = views.get_mut(id).ok_or_else(|| none_of(id))?;
        (view.text, view.changed_ns) = (text, self.now_ns());
        self.keep_views(tenant, &views).await
    }

    /// Deletes a view.
    ///
    /// # Errors
    /// [`DirectoryError::NotFound`], or the catalog cannot be written.
    pub async fn delete_view(&self, tenant: &TenantId, id: &str) -> Result<(), DirectoryError> {
        let _turn = self.turn.lock().await;
        let mut views = self.views_of(tenant).await?;
        views.remove(id).ok_or_else(|| none_of(id))?;
        self.keep_views(tenant, &views).await
    }

    /// Deletes all that a tenant has saved, as it goes with what it was about.
    ///
    /// # Errors
    /// The catalog cannot be written; retry.
    pub async fn forget_views(&self, tenant: &TenantId) -> Result<(), DirectoryError> {
        let _turn = self.turn.lock().await;
        if self.views_of(tenant).await?.is_empty() {
            return Ok(());
        }
        self.keep_views(tenant, &Views::new()).await
    }
}
