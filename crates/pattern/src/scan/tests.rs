use super::*;
use crate::template::Template;

/// The template of a line by itself.
fn check(line: &str, expected: &str) {
    let mut read_line = Line::default();
    read(line, &mut read_line);
    assert_eq!(Template::of(&read_line).to_string(), expected, "{line}");
}

#[test]
fn numbers() {
    check(
        "took 12 ms and 3.5s: -7 of +8; 1,024 rows or 99.9%",
        "took <num> and <num>: <num> of <num>; <num> rows or <num>",
    );
    check("1.5e-3 0x1f 1h2m3.5s v1.2.3 10GiB 3rd", "<num> <hex> <num> v<num> <num> <num>");
    check("free 2.1 KB (of 4 GB)", "free <num> (of <num>)");
    check("10-20 5/7 page_4", "<num>-<num> <num>/<num> page_<num>");
    check("a 5 B=6", "a <num> B=<num>");
}

#[test]
fn names_with_digits() {
    check("node12 eth0 Http2Server utf8", "node<num> eth<num> Http<num>Server utf<num>");
    check("x2x4z 7f9c6d5b8 deadbeef01", "<id> <hex> <hex>");
    check("web-7f9c6d5b8c-xkcdz ready", "web-<hex>-<id> ready");
    check("blk_-1608999687919862906", "blk_<num>");
    check("attempt_1445_0020_m_000000_0", "attempt_<num>_<num>_m_<num>_<num>");
}

#[test]
fn addresses() {
    check("from 10.0.0.1 to /10.0.0.2:80, 10.0.0.0/8", "from <ip> to /<ip>, <ip>");
    check("fe80::1 2001:db8:0:0:0:0:0:1 is up", "<ip> <ip> is up");
    check("1.2.3.4.5 10:20", "<num> <time>");
    check("00:1a:2b:3c:4d:5e de:ad:be:ef:00:01 12:34:56:78:90:12", "<mac> <mac> <mac>");
    check("id 01234567-89ab-cdef-0123-456789abcdef, abcdefab-89ab-cdef-0123-456789abcdef", "id <list>");
    check("mail to j.doe+x@mail.example.com.", "mail to <email>.");
    check("0,0-a@b.cd", "<var>");
    check("user@host and @all", "user@host and @all");
}

#[test]
fn times() {
    for time in [
        "2026-11-22T10:00:00.123Z",
        "2026-11-22 10:00:00,123",
        "2026/11/22 10:00:00",
        "2026-11-22T10:00:00+01:00",
        "2026-11-22 10:00:00 +0100",
        "2026-11-22 10:00:00 UTC",
        "2026-11-22",
        "Nov 22 10:00:00",
        "Nov  2 10:00:00",
        "Sun Nov 22 10:00:00 2026",
        "22/Nov/2026:10:00:00 +0000",
        "22 Nov 2026 10:00:00.123",
        "10:00:00.123456",
        "10:00",
    ] {
        check(&format!("{time} began"), "<time> began");
        check(&format!("[{time}] began"), "[<time>] began");
    }
    check("May I ask 2026-11 10:99 Nov 22", "May I ask <num>-<num> <num>:<num> Nov <num>");
}

#[test]
fn places() {
    check("open /var/log/app.log: denied", "open <path>: denied");
    check("GET /a/b?c=d 200", "<var> <path> <num>");
    check("GET / 200", "<var> <path> <num>");
    check("see https://example.com/a?b=c.", "see <url>.");
    check(r"load C:\Windows\x.dll, now", "load <path>, now");
    check("read/write and TCP/IP", "read/write and TCP/IP");
    check("path=/a/b (/c/d)", "path=<path> (<path>)");
}

#[test]
fn quotes() {
    check(r#"role "bob" does not exist"#, "role <str> does not exist");
    check("can't open 'a b' now", "can't open <str> now");
    check(r#"msg="order 7 placed" user="bob b" n=3"#, r#"msg="order <num> placed" user=<str> n=<num>"#);
    check(r#"a.go:7] "Pod synced" pod="a/b" message="x y""#, r#"a.go:<num>] "Pod synced" pod=<str> message=<str>"#);
    check(r#"1.2.3.4 - - [22/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200"#, "<ip> <var> <var> [<time>] <str> <num>");
    check(r#"an "open end"#, r#"an "open end"#);
    check(r#"say "a \" b" twice"#, "say <str> twice");
}

#[test]
fn nothing() {
    check("ws=null ok: true x=nil done", "ws=<var> ok: <var> x=<var> done");
    check("a true story - with a dash", "a true story - with a dash");
    check("200 - via \"-\"", "<num> <var> via <str>");
}

#[test]
fn lists() {
    check("to 10.0.0.1, 10.0.0.2, 10.0.0.3 now", "to <list> now");
    check("to 10.0.0.1 now", "to <ip> now");
    check("ISR from 1,2,3 to 1,2", "ISR from <list> to <list>");
    check("(7, 8) [1,2,3]", "(<num>, <num>) [<list>]");
}

#[test]
fn json() {
    check(
        r#"{"ts":1.5,"level":"info","msg":"order 7 placed","user":"bob","tags":["a","b"],"ok":true,"in":{"a":null}}"#,
        r#"{"ts":<num>,"level":"info","msg":"order <num> placed","user":<str>,"tags":<list>,"ok":<var>,"in":{"a":<var>}}"#,
    );
    check("{\n  \"a\": \"b\",\n  \"c\": [1,\n 2]\n}", "{ \"a\": <str>, \"c\": <list> }");
    check(r#"{"open": [1, 2"#, r#"{"open": [<num>, <num>"#);
    check(r#"{"msg":"it's 'so' \"quoted\" here"}"#, r#"{"msg":"it's <str> \"quoted\" here"}"#);
}

#[test]
fn lines() {
    check("", "");
    check(" \n\t\n  first line \n second", "first line <...>");
    check("one line\n\n", "one line");
    check("tab\there   and there", "tab here and there");
    check(&"word ".repeat(100), &format!("{} <...>", ["word"; 16].join(" ")));
    check(&"ä".repeat(3_000), &format!("{} <...>", "ä".repeat(1_024)));
    check("\u{1b}[31mred\u{1b}[0m", "\u{1b}[31mred\u{1b}[0m");
}
