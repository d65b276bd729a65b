//! Configurations as text in, faults as text out.

use super::*;

fn check(yaml: &str, expected: &str) {
    let shown = match Config::read("c.yaml", yaml) {
        Ok(_) => "no faults".to_owned(),
        Err(faults) => faults.to_string(),
    };
    assert_eq!(shown, expected, "{yaml}");
}

#[test]
fn good_files() {
    for yaml in ["", "# nothing\n", "---\n", "listen:\n", "tenants: []", "data_dir: /var/lib/logkeep"] {
        check(yaml, "no faults");
    }
    let config = Config::read(
        "c.yaml",
        "data_dir: /srv/logs\nlisten:\n  main: 8000\n  loki: off\n  syslog_udp: \"[::1]:514\"\nlimits: {request_bytes: 32 MiB}\n\
         query: {timeout: 1m30s}\ntenants: [shop, default]\nelasticsearch:\n  version: 9.1.0\nlog: {level: DEBUG}\n",
    )
    .unwrap();
    assert_eq!(config.key_file(), Path::new("/srv/logs.key"));
    assert_eq!(config.listen.main.address.to_string(), "127.0.0.1:8000");
    assert!(config.listen.main.configured && !config.listen.receiver("otlp-grpc").unwrap().configured);
    assert_eq!(config.listen.receiver("loki"), None);
    assert_eq!(config.listen.receiver("syslog-udp").unwrap().address.to_string(), "[::1]:514");
    assert_eq!(config.limits.request_bytes, 32 << 20);
    assert_eq!(config.query.timeout, Duration::from_secs(90));
    assert_eq!(config.tenants.iter().map(TenantId::as_str).collect::<Vec<_>>(), ["default", "shop"]);
    assert_eq!((config.log_level.as_str(), config.elasticsearch_version.as_str()), ("debug", "9.1.0"));
}

#[test]
fn defaults_are_as_documented() {
    let config = Config::default();
    assert_eq!(config.key_file(), Path::new("./logkeep-data.key"));
    assert_eq!(config.listen.main.address.to_string(), "127.0.0.1:7280");
    assert_eq!(config.limits.request_bytes, logkeep_record::limits::REQUEST_BYTES);
    assert_eq!(config.limits.record_bytes, logkeep_record::limits::RECORD_BYTES);
}

#[test]
fn unknown_keys_name_line_and_nearest() {
    check("data-dir: x", "c.yaml:1: unknown key `data-dir`\n  hint: did you mean `data_dir`?");
    check("listen:\n  lokki: off", "c.yaml:2: unknown key `listen.lokki`\n  hint: did you mean `loki`?");
    check("timeout: 5s", "c.yaml:1: unknown key `timeout`\n  hint: did you mean `query.timeout`?");
    check("flush:\n  foo: 1", "c.yaml:2: unknown key `flush.foo`\n  hint: valid here: bytes, interval");
}

#[test]
fn a_service_that_keeps_the_key() {
    let vault = "keys: {provider: vault}\nvault: {address: \"https://v:8200\", key: k, token_file: /t, mount: a/b/}";
    let read = Config::read("c.yaml", vault).unwrap();
    assert_eq!(read.key_source().to_string(), "Vault `https://v:8200`, key `a/b/k`");
    assert_eq!(Config::read("c.yaml", &read.to_yaml()).unwrap().key_service, read.key_service);
    let kms = "keys: {provider: aws_kms}\naws_kms: {key_id: \"arn:aws:kms:eu-west-1:1:key/2\", credentials_file: /c, profile: p}";
    let read = Config::read("c.yaml", kms).unwrap();
    assert_eq!(read.key_source().to_string(), "AWS KMS, key `arn:aws:kms:eu-west-1:1:key/2` in eu-west-1");
    assert_eq!(Config::read("c.yaml", &read.to_yaml()).unwrap().key_service, read.key_service);
}

#[test]
fn faults_of_a_service_that_keeps_the_key() {
    check(
        "keys: {provider: valut}",
        "c.yaml:1: `keys.provider`: `valut` is no provider\n  hint: one of local_file, vault, aws_kms",
    );
    check(
        "keys:\n  provider: vault\nvault: {mount: ../x}",
        "c.yaml:2: `vault.address` is missing, which `keys.provider: vault` needs\n  \
         hint: for example `address: https://vault.example.com:8200`\n\
         c.yaml:2: `vault.key` is missing, which `keys.provider: vault` needs\n  hint: for example `key: logkeep`\n\
         c.yaml:2: `vault.token_file` is missing, which `keys.provider: vault` needs\n  \
         hint: for example `token_file: /run/vault/token`\n\
         c.yaml:3: `vault.mount`: `..` is no name of a mount\n  hint: letters, digits, `-`, `_` and `.`",
    );
    check("aws_kms: {key_id: x}", "c.yaml:1: `aws_kms.key_id` has no effect without `keys.provider: aws_kms`");
    check(
        "key_file: /k\nkeys: {provider: aws_kms}\naws_kms: {key_id: x, region: y, endpoint: \"http://kms\", profile: z}",
        "c.yaml:1: `key_file` has no effect: `keys.provider` says that a service keeps the key\n  \
         hint: `logkeep keys move` takes data from a key file to a service\n\
         c.yaml:3: `aws_kms.endpoint`: `http://kms`: without TLS keys are sent only within this machine\n\
         c.yaml:3: `aws_kms.profile` has no effect without `aws_kms.credentials_file`",
    );
    check(
        "keys: {provider: vault}\nvault: {address: \"https://me:hunter2@v\", key: k, token_file: /t}",
        "c.yaml:2: `vault.address`: holds credentials",
    );
}

#[test]
fn every_fault_at_once() {
    check(
        "listen:\n  main: 0.0.0.0:7280\n  loki: nowhere\nlimits:\n  request_bytes: 12 parsecs\nquery: 5s\nlog:\n  level: loud\n\
         flush:\n  interval: 5\ntenants: [\"a b\", shop, shop]\n",
        "c.yaml:2: `listen.main`: `0.0.0.0:7280` can be reached from other hosts, and shows what is stored\n  \
         hint: listen on 127.0.0.1, or have `client_certificates: required` there (docs/guide/tls.md)\n\
         c.yaml:3: `listen.loki`: `nowhere` is no address\n  hint: write address and port, like `127.0.0.1:3100` or `off`\n\
         c.yaml:5: `limits.request_bytes`: `12 parsecs` is no size\n  \
         hint: a size is a number of bytes, or one with KiB, MiB or GiB\n\
         c.yaml:6: `query` is a single value, expected a section\n  hint: write `timeout: …`\n\
         c.yaml:8: `log.level`: `loud` is no level\n  hint: one of error, warn, info, debug, trace\n\
         c.yaml:10: `flush.interval`: `5` is no duration\n  hint: a duration has a unit: 500ms, 30s, 5m, 1h\n\
         c.yaml:11: `tenants`: tenant `a b` is not a name: 1 to 64 characters, a–z, 0–9, `-` or `_`, the first a letter \
         or digit\n\
         c.yaml:11: `tenants`: `shop` is there twice",
    );
}

#[test]
fn faults_between_keys() {
    let inside = "\n  hint: keep the key elsewhere: whoever copies the folder must not get the key with it";
    check(
        "data_dir: /d\nkey_file: /d/x/../k",
        &format!("c.yaml:2: `key_file`: `/d/x/../k` is inside `data_dir`{inside}"),
    );
    check("key_file: logkeep-data/k", &format!("c.yaml:1: `key_file`: `logkeep-data/k` is inside `data_dir`{inside}"));
    check(
        "listen:\n  loki: 9200",
        "c.yaml:2: `listen.loki` and `listen.elasticsearch` both have 127.0.0.1:9200\n  \
         hint: give each its own port, or turn one off",
    );
    check("listen: {main: 0, loki: 0}", "no faults");
    check(
        "limits: {record_bytes: 32MiB}",
        "c.yaml:1: `limits.record_bytes` (32MiB) is more than `limits.request_bytes` (16MiB)\n  \
         hint: no record can be larger than the request it came in",
    );
    let small = Config::read("c.yaml", "limits: {request_bytes: 512KiB}").unwrap();
    assert_eq!(small.limits.record_bytes, 512 << 10);
    check(
        "limits:\n  request_bytes: 2KiB\n  record_bytes: x",
        "c.yaml:3: `limits.record_bytes`: `x` is no size\n  hint: a size is a number of bytes, or one with KiB, MiB or GiB",
    );
    check("query: {timeout: 5h}", "c.yaml:1: `query.timeout`: `5h` is not between 100ms and 1h");
    check(
        "elasticsearch: {version: 8.1}",
        "c.yaml:1: `elasticsearch.version`: `8.1` is no version\n  hint: write three numbers, like `8.17.0`",
    );
    check(
        "forward: {users_file: /u}",
        "c.yaml:1: `forward.users_file` needs `forward.shared_key_file`\n  \
         hint: senders give a password only to a server that has asked for the key",
    );
    check("forward: {users_file: /u, shared_key_file: /k}", "no faults");
    check(
        "data_dir: [a]",
        "c.yaml:1: `data_dir` is a list, expected a single value\n  hint: for example `data_dir: ./logkeep-data`",
    );
}

const PAIR: &str = "tls: {certificate: /c, key: /k, client_ca: /senders, client_certificates: required}\n";

#[test]
fn tls_of_all_listeners_and_of_one() {
    let yaml = format!(
        "{PAIR}listen:\n  loki: 0.0.0.0:3100\n  beats: {{client_certificates: optional}}\n  \
         relp: {{address: 5, certificate: /c2, key: /k2}}\n  syslog_udp: {{address: \"0.0.0.0:5514\", plaintext: true, senders: open}}\n  \
         gelf_tcp: {{plaintext: true}}\n  main:\n    address: 0.0.0.0:7280\n    client_ca: /readers\n"
    );
    let config = Config::read("c.yaml", &yaml).unwrap_or_else(|faults| panic!("{faults}"));
    let options = |listener: &Listener| {
        let Some(tls) = listener.tls_options(&config.tls) else { return "plaintext".to_owned() };
        let authorities = tls.clients.authorities().and_then(|all| all.file.clone()).unwrap_or_default();
        let authorities = authorities.display();
        format!("{} {} {} {authorities}", tls.certificate.display(), tls.key.display(), tls.clients.as_str())
    };
    let check = |name: &str, expected: &str| {
        let listener = config.listen.receiver(name).unwrap();
        assert_eq!(options(listener), expected, "{name}");
    };
    check("loki", "/c /k required /senders");
    check("beats", "/c /k optional /senders");
    check("relp", "/c2 /k2 required /senders");
    check("gelf-tcp", "plaintext");
    check("syslog-tls", "/c /k required /senders");
    assert_eq!(options(&config.listen.main), "/c /k required /readers");
    assert_eq!(config.listen.receiver("relp").unwrap().address.to_string(), "127.0.0.1:5");
    let printed = config.to_yaml();
    let again = Config::read("c.yaml", &printed).unwrap_or_else(|faults| panic!("{faults}\n{printed}"));
    assert_eq!(again.to_yaml(), printed);
    assert_eq!(again.tls, config.tls);
    assert_eq!(Config::default().listen.receiver("syslog-tls"), None, "of no use without a certificate");
}

#[test]
fn what_other_hosts_reach_is_encrypted_or_said_to_be_not() {
    check(
        "listen:\n  loki: 0.0.0.0:3100",
        "c.yaml:2: `listen.loki`: `0.0.0.0:3100` can be reached from other hosts, in the clear\n  hint: set `tls.certificate` \
         and `tls.key`, or say that it may be: `loki: {address: \"0.0.0.0:3100\", plaintext: true}`",
    );
    check("listen:\n  loki: {address: \"0.0.0.0:3100\", plaintext: true}", "no faults");
    check(
        &format!("{PAIR}listen:\n  gelf_udp: \"[::]:12201\""),
        "c.yaml:3: `listen.gelf_udp`: `[::]:12201` can be reached from other hosts, in the clear\n  \
         hint: say that it may be: `gelf_udp: {address: \"[::]:12201\", plaintext: true}`",
    );
    let main = "can be reached from other hosts, and shows what is stored\n  hint: ";
    let required = "listen on 127.0.0.1, or have `client_certificates: required` there (docs/guide/tls.md)";
    let own = "give it a `client_ca` of its own, which issues to nobody who only sends";
    let check_main = |settings: &str, hint: &str| {
        let yaml = format!("{PAIR}listen:\n  main: {{address: \"10.0.0.1:7280\"{settings}}}");
        check(&yaml, &format!("c.yaml:3: `listen.main`: `10.0.0.1:7280` {main}{hint}"));
    };
    check_main("", own);
    check_main(", client_ca: /senders", own);
    check_main(", client_ca: /readers, client_certificates: optional", required);
    check_main(", plaintext: true", required);
}

#[test]
fn who_may_send() {
    let config = Config::read(
        "c.yaml",
        &format!(
            "{PAIR}listen:\n  loki: 0.0.0.0:3100\n  beats: {{senders: certificate}}\n  gelf_http: {{senders: token}}"
        ),
    );
    let config = config.unwrap_or_else(|faults| panic!("{faults}"));
    let demand = |name: &str| config.listen.receiver(name).unwrap().demand().as_str();
    assert_eq!(
        [demand("loki"), demand("beats"), demand("gelf-http"), demand("relp")],
        ["any", "certificate", "token", "open"]
    );
    assert!(config.to_yaml().contains("beats: {address: \"127.0.0.1:5044\", senders: certificate}"));
    check(
        "listen: {syslog_udp: {address: \"0.0.0.0:5514\", plaintext: true}}",
        "c.yaml:1: `listen.syslog_udp`: over UDP nobody can say who sends\n  \
         hint: say that anybody may send: `syslog_udp: {address: \"0.0.0.0:5514\", senders: open}`",
    );
    check("listen: {syslog_udp: {address: \"0.0.0.0:5514\", plaintext: true, senders: open}}", "no faults");
    check(
        "listen: {syslog_tcp: {senders: token}}",
        "c.yaml:1: `listen.syslog_tcp`: this protocol has no place for a token\n  hint: use `senders: certificate`",
    );
    check(
        "tls: {certificate: /c, key: /k}\nlisten: {beats: 0.0.0.0:5044}",
        "c.yaml:2: `listen.beats`: `0.0.0.0:5044` can be reached from other hosts, and does not know who sends\n  \
         hint: set `client_ca` and `client_certificates: required`, or say that anybody may send: \
         `beats: {address: \"0.0.0.0:5044\", senders: open}`",
    );
    check(
        "listen: {forward_tcp: {senders: token}}",
        "c.yaml:1: `listen.forward_tcp`: this protocol has no place for a token\n  hint: set `forward.shared_key_file`",
    );
    check("forward: {shared_key_file: /k}\nlisten: {forward_tcp: {senders: token}}", "no faults");
    for listener in ["loki", "main", "beats"] {
        check(
            &format!("listen: {{{listener}: {{senders: certificate}}}}"),
            &format!(
                "c.yaml:1: `listen.{listener}` demands certificates of those who send, and does not ask for any\n  \
                 hint: set `client_ca` and `client_certificates: required`"
            ),
        );
    }
    check(
        "listen: {loki: {senders: friends}}",
        "c.yaml:1: `listen.loki.senders`: `friends` is none of the choices\n  hint: one of open, token, certificate, any",
    );
}

#[test]
fn trust_domains() {
    let files =
        "tls: {certificate: /c, key: /k, client_certificates: required, trust_domains: {mesh.example: /m.pem}}\n";
    let config = Config::read("c.yaml", &format!("{files}listen: {{beats: 0.0.0.0:5044}}"));
    let config = config.unwrap_or_else(|faults| panic!("{faults}"));
    let clients = config.listen.receiver("beats").unwrap().tls_options(&config.tls).unwrap().clients;
    let domains = &clients.authorities().unwrap().trust_domains;
    assert_eq!(domains.iter().collect::<Vec<_>>(), [(&"mesh.example".to_owned(), &PathBuf::from("/m.pem"))]);
    let printed = config.to_yaml();
    let again = Config::read("c.yaml", &printed).unwrap_or_else(|faults| panic!("{faults}\n{printed}"));
    assert_eq!(again.tls, config.tls);
    check(
        "tls: {certificate: /c, key: /k, trust_domains: {mesh.example: /m}}",
        "c.yaml:1: `tls.trust_domains` has no effect: no listener asks for client certificates\n  \
         hint: set `client_certificates: required` (or `optional`) below `tls` or below a listener",
    );
    check(
        "tls: {trust_domains: [a]}",
        "c.yaml:1: `tls.trust_domains` is a list, expected a section\n  \
         hint: write `mesh.example: /etc/mesh-bundle.pem` below it",
    );
    check(
        "tls: {trust_domains: {Mesh: /m, mesh: []}}",
        "c.yaml:1: `tls.trust_domains`: `Mesh` is no trust domain\n  \
         hint: such as `mesh.example`: small letters, digits, `.`, `-` and `_`\n\
         c.yaml:1: `tls.trust_domains.mesh` is a list, expected the file of its authorities",
    );
}

#[test]
fn what_certificates_stand_for() {
    let yaml = "tenants: [shop]\naccess:\n  certificates:\n    - {name: \"spiffe://mesh.example/ns/*/sa/web\", roles: collector, \
                tenants: [shop, default]}\n    - {name: CN=ann, roles: [analyst, auditor]}\n";
    let config = Config::read("c.yaml", yaml).unwrap_or_else(|faults| panic!("{faults}"));
    let printed = config.to_yaml();
    let again = Config::read("c.yaml", &printed).unwrap_or_else(|faults| panic!("{faults}\n{printed}"));
    assert_eq!(again.access, config.access);
    let web = config.access.certificates.of_sender("spiffe://mesh.example/ns/shop/sa/web").unwrap();
    assert_eq!(web.tenants.iter().map(TenantId::as_str).collect::<Vec<_>>(), ["shop", "default"]);
    assert_eq!(config.access.certificates.of_reader("CN=bob"), None);
    let hint = "hint: write `- {name: \"spiffe://mesh.example/ns/*/sa/web\", roles: [collector]}` below it";
    check(
        "access: {certificates: a}",
        &format!("c.yaml:1: `access.certificates` is a single value, expected a list\n  {hint}"),
    );
    check(
        "access: {certificates: [{name: \"*\"}]}",
        &format!("c.yaml:1: `access.certificates`: a rule has no `roles`\n  {hint}"),
    );
    check(
        "access: {certificates: [{roles: auditor}]}",
        &format!("c.yaml:1: `access.certificates`: a rule has no `name`\n  {hint}"),
    );
    check(
        "access: {certificates: [{name: ann, roles: boss, tenants: none, x: y}]}",
        "c.yaml:1: `access.certificates`: `ann`: a pattern begins with `spiffe://`, `CN=` or `DNS=`, or is `*`\n\
         c.yaml:1: `access.certificates`: there is no role `boss`\n  hint: one of administrator, analyst, engineer, auditor, collector, break-glass\n\
         c.yaml:1: `access.certificates`: tenant `none` is not declared\n  hint: add it to `tenants`\n\
         c.yaml:1: `access.certificates`: unknown key `x`\n  hint: valid here: name, roles, tenants",
    );
    check("access: {certificates: []}", "no faults");
}

#[test]
fn settings_of_tls_have_an_effect() {
    check("tls: {certificate: /c}", "c.yaml:1: `tls.key` is missing: a certificate and its key go together");
    check(
        "tls: {certificate: /c, key: /k, client_ca: /ca}",
        "c.yaml:1: `tls.client_ca` has no effect: no listener asks for client certificates\n  \
         hint: set `client_certificates: required` (or `optional`) below `tls` or below a listener",
    );
    check(
        "tls: {certificate: /c, key: /k, client_ca: /ca}\nlisten: {beats: {client_certificates: optional}}",
        "no faults",
    );
    check(
        "tls: {certificate: /c, key: /k}\nlisten: {beats: {client_certificates: required}}",
        "c.yaml:2: `listen.beats` asks for client certificates of no authority\n  hint: set `client_ca`",
    );
    check(
        "tls: {certificate: /c, key: /k}\nlisten: {beats: {client_ca: /ca}}",
        "c.yaml:2: `listen.beats.client_ca` has no effect\n  hint: set `client_certificates: required`, or `optional`",
    );
    let no_tls = "set `certificate` and `key`, there or below `tls`, and not `plaintext`";
    check(
        "listen: {beats: {client_certificates: required}}",
        &format!("c.yaml:1: `listen.beats` has settings of TLS, and no TLS\n  hint: {no_tls}"),
    );
    check(
        "listen: {beats: {plaintext: true, certificate: /c, key: /k}}",
        &format!("c.yaml:1: `listen.beats` has settings of TLS, and no TLS\n  hint: {no_tls}"),
    );
    check(
        "listen: {syslog_udp: {certificate: /c, key: /k}}",
        "c.yaml:1: `listen.syslog_udp`: there is no TLS over UDP\n  hint: leave all but `address`, `plaintext` and `senders` away",
    );
    check(
        "listen: {syslog_tls: 6514}",
        "c.yaml:1: `listen.syslog_tls` needs a certificate\n  hint: set `tls.certificate` and `tls.key`, or turn it off",
    );
    check(
        "listen: {beats: {plaintext: maybe, adress: 5, key: []}}",
        "c.yaml:1: `listen.beats.plaintext`: `maybe` is neither true nor false\n\
         c.yaml:1: `listen.beats.adress`: unknown key\n  \
         hint: valid here: address, plaintext, senders, certificate, key, client_ca, client_certificates\n\
         c.yaml:1: `listen.beats.key` is a list, expected a single value",
    );
    check(
        "tls: {client_certificates: maybe}",
        "c.yaml:1: `tls.client_certificates`: `maybe` is none of the choices\n  hint: one of off, optional, required",
    );
}

#[test]
fn rules_of_redaction() {
    let yaml = "tenants: [shop]\nredact:\n  secrets: hash\n  rules:\n    - find: [email, national_id]\n      action: hash\n    \
                - {name: no-cards, find: card, tenants: shop, services: [\"pay-*\"], action: drop_record}\n    - fields: user.name\n";
    let config = Config::read("c.yaml", yaml).unwrap();
    let again = Config::read("c.yaml", &config.to_yaml()).unwrap();
    assert_eq!(config.redact, again.redact);
    assert_eq!((config.redact.rules.len(), config.redact.rules[1].name.as_str()), (3, "no-cards"));
    check(
        "redact:\n  secrets: burn\n  rules:\n    - find: [mail]\n    - find: email\n      fields: a\n    - action: mask\n    - x\n    \
         - {find: card, action: drop_record}\n    - {find: card, tenants: b}\n    - {find: card, name: malformed}\n    - {find: card, to: x}\n",
        "c.yaml:2: `redact.secrets`: `burn` is no action\n  hint: one of mask, hash, drop_field, drop_record, keep\n\
         c.yaml:4: `redact.rules`: `mail` is nothing that can be recognised\n  hint: one of secrets, pii, national_id, \
         private_key, jwt, aws_key, github_token, gitlab_token, slack_token, stripe_key, google_key, npm_token, pypi_token, \
         azure_key, api_key, url_password, authorization, secret, card, iban, us_ssn, de_tax_id, es_dni, it_fiscal_code, \
         fr_nir, pl_pesel, br_cpf, email, ip\n\
         c.yaml:5: `redact.rules`: a rule has both `find` and `fields`\n  hint: make two of it\n\
         c.yaml:7: `redact.rules`: a rule says nothing of what it is about\n  hint: give it `find` or `fields`\n\
         c.yaml:8: `redact.rules`: a rule is expected, not a single value\n  hint: write `- find: [email]`\n\
         c.yaml:9: `redact.rules`: a rule that drops records has no name\n  hint: give it a `name` for the loss ledger\n\
         c.yaml:10: `redact.rules`: tenant `b` is not declared\n  hint: add it to `tenants`\n\
         c.yaml:11: `redact.rules`: the name `malformed` means something else in the loss ledger\n\
         c.yaml:12: `redact.rules`: unknown key `to`\n  hint: valid here: name, find, fields, tenants, services, action",
    );
}

#[test]
fn what_is_no_yaml() {
    check("a: 1\na: 2", "c.yaml:2: not YAML as expected here: duplicate mapping key: a");
    check(
        "listen:\n  loki: off\n foo: [",
        "c.yaml:3: not YAML as expected here: while parsing a block mapping, did not find expected key",
    );
    for yaml in ["a: [", "a: 1\na: 2", "- a", "\t- :", "x", "? [a]\n: b", "a: &x [*x]"] {
        assert!(Config::read("c.yaml", yaml).is_err(), "{yaml}");
    }
    assert!(Config::read("c.yaml", &"[".repeat(100_000)).is_err());
}

#[test]
fn printing_reads_as_itself() {
    let yaml = "data_dir: \"/a \\\"b\\\"\"\nkey_file: /k\nlisten: {loki: off}\ntenants: [shop]\nquery: {memory: 17MiB}";
    for yaml in [yaml, ""] {
        let config = Config::read("c.yaml", yaml).unwrap();
        let printed = config.to_yaml();
        let again = Config::read("c.yaml", &printed).unwrap_or_else(|faults| panic!("{faults}\n{printed}"));
        assert_eq!(again.to_yaml(), printed);
        assert_eq!(again.query, config.query);
        assert_eq!(again.tenants, config.tenants);
    }
    for key in keys::KEYS.iter() {
        let name = key.path.rsplit('.').next().unwrap();
        assert!(Config::default().to_yaml().contains(&format!("{name}: ")), "{}", key.path);
        assert_eq!(keys::find(&key.path).path, key.path);
    }
}

#[test]
fn the_guide_shows_the_defaults() {
    let guide = include_str!("../../../../docs/guide/configuration.md");
    let expected = Config::default().to_yaml();
    assert!(
        guide.contains(&format!("```yaml\n{expected}```\n")),
        "put this into docs/guide/configuration.md:\n{expected}"
    );
}

#[test]
fn sizes() {
    for (text, bytes) in [("16MiB", Some(16 << 20)), ("1 gib", Some(1 << 30)), ("5", Some(5)), ("2kB", Some(2_000))] {
        assert_eq!(parse_bytes(text), bytes, "{text}");
    }
    for text in ["", "MiB", "-1", "1.5MiB", "5 parsecs", "99999999999GiB"] {
        assert_eq!(parse_bytes(text), None, "{text}");
    }
    assert_eq!(
        (format_bytes(1536), format_bytes(1 << 30), format_bytes(0)),
        ("1536".into(), "1GiB".into(), "0".into())
    );
}

#[test]
fn queues_to_read() {
    let yaml = "tenants: [shop]\nsources:\n  kafka:\n  - {name: a, brokers: [\"k1:9093\", \"k2:9093\"], topics: logs, format: otlp_logs, tenant: shop,\n     \
                tls: {ca: ca.pem, certificate: c.pem, key: k.pem}, sasl: {user: u, password_file: p}}\n  - {name: b, brokers: 127.0.0.1:9092, topics: [x, z], start: latest}\n  \
                nats:\n  - {name: c, servers: \"tls://n:4222\", stream: S, group: g, user: u, password_file: p}\n  - {name: d, servers: \"nats://[::1]:4222\", subject: logs.>, token_file: t}\n";
    let config = Config::read("c.yaml", yaml).unwrap();
    let names: Vec<_> = config.sources.iter().map(|source| (source.kind(), source.common().name.as_str())).collect();
    assert_eq!(names, [("kafka", "a"), ("kafka", "b"), ("nats", "c"), ("nats", "d")]);
    assert_eq!(Config::read("printed", &config.to_yaml()).unwrap().sources, config.sources);
}

#[test]
fn faults_of_queues() {
    let kafka = |section: &str| format!("sources: {{kafka: [{section}]}}");
    check(
        "sources: {kafka: x}",
        "c.yaml:1: `sources.kafka` is a single value, expected a list\n  hint: write `- {name: orders, brokers: [\"kafka-1:9092\"], group: logkeep, topics: [logs]}` below it",
    );
    check(
        &kafka("{}"),
        "c.yaml:1: `sources.kafka`: `name` is missing\nc.yaml:1: `sources.kafka`: `brokers` names none\nc.yaml:1: `sources.kafka`: `topics` names none",
    );
    check(
        &kafka("{name: a, brokers: localhost, topics: t, format: xml, topic: x}"),
        "c.yaml:1: `sources.kafka`: unknown key `topic`\n  hint: valid here: name, brokers, group, topics, format, tenant, start, tls, sasl\n\
         c.yaml:1: `sources.kafka`: `format`: `xml` is none of them\n  hint: one of text, json, syslog, otlp_logs, otlp_traces",
    );
    check(
        &kafka("{name: a, brokers: \"k:9092\", topics: t, tenant: shop}"),
        "c.yaml:1: `sources.kafka`: tenant `shop` is not declared\n  hint: add it to `tenants`\n\
         c.yaml:1: `sources.kafka`: what `k:9092` sends would come in the clear\n  \
         hint: write `tls: true` or a section of files, or `tls: false` if that is what you want",
    );
    check(&kafka("{name: a, brokers: \"k:9092\", topics: t, tls: false}"), "no faults");
    check(
        &kafka("{name: a, brokers: localhost, topics: t, tls: {certificate: c}, sasl: {user: u}}"),
        "c.yaml:1: `sources.kafka.tls`: `certificate` and `key` go together\nc.yaml:1: `sources.kafka.sasl`: `password_file` is missing",
    );
    check(
        "sources:\n  nats:\n  - {name: a, servers: localhost}\n  - {name: a, servers: localhost, subject: s}",
        "c.yaml:3: `sources.nats`: neither `stream` nor `subject` is given\n  \
         hint: a `stream` keeps messages until they are stored; a `subject` alone is heard as it is published\n\
         c.yaml:4: `sources.nats`: there is another source called `a`\n  hint: what was read before is known by the name",
    );
}

#[test]
fn pipelines_read_as_they_print() {
    let yaml = "patterns: {ORDER: '[A-Z]{2}', SERIAL: '\\d+'}\ntenants: [shop]\npipelines:\n- name: nginx\n  match: {service: [\"web-*\", api], signal: logs, tenant: shop, min_severity: info}\n  \
        multiline: {starts: '^\\d', continues: \" x\", max_lines: 7, timeout: 2s}\n  \
        steps:\n  - parse: {grok: '%{IP:client.address} %{ORDER:order} %{GREEDYDATA:body}'}\n  - parse: {dissect: '%{a} %{b}', field: original}\n  \
        - vrl: |\n      .attributes.x = upcase(\"y\")\n      if .severity == \"debug\" { abort }\n  \
        - sample: {keep: 1/10, except: {min_severity: error}}\n  - route: {tenant: default, class: short}\n";
    let config = Config::read("c.yaml", yaml).unwrap();
    assert_eq!(config.pipelines.len(), 1);
    assert_eq!(config.pipelines[0].steps.len(), 5);
    let again = Config::read("c.yaml", &config.to_yaml()).unwrap();
    assert_eq!((again.patterns, again.pipelines), (config.patterns, config.pipelines));
}

#[test]
fn faults_of_pipelines_have_their_lines() {
    let start = "pipelines:\n- name: a\n  steps:\n";
    for (rest, expected) in [
        ("  - vrl: upcas(.body)\n", "c.yaml:4: `pipelines`: `a`, step 1: error[E105]"),
        (
            "  - parse: {grok: \"%{NOPE:x}\"}\n",
            "c.yaml:4: `pipelines`: `a`, step 1: `NOPE` is no pattern that grok knows",
        ),
        ("  - parse: {grok: x, regex: y}\n", "c.yaml:4: `pipelines`: `parse` has one pattern"),
        ("  - sample: {}\n", "c.yaml:4: `pipelines`: `sample` does not say how many to `keep`"),
        ("  - sample: {keep: 11/10}\n", "c.yaml:4: `pipelines`: `11/10` is no share of records"),
        (
            "  - route: {tenant: shop}\n",
            "c.yaml:4: `pipelines`: tenant `shop` is not declared\n  hint: add it to `tenants`",
        ),
        ("  - route: {class: audit}\n", "c.yaml:4: `pipelines`: the class `audit` is Logkeep's own"),
        ("  - {vrl: a, route: {class: b}}\n", "c.yaml:4: `pipelines`: a step has one key"),
        ("  - vrl: {file: /nowhere/x.vrl}\n", "c.yaml:4: `pipelines`: `/nowhere/x.vrl` cannot be read"),
        ("  - vrl: .body = 1\n  multiline: {}\n", "c.yaml:5: `pipelines`: `a`, multiline: it has neither"),
        ("  - vrl: .body = 1\n  multiline: {starts: (}\n", "c.yaml:5: `pipelines`: `a`, multiline: `(` is no regular"),
        ("  - vrl: .body = 1\n  multiline: {timeout: 3}\n", "c.yaml:5: `pipelines`: `timeout` is `3`, a time like 1s"),
        ("  - vrl: .body = 1\n  multiline: {max_bytes: x}\n", "c.yaml:5: `pipelines`: `max_bytes` is `x`, a size like"),
        ("  - vrl: .body = 1\n  multiline: {ends: x}\n", "c.yaml:5: `pipelines`: unknown key `ends`"),
        ("  - grok: x\n", "c.yaml:4: `pipelines`: unknown key `grok`"),
        ("  - vrl: .body = 1\n- name: a\n  steps: [vrl: .body = 1]\n", "c.yaml:5: `pipelines`: `a` is there twice"),
        ("  - vrl: .body = 1\n- name: busy\n", "c.yaml:5: `pipelines`: the name `busy` means something else"),
        ("  - vrl: .body = 1\n  match: {min_severity: loud}\n", "c.yaml:5: `pipelines`: `loud` is no severity"),
        (
            "  - vrl: .body = 1\nredact:\n  rules: [{name: a, find: card}]\n",
            "c.yaml:2: `pipelines`: `a` is the name of a rule",
        ),
        ("  - vrl: .body = 1\npatterns: {A: x, IP: x}\n", "c.yaml:5: `patterns`: `IP`: grok knows another"),
        ("  - vrl: .body = 1\npatterns:\n  A: x\n  B: '%{A} ('\n", "c.yaml:7: `patterns`: `B`: `%{A} (` is no grok"),
        ("  - vrl: .body = 1\npatterns: [A]\n", "c.yaml:5: `patterns` is a list, expected a section"),
        ("  - vrl: .body = 1\npatterns: {A: [x]}\n", "c.yaml:5: `patterns`: `A` is a list, expected a single value"),
    ] {
        let faults = Config::read("c.yaml", &format!("{start}{rest}")).expect_err(rest).to_string();
        assert!(faults.starts_with(expected), "{rest}: {faults}");
    }
}

#[test]
fn a_provider_reads_as_it_prints() {
    let config = Config::read(
        "c.yaml",
        "oidc:\n  issuer: https://id.example/realms/x\n  client_id: logkeep\n  client_secret_file: /run/secret\n  \
         scopes: [profile, groups]\n  groups_claim: \"https://id.example/groups\"\n  \
         roles: {ops: [administrator, auditor], devs: analyst}\n  label: Example\n  public_url: https://logs.example/\n",
    )
    .unwrap();
    let oidc = config.oidc.clone().unwrap();
    assert_eq!(oidc.roles["ops"].len(), 2);
    assert_eq!(oidc.public_url.as_deref(), Some("https://logs.example"));
    assert_eq!(Config::read("printed", &config.to_yaml()).unwrap().oidc, Some(oidc));
    let short = "oidc: {issuer: \"http://127.0.0.1:4000\", client_id: x, roles: {a: analyst}}";
    let short = Config::read("c.yaml", short).unwrap().oidc.unwrap();
    assert_eq!((short.label.as_str(), short.groups_claim.as_str()), ("single sign-on", "groups"));
    assert_eq!(short.scopes, ["profile"]);
}

#[test]
fn faults_of_a_provider() {
    check(
        "oidc:\n  client_id: x\n",
        "c.yaml:2: `oidc.issuer` is missing\n  \
         hint: the provider's address, under which it has `/.well-known/openid-configuration`",
    );
    check(
        "oidc:\n  issuer: http://id.example\n  roles: {a: emperor}\n  public_url: logs\n",
        "c.yaml:2: `oidc.issuer`: `http://id.example`: it must begin with `https://`: over anything else, anybody on the \
         way could sign in as anybody\n\
         c.yaml:2: `oidc.client_id` is missing\n  hint: the name that the provider knows us by\n\
         c.yaml:2: `oidc.roles` names no group\n  \
         hint: write `roles: {GROUP: analyst}`: who is in no such group is not let in\n\
         c.yaml:3: `oidc.roles`: there is no role `emperor`\n  hint: one of administrator, analyst, engineer, auditor, collector, break-glass\n\
         c.yaml:4: `oidc.public_url`: `logs` is no address\n  hint: like `https://logs.example.com`",
    );
}
