use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{Setup, listen};
use crate::Protocol;

/// Everything that is said to a connection that sends this, until it ends.
async fn said(bytes: &[u8]) -> (Setup, String) {
    let setup = Setup::new().await;
    let (address, _stop) = listen(&setup, "relp").await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said).await;
    (setup, String::from_utf8(said).unwrap())
}

const OPENED: &str = "1 rsp 59 200 OK\nrelp_version=0\nrelp_software=logkeep\ncommands=syslog\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_session() {
    let (setup, answers) =
        said(b"1 open 14 relp_version=0\n2 syslog 15 <34>Nov 20 text\n3 starttls 0\n4 close 0\n").await;
    let expected =
        format!("{OPENED}2 rsp 6 200 OK\n3 rsp 32 500 this command was not offered\n4 rsp 0\n0 serverclose 0\n");
    assert_eq!(answers, expected);
    assert_eq!(setup.bodies().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_breaks_the_protocol_ends_the_connection() {
    for bytes in [b"2 syslog 4 text\n".as_slice(), b"<13>plain syslog\n", b"1 open 99999999 x"] {
        let (setup, answers) = said(bytes).await;
        assert_eq!((answers.as_str(), setup.counts(Protocol::Relp).refused), ("", 1));
        assert!(setup.bodies().is_empty());
    }
    // What came before is stored and answered.
    let (setup, answers) = said(b"1 open 0\n2 syslog 4 text\nrubbish").await;
    assert_eq!((answers, setup.bodies()), (format!("{OPENED}2 rsp 6 200 OK\n"), vec!["text".to_owned()]));
}
