//! `logkeep import`: files into a running server, each record once however often it is run.
//!
//! A file is sent in chunks that end where a record ends, each with a key made of its source, place and content. A chunk
//! that was stored before is recognised by its key, so an import that broke off is simply run again.

mod chunks;
mod source;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use logkeep_normalize::LineFormat;
use sha2::{Digest, Sha256};

use crate::client::{Client, Delivery, Imported, Server};
use crate::failure::{Failure, REFUSED, UNAVAILABLE};
use crate::output::printable;
use chunks::{Chunk, Chunks};
use source::Source;

/// Read files of logs into a running server
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Files to read, also compressed with gzip or zstd; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Form of the lines: auto, or one of nd-json, cri, docker-json, envoy-text, istio-text, envoy-json, linkerd-json,
    /// linkerd-apache, syslog, ztunnel, hubble, consul, kuma, common-log, plain-text
    #[arg(long, default_value = "auto", value_parser = parse_format, hide_default_value = true)]
    format: FormatArg,
    /// Name of where the lines are from [default: path of the file]
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    #[command(flatten)]
    server: Server,
}

/// `None` means "look at the lines".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FormatArg(Option<LineFormat>);

fn parse_format(name: &str) -> Result<FormatArg, String> {
    match name {
        "auto" => Ok(FormatArg(None)),
        name => name.parse().map(|format| FormatArg(Some(format))).map_err(|error| format!("{error}")),
    }
}

/// Attempts at one chunk before giving up, with pauses that double: about a minute in all.
const ATTEMPTS: u32 = 10;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Reads all files, in their order.
pub(crate) fn run(args: Args) -> Result<ExitCode> {
    let mut import = Import {
        client: Client::new(&args.server)?,
        format: args.format.0,
        source: args.source,
        total: Imported::default(),
        bytes: 0,
        first_pause: FIRST_PAUSE,
    };
    let started = Instant::now();
    for file in &args.files {
        if let Err(error) = import.file(file) {
            return Err(import.with_progress(error));
        }
    }
    let Imported { stored, deduplicated, rejected } = import.total;
    let files = if args.files.len() == 1 { "1 file".to_owned() } else { format!("{} files", args.files.len()) };
    let mut line = format!("stored {} records of {files}", HumanCount(stored));
    for (count, what) in [(deduplicated, "were stored before"), (rejected, "were rejected")] {
        if count > 0 {
            line.push_str(&format!(", {} {what}", HumanCount(count)));
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    writeln!(io::stdout().lock(), "{line} ({} in {seconds:.1} s)", HumanBytes(import.bytes))?;
    Ok(ExitCode::SUCCESS)
}

/// An import under way.
struct Import {
    client: Client,
    format: Option<LineFormat>,
    source: Option<String>,
    total: Imported,
    bytes: u64,
    first_pause: Duration,
}

impl Import {
    fn file(&mut self, path: &std::path::Path) -> Result<()> {
        let source = Source::open(path)?;
        let name = self.source.clone().unwrap_or_else(|| source.name.clone());
        let bar = bar(source.bytes, &name);
        let mut chunks = Chunks::new(source.reader(&bar)?, self.format);
        loop {
            let read = chunks.next_chunk();
            let chunk = read.map_err(|error| Failure {
                code: REFUSED,
                text: format!("`{}` cannot be read further: {error}", printable(&name)),
            })?;
            let Some(chunk) = chunk else { break };
            let answer = self.deliver(&name, &chunk)?;
            self.total.add(&answer);
            self.bytes += chunk.bytes.len() as u64;
            bar.set_message(format!("{} records", HumanCount(self.total.stored + self.total.deduplicated)));
        }
        bar.finish_and_clear();
        Ok(())
    }

    /// Sends a chunk until it is stored, or is refused, or the server has been busy for too long.
    fn deliver(&self, source: &str, chunk: &Chunk) -> Result<Imported> {
        let key = key(source, chunk);
        let parameters = [("format", chunk.format.name()), ("source", source)];
        let mut pause = self.first_pause;
        let mut attempt = 1;
        loop {
            let (after, failure) = match self.client.import(&parameters, &key, &chunk.bytes)? {
                Delivery::Stored(answer) => return Ok(answer),
                // Nobody was there from the start: waiting would only hide it.
                Delivery::Later { failure, is_answer: false, .. } if self.bytes == 0 => return Err(failure.into()),
                Delivery::Later { after, failure, .. } => (after, failure),
            };
            if attempt == ATTEMPTS {
                return Err(failure.into());
            }
            std::thread::sleep(after.unwrap_or(pause).min(LONGEST_PAUSE));
            pause = (pause * 2).min(LONGEST_PAUSE);
            attempt += 1;
        }
    }

    /// Says what is stored already.
    fn with_progress(&self, error: anyhow::Error) -> anyhow::Error {
        let done = self.total.stored + self.total.deduplicated;
        if done == 0 {
            return error;
        }
        let code = error.downcast_ref::<Failure>().map_or(UNAVAILABLE, |failure| failure.code);
        let text = format!(
            "{error:#}\n{} records are stored; run the same command again, and they will be recognised",
            HumanCount(done)
        );
        Failure { code, text }.into()
    }
}

/// The same source, place and content give the same key.
fn key(source: &str, chunk: &Chunk) -> String {
    let mut hasher = Sha256::new();
    hasher.update((source.len() as u64).to_le_bytes());
    hasher.update(source);
    hasher.update(chunk.offset.to_le_bytes());
    hasher.update(&chunk.bytes);
    format!("import-{}", hex::encode(hasher.finalize()))
}

fn bar(bytes: Option<u64>, name: &str) -> ProgressBar {
    let bar = match bytes {
        Some(bytes) => ProgressBar::new(bytes),
        None => ProgressBar::no_length(),
    };
    let template = match bytes {
        Some(_) => "{prefix} {bar:30} {bytes}/{total_bytes} {msg} {eta}",
        None => "{prefix} {spinner} {bytes} {msg}",
    };
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let target = if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    bar.set_draw_target(target);
    bar.with_style(style).with_prefix(printable(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_depend_on_source_place_and_content() {
        let chunk = |offset, bytes: &[u8]| Chunk { offset, bytes: bytes.to_vec(), format: LineFormat::PlainText };
        let one = key("a", &chunk(0, b"x"));
        assert_eq!(one, key("a", &chunk(0, b"x")));
        for other in [key("b", &chunk(0, b"x")), key("a", &chunk(1, b"x")), key("a", &chunk(0, b"y"))] {
            assert_ne!(one, other);
        }
        assert!(one.len() <= 256, "the server takes no longer keys");
    }

    #[test]
    fn every_format_has_a_name_here() {
        use clap::Args as _;
        let command = Args::augment_args(clap::Command::new("import"));
        let help = command.get_arguments().find(|argument| argument.get_id() == "format").unwrap();
        let help = help.get_help().unwrap().to_string().replace('\n', " ");
        for format in LineFormat::ALL {
            assert!(help.contains(format.name()), "{format}");
            assert_eq!(parse_format(format.name()), Ok(FormatArg(Some(*format))));
        }
        assert_eq!(parse_format("auto"), Ok(FormatArg(None)));
        assert!(parse_format("odd").is_err());
    }
}
