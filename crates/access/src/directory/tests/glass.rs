//! Breaking the glass, on a clock set by hand.

use super::*;
use crate::approval::{Act, Ground, Signed};
use crate::directory::{By, Needed};
use crate::identity::{Identity, Known};

const DAY_NS: i64 = 24 * HOUR_NS;
const MINUTE_NS: i64 = 60 * 1_000_000_000;
const REASON: &str = "the store is on fire";

/// With two who manage people, and one who may break the glass.
async fn with_breaker(folder: &Path) -> (Lab, Identity) {
    let lab = lab(folder, Arc::new(ManualClock::at(DAY_NS))).await;
    for who in ["alice", "bob", "erin"] {
        administrator(&lab.directory, who, Some(PASSWORD)).await;
    }
    lab.directory.set_user(&name("erin"), roles(&[]), false).await.unwrap();
    lab.directory.tables.write().users.get_mut(&name("erin")).unwrap().roles = roles(&[Role::BreakGlass]);
    let session = lab.directory.begin_session(&name("erin"), "x").await.unwrap().info;
    let rights = lab.directory.rights(&name("erin")).unwrap();
    let erin = Identity::of_session(&session, rights, [127, 0, 0, 1].into(), TenantId::default());
    (lab, erin)
}

async fn broken(directory: &Directory, who: &Identity, minutes: u64) -> String {
    let glass = directory.new_glass(who, REASON, minutes).unwrap();
    let id = glass.id.clone();
    directory.break_glass(glass).await.unwrap();
    id
}

fn error<T>(result: Result<T, DirectoryError>) -> String {
    result.err().unwrap().to_string()
}

#[tokio::test]
async fn it_gives_more_for_a_time_to_one_session() {
    let folder = tempfile::tempdir().unwrap();
    let (Lab { directory, clock }, erin) = with_breaker(folder.path()).await;
    for (reason, minutes) in
        [("too short", 5), (REASON, 0), (REASON, 61), ("two lines\nof reasons", 5), (&"x".repeat(1_001), 5)]
    {
        assert!(matches!(directory.new_glass(&erin, reason, minutes), Err(DirectoryError::Invalid(_))), "{reason}");
    }
    assert_eq!(*directory.by_now(&erin).unwrap().roles(), roles(&[Role::BreakGlass]));
    let id = broken(&directory, &erin, 5).await;
    let now = directory.by_now(&erin).unwrap();
    assert_eq!(*now.roles(), roles(&[Role::Administrator, Role::Analyst, Role::BreakGlass]));
    assert_eq!(now.broken_glass(), Some(id.as_str()));
    assert_eq!(error(directory.new_glass(&erin, REASON, 5)), "you have broken the glass already");
    let other = directory.begin_session(&name("erin"), "y").await.unwrap().info;
    let (rights, glass) = directory.session_rights(&other.id, &name("erin")).unwrap();
    assert_eq!((rights.roles, glass), (roles(&[Role::BreakGlass]), None), "another session of theirs");
    assert_eq!(directory.rights(&name("erin")).unwrap().roles, roles(&[Role::BreakGlass]), "so no token can have more");

    set(&clock, DAY_NS + 5 * MINUTE_NS - 1);
    assert!(directory.by_now(&erin).unwrap().broken_glass().is_some());
    set(&clock, DAY_NS + 5 * MINUTE_NS);
    let after = directory.by_now(&erin).unwrap();
    assert_eq!((after.broken_glass(), after.roles()), (None, &roles(&[Role::BreakGlass])));
    let again = broken(&directory, &erin, 60).await;
    directory.end_glass(&again).await.unwrap();
    assert_eq!(directory.by_now(&erin).unwrap().broken_glass(), None);
    broken(&directory, &erin, 60).await;
    let Known::Session { id, .. } = erin.known() else { panic!("she is signed in") };
    directory.end_session(id).await.unwrap();
    assert!(directory.glasses().iter().all(|glass| !glass.is_active), "it ends with the session");
}

#[tokio::test]
async fn what_takes_two_is_done_alone_and_approves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (Lab { directory, clock }, erin) = with_breaker(folder.path()).await;
    let act = Act::PasswordLink { user: name("alice") };
    assert!(error(directory.needed(&act, &erin)).contains("two administrators"));
    let id = broken(&directory, &erin, 5).await;
    let Needed::Statement(Signed { statement, note }) = directory.needed(&act, &erin).unwrap() else {
        panic!("she is alone")
    };
    assert_eq!(statement.ground, Ground::BreakGlass { id: id.clone(), reason: REASON.into() });
    assert!(note.contains(&format!("\nbreak-glass {id} {REASON}\n")), "{note}");
    directory.carry_out(&act, None, By::Statement(&note)).await.unwrap();

    let Needed::Statement(late) = directory.needed(&act, &erin).unwrap() else { panic!("she is alone") };
    set(&clock, DAY_NS + 5 * MINUTE_NS - 1);
    assert_eq!(error(directory.carry_out(&act, None, By::Statement(&note)).await), "the approval was used already");
    directory.end_glass(&id).await.unwrap();
    let over = error(directory.carry_out(&act, None, By::Statement(&late.note)).await);
    assert_eq!(over, "the glass is not broken, or not any more");

    broken(&directory, &erin, 5).await;
    let session = directory.begin_session(&name("alice"), "x").await.unwrap().info;
    let rights = directory.rights(&name("alice")).unwrap();
    let alice = Identity::of_session(&session, rights, [127, 0, 0, 1].into(), TenantId::default());
    let promote = Act::AddUser { user: name("new"), roles: roles(&[Role::Administrator]), scope: None };
    let Needed::Approval(request) = directory.needed(&promote, &alice).unwrap() else { panic!("it takes two") };
    assert_eq!(error(directory.approve(&request, &name("erin"))), "`erin` is no administrator");
}

#[tokio::test]
async fn somebody_else_reviews_it_within_two_days() {
    let folder = tempfile::tempdir().unwrap();
    let (Lab { directory, clock }, erin) = with_breaker(folder.path()).await;
    let id = broken(&directory, &erin, 5).await;
    let review = |who: &str| directory.check_review(&id, "looked at it", &name(who));
    assert!(error(review("bob")).contains("has not ended yet"));
    set(&clock, DAY_NS + 6 * MINUTE_NS);
    directory.add_user(&name("later"), Some(PASSWORD), roles(&[Role::Auditor])).await.unwrap();
    assert!(error(review("erin")).contains("themselves"));
    assert!(error(review("later")).contains("who was there before"), "she may have added whom she likes");
    assert!(error(directory.check_review(&id, " ", &name("bob"))).contains("`note`"));
    assert!(matches!(directory.check_review("0", "x", &name("bob")), Err(DirectoryError::NotFound(_))));
    drop(directory);

    let directory = lab(folder.path(), clock.clone()).await.directory;
    let only = || directory.glasses().pop().unwrap();
    assert!(!only().is_active && !only().is_overdue && only().review.is_none(), "a restart forgets nothing");
    set(&clock, 3 * DAY_NS - 1);
    assert!(!only().is_overdue);
    set(&clock, 3 * DAY_NS);
    assert!(only().is_overdue);
    let reviewed = directory.check_review(&id, "looked at it", &name("bob")).unwrap();
    directory.review_glass(&id, reviewed.clone()).await.unwrap();
    assert!(!only().is_overdue);
    assert_eq!(only().review, Some(reviewed));
    assert_eq!(error(directory.check_review(&id, "again", &name("alice"))), "`bob` has reviewed it already");
}
