//! Streams that several segments share, kept once.
//!
//! A service that logs for a week is a stream of every segment of that week.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use logkeep_record::{DecodeError, Resource, decode_resource};

#[derive(Default)]
struct Known {
    /// By canonical bytes; those that nobody holds any more are swept when the table has doubled.
    streams: HashMap<Box<[u8]>, Weak<Resource>>,
    swept_len: usize,
}

/// The stream of these canonical bytes.
pub(crate) fn stream(bytes: &[u8]) -> Result<Arc<Resource>, DecodeError> {
    static KNOWN: OnceLock<Mutex<Known>> = OnceLock::new();
    // Nothing that is done under the lock can leave the table half changed.
    let mut known = KNOWN.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(stream) = known.streams.get(bytes).and_then(Weak::upgrade) {
        return Ok(stream);
    }
    let stream = decode_resource(bytes)?;
    known.streams.insert(bytes.into(), Arc::downgrade(&stream));
    if known.streams.len() > 2 * known.swept_len.max(1_024) {
        known.streams.retain(|_, stream| stream.strong_count() > 0);
        known.swept_len = known.streams.len();
    }
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use logkeep_record::Value;

    use super::*;

    #[test]
    fn equal_streams_are_one_while_somebody_holds_them() {
        let resource = |name: String| Resource::from_attributes(vec![("service.name".into(), Value::from(name))]);
        let web = resource("interned".into());
        let first = stream(web.canonical()).unwrap();
        let second = stream(web.canonical()).unwrap();
        assert!(Arc::ptr_eq(&first, &second));
        assert_eq!(*first, *web);
        for number in 0..5_000 {
            drop(stream(resource(format!("interned {number}")).canonical()).unwrap());
        }
        assert!(Arc::ptr_eq(&first, &stream(web.canonical()).unwrap()));
        assert!(stream(b"no stream").is_err());
    }
}
