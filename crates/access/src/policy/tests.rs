//! Decisions.

use logkeep_record::TenantId;

use super::*;
use crate::Scope;
use crate::directory::{Rights, Role, SessionInfo, TokenInfo, UserName};

fn user(roles: &[Role]) -> Identity {
    with_rights(Rights::from(roles.iter().copied().collect::<BTreeSet<_>>()))
}

fn scoped(roles: &[Role]) -> Identity {
    let scope = Scope { services: BTreeSet::from(["cart".to_owned()]), ..Scope::default() };
    with_rights(Rights { roles: roles.iter().copied().collect(), scope: Some(scope) })
}

fn with_rights(rights: Rights) -> Identity {
    let session = SessionInfo {
        id: "s".into(),
        user: UserName::new("alice").unwrap(),
        created_ns: 0,
        used_ns: 0,
        expires_ns: 1,
        address: "x".into(),
    };
    Identity::of_session(&session, rights, [10, 0, 0, 1].into(), TenantId::default())
}

fn token(roles: &[Role]) -> Identity {
    let token = TokenInfo {
        id: "t".into(),
        name: "ci".into(),
        owner: UserName::new("alice").unwrap(),
        roles: roles.iter().copied().collect::<BTreeSet<_>>(),
        tenant: TenantId::default(),
        created_ns: 0,
        expires_ns: 1,
        used_ns: None,
        scopes: Vec::new(),
    };
    Identity::of_token(&token, [10, 0, 0, 1].into())
}

/// The letter of each action that is allowed, in the order of [`Action::DECIDED`].
fn matrix(who: &Identity) -> String {
    let policies = Policies::default();
    Action::DECIDED.iter().map(|action| if policies.allow(who, *action) { 'x' } else { '.' }).collect()
}

#[test]
fn what_each_may_do() {
    let local = Identity::local([127, 0, 0, 1].into(), TenantId::default()).unwrap();
    let anonymous = Identity::anonymous([127, 0, 0, 1].into(), TenantId::default());
    let certified =
        Identity::certified("CN=x", [Role::Analyst, Role::Auditor].into(), [10, 0, 0, 1].into(), TenantId::default());
    // query, query_audit, tail, status, sources, write, every_row, users (list, manage), tokens, sessions, explain,
    // own (sessions, tokens, password), list_approvals, approve, break_glass, review, destroy_keys,
    // list_retention, set_retention, place_hold, release_hold, list_views, save_views, manage_views
    for (who, expected) in [
        (&anonymous, "............................."),
        (&local, "xxxxx.x......x............xx."),
        (&certified, "xxxxx.xx.x.x.x...x....x...xx."),
        (&user(&[]), "..............xxx............"),
        (&user(&[Role::Administrator]), "...xx..xxxxxxxxxxxx.xxxxxxx.x"),
        (&user(&[Role::Analyst]), "x.xxx.x.......xxx.........xx."),
        (&user(&[Role::Engineer]), "..............xxx............"),
        (&scoped(&[Role::Engineer]), "x.xx..........xxx.........xx."),
        (&scoped(&[Role::Analyst]), "x.xx..x.......xxx.........xx."),
        (&user(&[Role::Auditor]), ".x.xx..x.x.x.xxxxx..x.x...x.."),
        (&user(&[Role::Collector]), ".....x........xxx............"),
        (&user(&[Role::BreakGlass]), "..............xxx..x........."),
        (&token(&[Role::BreakGlass]), "............................."),
        (&token(&[]), "............................."),
        (&token(&[Role::Analyst]), "x.xxx.x...................xx."),
        (&token(&[Role::Auditor]), ".x.xx..x.x.x.x...x....x...x.."),
        (&token(&[Role::Administrator]), "...xx..xxxxxxx...x...xxxxxx.x"),
        (&token(&[Role::Collector]), ".....x......................."),
    ] {
        assert_eq!(matrix(who), expected, "{} {:?}", who.name(), who.roles());
    }
}

#[test]
fn masked_fields_are_for_analysts() {
    let policies = Policies::default();
    for role in Role::ALL {
        assert_eq!(policies.unmask(&scoped(&[role]), "user.email"), role == Role::Analyst, "{}", role.name());
    }
}

#[test]
fn a_role_is_not_a_name() {
    assert_eq!(Role::named(LOCAL), None, "nobody can be given the role of the machine itself");
}

fn folder_of(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    files.iter().for_each(|(name, text)| std::fs::write(folder.path().join(name), text).unwrap());
    folder
}

#[test]
fn an_operator_adds_policies() {
    let folder = folder_of(&[
        (
            "payments.cedar",
            "@id(\"addresses\") permit (principal in Role::\"engineer\", action == Action::\"unmask\", \
            resource == Field::\"client.address\");\n\
            forbid (principal == User::\"alice\", action == Action::\"tail\", resource);",
        ),
        ("notes.txt", "not a policy"),
    ]);
    let policies = Policies::with_folder(folder.path()).unwrap();
    let who = scoped(&[Role::Engineer]);
    assert!(policies.unmask(&who, "client.address"));
    assert!(!policies.unmask(&who, "user.email"));
    assert!(!policies.allow(&who, Action::Tail), "a policy that forbids goes before one that permits");
    assert!(policies.allow(&who, Action::Query));
    let why = |action| policies.explain(&who, action, None).policies.into_keys().collect::<Vec<_>>();
    assert_eq!(why(Action::Query), ["logkeep/engineer"]);
    assert_eq!(why(Action::Tail), ["payments/2"]);
    assert_eq!(why(Action::ManageUsers), Vec::<String>::new());
    let field = policies.explain(&who, Action::Unmask, Some("client.address"));
    assert!(field.policies["payments/addresses"].contains("client.address"));
}

#[test]
fn policies_that_cannot_be_meant_are_refused() {
    for (bad, word) in [
        ("permit (principal, action == Action::\"qeury\", resource);", "qeury"),
        ("permit (principal in Role::\"engineer\", action, resource) when { principal.scpoed };", "scpoed"),
        ("permit (principal, action", "unexpected"),
        ("permit (principal == ?principal, action, resource);", "templates"),
    ] {
        let folder = folder_of(&[("bad.cedar", bad)]);
        let error = Policies::with_folder(folder.path()).unwrap_err();
        assert!(error.file.ends_with("bad.cedar") && error.fault.contains(word), "{error}");
    }
    assert!(Policies::with_folder(Path::new("/nowhere")).is_err());
}

#[test]
fn what_was_decided_once_is_decided_so_again_by_the_same_policies_only() {
    let shipped = Policies::default();
    let people = [user(&[Role::Analyst]), user(&[Role::Auditor]), scoped(&[Role::Analyst]), token(&[Role::Analyst])];
    for who in people.iter().chain(&people) {
        for action in Action::DECIDED {
            assert_eq!(shipped.allow(who, action), shipped.explain(who, action, None).allowed, "{who:?} {action:?}");
        }
        assert_eq!(
            shipped.unmask(who, "client.address"),
            shipped.explain(who, Action::Unmask, Some("client.address")).allowed
        );
    }
    let folder = folder_of(&[("stop.cedar", "forbid(principal, action, resource);")]);
    let stopped = Policies::with_folder(folder.path()).unwrap();
    assert!(shipped.allow(&people[0], Action::Query) && !stopped.allow(&people[0], Action::Query));
}

#[test]
fn decisions_that_are_remembered_are_bounded() {
    let folder = folder_of(&[("more.cedar", "permit(principal, action == Action::\"unmask\", resource);")]);
    let policies = Policies::with_folder(folder.path()).unwrap();
    for field in 0..MOST_DECIDED + 10 {
        policies.unmask(&user(&[Role::Analyst]), &format!("field{field}"));
    }
    assert_eq!(policies.decided.lock().len(), 10);
}
