//! People whom a provider vouches for, beside those of ours.

use super::*;
use crate::directory::OidcPerson;

const DAY_NS: i64 = 24 * HOUR_NS;

fn person(issuer: &str, subject: &str, shown: &str) -> OidcPerson {
    OidcPerson { issuer: issuer.into(), subject: subject.into(), shown: shown.into() }
}

#[test]
fn issuer_and_subject_are_who_somebody_is() {
    let jane = person("https://id.example", "1", "jane").name();
    assert_eq!(jane, person("https://id.example", "1", "renamed").name());
    for other in [("https://id.example", "2"), ("https://id.example.org", "1"), ("https://id.example1", "")] {
        assert_ne!(jane, person(other.0, other.1, "jane").name(), "{other:?}");
    }
    assert_eq!(UserName::of_anybody(jane.as_str()).unwrap(), jane);
    assert!(UserName::new(jane.as_str()).is_err(), "nobody of ours can be called that");
    for bad in ["oidc:", "oidc:x", "OIDC:00000000000000000000000000000000", "oidc:0000000000000000000000000000000g"] {
        assert!(UserName::of_anybody(bad).is_err(), "{bad}");
    }
    assert_eq!(UserName::of_anybody("Alice").unwrap(), name("alice"));
}

#[tokio::test]
async fn roles_are_those_of_the_last_sign_in() {
    let folder = tempfile::tempdir().unwrap();
    let Lab { directory, clock } = lab(folder.path(), Arc::new(ManualClock::at(0))).await;
    let jane = person("https://id.example", "1", "root");
    let begin = async |granted: &[Role]| directory.begin_oidc_session(&jane, roles(granted), "x").await;
    let first = begin(&[Role::Administrator]).await.unwrap();
    assert!(directory.is_new(), "she came by herself: nobody has been set up");
    assert_eq!(directory.shown_name(&jane.name()), "root");
    administrator(&directory, "root", Some(PASSWORD)).await;
    assert_ne!(directory.session(&first.secret).await.unwrap().user, name("root"));
    assert_eq!(directory.rights(&jane.name()), Some(roles(&[Role::Administrator]).into()));
    begin(&[Role::Analyst]).await.unwrap();
    assert_eq!(directory.rights(&jane.name()), Some(roles(&[Role::Analyst]).into()), "also for the session before");
    assert_eq!(directory.users().iter().filter(|user| user.oidc.is_some()).count(), 1);

    let refused = |result: Result<(), DirectoryError>| result.unwrap_err().to_string();
    let set = directory.set_user(&jane.name(), roles(&[Role::Administrator]), false).await;
    assert!(refused(set).contains("their groups at the provider"));
    assert!(refused(directory.set_password(&jane.name(), PASSWORD).await).contains("no password here"));
    assert!(directory.begin_second_factor(&jane.name()).await.is_err());
    assert!(!directory.lacks_second_factor(&jane.name()), "that is the provider's");
    let last = directory.set_user(&name("root"), roles(&[Role::Administrator]), true).await;
    assert!(refused(last).contains("the only administrator"), "those of a provider may not come back");
    for (who, password) in [(jane.name().as_str(), ""), (jane.name().as_str(), PASSWORD)] {
        assert!(directory.check_password(who, password, "x").await.is_err());
    }

    directory.set_user(&jane.name(), roles(&[Role::Analyst]), true).await.unwrap();
    assert!(directory.is_kept_out(&jane.name()));
    assert!(matches!(begin(&[Role::Analyst]).await, Err(DirectoryError::NotRecognised)));
    assert_eq!(directory.session(&first.secret).await, None);
    assert_eq!(clock.now_ns(), 0);
}

#[tokio::test]
async fn tokens_last_while_their_owner_signs_in() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(0));
    let before = lab(folder.path(), clock.clone()).await.directory;
    let jane = person("https://id.example", "1", "jane");
    before.begin_oidc_session(&jane, roles(&[Role::Analyst]), "x").await.unwrap();
    let spec = TokenSpec { owner: jane.name(), ..token("x", Role::Analyst, 300 * DAY_NS) };
    let made = before.add_token(spec).await.unwrap();
    drop(before);
    let after = lab(folder.path(), clock.clone()).await.directory;
    set(&clock, 30 * DAY_NS - 1);
    assert!(after.token(&made.secret).await.is_some());
    set(&clock, 30 * DAY_NS);
    assert_eq!(after.token(&made.secret).await, None, "she may have left");
    after.begin_oidc_session(&jane, roles(&[Role::Analyst]), "x").await.unwrap();
    assert!(after.token(&made.secret).await.is_some());
    after.begin_oidc_session(&jane, roles(&[Role::Auditor]), "x").await.unwrap();
    assert_eq!(after.token(&made.secret).await.unwrap().roles, roles(&[]), "she may not give that any more");
}
