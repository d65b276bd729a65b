//! Which files `serve` needs.
//!
//! Files that may be replaced while the server runs (certificates, tokens, the configuration) are allowed by their folder, since
//! a rule for a file ends with that file. So each of them belongs in a folder without anything that others must not see.

use std::env;
use std::path::{Path, PathBuf};

use logkeep::config::{Config, Tls};
use logkeep_pipeline::spec::Step;
use logkeep_server::SourceOptions;
use logkeep_store::{KeySource, ServiceOptions};

/// What the libraries that resolve names, verify certificates and know times read.
const SYSTEM: [&str; 25] = [
    "/etc/resolv.conf",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/run/NetworkManager",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/gai.conf",
    "/etc/nsswitch.conf",
    "/etc/services",
    "/etc/ld.so.cache",
    "/lib",
    "/lib64",
    "/usr/lib",
    "/usr/lib64",
    "/etc/ssl",
    "/etc/pki",
    "/etc/ca-certificates",
    "/usr/share/ca-certificates",
    "/usr/local/share/ca-certificates",
    "/etc/localtime",
    "/usr/share/zoneinfo",
    "/proc/self",
    "/sys/fs/cgroup",
    "/dev/urandom",
    "/dev/null",
];
/// Variables that name files for the same libraries.
const VARIABLES: [&str; 4] =
    ["SSL_CERT_FILE", "SSL_CERT_DIR", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"];

/// Folders and files that are reached. One that is not there is not.
pub(super) struct Folders {
    pub(super) read: Vec<PathBuf>,
    pub(super) write: Vec<PathBuf>,
}

impl Folders {
    pub(super) fn of(config: &Config, file: Option<&Path>) -> Self {
        let mut read: Vec<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
        for named in VARIABLES.iter().filter_map(env::var_os).map(PathBuf::from) {
            read.push(folder_of(&named));
            read.push(named);
        }
        read.extend(named(config, file).iter().map(|file| folder_of(file)));
        Self { read, write: vec![config.data_dir.clone()] }
    }
}

/// The files that the configuration names, and its own.
fn named(config: &Config, file: Option<&Path>) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = file.map(Path::to_owned).into_iter().collect();
    files.extend(key_files(&config.key_source()));
    let listeners = config.listen.receivers.iter().filter_map(|(_, listener)| listener.as_ref());
    let tls = listeners.chain([&config.listen.main]).map(|listener| &listener.tls).chain([&config.tls]);
    files.extend(
        tls.flat_map(|Tls { certificate, key, client_ca, .. }| [certificate, key, client_ca]).flatten().cloned(),
    );
    files.extend(config.tls.trust_domains.values().cloned());
    files.extend(config.oidc.iter().filter_map(|oidc| oidc.client_secret_file.clone()));
    files.extend(config.access.policies.iter().map(|folder| folder.join("any.cedar")));
    files.extend([&config.forward.shared_key_file, &config.forward.users_file].into_iter().flatten().cloned());
    files.extend(config.sources.iter().flat_map(source_files));
    let steps = config.pipelines.iter().flat_map(|pipeline| &pipeline.steps);
    files.extend(steps.filter_map(|step| if let Step::Vrl { file, .. } = step { file.clone() } else { None }));
    files
}

fn key_files(source: &KeySource) -> Vec<PathBuf> {
    match source {
        KeySource::File(file) => vec![file.clone()],
        KeySource::Service(ServiceOptions::Vault(vault)) => {
            vault.ca_file.iter().chain([&vault.token_file]).cloned().collect()
        }
        KeySource::Service(ServiceOptions::AwsKms(kms)) => {
            kms.profile.iter().map(|profile| profile.file.clone()).collect()
        }
    }
}

fn source_files(source: &SourceOptions) -> Vec<PathBuf> {
    let tls = source.common().tls.iter().flat_map(|tls| {
        let pair = tls.certificate.iter().flat_map(|(certificate, key)| [certificate, key]);
        tls.ca.iter().chain(pair)
    });
    let secrets = match source {
        SourceOptions::Kafka(kafka) => kafka.sasl.iter().map(|sasl| &sasl.password_file).collect(),
        SourceOptions::Nats(nats) => {
            let password = nats.user.iter().map(|(_, file)| file);
            password.chain(&nats.credentials_file).chain(&nats.token_file).collect::<Vec<_>>()
        }
    };
    tls.chain(secrets).cloned().collect()
}

fn folder_of(file: &Path) -> PathBuf {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_configuration_names_is_reached_and_the_rest_is_not() {
        let yaml = "data_dir: /d/data\nkey_file: /k/key\n\
                    tls: {certificate: /t/c.pem, key: /t2/k.pem, client_certificates: optional, trust_domains: {m.example: /m/ca}}\n\
                    forward: {shared_key_file: /f/key}\n\
                    sources: {nats: [{name: n, servers: [\"nats://127.0.0.1:1\"], subject: a, token_file: /n/token}]}";
        let config = Config::read("c.yaml", yaml).unwrap();
        let found = Folders::of(&config, Some(Path::new("logkeep.yaml")));
        assert_eq!(found.write, [Path::new("/d/data")]);
        for folder in [".", "/k", "/t", "/t2", "/m", "/f", "/n"] {
            assert!(found.read.iter().any(|read| read == Path::new(folder)), "{folder}");
        }
        for folder in ["/", "/etc", "/home", "/root", "/d", "/tmp", "/var"] {
            assert!(!found.read.iter().any(|read| read == Path::new(folder)), "{folder}");
        }
    }

    #[test]
    fn a_service_that_keeps_the_key_needs_its_files_and_no_key_file() {
        let yaml = "keys: {provider: vault}\nvault: {address: \"https://v\", key: k, token_file: /run/v/token, ca_file: /ca/v.pem}";
        let config = Config::read("c.yaml", yaml).unwrap();
        assert_eq!(named(&config, None), [Path::new("/ca/v.pem"), Path::new("/run/v/token")]);
    }
}
