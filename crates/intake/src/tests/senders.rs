//! Who may send: every receiver, by token and by certificate, for its own tenant.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use logkeep_access::{
    Act, By, CertificateRule, CertificateRules, Directory, Identity, NamePattern, Needed, Policies, Role, Senders,
    SessionLimits, TokenSpec, UserName,
};
use logkeep_catalog::SqliteCatalog;
use logkeep_cipher::DataKey;
use logkeep_record::TenantId;
use logkeep_store::{Clock as _, ManualClock};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::conformance::{CASES, Case, Over};
use super::{Answered, Setup, options, port, send_from};
use crate::{Demand, ForwardSecurity, IntakeOptions, Peer, Protocol, Secret, TurnedAway};

const HOUR_NS: i64 = 3_600 * 1_000_000_000;

struct Lab {
    setup: Setup,
    directory: Arc<Directory>,
    clock: Arc<ManualClock>,
    _folder: TempDir,
}

impl Lab {
    /// With one person, who may make tokens that write and read, and a rule for certificates.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(0));
        let catalog =
            SqliteCatalog::open(&folder.path().join("c.sqlite"), &DataKey::from_bytes([1; 32])).await.unwrap();
        let directory = Directory::open(Arc::new(catalog), clock.clone(), SessionLimits::default()).await.unwrap();
        let roles = BTreeSet::from([Role::Administrator, Role::Analyst]);
        directory.add_user(&ann(), Some("granite lantern oboe thirty"), roles).await.unwrap();
        let rule = CertificateRule {
            name: NamePattern::new("CN=web-*").unwrap(),
            roles: [Role::Collector].into(),
            tenants: vec![tenant("team-a"), tenant("default")],
        };
        let directory = Arc::new(directory);
        let senders = Arc::new(Senders::new(directory.clone(), CertificateRules::new(vec![rule]), Policies::default()));
        let forward = Some(ForwardSecurity { shared_key: Secret::new("key"), users: Vec::new() });
        let setup = Setup::with(IntakeOptions { senders, forward, ..options() }).await;
        Self { setup, directory, clock, _folder: folder }
    }

    async fn token(&self, role: Role, name: &str) -> String {
        let expires_ns = self.clock.now_ns() + HOUR_NS;
        let spec = TokenSpec {
            name: "t".into(),
            owner: ann(),
            roles: [role].into(),
            scope: None,
            tenant: tenant(name),
            expires_ns,
        };
        self.directory.add_token(spec).await.unwrap().secret
    }

    /// The reasons of each source.
    async fn refused_for(&self) -> Vec<String> {
        let ledger = self.setup.ledger().await;
        let mut reasons: Vec<_> = ledger.into_iter().flat_map(|(_, counts)| counts.refused.into_keys()).collect();
        reasons.sort();
        reasons
    }
}

fn ann() -> UserName {
    UserName::new("ann").unwrap()
}

fn tenant(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

/// Somebody at a listener that demands this, who may have shown a certificate.
fn at(demanded: Demand, certificate: Option<&str>) -> Peer {
    Peer { identity: certificate.map(Arc::from), demanded, ..Peer::at("10.1.2.3:4000".parse().unwrap()) }
}

/// The head of a case without what it shows, and with this.
fn head(case: &str, more: &str) -> String {
    let shows = |line: &&str| line.starts_with("authorization") || line.starts_with("dd-api-key");
    let lines: Vec<_> = case.lines().filter(|line| !shows(line)).chain(more.lines()).collect();
    lines.join("\n")
}

fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}")
}

/// Those of HTTP, their heads, and their status of success.
fn https() -> impl Iterator<Item = (&'static Case, &'static str, u16)> {
    CASES.iter().filter_map(|case| match &case.over {
        Over::Http { head, good, .. } => Some((case, *head, *good)),
        _ => None,
    })
}

async fn ask(lab: &Lab, case: &Case, peer: Peer, more: &str) -> Answered {
    let Over::Http { router, head: own, .. } = &case.over else { unreachable!("callers choose those of HTTP") };
    send_from(peer, &router(&lab.setup.intake), &head(own, more), (case.request)(&["one", "two"])).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_receiver_of_http_takes_a_token_and_nothing_without() {
    for (case, own, good) in https() {
        let lab = Lab::new().await;
        let (reads, writes) = (lab.token(Role::Analyst, "default").await, lab.token(Role::Collector, "team-a").await);
        let demanding = || at(Demand::Token, None);
        let unknown = format!("lkt_{}.{}", "0".repeat(16), "0".repeat(64));
        let statuses = [
            ask(&lab, case, demanding(), "").await.status,
            ask(&lab, case, demanding(), &bearer(&unknown)).await.status,
            ask(&lab, case, demanding(), &bearer(&reads)).await.status,
            ask(&lab, case, at(Demand::Certificate, None), &bearer(&writes)).await.status,
            ask(&lab, case, at(Demand::Any, Some("CN=db-1")), "").await.status,
        ];
        // Agents of Datadog drop what any other status answers.
        let keeps = case.protocol == Protocol::Datadog;
        let (nobody, denied) = if keeps { (409, 409) } else { (401, 403) };
        assert_eq!(statuses, [nobody, nobody, denied, nobody, denied], "{own}");
        assert!(lab.setup.texts().is_empty(), "{own}");
        assert_eq!(lab.refused_for().await, ["denied", "denied", "unauthenticated"], "{own}");

        assert_eq!(ask(&lab, case, demanding(), &bearer(&writes)).await.status, good, "{own}");
        assert!(lab.setup.texts().is_empty(), "{own}: not for the default tenant");
        let ledger = lab.setup.ledger_of(&tenant("team-a")).await;
        let [(source, counts)] = ledger.as_slice() else { panic!("{own}: {ledger:?}") };
        assert_eq!(counts.stored, 2, "{own}");
        assert!(source.identity.as_deref().unwrap().starts_with("token:"), "{own}");
        assert_eq!(ask(&lab, case, at(Demand::Any, Some("CN=web-1")), "").await.status, good, "{own}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sender_writes_for_its_own_tenants_alone() {
    let lab = Lab::new().await;
    let token = lab.token(Role::Collector, "team-a").await;
    let case = CASES.iter().find(|case| case.protocol == Protocol::Loki).unwrap();
    let shown = bearer(&token);
    for (peer, more, status) in [
        (at(Demand::Any, None), format!("{shown}\nx-scope-orgid: team-a"), 204),
        (at(Demand::Open, None), format!("{shown}\nx-scope-orgid: default"), 401),
        (at(Demand::Any, None), format!("{shown}\nx-scope-orgid: nowhere"), 401),
        (at(Demand::Any, None), format!("{shown}\nx-scope-orgid: team-a\nx-scope-orgid: team-a"), 401),
        (at(Demand::Any, None), format!("{shown}\nx-scope-orgid: default\nx-scope-orgid: team-a"), 401),
        (at(Demand::Any, None), format!("{shown}\n{shown}"), 401),
        (at(Demand::Any, None), format!("{shown}\nx-scope-orgid: team%2Da"), 401),
        (at(Demand::Any, Some("CN=web-1")), "x-scope-orgid: default".to_owned(), 204),
        (at(Demand::Any, Some("CN=web-1")), String::new(), 204),
        (at(Demand::Any, Some("CN=web-1")), "x-scope-orgid: nowhere".to_owned(), 401),
        (at(Demand::Open, None), "x-scope-orgid: team-a".to_owned(), 204),
        (at(Demand::Open, None), "x-scope-orgid: nowhere".to_owned(), 401),
    ] {
        let answer = ask(&lab, case, peer.clone(), &more).await;
        assert_eq!(answer.status, status, "{peer:?} {more}: {}", answer.text());
        assert!(!answer.text().contains(&token));
    }
    let mine = ask(&lab, case, at(Demand::Any, None), &format!("{shown}\nx-scope-orgid: default")).await.text();
    let nobodys = ask(&lab, case, at(Demand::Any, None), &format!("{shown}\nx-scope-orgid: nowhere")).await.text();
    assert_eq!(mine.replace("default", "nowhere"), nobodys, "a sender does not learn which tenants there are");
    let stored = |name: &str| lab.setup.stored(name, |record| record.body.as_str().unwrap().to_owned()).len();
    assert_eq!((stored("team-a"), stored("default")), (6, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_with_the_next_request() {
    let lab = Lab::new().await;
    let case = CASES.iter().find(|case| case.protocol == Protocol::Otlp).unwrap();
    let (first, second) = (lab.token(Role::Collector, "default").await, lab.token(Role::Collector, "default").await);
    let status = async |token: &str| ask(&lab, case, at(Demand::Token, None), &bearer(token)).await.status;
    assert_eq!((status(&first).await, status(&second).await), (200, 200));
    let id = first.trim_start_matches("lkt_").split('.').next().unwrap();
    lab.directory.end_token(id).await.unwrap();
    assert_eq!((status(&first).await, status(&second).await), (401, 200));
    lab.clock.advance_ns(HOUR_NS);
    assert_eq!(status(&second).await, 401, "its time is over");
    let third = lab.token(Role::Collector, "default").await;
    assert_eq!(status(&third).await, 200);
    // She manages people no more, once there is another who does.
    let who = Identity::of_user(&ann(), lab.directory.rights(&ann()).unwrap(), TenantId::default());
    let bob = UserName::new("bob").unwrap();
    let act = Act::AddUser { user: bob, roles: [Role::Administrator].into(), scope: None };
    let Needed::Statement(alone) = lab.directory.needed(&act, &who).unwrap() else { panic!("there is nobody else") };
    let by = By::Statement(&alone.note);
    lab.directory.carry_out(&act, Some("granite lantern oboe thirty"), by).await.unwrap();
    lab.directory.set_user(&ann(), BTreeSet::from([Role::Analyst]), false).await.unwrap();
    assert_eq!(status(&third).await, 403, "its owner may not give it that any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_demanded_foreign_keys_are_not_looked_at() {
    let lab = Lab::new().await;
    let case = CASES.iter().find(|case| case.protocol == Protocol::Hec).unwrap();
    for (shown, status) in [
        ("", 200),
        ("authorization: Splunk 0000-1111", 200),
        ("authorization: Basic dXNlcjpwYXNz", 200),
        ("authorization: Splunk lkt_none", 401),
        ("authorization: Splunk a\nauthorization: Splunk b", 401),
    ] {
        assert_eq!(ask(&lab, case, at(Demand::Open, None), shown).await.status, status, "{shown}");
    }
    let in_url = format!("POST /services/collector/event?token={}", lab.token(Role::Collector, "default").await);
    let answer = send_from(at(Demand::Open, None), &lab.setup.intake.hec_router(), &in_url, "{\"event\":1}").await;
    assert_eq!((answer.status, answer.text().as_str()), (401, r#"{"text":"Token is required","code":2}"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_elasticsearch_and_datadog_ask_before_they_send() {
    let lab = Lab::new().await;
    let token = lab.token(Role::Collector, "default").await;
    let elasticsearch = lab.setup.intake.elasticsearch_router();
    for (line, bad, good) in
        [("GET /", 401, 200), ("HEAD /_index_template/x", 401, 404), ("PUT /_ilm/policy/x", 401, 200)]
    {
        let ask = async |more: String| {
            let head = format!("{line}\n{more}");
            send_from(at(Demand::Token, None), &elasticsearch, head.trim_end(), "{}").await
        };
        let refused = ask(String::new()).await;
        assert_eq!(refused.status, bad, "{line}");
        assert_eq!(refused.header("x-elastic-product"), "Elasticsearch", "{line}");
        assert_eq!(refused.header("www-authenticate"), "Bearer", "{line}");
        assert_eq!(ask(bearer(&token)).await.status, good, "{line}");
    }
    let datadog = lab.setup.intake.datadog_router();
    let validate = async |more: &str| {
        let head = format!("GET /api/v1/validate\n{more}");
        send_from(at(Demand::Token, None), &datadog, head.trim_end(), "").await.status
    };
    assert_eq!((validate("").await, validate(&format!("dd-api-key: {token}")).await), (403, 200));
}

/// Connects to a port that demands a token or a certificate, and says whether it is let in.
async fn is_let_in(lab: &Lab, name: &'static str) -> bool {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
    let (intake, stopping) = (lab.setup.intake.clone(), stop.clone());
    let door = intake.door(Some(port(name)), listener, None, Demand::Any);
    let serving = tokio::spawn(async move { intake.serve_tcp(door, stopping).await });
    let mut stream = TcpStream::connect(address).await.unwrap();
    let let_in = if name == "forward-tcp" {
        // It asks for the key.
        matches!(stream.read(&mut [0; 64]).await, Ok(1..))
    } else {
        let _ = stream.write_all(b"<13>1 2026-11-20T10:00:00Z web-1 app 7 - - one\n").await;
        let _ = stream.shutdown().await;
        let _ = stream.read(&mut [0; 64]).await;
        !lab.setup.texts().is_empty()
    };
    drop(stream);
    stop.cancel();
    serving.await.unwrap();
    let_in
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_cannot_say_who_they_are() {
    let lab = Lab::new().await;
    for name in ["syslog-tcp", "gelf-tcp", "beats", "relp", "datadog-tcp", "json-tcp"] {
        assert!(!is_let_in(&lab, name).await, "{name}");
        let refused = lab.setup.intake.doors().pop().unwrap().refused;
        assert_eq!(refused.into_iter().collect::<Vec<_>>(), [("unauthenticated", 1)], "{name}");
    }
    assert!(is_let_in(&lab, "forward-tcp").await, "the port asks for a key of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_of_connections_have_tenants() {
    let lab = Lab::new().await;
    let tenant_of = |name: Option<&str>, demanded| {
        lab.setup.intake.tenant_of_connection(&at(demanded, name), false).map_err(|refusal| refusal.reason())
    };
    assert_eq!(tenant_of(Some("CN=web-1"), Demand::Certificate), Ok(tenant("team-a")));
    assert_eq!(tenant_of(Some("CN=web-1"), Demand::Token), Err("unauthenticated"));
    assert_eq!(tenant_of(Some("CN=db-1"), Demand::Any), Err("denied"));
    assert_eq!(tenant_of(Some("CN=db-1"), Demand::Open), Ok(TenantId::default()), "nothing is demanded");
    assert_eq!(tenant_of(None, Demand::Any), Err("unauthenticated"));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_turned_away_is_told_in_sums() {
    let lab = Lab::new().await;
    let case = CASES.iter().find(|case| case.protocol == Protocol::Loki).unwrap();
    for _ in 0..5 {
        ask(&lab, case, at(Demand::Any, None), "").await;
    }
    ask(&lab, case, at(Demand::Any, Some("CN=db-1")), "").await;
    ask(&lab, case, at(Demand::Open, None), "x-scope-orgid: nowhere").await;
    let who = |identity: Option<&str>, reason| TurnedAway {
        protocol: "loki",
        address: Some(IpAddr::from([10, 1, 2, 3])),
        identity: identity.map(str::to_owned),
        reason,
    };
    let expected =
        [(who(None, "unauthenticated"), 5), (who(None, "unknown_tenant"), 1), (who(Some("CN=db-1"), "denied"), 1)];
    assert_eq!(lab.setup.intake.take_turned_away(), expected);
    assert_eq!(lab.setup.intake.take_turned_away(), [], "once");
    for n in 0..1_000_u16 {
        let [high, low] = n.to_be_bytes();
        let who = TurnedAway { address: Some([10, 9, high, low].into()), ..who(None, "unauthenticated") };
        lab.setup.intake.turned_away_again(who, 2);
    }
    let told = lab.setup.intake.take_turned_away();
    assert_eq!(told.iter().map(|(_, times)| times).sum::<u64>(), 2_000);
    assert!(told.len() <= 257, "{} are told apart", told.len());
}
