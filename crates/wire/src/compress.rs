//! Compressed bodies, opened within bounds.
//!
//! Senders disagree with their own headers: some say `gzip` and send zlib, some say `deflate` and send either of its two
//! forms, some say nothing. So the header proposes and the first bytes decide. Whatever they claim, output stops at the
//! caller's limit, and memory grows with what was really decoded.

use std::borrow::Cow;
use std::io::{self, Read};

use flate2::{Decompress, FlushDecompress, Status};

/// A body that could not be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompressError {
    /// Answer "too large"; do not retry.
    #[error("the body is larger than {max_bytes} bytes when decompressed; send smaller batches")]
    TooLarge {
        /// The limit that was reached.
        max_bytes: usize,
    },
    /// Answer "bad request"; do not retry.
    #[error("the body is not valid {encoding}: {what}")]
    Corrupt {
        /// What the header or the first bytes said it was.
        encoding: &'static str,
        /// Where it failed.
        what: String,
    },
    /// Answer "unsupported media type"; do not retry.
    #[error("content encoding `{name}` is not supported; use gzip, deflate, zstd, snappy or none")]
    Unsupported {
        /// As the header had it, cut to 40 characters.
        name: String,
    },
}

/// Form of a compressed body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Identity,
    Gzip,
    Deflate,
    Zstd,
    Snappy,
}

/// How many encodings may be stacked; real senders use one.
const STACKED: usize = 4;

/// Opens `body` as the values of its Content-Encoding headers say, joined by commas (empty where there was none), unless
/// its first bytes say otherwise. A body that was not compressed is borrowed.
///
/// # Errors
/// [`CompressError`]; none is cured by a retry.
pub fn decompress<'a>(
    body: &'a [u8],
    content_encoding: &str,
    max_bytes: usize,
) -> Result<Cow<'a, [u8]>, CompressError> {
    let encodings = parse_header(content_encoding)?;
    let mut body = Cow::Borrowed(body);
    for encoding in encodings.into_iter().rev() {
        let opened = match settle(encoding, &body) {
            Encoding::Identity => continue,
            encoding => open(encoding, &body, max_bytes)?,
        };
        body = Cow::Owned(opened);
    }
    if body.len() > max_bytes { Err(CompressError::TooLarge { max_bytes }) } else { Ok(body) }
}

/// Opens one raw snappy block, as Loki and Prometheus senders use without any header.
///
/// # Errors
/// [`CompressError`]; none is cured by a retry.
pub fn snappy_block(body: &[u8], max_bytes: usize) -> Result<Vec<u8>, CompressError> {
    open(Encoding::Snappy, body, max_bytes)
}

fn parse_header(text: &str) -> Result<Vec<Encoding>, CompressError> {
    let mut encodings = Vec::new();
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let known = match name.to_ascii_lowercase().as_str() {
            "identity" | "none" => continue,
            "gzip" | "x-gzip" => Encoding::Gzip,
            "deflate" | "zlib" => Encoding::Deflate,
            "zstd" => Encoding::Zstd,
            "snappy" => Encoding::Snappy,
            _ => return Err(CompressError::Unsupported { name: name.chars().take(40).collect() }),
        };
        encodings.push(known);
        if encodings.len() > STACKED {
            return Err(CompressError::Unsupported { name: format!("more than {STACKED} at once") });
        }
    }
    if encodings.is_empty() {
        encodings.push(Encoding::Identity);
    }
    // `gzip,deflate` is how some senders announce one zlib stream; opening it twice would fail on good data.
    if encodings == [Encoding::Gzip, Encoding::Deflate] {
        encodings.truncate(1);
    }
    Ok(encodings)
}

/// The encoding to use: what the first bytes show, else what was announced, unless the body is plainly not compressed.
fn settle(announced: Encoding, body: &[u8]) -> Encoding {
    if body.is_empty() {
        return Encoding::Identity;
    }
    match (announced, sniff(body)) {
        // A snappy block has no magic bytes, and its length prefix may look like anything's.
        (Encoding::Snappy, Some(seen @ (Encoding::Gzip | Encoding::Zstd))) => seen,
        (Encoding::Snappy, _) => Encoding::Snappy,
        // "x^" opens a zlib stream of low compression, but as well a line of text.
        (Encoding::Identity, Some(Encoding::Deflate)) if body[1] == b'^' => Encoding::Identity,
        (_, Some(seen)) => seen,
        // Proxies that decompress on the way leave the header standing.
        (Encoding::Gzip | Encoding::Zstd, None) if matches!(body[0], b'{' | b'[') => Encoding::Identity,
        (announced, None) => announced,
    }
}

fn sniff(body: &[u8]) -> Option<Encoding> {
    match body {
        [0x1f, 0x8b, ..] => Some(Encoding::Gzip),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Encoding::Zstd),
        [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..] => Some(Encoding::Deflate),
        _ => None,
    }
}

/// Whether the first bytes are those of a compressed stream. Text may begin like zlib's lowest level.
pub fn is_compressed(body: &[u8]) -> bool {
    sniff(body).is_some()
}

fn open(encoding: Encoding, body: &[u8], max_bytes: usize) -> Result<Vec<u8>, CompressError> {
    match encoding {
        Encoding::Identity => Ok(body.to_vec()),
        Encoding::Gzip => read_all(flate2::bufread::MultiGzDecoder::new(body), "gzip", body.len(), max_bytes),
        Encoding::Zstd => {
            let corrupt = |error| corrupt("zstd", &error);
            let mut decoder = zstd::stream::read::Decoder::with_buffer(body).map_err(corrupt)?;
            // The window is memory, too: 2^26 bytes is `limits::REQUEST_DECOMPRESSED_BYTES`.
            decoder.window_log_max(26).map_err(corrupt)?;
            read_all(decoder, "zstd", body.len(), max_bytes)
        }
        Encoding::Deflate => match inflate(body, true, max_bytes) {
            Err(CompressError::Corrupt { what, .. }) => inflate(body, false, max_bytes).map_err(|error| match error {
                CompressError::Corrupt { encoding, .. } => CompressError::Corrupt { encoding, what },
                other => other,
            }),
            opened => opened,
        },
        Encoding::Snappy => open_snappy(body, max_bytes),
    }
}

fn corrupt(encoding: &'static str, error: &io::Error) -> CompressError {
    CompressError::Corrupt { encoding, what: error.to_string() }
}

/// A guess that saves most reallocations without trusting the sender.
fn first_capacity(compressed_bytes: usize, max_bytes: usize) -> usize {
    compressed_bytes.saturating_mul(4).min(max_bytes)
}

fn read_all(
    reader: impl Read,
    encoding: &'static str,
    compressed_bytes: usize,
    max_bytes: usize,
) -> Result<Vec<u8>, CompressError> {
    let mut out = Vec::with_capacity(first_capacity(compressed_bytes, max_bytes));
    reader.take(max_bytes as u64 + 1).read_to_end(&mut out).map_err(|error| corrupt(encoding, &error))?;
    if out.len() > max_bytes { Err(CompressError::TooLarge { max_bytes }) } else { Ok(out) }
}

/// flate2's readers take the end of the input for the end of the stream; a body cut short must not pass as whole.
fn inflate(body: &[u8], zlib_header: bool, max_bytes: usize) -> Result<Vec<u8>, CompressError> {
    let fault = |what: &str| CompressError::Corrupt { encoding: "deflate", what: what.to_owned() };
    let mut state = Decompress::new(zlib_header);
    let mut out = Vec::with_capacity(first_capacity(body.len(), max_bytes).max(64));
    loop {
        let (read, written) = (state.total_in() as usize, out.len());
        let status = state
            .decompress_vec(&body[read..], &mut out, FlushDecompress::None)
            .map_err(|error| fault(&error.to_string()))?;
        if out.len() > max_bytes {
            return Err(CompressError::TooLarge { max_bytes });
        }
        match status {
            Status::StreamEnd if state.total_in() as usize == body.len() => return Ok(out),
            Status::StreamEnd => return Err(fault("bytes left over after the end of the stream")),
            _ if out.len() == out.capacity() => out.reserve(out.len().min(max_bytes) + 64),
            _ if out.len() == written && state.total_in() as usize == read => {
                return Err(fault("the stream ends in the middle"));
            }
            _ => {}
        }
    }
}

fn open_snappy(body: &[u8], max_bytes: usize) -> Result<Vec<u8>, CompressError> {
    /// The longest copy (64 bytes) takes two or three bytes of input, so no valid block expands further than this.
    const MAX_RATIO: usize = 64;
    let fault = |error: snap::Error| CompressError::Corrupt { encoding: "snappy", what: error.to_string() };
    let claimed = snap::raw::decompress_len(body).map_err(fault)?;
    if claimed > max_bytes {
        return Err(CompressError::TooLarge { max_bytes });
    }
    if claimed > body.len().saturating_mul(MAX_RATIO) {
        let what = format!("it claims {claimed} bytes, more than its {} can hold", body.len());
        return Err(CompressError::Corrupt { encoding: "snappy", what });
    }
    snap::raw::Decoder::new().decompress_vec(body).map_err(fault)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use proptest::prelude::*;

    use super::*;

    fn pack(encoding: &str, plain: &[u8]) -> Vec<u8> {
        let level = flate2::Compression::fast();
        match encoding {
            "gzip" => {
                let mut out = flate2::write::GzEncoder::new(Vec::new(), level);
                out.write_all(plain).unwrap();
                out.finish().unwrap()
            }
            "zlib" => {
                let mut out = flate2::write::ZlibEncoder::new(Vec::new(), level);
                out.write_all(plain).unwrap();
                out.finish().unwrap()
            }
            "raw" => {
                let mut out = flate2::write::DeflateEncoder::new(Vec::new(), level);
                out.write_all(plain).unwrap();
                out.finish().unwrap()
            }
            "zstd" => zstd::stream::encode_all(plain, 3).unwrap(),
            "snappy" => snap::raw::Encoder::new().compress_vec(plain).unwrap(),
            _ => plain.to_vec(),
        }
    }

    fn check(body: &[u8], header: &str, expected: &str) {
        let got = match decompress(body, header, 1_000) {
            Ok(plain) => String::from_utf8_lossy(&plain).into_owned(),
            Err(CompressError::TooLarge { .. }) => "too large".to_owned(),
            Err(CompressError::Corrupt { encoding, .. }) => format!("corrupt {encoding}"),
            Err(CompressError::Unsupported { name }) => format!("unsupported {name}"),
        };
        assert_eq!(got, expected, "header `{header}`");
    }

    #[test]
    fn header_and_body_agree_or_the_body_wins() {
        let plain = "{\"message\":\"hello hello hello hello\"}";
        for (packed, header) in [
            ("gzip", "gzip"),
            ("gzip", "x-GZIP"),
            ("zlib", "deflate"),
            ("raw", "deflate"),
            ("zstd", "zstd"),
            ("snappy", "snappy"),
            ("identity", ""),
            ("identity", "identity"),
            ("zlib", "gzip,deflate"),
            ("zlib", "gzip"),
            ("gzip", ""),
            ("zstd", "gzip"),
            ("identity", "gzip"),
        ] {
            check(&pack(packed, plain.as_bytes()), header, plain);
        }
        check(&pack("zstd", &pack("gzip", plain.as_bytes())), "gzip, zstd", plain);
        check(&[pack("gzip", b"one "), pack("gzip", b"two")].concat(), "gzip", "one two");
        check(b"x^2 is a square", "", "x^2 is a square");
        check(b"", "gzip", "");
    }

    #[test]
    fn too_large_corrupt_unsupported() {
        let zeroes = vec![0; 1_000_000];
        for (packed, header) in
            [("gzip", "gzip"), ("zlib", "deflate"), ("raw", "deflate"), ("zstd", "zstd"), ("snappy", "snappy")]
        {
            check(&pack(packed, &zeroes), header, "too large");
            let whole = pack(packed, b"some text to be cut in the middle");
            let name = if matches!(packed, "zlib" | "raw") { "deflate" } else { packed };
            check(&whole[..whole.len() - 3], header, &format!("corrupt {name}"));
        }
        check(&vec![b'a'; 1_001], "", "too large");
        check(b"plain", "br", "unsupported br");
        check(b"plain", "gzip,gzip,gzip,gzip,gzip", "unsupported more than 4 at once");
        check(&[0xe7, 0x07, 0x00], "snappy", "corrupt snappy");
    }

    proptest! {
        #[test]
        fn every_encoding_round_trips(plain in proptest::collection::vec(any::<u8>(), 0..2_000)) {
            for (packed, header) in [("gzip", "gzip"), ("zlib", "deflate"), ("zstd", "zstd"), ("snappy", "snappy")] {
                let body = pack(packed, &plain);
                prop_assert_eq!(decompress(&body, header, 4_000).unwrap().into_owned(), plain.clone());
            }
        }

        #[test]
        fn junk_never_panics_or_exceeds_the_limit(body in proptest::collection::vec(any::<u8>(), 0..300), which in 0..5usize) {
            let header = ["", "gzip", "deflate", "zstd", "snappy"][which];
            if let Ok(plain) = decompress(&body, header, 500) {
                prop_assert!(plain.len() <= 500);
            }
        }
    }
}
