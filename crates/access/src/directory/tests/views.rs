//! Views that were saved: by tenant, bounded, and of our own pages only.

use super::*;
use crate::directory::ViewText;

fn text(name: &str, address: &str) -> ViewText {
    ViewText { name: name.into(), description: "of the shop".into(), address: address.into() }
}

async fn names(directory: &Directory, tenant: &TenantId) -> Vec<String> {
    directory.views(tenant).await.unwrap().into_iter().map(|(_, view)| view.text.name).collect()
}

#[tokio::test]
async fn a_view_is_of_one_tenant_and_outlives_the_server() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(5));
    let (one, other) = (TenantId::default(), TenantId::new("shop").unwrap());
    let Lab { directory, .. } = lab(folder.path(), clock.clone()).await;
    let id = directory.save_view(&one, "ada", text(" Errors ", "/logs?q=level%3Aerror")).await.unwrap();
    directory.save_view(&other, "eve", text("Errors", "/traces")).await.unwrap();
    assert_eq!(names(&directory, &one).await, ["Errors"]);
    assert!(matches!(directory.change_view(&other, &id, text("x", "/logs")).await, Err(DirectoryError::NotFound(_))));
    assert!(matches!(directory.delete_view(&other, &id).await, Err(DirectoryError::NotFound(_))));
    drop(directory);
    set(&clock, 9);
    let Lab { directory, .. } = lab(folder.path(), clock).await;
    directory.change_view(&one, &id, text("Failures", "/logs")).await.unwrap();
    let view = directory.view(&one, &id).await.unwrap();
    assert_eq!(
        (view.owner.as_str(), view.text.name.as_str(), view.text.address.as_str()),
        ("ada", "Failures", "/logs")
    );
    assert_eq!((view.created_ns, view.changed_ns), (5, 9));
    directory.delete_view(&one, &id).await.unwrap();
    assert_eq!((names(&directory, &one).await.len(), names(&directory, &other).await.len()), (0, 1));
    directory.forget_views(&other).await.unwrap();
    assert_eq!(names(&directory, &other).await, Vec::<String>::new());
}

#[tokio::test]
async fn only_pages_of_the_console_are_saved() {
    let folder = tempfile::tempdir().unwrap();
    let Lab { directory, .. } = lab(folder.path(), Arc::new(ManualClock::at(0))).await;
    let tenant = TenantId::default();
    let check = async |address: &str| match directory.save_view(&tenant, "ada", text("x", address)).await {
        Ok(id) => directory.delete_view(&tenant, &id).await.is_ok(),
        Err(_) => false,
    };
    for good in [
        "/",
        "/logs",
        "/logs?q=a%20b&col=url.path",
        "/overview?from=-1h",
        "/traces/ab12",
        "/traces/ab/compare/cd?x=1",
        "/sql?sql=select+1",
    ] {
        assert!(check(good).await, "{good}");
    }
    for bad in [
        "",
        "logs",
        "//evil.example/logs",
        "/\\evil.example",
        "https://evil.example/logs",
        "javascript:alert(1)",
        "/logs/../api",
        "/api/v1/logs",
        "/metrics",
        "/logs#x",
        "/logs?q=<b>",
        "/logs?q=a b",
        "/logs?q=\u{202e}",
        "/traces/",
        "/traces/..%2fapi",
        "/logs\n",
        "/logs?q=\"x\"",
        " /logs",
        "/logsx",
        "/people",
        "/map",
        "/sqlx",
    ] {
        assert!(!check(bad).await, "{bad}");
    }
    assert!(!check(&format!("/logs?q={}", "x".repeat(5_000))).await);
}

#[tokio::test]
async fn names_are_lines_of_their_own_and_there_are_not_too_many() {
    let folder = tempfile::tempdir().unwrap();
    let Lab { directory, .. } = lab(folder.path(), Arc::new(ManualClock::at(0))).await;
    let tenant = TenantId::default();
    for name in ["", "  ", "two\nlines", &"x".repeat(101)] {
        let saved = directory.save_view(&tenant, "ada", text(name, "/logs")).await;
        assert!(matches!(saved, Err(DirectoryError::Invalid(_))), "{name}");
    }
    let long = ViewText { description: "x".repeat(501), ..text("long", "/logs") };
    assert!(matches!(directory.save_view(&tenant, "ada", long).await, Err(DirectoryError::Invalid(_))));
    let first = directory.save_view(&tenant, "ada", text("v0", "/logs")).await.unwrap();
    assert!(matches!(directory.save_view(&tenant, "eve", text("v0", "/traces")).await, Err(DirectoryError::Exists(_))));
    directory.change_view(&tenant, &first, text("v0", "/traces")).await.unwrap();
    for number in 1..500 {
        directory.save_view(&tenant, "ada", text(&format!("v{number}"), "/logs")).await.unwrap();
    }
    assert!(matches!(
        directory.save_view(&tenant, "ada", text("one more", "/logs")).await,
        Err(DirectoryError::Refused(_))
    ));
    assert!(matches!(
        directory.change_view(&tenant, &first, text("v7", "/logs")).await,
        Err(DirectoryError::Exists(_))
    ));
    directory.delete_view(&tenant, &first).await.unwrap();
    directory.save_view(&tenant, "ada", text("one more", "/logs")).await.unwrap();
}
