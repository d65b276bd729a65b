//! What takes two people: asked for, approved and carried out over a real catalog.

use logkeep_ingest::DESTRUCTION_ORDERS;

use super::*;
use crate::approval::{Act, Ground, Signed, Statement};
use crate::directory::carry_out::TWO_ALWAYS;
use crate::directory::{By, Needed, Request, Rights};
use crate::identity::Identity;

pub(super) const DAY_NS: i64 = 24 * HOUR_NS;
const HERE: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

/// With three who manage people, and one who reads.
pub(super) async fn with_three(folder: &Path) -> Lab {
    let lab = lab(folder, Arc::new(ManualClock::at(DAY_NS))).await;
    for who in ["alice", "bob", "carol"] {
        administrator(&lab.directory, who, Some(PASSWORD)).await;
    }
    lab.directory.add_user(&name("dave"), Some(PASSWORD), roles(&[Role::Analyst])).await.unwrap();
    lab
}

pub(super) async fn signed_in(directory: &Directory, who: &str) -> Identity {
    let session = directory.begin_session(&name(who), "x").await.unwrap().info;
    let rights = directory.rights(&name(who)).unwrap();
    Identity::of_session(&session, rights, HERE, TenantId::default())
}

async fn machine(directory: &Directory, owner: &str) -> Identity {
    let spec = token(owner, Role::Administrator, directory.now_ns() + HOUR_NS);
    Identity::of_token(&directory.add_token(spec).await.unwrap().info, HERE)
}

fn set(user: &str, granted: &[Role], disabled: bool) -> Act {
    Act::SetUser { user: name(user), roles: roles(granted), scope: None, disabled }
}

fn promote_dave() -> Act {
    set("dave", &[Role::Administrator, Role::Analyst], false)
}

/// Asks for what another must approve, and keeps it.
pub(super) async fn asked(directory: &Directory, who: &Identity, act: &Act) -> Request {
    let Needed::Approval(request) = directory.needed(act, who).unwrap() else { panic!("{act} takes nobody else") };
    directory.keep_request(request.clone()).await.unwrap();
    request
}

pub(super) fn said<T: std::fmt::Debug>(result: Result<T, DirectoryError>) -> String {
    result.unwrap_err().to_string()
}

pub(super) async fn carry_out(directory: &Directory, act: &Act, note: &str) -> Result<Option<String>, DirectoryError> {
    directory.carry_out(act, None, By::Statement(note)).await
}

#[tokio::test]
async fn two_people_do_it_once() {
    let folder = tempfile::tempdir().unwrap();
    let Lab { directory, .. } = with_three(folder.path()).await;
    let alice = signed_in(&directory, "alice").await;
    let request = asked(&directory, &alice, &promote_dave()).await;
    assert_eq!(
        request.text,
        r#"{"act":"set_user","user":"dave","roles":["administrator","analyst"],"scope":null,"disabled":false,"was":{"roles":["analyst"],"scope":null,"disabled":false}}"#
    );
    assert!(said(directory.keep_request(request.clone()).await).contains("waits for approval already"));
    assert_eq!(directory.request(&request.id, &request.hash()).unwrap(), request);
    assert!(said(directory.request(&request.id, &"0".repeat(64))).contains("this hash is not that of the request"));
    assert!(matches!(directory.request("0011", &request.hash()), Err(DirectoryError::NotFound(_))));

    let one = said(directory.carry_out(&promote_dave(), None, By::One(alice.user())).await);
    assert!(one.contains("takes two people"), "{one}");
    let Signed { statement, note } = directory.approve(&request, &name("bob")).unwrap();
    assert_eq!((statement.ground, statement.requester), (Ground::Approved { by: name("bob") }, name("alice")));
    let act = promote_dave();
    let both = futures::join!(carry_out(&directory, &act, &note), carry_out(&directory, &act, &note));
    assert!(both.0.is_ok() != both.1.is_ok(), "of two at once one does it: {both:?}");
    assert_eq!(directory.rights(&name("dave")).unwrap().roles, roles(&[Role::Administrator, Role::Analyst]));
    assert_eq!(directory.requests(), []);

    // Things are again as they were when it was approved.
    directory.set_user(&name("dave"), roles(&[Role::Analyst]), false).await.unwrap();
    assert_eq!(said(carry_out(&directory, &promote_dave(), &note).await), "the approval was used already");
    drop(directory);
    let after = lab(folder.path(), Arc::new(ManualClock::at(DAY_NS))).await.directory;
    assert_eq!(said(carry_out(&after, &promote_dave(), &note).await), "the approval was used already");
}

#[tokio::test]
async fn nobody_approves_their_own_or_what_is_about_them() {
    let folder = tempfile::tempdir().unwrap();
    let Lab { directory, .. } = with_three(folder.path()).await;
    let (alice, of_alice) = (signed_in(&directory, "alice").await, machine(&directory, "alice").await);
    let other_of_alice = machine(&directory, "alice").await;
    let link = Act::PasswordLink { user: name("carol") };
    for asker in [&alice, &of_alice] {
        let Needed::Approval(request) = directory.needed(&link, asker).unwrap() else { panic!("it takes two") };
        for approver in [&alice, &of_alice, &other_of_alice] {
            let refused = said(directory.approve(&request, approver.user().unwrap()));
            assert!(refused.starts_with("nobody approves what they asked for"), "{refused}");
        }
        assert_eq!(said(directory.approve(&request, &name("carol"))), "nobody approves what is about themselves");
        assert_eq!(said(directory.approve(&request, &name("dave"))), "`dave` is no administrator");
        assert_eq!(said(directory.approve(&request, &name("nobody"))), "`nobody` is no administrator");
        directory.approve(&request, &name("bob")).unwrap();

        // The layer that does it does not believe that this was looked at.
        for ground in [
            Ground::Approved { by: name("alice") },
            Ground::Approved { by: name("carol") },
            Ground::Approved { by: name("dave") },
            Ground::Waived,
            Ground::BreakGlass { id: "0011223344556677".into(), reason: "there is none".into() },
        ] {
            let forged = forged(&directory, &request, ground.clone(), request.requested_ns);
            carry_out(&directory, &link, &forged).await.expect_err(&format!("{ground:?}"));
        }
    }
    assert!(
        said(directory.needed(&promote_dave(), &signed_in(&directory, "dave").await).map(drop))
            .contains("two administrators")
    );
    let local = Identity::local(HERE, TenantId::default()).unwrap();
    assert!(said(directory.needed(&promote_dave(), &local).map(drop)).contains("sign in to ask for it"));
}

/// What whoever had the key could sign.
pub(super) fn forged(directory: &Directory, request: &Request, ground: Ground, approved_ns: i64) -> String {
    let statement = Statement {
        act: request.text.clone(),
        id: "ffeeddccbbaa9988".into(),
        requester: request.requester.clone(),
        ground,
        requested_ns: request.requested_ns,
        approved_ns,
        expires_ns: i64::MAX,
    };
    statement.sign(&directory.signer).unwrap().note
}

#[tokio::test]
async fn a_statement_is_for_one_act_as_things_were() {
    let folder = tempfile::tempdir().unwrap();
    let Lab { directory, .. } = with_three(folder.path()).await;
    let alice = signed_in(&directory, "alice").await;
    let request = asked(&directory, &alice, &promote_dave()).await;
    let note = directory.approve(&request, &name("bob")).unwrap().note;
    for other in [
        set("dave", &[Role::Administrator], false),
        set("dave", &[Role::Administrator, Role::Analyst], true),
        set("alice", &[Role::Administrator, Role::Analyst], false),
        Act::PasswordLink { user: name("bob") },
    ] {
        let refused = said(carry_out(&directory, &other, &note).await);
        assert!(refused.starts_with("what was approved is something else"), "{other}: {refused}");
    }
    for altered in [
        note.replace("approver bob", "approver carol"),
        note.replace("\"dave\"", "\"alice\""),
        note.replace("requester alice", "requester carol"),
        String::new(),
        "logkeep statement approval\n".to_owned(),
    ] {
        let refused = said(carry_out(&directory, &promote_dave(), &altered).await);
        assert!(refused.starts_with("this is no approval of ours"), "{refused}");
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let other = with_three(elsewhere.path()).await.directory;
    let foreign = other.approve(&request, &name("bob")).unwrap().note;
    let refused = said(carry_out(&directory, &promote_dave(), &foreign).await);
    assert!(refused.starts_with("this is no approval of ours"), "by another key: {refused}");

    directory.set_user(&name("dave"), roles(&[]), false).await.unwrap();
    let refused = said(carry_out(&directory, &promote_dave(), &note).await);
    assert!(refused.contains("has changed since"), "{refused}");
    assert!(said(directory.approve(&request, &name("carol"))).contains("has changed since"));
}

#[tokio::test]
async fn it_expires() {
    let folder = tempfile::tempdir().unwrap();
    let Lab { directory, clock } = with_three(folder.path()).await;
    let alice = signed_in(&directory, "alice").await;
    let request = asked(&directory, &alice, &promote_dave()).await;
    let Signed { statement, note } = directory.approve(&request, &name("bob")).unwrap();
    let early = forged(&directory, &request, statement.ground.clone(), statement.approved_ns + 1);
    assert_eq!(said(carry_out(&directory, &promote_dave(), &early).await), "the approval has expired");
    super::set(&clock, statement.expires_ns);
    assert_eq!(said(carry_out(&directory, &promote_dave(), &note).await), "the approval has expired");

    super::set(&clock, request.expires_ns - 1);
    assert_eq!((directory.requests().len(), directory.expired_requests().len()), (1, 0));
    super::set(&clock, request.expires_ns);
    assert_eq!((directory.requests().len(), directory.expired_requests().len()), (0, 1));
    assert!(matches!(directory.request(&request.id, &request.hash()), Err(DirectoryError::NotFound(_))));
    directory.forget_request(&request.id).await.unwrap();
    assert_eq!(directory.expired_requests(), []);
    assert!(directory.forget_request(&request.id).await.is_err());
}

#[tokio::test]
async fn both_must_still_be_who_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let Lab { directory, .. } = with_three(folder.path()).await;
    let alice = signed_in(&directory, "alice").await;
    let request = asked(&directory, &alice, &promote_dave()).await;
    let note = directory.approve(&request, &name("bob")).unwrap().note;
    directory.set_user(&name("bob"), roles(&[Role::Administrator]), true).await.unwrap();
    assert_eq!(said(carry_out(&directory, &promote_dave(), &note).await), "`bob` is no administrator");
    assert_eq!(said(directory.approve(&request, &name("bob"))), "`bob` is no administrator");
    let note = directory.approve(&request, &name("carol")).unwrap().note;
    directory.set_user(&name("alice"), roles(&[Role::Analyst]), false).await.unwrap();
    let refused = said(carry_out(&directory, &promote_dave(), &note).await);
    assert_eq!(refused, "`alice`, who asked for it, is no administrator any more");
    assert_eq!(directory.rights(&name("dave")).unwrap().roles, roles(&[Role::Analyst]));
}

#[tokio::test]
async fn what_takes_two_and_what_one_may_do() {
    let folder = tempfile::tempdir().unwrap();
    let Lab { directory, .. } = with_three(folder.path()).await;
    let alice = signed_in(&directory, "alice").await;
    administrator(&directory, "frank", Some(PASSWORD)).await;
    let cart = || Some(crate::Scope { services: ["cart".to_owned()].into(), ..Default::default() });
    directory
        .set_user(&name("carol"), Rights { roles: roles(&[Role::Administrator]), scope: cart() }, true)
        .await
        .unwrap();
    let add = |granted: &[Role]| Act::AddUser { user: name("new"), roles: roles(granted), scope: None };
    let administrator = [Role::Administrator];
    let check = |act: Act, takes_two: bool| {
        let needed = directory.needed(&act, &alice);
        let told = match &needed {
            Ok(Needed::Nobody) => false,
            Ok(Needed::Approval(_)) => true,
            other => panic!("{act}: {other:?}"),
        };
        assert_eq!(told, takes_two, "{act}");
    };
    check(add(&[Role::Analyst, Role::Auditor, Role::Collector, Role::Engineer]), false);
    check(add(&administrator), true);
    check(add(&[Role::BreakGlass]), true);
    check(set("dave", &[Role::Analyst, Role::Auditor], false), false);
    check(set("dave", &[Role::Analyst, Role::BreakGlass], false), true);
    check(set("bob", &administrator, true), false);
    check(set("bob", &[], false), false);
    check(set("bob", &[Role::Administrator, Role::Analyst], false), true);
    check(set("alice", &[Role::Administrator, Role::Analyst], false), true);
    check(set("carol", &[Role::Administrator], false), true);
    check(Act::SetUser { user: name("carol"), roles: roles(&administrator), scope: cart(), disabled: false }, true);
    check(Act::SetUser { user: name("carol"), roles: roles(&administrator), scope: cart(), disabled: true }, false);
    check(set("carol", &administrator, true), true);
    check(set("carol", &[], true), false);
    check(set("bob", &[Role::Analyst], false), false);
    check(Act::PasswordLink { user: name("bob") }, true);
    check(Act::PasswordLink { user: name("carol") }, true);
    check(Act::PasswordLink { user: name("dave") }, false);
    check(Act::PasswordLink { user: name("alice") }, false);
    for who in ["bob", "dave"] {
        directory.begin_second_factor(&name(who)).await.unwrap();
    }
    check(Act::ResetSecondFactor { user: name("bob") }, true);
    check(Act::ResetSecondFactor { user: name("dave") }, false);

    // None of it can be had by one person's word, whoever says it.
    for who in ["bob", "alice"] {
        for link in [Purpose::SignIn(name(who)), Purpose::Password(name(who))] {
            assert!(said(directory.add_link(link, Duration::from_secs(60)).await).contains("takes two people"));
        }
    }
    assert!(
        said(directory.add_user(&name("new"), Some(PASSWORD), roles(&administrator)).await)
            .contains("takes two people")
    );
    assert!(said(directory.set_user(&name("dave"), roles(&administrator), false).await).contains("takes two people"));
}

#[tokio::test]
async fn an_approved_administrator_chooses_the_password_by_a_link() {
    let folder = tempfile::tempdir().unwrap();
    let Lab { directory, .. } = with_three(folder.path()).await;
    let alice = signed_in(&directory, "alice").await;
    let add = Act::AddUser { user: name("erin"), roles: roles(&[Role::Administrator]), scope: None };
    let request = asked(&directory, &alice, &add).await;
    let note = directory.approve(&request, &name("bob")).unwrap().note;
    let link = carry_out(&directory, &add, &note).await.unwrap().unwrap();
    directory.set_password_by_link(&link, PASSWORD).await.unwrap();
    assert_eq!(directory.check_password("erin", PASSWORD, "x").await.unwrap(), name("erin"));

    // A link from before somebody managed people is worth nothing once they do.
    let old = directory.add_link(Purpose::Password(name("dave")), Duration::from_secs(3_600)).await.unwrap();
    let request = asked(&directory, &alice, &promote_dave()).await;
    let note = directory.approve(&request, &name("bob")).unwrap().note;
    assert_eq!(carry_out(&directory, &promote_dave(), &note).await.unwrap(), None);
    assert_eq!(directory.link(&old), None);
}

#[tokio::test]
async fn who_is_alone_does_it_with_a_waiver_and_nobody_makes_themselves_alone() {
    let folder = tempfile::tempdir().unwrap();
    let Lab { directory, clock } = with_three(folder.path()).await;
    let alice = signed_in(&directory, "alice").await;
    assert!(!directory.has_one_administrator());
    directory.set_user(&name("bob"), roles(&[Role::Administrator]), true).await.unwrap();
    directory.set_user(&name("carol"), roles(&[]), false).await.unwrap();
    assert!(directory.has_one_administrator());
    let refused = said(directory.needed(&promote_dave(), &alice).map(drop));
    assert!(refused.starts_with("nobody could approve this"), "{refused}");
    super::set(&clock, DAY_NS + 7 * DAY_NS - 1);
    assert!(directory.needed(&promote_dave(), &alice).is_err());
    super::set(&clock, DAY_NS + 7 * DAY_NS);
    let Needed::Statement(Signed { statement, note }) = directory.needed(&promote_dave(), &alice).unwrap() else {
        panic!("there is nobody else")
    };
    assert_eq!(statement.ground, Ground::Waived);

    // There is somebody again before it is used.
    administrator(&directory, "erin", Some(PASSWORD)).await;
    assert_eq!(said(carry_out(&directory, &promote_dave(), &note).await), "there is somebody else who must approve it");
    directory.set_user(&name("erin"), roles(&[]), false).await.unwrap();
    assert!(carry_out(&directory, &promote_dave(), &note).await.is_err(), "erin counts for a week");
}

#[tokio::test]
async fn what_nobody_can_undo_takes_two_always_and_becomes_an_order() {
    let folder = tempfile::tempdir().unwrap();
    let Lab { directory, clock } = with_three(folder.path()).await;
    let alice = signed_in(&directory, "alice").await;
    let act = Act::DestroyKeys { tenant: TenantId::new("shop").unwrap() };
    assert!(said(directory.carry_out(&act, None, By::One(alice.user())).await).contains("takes two people"));
    let request = asked(&directory, &alice, &act).await;
    assert_eq!(request.text, r#"{"act":"destroy_keys","tenant":"shop","was":null}"#);
    assert!(said(directory.approve(&request, &name("alice"))).starts_with("nobody approves what they asked for"));
    for ground in [Ground::Waived, Ground::BreakGlass { id: "aa".into(), reason: "there is a fire".into() }] {
        let forged = forged(&directory, &request, ground.clone(), request.requested_ns);
        assert_eq!(said(carry_out(&directory, &act, &forged).await), TWO_ALWAYS, "{ground:?}");
    }
    let note = directory.approve(&request, &name("bob")).unwrap().note;
    let other = Act::DestroyKeys { tenant: TenantId::default() };
    assert!(said(carry_out(&directory, &other, &note).await).starts_with("what was approved is something else"));
    assert_eq!(carry_out(&directory, &act, &note).await.unwrap(), None);
    let kept = directory.catalog.secret(DESTRUCTION_ORDERS).await.unwrap().unwrap();
    let expected = serde_json::json!({"shop": {"note": note, "ordered_ns": DAY_NS}});
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&kept).unwrap()["rows"], expected);

    let key = directory.approval_key();
    drop(directory);
    let directory = lab(folder.path(), clock.clone()).await.directory;
    assert_eq!(directory.approval_key(), key);
    for again in [said(carry_out(&directory, &act, &note).await), said(directory.needed(&act, &alice).map(drop))] {
        assert!(again.contains("an order to destroy all keys of the tenant `shop` exists already"), "{again}");
    }
    directory.set_user(&name("bob"), roles(&[]), false).await.unwrap();
    directory.set_user(&name("carol"), roles(&[]), false).await.unwrap();
    super::set(&clock, 8 * DAY_NS);
    assert_eq!(said(directory.needed(&other, &alice).map(drop)), TWO_ALWAYS, "there is no waiver for it");
}

#[tokio::test]
async fn requests_outlive_a_restart_and_are_not_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let Lab { directory, clock } = with_three(folder.path()).await;
    let alice = signed_in(&directory, "alice").await;
    let request = asked(&directory, &alice, &promote_dave()).await;
    let key = directory.approval_key();
    drop(directory);
    let directory = lab(folder.path(), clock).await.directory;
    assert_eq!((directory.requests(), directory.approval_key()), (vec![request], key));
    let Needed::Approval(one) = directory.needed(&Act::PasswordLink { user: name("bob") }, &alice).unwrap() else {
        panic!("it takes two")
    };
    {
        let mut tables = directory.tables.write();
        for number in 1..1_000 {
            let id = format!("{number:032x}");
            tables.requests.insert(id.clone(), Request { id, text: number.to_string(), ..one.clone() });
        }
    }
    assert!(said(directory.keep_request(one).await).contains("1000 requests wait for approval"));
}
