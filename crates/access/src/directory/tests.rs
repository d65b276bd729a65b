//! People, sessions, tokens and links over a real catalog, on a clock set by hand.

mod approvals;
mod glass;
mod keeping;
mod oidc;
mod second;
mod views;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use logkeep_catalog::SqliteCatalog;
use logkeep_cipher::DataKey;
use logkeep_record::TenantId;
use logkeep_store::{Clock as _, ManualClock};

use super::{Directory, DirectoryError, Purpose, Role, SessionLimits, TokenSpec, UserName};

const PASSWORD: &str = "granite lantern oboe thirty";
const HOUR_NS: i64 = 3_600 * 1_000_000_000;

struct Lab {
    directory: Directory,
    clock: Arc<ManualClock>,
}

async fn lab(folder: &Path, clock: Arc<ManualClock>) -> Lab {
    let catalog = SqliteCatalog::open(&folder.join("c.sqlite"), &DataKey::from_bytes([1; 32])).await.unwrap();
    let directory = Directory::open(Arc::new(catalog), clock.clone(), SessionLimits::default()).await.unwrap();
    Lab { directory, clock }
}

/// Moves the clock on to a moment.
fn set(clock: &ManualClock, now_ns: i64) {
    clock.advance_ns(now_ns - clock.now_ns());
}

fn name(name: &str) -> UserName {
    UserName::new(name).unwrap()
}

fn roles(roles: &[Role]) -> BTreeSet<Role> {
    roles.iter().copied().collect()
}

/// One more who manages people, however they came to it.
async fn administrator(directory: &Directory, who: &str, password: Option<&str>) {
    let hash = password.map(super::password::hash);
    let _turn = directory.turn.lock().await;
    directory.add_user_now(&name(who), hash, roles(&[Role::Administrator]).into()).await.unwrap();
}

fn token(owner: &str, role: Role, expires_ns: i64) -> TokenSpec {
    TokenSpec {
        name: "ci".into(),
        owner: name(owner),
        roles: roles(&[role]),
        scope: None,
        tenant: TenantId::default(),
        expires_ns,
    }
}

#[tokio::test]
async fn a_set_up_link_makes_one_administrator() {
    let folder = tempfile::tempdir().unwrap();
    let Lab { directory, clock } = lab(folder.path(), Arc::new(ManualClock::at(0))).await;
    let old = directory.add_link(Purpose::SetUp, Duration::from_secs(3_600)).await.unwrap();
    let link = directory.add_link(Purpose::SetUp, Duration::from_secs(3_600)).await.unwrap();
    assert_eq!(directory.link(&old), None, "a later link replaces it");
    set(&clock, HOUR_NS - 1);
    assert_eq!(directory.link(&link), Some(Purpose::SetUp));

    let weak = directory.set_up(&link, &name("alice"), "password1234", "x").await;
    assert!(matches!(weak, Err(DirectoryError::Invalid(_))), "and the link stays good");
    let session = directory.set_up(&link, &name("Alice"), PASSWORD, "127.0.0.1").await.unwrap();
    assert_eq!(directory.session(&session.secret).await.unwrap().user, name("alice"));
    let again = directory.set_up(&link, &name("mallory"), PASSWORD, "x").await;
    assert!(matches!(again, Err(DirectoryError::NotRecognised)));
    assert!(matches!(directory.add_link(Purpose::SetUp, Duration::MAX).await, Err(DirectoryError::Refused(_))));
    assert_eq!(directory.users().len(), 1);
}

#[tokio::test]
async fn a_link_ends() {
    let folder = tempfile::tempdir().unwrap();
    let Lab { directory, clock } = lab(folder.path(), Arc::new(ManualClock::at(0))).await;
    let link = directory.add_link(Purpose::SetUp, Duration::from_secs(3_600)).await.unwrap();
    set(&clock, HOUR_NS);
    let late = directory.set_up(&link, &name("alice"), PASSWORD, "x").await;
    assert!(matches!(late, Err(DirectoryError::NotRecognised)));

    directory.add_user(&name("demo"), Some(PASSWORD), roles(&[Role::Analyst])).await.unwrap();
    let link = directory.add_link(Purpose::SignIn(name("demo")), Duration::from_secs(3_600)).await.unwrap();
    let session = directory.sign_in_by_link(&link, "x").await.unwrap();
    assert_eq!(session.info.user, name("demo"));
    assert!(matches!(directory.sign_in_by_link(&link, "x").await, Err(DirectoryError::NotRecognised)), "used up");
}

#[tokio::test]
async fn somebody_chooses_a_password_by_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let Lab { directory, clock } = lab(folder.path(), Arc::new(ManualClock::at(0))).await;
    let day = Duration::from_secs(24 * 3_600);
    directory.add_user(&name("ann"), None, roles(&[Role::Administrator])).await.unwrap();
    assert!(!directory.users()[0].has_password);
    for guess in ["", PASSWORD] {
        assert!(directory.check_password("ann", guess, "x").await.is_err(), "no password is none of them");
    }
    assert!(directory.begin_second_factor(&name("ann")).await.is_err());
    let old = directory.add_link(Purpose::Password(name("ann")), day).await.unwrap();
    let link = directory.add_link(Purpose::Password(name("ann")), day).await.unwrap();
    let choose = async |link: &str, password: &str| directory.set_password_by_link(link, password).await;
    assert!(matches!(choose(&old, PASSWORD).await, Err(DirectoryError::NotRecognised)), "a later one replaces it");
    assert!(matches!(choose(&link, "password1234").await, Err(DirectoryError::Invalid(_))), "and it stays good");
    assert!(directory.sign_in_by_link(&link, "x").await.is_err(), "it is for a password alone");
    assert_eq!(choose(&link, PASSWORD).await.unwrap(), name("ann"));
    assert!(matches!(choose(&link, PASSWORD).await, Err(DirectoryError::NotRecognised)), "used up");
    assert_eq!(directory.check_password("ann", PASSWORD, "x").await.unwrap(), name("ann"));

    let session = directory.begin_session(&name("ann"), "x").await.unwrap();
    let late = directory.add_link(Purpose::Password(name("ann")), day).await.unwrap();
    let again = directory.add_link(Purpose::Password(name("ann")), 2 * day).await.unwrap();
    set(&clock, 47 * HOUR_NS);
    assert!(choose(&late, PASSWORD).await.is_err());
    choose(&again, "another lantern oboe thirty").await.unwrap();
    assert_eq!(directory.session(&session.secret).await, None, "a new password ends them all");
    let nobody = directory.add_link(Purpose::Password(name("nobody")), day).await.unwrap_err();
    assert_eq!(nobody.to_string(), "there is no user `nobody`");

    // Who cannot sign in yet manages nobody.
    administrator(&directory, "bob", None).await;
    let last = directory.set_user(&name("ann"), roles(&[]), false).await.unwrap_err();
    assert!(last.to_string().contains("the only administrator"), "{last}");
}

#[tokio::test]
async fn sessions_end_by_disuse_by_age_and_by_hand() {
    let folder = tempfile::tempdir().unwrap();
    let Lab { directory, clock } = lab(folder.path(), Arc::new(ManualClock::at(0))).await;
    directory.add_user(&name("alice"), Some(PASSWORD), roles(&[Role::Administrator])).await.unwrap();
    let begin = async || directory.begin_session(&name("alice"), "x").await.unwrap();

    let unused = begin().await;
    set(&clock, HOUR_NS);
    assert_eq!(directory.session(&unused.secret).await, None);

    let used = begin().await;
    for step in 2..=24 {
        set(&clock, step * HOUR_NS / 2 + HOUR_NS / 4);
        let is_good = directory.session(&used.secret).await.is_some();
        assert!(is_good, "after {step} half hours");
    }
    set(&clock, 13 * HOUR_NS);
    assert_eq!(directory.session(&used.secret).await, None, "twelve hours are all");

    let [first, second] = [begin().await, begin().await];
    directory.end_session(&first.info.id).await.unwrap();
    assert_eq!(directory.session(&first.secret).await, None);
    assert!(directory.session(&second.secret).await.is_some());
    assert!(matches!(directory.end_session(&first.info.id).await, Err(DirectoryError::NotFound(_))));

    for _ in 0..25 {
        begin().await;
    }
    assert_eq!(directory.sessions(Some(&name("alice"))).len(), 20);
    directory.set_password(&name("alice"), "another lantern oboe thirty").await.unwrap();
    assert_eq!(directory.sessions(None), [], "a new password ends them all");
}

#[tokio::test]
async fn what_is_known_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(0));
    let before = lab(folder.path(), clock.clone()).await.directory;
    before.add_user(&name("alice"), Some(PASSWORD), roles(&[Role::Administrator, Role::Analyst])).await.unwrap();
    let session = before.begin_session(&name("alice"), "x").await.unwrap();
    let made = before.add_token(token("alice", Role::Analyst, HOUR_NS)).await.unwrap();
    drop(before);
    let bytes = std::fs::read(folder.path().join("c.sqlite")).unwrap();
    let wal = std::fs::read(folder.path().join("c.sqlite-wal")).unwrap_or_default();
    for secret in ["alice", &session.secret, &made.secret, "argon2id"] {
        let is_in = |bytes: &[u8]| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!is_in(&bytes) && !is_in(&wal), "{secret} is on the disk in the clear");
    }

    let after = lab(folder.path(), clock).await.directory;
    assert!(!after.is_new());
    assert_eq!(after.session(&session.secret).await.unwrap().user, name("alice"));
    assert_eq!(after.token(&made.secret).await.unwrap().roles, roles(&[Role::Analyst]));
    assert_eq!(after.check_password("ALICE", PASSWORD, "x").await.unwrap(), name("alice"));
}

#[tokio::test]
async fn wrong_names_and_wrong_passwords_are_told_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let Lab { directory, clock } = lab(folder.path(), Arc::new(ManualClock::at(0))).await;
    directory.add_user(&name("alice"), Some(PASSWORD), roles(&[Role::Analyst])).await.unwrap();
    directory.add_user(&name("gone"), Some(PASSWORD), roles(&[Role::Analyst])).await.unwrap();
    directory.set_user(&name("gone"), roles(&[Role::Analyst]), true).await.unwrap();
    for (who, password) in [("alice", "wrong"), ("nobody", PASSWORD), ("gone", PASSWORD), ("", ""), ("a b", PASSWORD)] {
        let error = directory.check_password(who, password, "x").await.unwrap_err();
        assert!(matches!(error, DirectoryError::NotRecognised), "{who}: {error}");
    }
    for who in ["alice", "nobody"] {
        for _ in 0..5 {
            drop(directory.check_password(who, "wrong", "y").await);
        }
        let error = directory.check_password(who, PASSWORD, "y").await.unwrap_err();
        assert!(matches!(error, DirectoryError::TooMany(_)), "{who}: {error}");
    }
    set(&clock, 2 * HOUR_NS);
    assert!(directory.check_password("alice", PASSWORD, "y").await.is_ok());
}

#[tokio::test]
async fn a_token_can_do_what_its_owner_may_give() {
    let folder = tempfile::tempdir().unwrap();
    let Lab { directory, clock } = lab(folder.path(), Arc::new(ManualClock::at(0))).await;
    directory.add_user(&name("root"), Some(PASSWORD), roles(&[Role::Administrator])).await.unwrap();
    directory.add_user(&name("ann"), Some(PASSWORD), roles(&[Role::Analyst, Role::Auditor])).await.unwrap();
    let error = |result: Result<super::NewToken, DirectoryError>| result.err().map(|error| error.to_string());
    for (spec, expected) in [
        (token("root", Role::Analyst, HOUR_NS), "`root` may not give a token the role `analyst`"),
        (token("ann", Role::Collector, HOUR_NS), "`ann` may not give a token the role `collector`"),
        (token("ann", Role::Administrator, HOUR_NS), "`ann` may not give a token the role `administrator`"),
        (token("ann", Role::Analyst, 0), "a token needs an end, within a year from now"),
        (token("ann", Role::Analyst, 367 * 24 * HOUR_NS), "a token needs an end, within a year from now"),
        (token("nobody", Role::Analyst, HOUR_NS), "there is no user `nobody`"),
        (
            TokenSpec { name: " ".into(), ..token("ann", Role::Analyst, 1) },
            "a token needs a name of 1 to 100 bytes, without control characters",
        ),
        (TokenSpec { roles: roles(&[]), ..token("ann", Role::Analyst, 1) }, "a token needs at least one role"),
    ] {
        assert_eq!(error(directory.add_token(spec).await).as_deref(), Some(expected));
    }

    let writes = directory.add_token(token("root", Role::Collector, HOUR_NS)).await.unwrap();
    assert_eq!(directory.token(&writes.secret).await.unwrap().roles, roles(&[Role::Collector]));
    let both = TokenSpec { roles: roles(&[Role::Analyst, Role::Auditor]), ..token("ann", Role::Analyst, HOUR_NS) };
    let reads = directory.add_token(both).await.unwrap();
    directory.set_user(&name("ann"), roles(&[Role::Auditor]), false).await.unwrap();
    assert_eq!(directory.token(&reads.secret).await.unwrap().roles, roles(&[Role::Auditor]), "it loses what she loses");
    directory.set_user(&name("ann"), roles(&[Role::Auditor]), true).await.unwrap();
    assert_eq!(directory.token(&reads.secret).await, None);
    directory.set_user(&name("ann"), roles(&[Role::Analyst]), false).await.unwrap();
    directory.end_token(&reads.info.id).await.unwrap();
    assert_eq!(directory.token(&reads.secret).await, None);
    set(&clock, HOUR_NS);
    assert_eq!(directory.token(&writes.secret).await, None, "its time is over");
}

#[tokio::test]
async fn somebody_always_manages() {
    let folder = tempfile::tempdir().unwrap();
    let Lab { directory, .. } = lab(folder.path(), Arc::new(ManualClock::at(0))).await;
    directory.add_user(&name("root"), Some(PASSWORD), roles(&[Role::Administrator])).await.unwrap();
    for (roles, disabled) in [(roles(&[Role::Analyst]), false), (roles(&[Role::Administrator]), true)] {
        let error = directory.set_user(&name("root"), roles, disabled).await.unwrap_err();
        assert_eq!(error.to_string(), "`root` is the only administrator: make somebody else one first");
    }
    administrator(&directory, "other", Some(PASSWORD)).await;
    directory.set_user(&name("root"), roles(&[Role::Analyst]), false).await.unwrap();
    let error = directory.add_user(&name("other"), Some(PASSWORD), roles(&[])).await.unwrap_err();
    assert_eq!(error.to_string(), "user `other` exists already");
}
