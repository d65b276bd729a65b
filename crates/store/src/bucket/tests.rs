//! Objects in and out of a bucket, with a store that fails where it is told to.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::{
    CopyOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, PutMultipartOptions, PutResult, Result, UploadPart,
};

use super::*;

const PART: usize = 1_000;

/// A store in memory, what it was asked for, and what it is to do wrong.
#[derive(Debug, Default)]
struct Faulty {
    inner: InMemory,
    watch: Arc<Watch>,
}

#[derive(Debug, Default)]
struct Watch {
    /// The part, counted over all uploads from 1, that is refused.
    bad_part: AtomicUsize,
    parts: AtomicUsize,
    aborted: AtomicUsize,
    lose_answers: AtomicBool,
    ignore_conditions: AtomicBool,
    underway: AtomicUsize,
    most_underway: AtomicUsize,
}

fn away() -> Error {
    Error::Generic { store: "test", source: "the store is away".into() }
}

impl std::fmt::Display for Faulty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("faulty")
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, at: &Path, payload: PutPayload, mut options: PutOptions) -> Result<PutResult> {
        if self.watch.ignore_conditions.load(Ordering::SeqCst) {
            options.mode = PutMode::Overwrite;
        }
        let now = self.watch.underway.fetch_add(payload.content_length(), Ordering::SeqCst) + payload.content_length();
        self.watch.most_underway.fetch_max(now, Ordering::SeqCst);
        tokio::task::yield_now().await;
        self.watch.underway.fetch_sub(payload.content_length(), Ordering::SeqCst);
        let done = self.inner.put_opts(at, payload, options).await?;
        if self.watch.lose_answers.load(Ordering::SeqCst) { Err(away()) } else { Ok(done) }
    }

    async fn put_multipart_opts(&self, at: &Path, options: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let inner = self.inner.put_multipart_opts(at, options).await?;
        Ok(Box::new(FaultyUpload { inner, watch: self.watch.clone() }))
    }

    async fn get_opts(&self, at: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(at, options).await
    }

    fn delete_stream(&self, paths: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct FaultyUpload {
    inner: Box<dyn MultipartUpload>,
    watch: Arc<Watch>,
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let part = self.watch.parts.fetch_add(1, Ordering::SeqCst) + 1;
        let bad = part == self.watch.bad_part.load(Ordering::SeqCst);
        let sent = self.inner.put_part(data);
        Box::pin(async move { if bad { Err(away()) } else { sent.await } })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.inner.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.watch.aborted.fetch_add(1, Ordering::SeqCst);
        self.inner.abort().await
    }
}

fn bucket() -> (Bucket, Arc<Watch>) {
    let store = Faulty::default();
    let watch = store.watch.clone();
    (Bucket::new(Arc::new(store), "some/place", "s3://logs/some/place").with_part_bytes(PART), watch)
}

fn content(len: usize) -> Vec<u8> {
    (0..len).map(|place| (place / 7) as u8).collect()
}

async fn put(bucket: &Bucket, name: &str, bytes: &[u8]) -> std::result::Result<(), StoreError> {
    let mut uploads = bucket.uploads();
    let pending = uploads.read(name, &mut &*bytes).await?;
    uploads.finish(name, pending).await?;
    uploads.settle().await
}

async fn get(bucket: &Bucket, objects: &[(&str, usize)]) -> std::result::Result<Vec<Vec<u8>>, String> {
    let wanted = objects.iter().map(|(name, bytes)| ((*name).to_owned(), *bytes as u64)).collect();
    let (mut found, mut ended) = (vec![Vec::new(); objects.len()], 0);
    let mut pieces = bucket.read_all(wanted);
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|error| error.to_string())?;
        assert_eq!(piece.index, ended, "in order");
        found[piece.index].extend_from_slice(&piece.bytes);
        ended += usize::from(piece.last);
    }
    assert_eq!(ended, objects.len());
    Ok(found)
}

#[tokio::test]
async fn what_is_written_is_read_whatever_its_length() {
    let (bucket, _) = bucket();
    let lengths = [0, 1, PART - 1, PART, PART + 1, 10 * PART, 10 * PART + 3];
    let names: Vec<String> = lengths.iter().map(|len| format!("objects/{len}")).collect();
    for (name, len) in names.iter().zip(lengths) {
        put(&bucket, name, &content(len)).await.unwrap();
        assert_eq!(bucket.size(name).await.unwrap(), Some(len as u64));
    }
    let wanted: Vec<_> = names.iter().map(String::as_str).zip(lengths).collect();
    assert_eq!(get(&bucket, &wanted).await.unwrap(), lengths.map(content));
    let listed: BTreeMap<String, u64> = names.iter().cloned().zip(lengths.map(|len| len as u64)).collect();
    assert_eq!(bucket.list("objects").await.unwrap(), listed);
    assert_eq!(bucket.list("object").await.unwrap(), BTreeMap::new(), "a folder, not the beginning of a name");

    put(&bucket, "b/2/x", b"x").await.unwrap();
    put(&bucket, "b/1/x", b"x").await.unwrap();
    assert_eq!(bucket.folders("b").await.unwrap(), ["1", "2"]);
    bucket.remove(["b/1/x".to_owned(), "b/none".to_owned()]).await.unwrap();
    assert_eq!(bucket.folders("b").await.unwrap(), ["2"]);
    assert_eq!(bucket.read("b/2/x", 1).await.unwrap(), "x");
    assert_eq!(bucket.size("b/1/x").await.unwrap(), None);
}

#[tokio::test]
async fn an_object_that_is_not_as_long_as_it_was_is_named() {
    let (bucket, _) = bucket();
    for (written, asked) in [(5, 6), (6, 5), (0, 5), (5, 0), (PART, PART + 1), (3 * PART, PART), (PART, 5 * PART)] {
        put(&bucket, "x", &content(written)).await.unwrap();
        let refused = get(&bucket, &[("x", asked)]).await.unwrap_err();
        assert_eq!(refused, format!("object `s3://logs/some/place/x` has {written} bytes, not {asked}"));
    }
    for asked in [0, 5] {
        let missing = get(&bucket, &[("none", asked)]).await.unwrap_err();
        assert_eq!(missing, "object `s3://logs/some/place/none` does not exist");
    }
    assert!(matches!(bucket.read("x", 10).await, Err(StoreError::Resized { .. })), "not read at all");
    assert!(matches!(bucket.read("../x", 10).await, Err(StoreError::Unavailable { .. })));
}

#[tokio::test]
async fn what_fails_in_the_middle_is_taken_back() {
    let (bucket, watch) = bucket();
    for bad in 1..=5 {
        watch.parts.store(0, Ordering::SeqCst);
        watch.bad_part.store(bad, Ordering::SeqCst);
        let failed = put(&bucket, "x", &content(4 * PART + 1)).await.unwrap_err();
        let cause = std::error::Error::source(&failed).unwrap().to_string();
        assert!(failed.to_string().contains("s3://logs/some/place/x") && cause.contains("away"), "{failed}: {cause}");
        assert_eq!(watch.aborted.load(Ordering::SeqCst), bad, "each time");
        assert_eq!(bucket.size("x").await.unwrap(), None);
    }
    watch.bad_part.store(0, Ordering::SeqCst);
    put(&bucket, "x", &content(4 * PART + 1)).await.unwrap();

    struct Broken(usize);
    impl std::io::Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0 = self.0.checked_sub(1).ok_or_else(|| std::io::Error::other("bad sector"))?;
            Ok(buffer.len())
        }
    }
    let aborted = watch.aborted.load(Ordering::SeqCst);
    bucket.uploads().read("y", &mut Broken(20)).await.unwrap_err();
    assert_eq!(watch.aborted.load(Ordering::SeqCst), aborted + 1);

    let mut uploads = bucket.uploads();
    for bytes in [content(5), content(5 * PART)] {
        uploads.read("y", &mut &*bytes).await.unwrap().abort().await;
    }
    uploads.settle().await.unwrap();
    assert_eq!(bucket.size("y").await.unwrap(), None, "given up before it had a name");
}

#[tokio::test]
async fn a_failed_small_object_is_not_forgotten() {
    let (bucket, watch) = bucket();
    let mut uploads = bucket.uploads();
    watch.lose_answers.store(true, Ordering::SeqCst);
    let pending = uploads.read("x", &mut &b"x"[..]).await.unwrap();
    uploads.finish("x", pending).await.unwrap();
    let failed = uploads.settle().await.unwrap_err();
    assert!(failed.to_string().contains("s3://logs/some/place/x"), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_is_bounded() {
    let (bucket, watch) = bucket();
    let mut uploads = bucket.uploads();
    for number in 0..200 {
        let name = format!("objects/{number}");
        let pending = uploads.read(&name, &mut &*content(900)).await.unwrap();
        uploads.finish(&name, pending).await.unwrap();
    }
    uploads.settle().await.unwrap();
    assert_eq!(bucket.list("objects").await.unwrap().len(), 200);
    let most = watch.most_underway.load(Ordering::SeqCst);
    assert!(most <= 4 * PART, "{most} bytes at a time");
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let (bucket, watch) = bucket();
    assert!(bucket.create("claim", "one".into()).await.unwrap());
    for other in ["two", "", "longer than one"] {
        assert!(!bucket.create("claim", other.into()).await.unwrap(), "{other}");
    }
    assert_eq!(bucket.read("claim", 10).await.unwrap(), "one");
    assert!(bucket.create("empty", Bytes::new()).await.unwrap());
    assert!(!bucket.create("empty", "x".into()).await.unwrap());
    watch.lose_answers.store(true, Ordering::SeqCst);
    assert!(bucket.create("mine", "me".into()).await.unwrap(), "it is there, though the answer was lost");
    assert!(!bucket.create("mine", "they".into()).await.unwrap());
}

#[tokio::test]
async fn a_store_that_overwrites_all_the_same_is_found_out() {
    let (bucket, watch) = bucket();
    assert!(bucket.claim("1", "one".into()).await.unwrap());
    assert!(!bucket.claim("1", "two".into()).await.unwrap());
    watch.ignore_conditions.store(true, Ordering::SeqCst);
    let refused = bucket.claim("2", "one".into()).await.unwrap_err();
    assert!(std::error::Error::source(&refused).unwrap().to_string().contains("If-None-Match"), "{refused}");
}
