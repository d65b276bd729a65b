//! Keys of tenants under a service that counts, is away, or is another one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use logkeep_cipher::KEY_BYTES;
use parking_lot::Mutex;
use zeroize::Zeroizing;

use super::*;

/// A service in memory.
#[derive(Debug)]
struct Service {
    key: KeyEncryptionKey,
    asked: AtomicUsize,
    away: AtomicBool,
}

impl Service {
    fn new() -> Arc<Self> {
        Arc::new(Self { key: KeyEncryptionKey::generate(), asked: AtomicUsize::new(0), away: AtomicBool::new(false) })
    }

    fn answer(&self) -> Result<(), KeyProviderError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let away = || KeyProviderError::Away { service: self.name(), tries: 1, what: "gone".into() };
        if self.away.load(Ordering::SeqCst) { Err(away()) } else { Ok(()) }
    }
}

#[async_trait]
impl KeyService for Service {
    fn name(&self) -> String {
        "memory".into()
    }

    async fn encrypt(&self, key: &[u8; KEY_BYTES], context: &str) -> Result<Vec<u8>, KeyProviderError> {
        // Whoever else wants the same key gets a turn.
        tokio::task::yield_now().await;
        self.answer()?;
        Ok(self.key.wrap(&DataKey::from_bytes(*key), context).0)
    }

    async fn decrypt(&self, sealed: &[u8], context: &str) -> Result<Zeroizing<[u8; KEY_BYTES]>, KeyProviderError> {
        self.answer()?;
        Ok(Zeroizing::new(*self.key.unwrap(&WrappedKey(sealed.to_vec()), context)?.expose()))
    }

    async fn rotate(&self) -> Result<(), KeyProviderError> {
        self.answer()
    }
}

#[derive(Default)]
struct Shelf(Mutex<HashMap<String, Vec<u8>>>);

#[async_trait]
impl KeyShelf for Shelf {
    async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.0.lock().get(name).cloned())
    }

    async fn put(&self, name: &str, wrapped: &[u8]) -> Result<(), String> {
        self.0.lock().insert(name.to_owned(), wrapped.to_vec());
        Ok(())
    }
}

struct Folder {
    data: tempfile::TempDir,
    service: Arc<Service>,
    shelf: Arc<Shelf>,
}

impl Folder {
    fn new() -> Self {
        Self { data: tempfile::tempdir().unwrap(), service: Service::new(), shelf: Arc::default() }
    }

    /// As a process that begins.
    fn open(&self) -> Keyring {
        let keys = Keyring::open(self.service.clone(), self.data.path()).unwrap();
        keys.keep_in(self.shelf.clone());
        keys
    }

    fn asked(&self) -> usize {
        self.service.asked.swap(0, Ordering::SeqCst)
    }
}

const SEGMENT: &str = "acme/logs/segment/1";
const LOG: &str = "wal/000000000001/acme";

async fn opens(keys: &Keyring, wrapped: &WrappedKey, context: &str) -> Option<DataKey> {
    match keys.unwrap(wrapped, context).await {
        Ok(key) => Some(key),
        Err(KeyProviderError::Unwrap(_)) => None,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_tenant_costs_one_question() {
    let folder = Folder::new();
    let (keys, key) = (folder.open(), DataKey::generate());
    let wrapped = keys.wrap(&key, SEGMENT).await.unwrap();
    assert_eq!(folder.asked(), 1, "the tenant's key is made");
    let (again, log) = (keys.wrap(&key, SEGMENT).await.unwrap(), keys.wrap(&key, LOG).await.unwrap());
    assert_ne!(wrapped, again);
    assert_eq!(opens(&keys, &log, LOG).await, Some(key.clone()));
    assert_eq!(folder.asked(), 0);

    let later = folder.open();
    for (wrapped, context) in [(&wrapped, SEGMENT), (&again, SEGMENT), (&log, LOG)] {
        assert_eq!(opens(&later, wrapped, context).await, Some(key.clone()));
    }
    assert_eq!(folder.asked(), 1, "the tenant's key is unwrapped once");
    assert_eq!(format!("{later:?}"), "Keyring(memory)");
}

#[tokio::test]
async fn what_is_not_as_it_was_wrapped_does_not_open() {
    let folder = Folder::new();
    let (keys, key) = (folder.open(), DataKey::generate());
    let wrapped = keys.wrap(&key, SEGMENT).await.unwrap();
    keys.wrap(&key, "other/logs/segment/1").await.unwrap();
    for elsewhere in ["acme/logs/segment/2", "other/logs/segment/1", "nobody/logs/segment/1", LOG, "catalog"] {
        assert_eq!(opens(&keys, &wrapped, elsewhere).await, None, "{elsewhere}");
    }
    for place in 0..wrapped.0.len() {
        let mut altered = wrapped.clone();
        altered.0[place] ^= 0x40;
        assert_eq!(opens(&keys, &altered, SEGMENT).await, None, "byte {place}");
    }
    for cut in 0..wrapped.0.len() {
        assert_eq!(opens(&keys, &WrappedKey(wrapped.0[..cut].to_vec()), SEGMENT).await, None, "{cut} bytes");
    }
    let mut stranger = folder.open();
    stranger.service = Service::new();
    assert_eq!(opens(&stranger, &wrapped, SEGMENT).await, None, "another key of the service");
    let moved = folder.shelf.0.lock()["kek/1/other"].clone();
    folder.shelf.0.lock().insert("kek/1/acme".into(), moved);
    assert_eq!(opens(&folder.open(), &wrapped, SEGMENT).await, None, "the key of another tenant");
}

#[tokio::test]
async fn the_catalog_key_is_the_services_own() {
    let folder = Folder::new();
    let (keys, key) = (folder.open(), DataKey::generate());
    let wrapped = keys.wrap(&key, "catalog").await.unwrap();
    assert!(folder.shelf.0.lock().is_empty(), "the shelf is in the catalog, which is not open yet");
    assert_eq!(opens(&keys, &wrapped, "catalog").await, Some(key));
    assert_eq!(opens(&keys, &wrapped, SEGMENT).await, None);
}

#[tokio::test]
async fn a_service_that_is_away_stops_only_what_needs_it() {
    let folder = Folder::new();
    let (keys, key) = (folder.open(), DataKey::generate());
    let wrapped = keys.wrap(&key, SEGMENT).await.unwrap();
    folder.service.away.store(true, Ordering::SeqCst);
    assert_eq!(opens(&keys, &wrapped, SEGMENT).await, Some(key.clone()));
    keys.wrap(&key, LOG).await.unwrap();
    let refused = keys.wrap(&key, "new/logs/segment/1").await.unwrap_err();
    assert!(refused.may_pass() && refused.to_string().contains("memory cannot be asked"), "{refused}");
    let later = folder.open();
    assert!(later.unwrap(&wrapped, SEGMENT).await.unwrap_err().may_pass());

    folder.service.away.store(false, Ordering::SeqCst);
    keys.wrap(&key, "new/logs/segment/1").await.unwrap();
    assert_eq!(opens(&later, &wrapped, SEGMENT).await, Some(key));
}

#[tokio::test]
async fn those_who_come_at_once_get_one_key() {
    let folder = Folder::new();
    let (keys, key) = (Arc::new(folder.open()), DataKey::generate());
    let wrapping: Vec<_> = (0..20)
        .map(|number| {
            let (keys, key) = (keys.clone(), key.clone());
            tokio::spawn(async move { keys.wrap(&key, &format!("acme/logs/segment/{number}")).await.unwrap() })
        })
        .collect();
    let later = folder.open();
    for (number, wrapped) in wrapping.into_iter().enumerate() {
        let context = format!("acme/logs/segment/{number}");
        assert_eq!(opens(&later, &wrapped.await.unwrap(), &context).await, Some(key.clone()));
    }
    assert_eq!(folder.asked(), 2, "made once, unwrapped once");
}

#[tokio::test]
async fn a_generation_follows_another() {
    let folder = Folder::new();
    let (keys, key) = (folder.open(), DataKey::generate());
    let (catalog, old) = (keys.wrap(&key, "catalog").await.unwrap(), keys.wrap(&key, SEGMENT).await.unwrap());
    assert!(keys.is_current(&old, SEGMENT) && keys.is_current(&catalog, "catalog"));

    Keyring::order_next(folder.data.path(), &catalog).unwrap();
    assert!(keys.is_current(&old, SEGMENT), "not before it looks");
    keys.reload().unwrap();
    assert!(!keys.is_current(&old, SEGMENT) && !keys.is_current(&catalog, "catalog"));
    let new = keys.wrap(&key, SEGMENT).await.unwrap();
    assert!(keys.is_current(&new, SEGMENT));
    for wrapped in [&old, &new] {
        assert_eq!(opens(&keys, wrapped, SEGMENT).await, Some(key.clone()));
    }
    folder.shelf.0.lock().remove("kek/1/acme");
    let later = folder.open();
    assert_eq!(opens(&later, &new, SEGMENT).await, Some(key.clone()), "the new one needs no old one");
    assert_eq!(opens(&later, &old, SEGMENT).await, None);
}

#[tokio::test]
async fn a_generation_begins_when_its_keys_are_at_hand() {
    let folder = Folder::new();
    let (keys, key) = (folder.open(), DataKey::generate());
    let old = keys.wrap(&key, SEGMENT).await.unwrap();
    Keyring::order_next(folder.data.path(), &old).unwrap();
    folder.service.away.store(true, Ordering::SeqCst);
    assert!(keys.prepare().await.unwrap_err().may_pass());
    assert!(keys.is_current(&keys.wrap(&key, LOG).await.unwrap(), LOG), "the one before goes on");
    folder.service.away.store(false, Ordering::SeqCst);
    keys.prepare().await.unwrap();
    folder.service.away.store(true, Ordering::SeqCst);
    keys.reload().unwrap();
    let new = keys.wrap(&key, SEGMENT).await.unwrap();
    assert!(keys.is_current(&new, SEGMENT) && !keys.is_current(&old, SEGMENT));
}

#[tokio::test]
async fn a_lost_order_does_not_bring_an_old_generation_back() {
    let folder = Folder::new();
    let (keys, key) = (folder.open(), DataKey::generate());
    let first = keys.wrap(&key, "catalog").await.unwrap();
    Keyring::order_next(folder.data.path(), &first).unwrap();
    keys.reload().unwrap();
    let second = keys.wrap(&key, "catalog").await.unwrap();
    std::fs::remove_file(Keyring::order_file(folder.data.path())).unwrap();
    let restored = folder.open();
    restored.unwrap(&second, "catalog").await.unwrap();
    assert!(restored.is_current(&second, "catalog") && !restored.is_current(&first, "catalog"));
    Keyring::order_next(folder.data.path(), &second).unwrap();
    restored.reload().unwrap();
    assert!(!restored.is_current(&second, "catalog"));
}

#[tokio::test]
async fn an_order_that_cannot_be_read_is_named() {
    let folder = Folder::new();
    std::fs::write(Keyring::order_file(folder.data.path()), "soon").unwrap();
    let refused = Keyring::open(folder.service.clone(), folder.data.path()).unwrap_err();
    assert!(refused.to_string().contains("keys.generation"), "{refused}");
}
