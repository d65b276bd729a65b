use axum::body::{Body, Bytes};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::{Setup, send, wait_until};
use crate::Protocol;

fn entry(text: &str) -> String {
    format!(
        "__CURSOR=c\n__REALTIME_TIMESTAMP=1795168800000000\n_HOSTNAME=web-1\nSYSLOG_IDENTIFIER=app\nPRIORITY=3\nMESSAGE={text}\n\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_never_ends_is_stored_while_it_arrives() {
    let setup = Setup::new().await;
    let router = setup.intake.journal_router();
    let (sender, receiver) = mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    let body = Body::from_stream(ReceiverStream::new(receiver));
    let uploading = tokio::spawn(async move { send(&router, "POST /upload", body).await });
    let first = entry("one") + &entry("two") + &entry("three")[..20];
    sender.send(Ok(first.into())).await.unwrap();
    wait_until("storing", || setup.bodies().len() == 2).await;
    assert!(!uploading.is_finished());
    sender.send(Ok(entry("three")[20..].to_owned().into())).await.unwrap();
    wait_until("storing", || setup.bodies().len() == 3).await;
    // The last entry may lack its end.
    sender.send(Ok("MESSAGE=four\n".into())).await.unwrap();
    drop(sender);
    assert_eq!(uploading.await.unwrap().status, 202);
    assert_eq!(setup.bodies(), ["one", "two", "three", "four"]);
    let facts = setup.stored("default", |record| {
        let text = |name| record.resource.attribute(name).and_then(|value| value.as_str()).unwrap_or("-").to_owned();
        format!("{} {} {}", text("host.name"), text("service.name"), record.severity.number())
    });
    assert_eq!(facts[0], "web-1 app 17");
    assert_eq!(setup.counts(Protocol::Journal).stored, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_off_or_cannot_be_read_keeps_what_came_before() {
    let setup = Setup::new().await;
    let router = setup.intake.journal_router();
    let broken = entry("one") + "MESSAGE\n\u{1}\0\0\0\0\0\0\0abc\n\n";
    assert_eq!(send(&router, "POST /upload", broken).await.status, 400);
    let (sender, receiver) = mpsc::channel::<Result<Bytes, std::io::Error>>(2);
    sender.send(Ok(entry("two").into())).await.unwrap();
    sender.send(Err(std::io::Error::other("reset"))).await.unwrap();
    assert_eq!(send(&router, "POST /upload", Body::from_stream(ReceiverStream::new(receiver))).await.status, 400);
    assert_eq!(setup.bodies(), ["one", "two"]);
    setup.ingest.close();
    assert_eq!(send(&router, "POST /upload", entry("three")).await.status, 503);
}
