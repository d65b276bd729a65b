//! Who may do what: Cedar policies, one decision for one action, denied unless permitted.

use std::collections::{HashMap, HashSet};
use std::str::FromStr as _;
use std::sync::LazyLock;

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityTypeName, EntityUid, PolicySet, Request,
};

use crate::action::Action;
use crate::identity::{Identity, Known};

/// What each role may do.
const ROLES: &str = include_str!("policies/roles.cedar");
/// The role of whoever is on the machine, where the operator has left the door open. Nobody else can have it.
const LOCAL: &str = "local";

static POLICIES: LazyLock<PolicySet> =
    LazyLock::new(|| ROLES.parse().expect("the policies that we ship are well-formed, which a test shows"));

fn uid(kind: &str, name: &str) -> EntityUid {
    let kind = EntityTypeName::from_str(kind).expect("the names of our types are names in Cedar");
    EntityUid::from_type_name_and_id(kind, EntityId::new(name))
}

/// Whether somebody may do this with the data, or within the settings, of their tenant.
pub(crate) fn allows(who: &Identity, action: Action) -> bool {
    let Some((kind, name)) = principal(who) else { return false };
    let principal = uid(kind, name);
    let mut roles: HashSet<EntityUid> = who.roles().iter().map(|role| uid("Role", role.name())).collect();
    if *who.known() == Known::Local {
        roles.insert(uid("Role", LOCAL));
    }
    let Ok(entity) = Entity::new(principal.clone(), HashMap::new(), roles) else { return false };
    let Ok(entities) = Entities::from_entities([entity], None) else { return false };
    let (action, resource) = (uid("Action", action.as_str()), uid("Tenant", who.tenant().as_str()));
    let Ok(request) = Request::new(principal, action, resource, Context::empty(), None) else { return false };
    let answer = Authorizer::new().is_authorized(&request, &POLICIES, &entities);
    // A policy that cannot be evaluated is skipped, which for a `forbid` would be an allow.
    answer.decision() == Decision::Allow && answer.diagnostics().errors().next().is_none()
}

fn principal(who: &Identity) -> Option<(&'static str, &str)> {
    match who.known() {
        Known::Anonymous => None,
        Known::Local | Known::Certificate => Some(("Machine", who.name())),
        Known::Session { user, .. } => Some(("User", user.as_str())),
        Known::Token { id, .. } => Some(("Token", id)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use logkeep_record::TenantId;

    use super::*;
    use crate::directory::{Role, SessionInfo, TokenInfo, UserName};

    fn user(roles: &[Role]) -> Identity {
        let session = SessionInfo {
            id: "s".into(),
            user: UserName::new("alice").unwrap(),
            created_ns: 0,
            used_ns: 0,
            expires_ns: 1,
            address: "x".into(),
        };
        Identity::of_session(&session, roles.iter().copied().collect(), [10, 0, 0, 1].into(), TenantId::default())
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
        };
        Identity::of_token(&token, [10, 0, 0, 1].into())
    }

    /// The letter of each action that is allowed, in the order of [`Action::DECIDED`].
    fn matrix(who: &Identity) -> String {
        Action::DECIDED.iter().map(|action| if allows(who, *action) { 'x' } else { '.' }).collect()
    }

    #[test]
    fn what_each_may_do() {
        let local = Identity::local([127, 0, 0, 1].into(), TenantId::default()).unwrap();
        let anonymous = Identity::anonymous([127, 0, 0, 1].into(), TenantId::default());
        let certified = Identity::certified("CN=x", [10, 0, 0, 1].into(), TenantId::default());
        // query, query_audit, tail, status, write, users (list, manage), tokens, sessions, own (sessions, tokens, password)
        for (who, expected) in [
            (&anonymous, ".............."),
            (&local, "xxxx.........."),
            (&certified, "xxxx.x.x.x...."),
            (&user(&[]), "...........xxx"),
            (&user(&[Role::Administrator]), "...x.xxxxxxxxx"),
            (&user(&[Role::Analyst]), "x.xx.......xxx"),
            (&user(&[Role::Auditor]), ".x.x.x.x.x.xxx"),
            (&user(&[Role::Collector]), "....x......xxx"),
            (&token(&[]), ".............."),
            (&token(&[Role::Analyst]), "x.xx.........."),
            (&token(&[Role::Auditor]), ".x.x.x.x.x...."),
            (&token(&[Role::Administrator]), "...x.xxxxxx..."),
            (&token(&[Role::Collector]), "....x........."),
        ] {
            assert_eq!(matrix(who), expected, "{} {:?}", who.name(), who.roles());
        }
    }

    #[test]
    fn a_role_is_not_a_name() {
        assert_eq!(Role::named(LOCAL), None, "nobody can be given the role of the machine itself");
        assert_eq!(POLICIES.policies().count(), 6);
    }
}
