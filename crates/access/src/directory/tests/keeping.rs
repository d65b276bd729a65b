//! Retention and legal holds: what one person does, and what takes two whatever happens.

use logkeep_ingest::{HOLDS, RETENTION};
use logkeep_record::Class;
use serde_json::{Value as Json, json};

use super::approvals::{DAY_NS, asked, carry_out, forged, said, signed_in, with_three};
use super::*;
use crate::approval::{Act, Ground};
use crate::directory::carry_out::TWO_ALWAYS;
use crate::directory::{By, HoldInfo, Needed};
use crate::identity::Identity;

fn shop() -> TenantId {
    TenantId::new("shop").unwrap()
}

fn keep(class: &str, days: Option<u32>) -> Act {
    Act::SetRetention { tenant: shop(), class: Class::new(class).unwrap(), days }
}

fn hold(id: &str, class: Option<&str>) -> Act {
    let class = class.map(str::to_owned);
    Act::PlaceHold { hold: id.to_owned(), tenant: shop(), class, reason: "case 7".to_owned() }
}

fn release(id: &str) -> Act {
    Act::ReleaseHold { hold: id.to_owned(), tenant: shop() }
}

/// By the word of one.
async fn alone(directory: &Directory, who: &Identity, act: &Act) -> Result<(), DirectoryError> {
    assert_eq!(directory.needed(act, who)?, Needed::Nobody, "{act}");
    directory.carry_out(act, None, By::One(who.user())).await.map(drop)
}

async fn rows(directory: &Directory, table: &str) -> Json {
    let bytes = directory.catalog.secret(table).await.unwrap().unwrap();
    serde_json::from_slice::<Json>(&bytes).unwrap()["rows"].clone()
}

/// Neither one person, nor a waiver, a broken glass, an altered, an expired or a used approval, nor the asker's own does it.
async fn takes_two_always(lab: &Lab, act: &Act, other: &Act, was: &str) {
    let Lab { directory, clock } = lab;
    let alice = signed_in(directory, "alice").await;
    let one = said(directory.carry_out(act, None, By::One(alice.user())).await);
    assert!(one.contains("takes two people"), "{one}");
    let request = asked(directory, &alice, act).await;
    assert!(request.text.ends_with(&format!("\"was\":{was}}}")), "{}", request.text);
    assert!(said(directory.approve(&request, &name("alice"))).starts_with("nobody approves what they asked for"));
    let now_ns = request.requested_ns;
    for ground in [Ground::Waived, Ground::BreakGlass { id: "aa".into(), reason: "there is a fire".into() }] {
        let forged = forged(directory, &request, ground.clone(), now_ns);
        assert_eq!(said(carry_out(directory, act, &forged).await), TWO_ALWAYS, "{ground:?}");
    }
    for by in ["alice", "dave"] {
        let forged = forged(directory, &request, Ground::Approved { by: name(by) }, now_ns);
        assert!(carry_out(directory, act, &forged).await.is_err(), "{by}");
    }
    let note = directory.approve(&request, &name("bob")).unwrap().note;
    assert!(said(carry_out(directory, other, &note).await).starts_with("what was approved is something else"));
    let altered = note.replace("approver bob", "approver carol");
    assert!(said(carry_out(directory, act, &altered).await).starts_with("this is no approval of ours"));
    clock.advance_ns(5 * 60 * 1_000_000_000);
    assert_eq!(said(carry_out(directory, act, &note).await), "the approval has expired");
    let note = directory.approve(&request, &name("bob")).unwrap().note;
    carry_out(directory, act, &note).await.unwrap();
    assert!(carry_out(directory, act, &note).await.is_err(), "once");
}

#[tokio::test]
async fn longer_takes_one_and_shorter_two_always() {
    let folder = tempfile::tempdir().unwrap();
    let lab = with_three(folder.path()).await;
    let alice = signed_in(&lab.directory, "alice").await;
    alone(&lab.directory, &alice, &keep("web", None)).await.unwrap();
    assert_eq!(lab.directory.retention(&shop()), []);
    takes_two_always(&lab, &keep("web", Some(30)), &keep("web", Some(29)), r#"{"days":null}"#).await;
    for longer in [Some(30), Some(90), None, None] {
        alone(&lab.directory, &alice, &keep("web", longer)).await.unwrap();
    }
    takes_two_always(&lab, &keep("web", Some(90)), &keep("api", Some(90)), r#"{"days":null}"#).await;
    takes_two_always(&lab, &keep("web", Some(89)), &keep("web", Some(90)), r#"{"days":90}"#).await;
    assert_eq!(lab.directory.retention(&shop()), [("web".to_owned(), 89)]);
    assert_eq!(lab.directory.retention(&TenantId::default()), []);
    let kept = rows(&lab.directory, RETENTION).await;
    assert_eq!((&kept["shop/web"]["days"], kept["shop/web"]["orders"].as_array().unwrap().len()), (&json!(89), 3));

    let refused = |act: Act| said(lab.directory.needed(&act, &alice).map(drop));
    assert!(refused(keep("audit", Some(364))).contains("for 365 days at least"));
    assert!(refused(keep("web", Some(0))).contains("`days` is 1 to"));
    assert!(refused(keep("web", Some(36_501))).contains("`days` is 1 to"));
    assert!(refused(keep("ledger", Some(400))).contains("holds no records"));
    asked(&lab.directory, &alice, &keep("audit", Some(365))).await;

    // What was approved is not done on what has changed meanwhile.
    let request = asked(&lab.directory, &alice, &keep("web", Some(7))).await;
    let note = lab.directory.approve(&request, &name("bob")).unwrap().note;
    alone(&lab.directory, &alice, &keep("web", Some(1_000))).await.unwrap();
    assert!(said(carry_out(&lab.directory, &keep("web", Some(7)), &note).await).contains("has changed since"));
}

#[tokio::test]
async fn one_places_a_hold_and_two_release_it() {
    let folder = tempfile::tempdir().unwrap();
    let lab = with_three(folder.path()).await;
    let alice = signed_in(&lab.directory, "alice").await;
    alone(&lab.directory, &alice, &hold("h1", Some("web"))).await.unwrap();
    assert!(said(alone(&lab.directory, &alice, &hold("h1", None)).await).contains("the hold `h1` exists already"));
    let (class, by) = (Some("web".to_owned()), Some("alice".to_owned()));
    let placed = HoldInfo { id: "h1".into(), class, reason: "case 7".into(), by, placed_ns: DAY_NS };
    assert_eq!(lab.directory.holds(&shop()), [placed]);
    assert_eq!(lab.directory.holds(&TenantId::default()), []);
    for reason in ["", "  ", "two\nlines", &"x".repeat(501)] {
        let act = Act::PlaceHold { hold: "h9".into(), tenant: shop(), class: None, reason: reason.into() };
        assert!(said(lab.directory.needed(&act, &alice).map(drop)).contains("`reason` is a line"), "{reason:?}");
    }
    let elsewhere = Act::ReleaseHold { hold: "h1".into(), tenant: TenantId::default() };
    for none in [release("h2"), elsewhere] {
        assert!(matches!(lab.directory.needed(&none, &alice), Err(DirectoryError::NotFound(_))), "{none}");
    }

    let destroy = Act::DestroyKeys { tenant: shop() };
    let held = said(lab.directory.needed(&destroy, &alice).map(drop));
    assert_eq!(held, "what the tenant `shop` has is held by `h1` (case 7): release it first");
    alone(&lab.directory, &alice, &hold("h2", None)).await.unwrap();
    let was = r#"{"class":"web","reason":"case 7","by":"alice","placed_ns":86400000000000}"#;
    takes_two_always(&lab, &release("h1"), &release("h2"), was).await;
    assert_eq!(lab.directory.holds(&shop()).len(), 1);
    let note = rows(&lab.directory, HOLDS).await["h1"]["release"]["note"].as_str().unwrap().to_owned();
    assert!(note.contains(r#""act":"release_hold","hold":"h1""#), "{note}");
    let request = asked(&lab.directory, &alice, &release("h2")).await;
    let note = lab.directory.approve(&request, &name("bob")).unwrap().note;
    carry_out(&lab.directory, &release("h2"), &note).await.unwrap();

    // Approved while nothing was held, and carried out when it was.
    alone(&lab.directory, &alice, &hold("h3", Some("audit"))).await.unwrap();
    let request = asked(&lab.directory, &alice, &destroy).await;
    let note = lab.directory.approve(&request, &name("bob")).unwrap().note;
    alone(&lab.directory, &alice, &hold("h4", None)).await.unwrap();
    assert!(said(carry_out(&lab.directory, &destroy, &note).await).contains("is held by `h4`"));
    let request = asked(&lab.directory, &alice, &release("h4")).await;
    let released = lab.directory.approve(&request, &name("bob")).unwrap().note;
    carry_out(&lab.directory, &release("h4"), &released).await.unwrap();
    carry_out(&lab.directory, &destroy, &note).await.unwrap();
    for late in [hold("h5", None), keep("web", Some(30))] {
        assert!(said(lab.directory.needed(&late, &alice).map(drop)).contains("was destroyed"), "{late}");
    }
}
