//! `logkeep certs`: an authority of one's own, for a first run and for senders that no other authority knows.
//!
//! Keys are ECDSA over P-256, which every TLS in use today knows. The authority may issue to hosts and clients, and to no other
//! authority.

use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Subcommand;
use logkeep_server::{Clients, Tls, TlsOptions, certificate_facts, is_spiffe_id};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::DnsName;
use time::{Duration, OffsetDateTime};

const CA: &str = "ca";
/// Clocks differ a little, and a certificate that is not valid yet is refused.
const BEFORE: Duration = Duration::hours(1);
/// Longer files are surely something else.
const FILE_BYTES: u64 = 1 << 20;

/// Arguments of `logkeep certs`.
#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Make an authority: `ca.pem`, which everyone may have, and `ca.key`, which nobody else may
    Init(Init),
    /// Issue a certificate and its key, to a listener (`--dns`, `--ip`) or to a client (`--client`)
    Issue(Issue),
}

#[derive(clap::Args)]
struct Init {
    /// Folder of the authority
    #[arg(long, default_value = "certs", value_name = "DIR")]
    dir: PathBuf,
    /// What the authority is called
    #[arg(long, default_value = "Logkeep authority", value_name = "NAME")]
    name: String,
    /// Days until it expires
    #[arg(long, default_value_t = 3_650, value_parser = clap::value_parser!(u32).range(1..=7_300), value_name = "N")]
    days: u32,
}

#[derive(clap::Args)]
struct Issue {
    /// Folder of the authority, where the files are put as well
    #[arg(long, default_value = "certs", value_name = "DIR")]
    dir: PathBuf,
    /// A name by which senders call the host; may be given more than once
    #[arg(long, value_name = "NAME")]
    dns: Vec<String>,
    /// An address by which senders call the host; may be given more than once
    #[arg(long, value_name = "ADDRESS")]
    ip: Vec<IpAddr>,
    /// Who may show it to a listener; a name, or a SPIFFE id
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// Name of the files, instead of the first of the names
    #[arg(long, value_name = "NAME")]
    file: Option<String>,
    /// Days until it expires, and no longer than the authority
    #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u32).range(1..=398), value_name = "N")]
    days: u32,
}

/// Runs the command.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let (certificate, key) = match args.action {
        Action::Init(init) => init.run()?,
        Action::Issue(issue) => issue.run()?,
    };
    let mut out = std::io::stdout().lock();
    writeln!(out, "certificate  {}", certificate.display())?;
    writeln!(out, "private key  {}", key.display())?;
    Ok(ExitCode::SUCCESS)
}

impl Init {
    fn run(&self) -> Result<(PathBuf, PathBuf)> {
        let (certificate, key) = files(&self.dir, CA);
        if let Some(there) = [&certificate, &key].into_iter().find(|file| file.exists()) {
            bail!("`{}` is there already; another authority needs another folder", there.display());
        }
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)
            .with_context(|| format!("`{}`", self.dir.display()))?;
        let pair = KeyPair::generate().context("a key cannot be made")?;
        let (not_before, not_after) = validity(self.days, None)?;
        let mut params = authority_params(&self.name);
        (params.not_before, params.not_after) = (not_before, not_after);
        let issued = params.self_signed(&pair).context("the certificate cannot be made")?;
        write(&certificate, &key, &issued.pem(), &pair.serialize_pem())?;
        Ok((certificate, key))
    }
}

impl Issue {
    fn run(&self) -> Result<(PathBuf, PathBuf)> {
        let stem = self.stem()?;
        let (ca, ca_key) = files(&self.dir, CA);
        let authority = read(&ca).context("there is no authority here; `logkeep certs init` makes one")?;
        // Says what is wrong with the two, and whether others may read the key.
        Tls::open(TlsOptions { certificate: ca.clone(), key: ca_key.clone(), clients: Clients::Unasked })?;
        let authority_key = KeyPair::from_pem(&read(&ca_key)?)
            .map_err(|_| anyhow::anyhow!("`{}` holds no private key that can be used", ca_key.display()))?;
        let Some((Some(name), until)) = certificate_facts(authority.as_bytes()) else {
            bail!("`{}` is not an authority that `logkeep certs init` has made", ca.display());
        };
        let until = OffsetDateTime::from_unix_timestamp(until).context("the authority's certificate says no time")?;
        if until <= OffsetDateTime::now_utc() {
            bail!("the authority in `{}` has expired; make another in another folder", self.dir.display());
        }
        let issuer = Issuer::new(authority_params(&name), authority_key);
        let pair = KeyPair::generate().context("a key cannot be made")?;
        let issued = self.params(until)?.signed_by(&pair, &issuer).context("the certificate cannot be made")?;
        let (certificate, key) = files(&self.dir, &stem);
        write(&certificate, &key, &issued.pem(), &pair.serialize_pem())?;
        Ok((certificate, key))
    }

    fn params(&self, until: OffsetDateTime) -> Result<CertificateParams> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        (params.not_before, params.not_after) = validity(self.days, Some(until))?;
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        for name in &self.dns {
            let plain = name.strip_prefix("*.").unwrap_or(name);
            DnsName::try_from(plain).ok().with_context(|| format!("`{name}` is no name of a host"))?;
            let name = name.as_str().try_into().with_context(|| format!("`{name}` is no name of a host"))?;
            params.subject_alt_names.push(SanType::DnsName(name));
        }
        params.subject_alt_names.extend(self.ip.iter().map(|ip| SanType::IpAddress(*ip)));
        if !params.subject_alt_names.is_empty() {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        }
        if let Some(client) = &self.client {
            params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
            if client.starts_with("spiffe://") {
                if !is_spiffe_id(client) {
                    bail!(
                        "`{client}` is no SPIFFE id of a workload; one looks like `spiffe://mesh.example/ns/shop/sa/web`"
                    );
                }
                let id = client.as_str().try_into().with_context(|| format!("`{client}` is no SPIFFE id"))?;
                params.subject_alt_names.push(SanType::URI(id));
            } else {
                params.distinguished_name.push(DnType::CommonName, client.as_str());
            }
        } else if let Some(name) = self.dns.first() {
            params.distinguished_name.push(DnType::CommonName, name.as_str());
        }
        Ok(params)
    }

    /// The name of the files.
    fn stem(&self) -> Result<String> {
        let first =
            self.client.clone().or_else(|| self.dns.first().cloned()).or(self.ip.first().map(IpAddr::to_string));
        let Some(first) = first else {
            bail!("say for whom: `--dns` or `--ip` for a listener, `--client` for a client")
        };
        if first.trim().is_empty() {
            bail!("a name cannot be empty");
        }
        let named = self.file.clone().unwrap_or(first);
        let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
        let stem: String = named.chars().map(plain).collect::<String>().trim_start_matches('.').to_owned();
        if stem.is_empty() || stem == CA {
            bail!("`{named}` cannot be the name of the files; choose another with `--file`");
        }
        Ok(stem)
    }
}

fn files(dir: &Path, stem: &str) -> (PathBuf, PathBuf) {
    (dir.join(format!("{stem}.pem")), dir.join(format!("{stem}.key")))
}

/// What all certificates of an authority have in common, also when they are made again to issue with it.
fn authority_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn validity(days: u32, until: Option<OffsetDateTime>) -> Result<(OffsetDateTime, OffsetDateTime)> {
    let now = OffsetDateTime::now_utc();
    let wanted = now.checked_add(Duration::days(i64::from(days))).context("so many days are not in any calendar")?;
    Ok((now - BEFORE, until.map_or(wanted, |until| wanted.min(until))))
}

fn read(path: &Path) -> Result<String> {
    let size = std::fs::metadata(path).with_context(|| format!("`{}`", path.display()))?.len();
    if size > FILE_BYTES {
        bail!("`{}` has {size} bytes; the limit is {FILE_BYTES}", path.display());
    }
    std::fs::read_to_string(path).with_context(|| format!("`{}`", path.display()))
}

/// Each file in one step, so that a server that looks in between sees an old file or a new one; the key first, because a server takes up
/// only a pair.
fn write(certificate: &Path, key: &Path, certificate_pem: &str, key_pem: &str) -> Result<()> {
    for (path, text, mode) in [(key, key_pem, 0o600), (certificate, certificate_pem, 0o644)] {
        let failed = || format!("`{}`", path.display());
        let new = path.with_extension(format!("{}.new", path.extension().unwrap_or_default().to_string_lossy()));
        // What an earlier attempt left behind.
        let _ = std::fs::remove_file(&new);
        let mut file =
            std::fs::File::options().write(true).create_new(true).mode(mode).open(&new).with_context(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(failed)?;
        std::fs::rename(&new, path).with_context(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn init(dir: &Path) -> Result<(PathBuf, PathBuf)> {
        Init { dir: dir.to_owned(), name: "Test".into(), days: 10 }.run()
    }

    fn issue(dir: &Path, dns: &[&str], client: Option<&str>) -> Issue {
        let dns = dns.iter().map(|name| (*name).to_owned()).collect();
        Issue { dir: dir.to_owned(), dns, ip: vec![], client: client.map(str::to_owned), file: None, days: 90 }
    }

    fn refused<T>(result: Result<T>) -> String {
        result.err().map(|error| format!("{error:#}")).unwrap_or_default()
    }

    #[test]
    fn a_pair_of_ones_own_authority_can_be_used() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("certs");
        let (authority, authority_key) = init(&dir).unwrap();
        let (certificate, key) = issue(&dir, &["logs.example", "*.logs.example"], None).run().unwrap();
        for secret in [&authority_key, &key] {
            assert_eq!(std::fs::metadata(secret).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(certificate, dir.join("logs.example.pem"));
        let expiry = |file: &Path| certificate_facts(&std::fs::read(file).unwrap()).unwrap().1;
        assert_eq!(expiry(&certificate), expiry(&authority), "none outlives its authority");
        let options =
            TlsOptions { certificate, key: key.clone(), clients: Clients::Required(authority.clone().into()) };
        Tls::open(options.clone()).unwrap();
        let again = issue(&dir, &["logs.example"], None).run().unwrap();
        assert_eq!(again.1, key, "a renewed pair has the same names");
        Tls::open(options).unwrap();
        let (_, client) = issue(&dir, &[], Some("spiffe://mesh.example/ns/shop/sa/web")).run().unwrap();
        assert_eq!(client, dir.join("spiffe___mesh.example_ns_shop_sa_web.key"));
        assert!(refused(init(&dir)).contains("is there already"), "an authority is not replaced");
    }

    #[test]
    fn what_cannot_be_issued() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        assert!(refused(issue(dir, &["a.example"], None).run()).starts_with("there is no authority here"));
        init(dir).unwrap();
        assert!(refused(issue(dir, &[], None).run()).starts_with("say for whom"));
        assert!(refused(issue(dir, &["a b"], None).run()).contains("`a b` is no name of a host"));
        assert!(refused(issue(dir, &[], Some("ca")).run()).contains("cannot be the name of the files"));
        assert!(refused(issue(dir, &[], Some("")).run()).contains("cannot be empty"));
        for id in ["spiffe://mesh.example", "spiffe://Mesh/a", "spiffe://mesh/a/../b"] {
            assert!(refused(issue(dir, &[], Some(id)).run()).contains("is no SPIFFE id"), "{id}");
        }
        std::fs::write(dir.join("ca.key"), "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n")
            .unwrap();
        let said = refused(issue(dir, &["a.example"], None).run());
        assert!(said.contains("cannot be used") && !said.contains("c2VjcmV0"), "{said}");
    }
}
