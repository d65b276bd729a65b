use logkeep_record::json;

use super::*;

/// A field with a length, or a number.
fn field(tag: u32, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::encode_key(tag, prost::encoding::WireType::LengthDelimited, &mut out);
    prost::encoding::encode_varint(bytes.len() as u64, &mut out);
    [out, bytes.to_vec()].concat()
}

fn number(tag: u32, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    prost::encoding::encode_key(tag, prost::encoding::WireType::Varint, &mut out);
    prost::encoding::encode_varint(value, &mut out);
    out
}

fn text(tag: u32, text: &str) -> Vec<u8> {
    field(tag, text.as_bytes())
}

fn pair(tag: u32, key: &str, value: &str) -> Vec<u8> {
    field(tag, &[text(1, key), text(2, value)].concat())
}

fn address(tag: u32, ip: &str, port: u64) -> Vec<u8> {
    field(tag, &field(1, &[text(2, ip), number(3, port)].concat()))
}

fn time(tag: u32, seconds: u64, nanos: u64) -> Vec<u8> {
    field(tag, &[number(1, seconds), number(2, nanos)].concat())
}

fn rendered(decoded: Result<Decoded<'_>, AlsError>) -> String {
    let decoded = match decoded {
        Ok(decoded) => decoded,
        Err(error) => return error.to_string(),
    };
    let mut out = String::new();
    for record in &decoded.records {
        json::write(&Value::Map(record.resource.attributes().clone()), &mut out);
        json::write(&record.body, &mut out);
        out.push('\n');
    }
    for one in &decoded.rejected {
        out += &format!("rejected {}: {}\n", one.place, one.reason);
    }
    out
}

fn check(stream: &mut Stream, message: &[u8], expected: &[&str]) {
    assert_eq!(rendered(stream.decode(message, 7)).lines().collect::<Vec<_>>(), expected);
}

fn identifier() -> Vec<u8> {
    let metadata = field(1, &[text(1, "NAMESPACE"), field(2, &text(3, "shop"))].concat());
    let locality = [text(1, "eu"), text(2, "eu-1")].concat();
    let node =
        [text(1, "sidecar~1"), text(2, "cart.shop"), field(3, &metadata), field(4, &locality), text(7, "x")].concat();
    field(1, &[field(1, &node), text(2, "mesh-http")].concat())
}

const NODE: &str = concat!(
    r#"{"log_name":"mesh-http","zone_name":"eu-1","cluster_name":"cart.shop","node_name":"sidecar~1","#,
    r#""cloud.region":"eu","k8s.namespace.name":"shop"}"#
);

/// As Envoy 1.40 fills it.
fn http_entry() -> Vec<u8> {
    let common = [
        address(2, "127.0.0.1", 40390),
        address(3, "::1", 80),
        time(5, 1_795_280_524, 710_990_000),
        time(9, 0, 1_622_941),
        time(12, 0, 1_829_015),
        address(13, "127.0.0.1", 38383),
        text(15, "shop"),
        text(19, "shop-route"),
        pair(22, "team", "a"),
        time(23, 0, 1_845_600),
        number(24, 1),
        text(26, "cdd0f827"),
        number(29, 326),
        number(33, 6),
    ];
    let request = [
        number(1, 1),
        text(2, "http"),
        text(3, "shop.example"),
        text(5, "/items/1/200?a=b"),
        text(8, "192.0.2.2"),
        text(9, "cdd0f827"),
        number(11, 324),
        pair(13, "x-team", "blue"),
        pair(13, "traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
    ];
    let response = [
        field(1, &number(1, 200)),
        number(2, 101),
        number(3, 200),
        pair(4, "x-envoy-upstream-service-time", "1"),
        text(6, "via_upstream"),
    ];
    [field(1, &common.concat()), number(2, 2), field(3, &request.concat()), field(4, &response.concat())].concat()
}

const HTTP: &str = concat!(
    r#"{"start_time":"2026-11-21T17:02:04.710990000Z","response_flags":"-","upstream_cluster":"shop","route_name":"shop-route","#,
    r#""protocol":"HTTP/1.1","method":"GET","url.scheme":"http","authority":"shop.example","path":"/items/1/200?a=b","#,
    r#""x_forwarded_for":"192.0.2.2","request_id":"cdd0f827","bytes_received":0,"mesh.request.headers_bytes":324,"#,
    r#""response_code":200,"response_code_details":"via_upstream","bytes_sent":200,"mesh.response.headers_bytes":101,"#,
    r#""duration":1.8456,"mesh.time_to_first_upstream_rx_byte_ms":1.622941,"mesh.time_to_last_downstream_tx_byte_ms":1.829015,"#,
    r#""upstream_host":"127.0.0.1:38383","downstream_local_address":"[::1]:80","downstream_remote_address":"127.0.0.1:40390","#,
    r#""mesh.stream_id":"cdd0f827","mesh.upstream.attempts":1,"mesh.downstream.wire_bytes_sent":326,"team":"a","#,
    r#""http.request.header.x-team":"blue","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","#,
    r#""upstream_service_time":"1"}"#
);

#[test]
fn a_stream_says_only_once_who_sends() {
    let mut stream = Stream::default();
    let entries = field(2, &field(1, &http_entry()));
    check(&mut stream, &[identifier(), entries.clone()].concat(), &[&format!("{NODE}{HTTP}")]);
    check(&mut stream, &entries, &[&format!("{NODE}{HTTP}")]);
    check(&mut stream, b"", &[]);
    check(&mut Stream::default(), &entries, &[&format!("{{}}{HTTP}")]);
}

#[test]
fn connections_with_tls_flags_and_metadata() {
    let names = [field(1, &text(1, "spiffe://shop/ns/a/sa/b")), field(1, &text(2, "b.a")), text(2, "CN=b")].concat();
    let tls = [number(1, 4), field(2, &number(1, 0x1301)), text(3, "pay.shop"), field(5, &names)].concat();
    let flags = [number(6, 1), field(13, &number(1, 1)), number(9, 0), number(99, 1)].concat();
    let list = field(6, &[field(1, &number(4, 1)), field(1, &number(1, 0))].concat());
    let fields = field(1, &[text(1, "list"), field(2, &list)].concat());
    let metadata = field(1, &[text(1, "envoy.lb"), field(2, &fields)].concat());
    let state = [text(1, "s"), field(2, &[text(1, "type"), field(2, &[1, 0xff])].concat())].concat();
    let common = [
        field(2, &field(2, &text(1, "/run/x.sock"))),
        field(4, &tls),
        field(16, &flags),
        field(17, &metadata),
        text(18, "reset"),
        field(21, &state),
        text(25, "idle"),
        number(27, 1),
    ];
    let entry = [field(1, &common.concat()), field(2, &[number(1, 5), number(2, 9)].concat())].concat();
    check(
        &mut Stream::default(),
        &field(3, &field(1, &entry)),
        &[concat!(
            r#"{}{"response_flags":"UF,UAEX,F99","upstream_cluster":"-","route_name":"-","bytes_received":5,"bytes_sent":9,"#,
            r#""downstream_remote_address":"/run/x.sock","downstream_tls_version":"TLSv1.3","#,
            r#""downstream_tls_cipher":"TLS_AES_128_GCM_SHA256","requested_server_name":"pay.shop","#,
            r#""downstream_peer_uri_san":"spiffe://shop/ns/a/sa/b","downstream_peer_dns_san":"b.a","downstream_peer_subject":"CN=b","#,
            r#""upstream_transport_failure_reason":"reset","connection_termination_details":"idle","mesh.intermediate":true,"#,
            r#""mesh.metadata.envoy.lb":{"list":[true,null]},"mesh.filter_state.s":"01ff"}"#
        )],
    );
}

#[test]
fn a_bad_entry_costs_only_itself() {
    let entries = [field(1, b"\xff"), field(1, &http_entry())].concat();
    let got = rendered(Stream::default().decode(&field(2, &entries), 7));
    assert!(got.starts_with(&format!("{{}}{HTTP}\nrejected 0: ")), "{got}");
    assert!(rendered(Stream::default().decode(b"\xff", 7)).starts_with("not a StreamAccessLogsMessage: "));
    let large = field(2, &field(1, &vec![0; limits::RECORD_BYTES + 1]));
    assert_eq!(
        rendered(Stream::default().decode(&large, 7)),
        "rejected 0: an entry of 1048577 bytes, more than 1048576\n"
    );
}

#[test]
fn bombs() {
    // Two bytes a value.
    let list = field(6, &field(1, b"").repeat(400_000));
    let fields = field(1, &[text(1, "l"), field(2, &list)].concat());
    let metadata = field(1, &[text(1, "f"), field(2, &fields)].concat());
    let entry = field(1, &field(1, &field(17, &metadata)));
    let got = rendered(Stream::default().decode(&field(2, &entry.repeat(6)), 7));
    assert_eq!(got, "the message has more than 2097152 values");
    let entry = field(1, b"").repeat(limits::RECORDS_PER_REQUEST + 1);
    assert_eq!(rendered(Stream::default().decode(&field(2, &entry), 7)), "the message has more than 524288 entries");
    let mut deep = text(3, "x");
    (0..60).for_each(|_| deep = field(6, &field(1, &deep)));
    let fields = field(1, &[text(1, "l"), field(2, &deep)].concat());
    let entry = field(1, &field(1, &field(17, &field(1, &field(2, &fields)))));
    let got = rendered(Stream::default().decode(&field(2, &entry), 7));
    assert!(got.starts_with("rejected 0: ") && got.contains("recursion"), "{got}");
}
