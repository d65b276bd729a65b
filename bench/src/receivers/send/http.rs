//! HTTP/1.1: a request after the other on a connection that stays open, or one that has everything.

use std::io::Read;

use anyhow::{Context, ensure};

use crate::ingest;
use crate::receivers::payload::Payload;

type Headers = [(&'static str, &'static str)];

/// Each request is answered before the next.
pub(super) fn requests(url: &str, headers: &Headers, payload: &Payload) -> anyhow::Result<()> {
    let (agent, mut busy) = (ingest::agent(), 0);
    while let Some(request) = payload.next()? {
        ingest::post(&agent, url, headers, &request.bytes, &mut busy)?;
    }
    Ok(())
}

/// One request whose length is not known at its start.
pub(super) fn upload(url: &str, headers: &Headers, payload: &Payload) -> anyhow::Result<()> {
    let request = ingest::agent().post(url);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let mut body = Body { payload, bytes: Vec::new(), at: 0 };
    let mut answer = request.send(ureq::SendBody::from_reader(&mut body)).with_context(|| url.to_owned())?;
    let text = answer.body_mut().read_to_string()?;
    ensure!(answer.status().is_success(), "{url} answered {}: {text}", answer.status());
    Ok(())
}

/// All requests as one.
struct Body<'a> {
    payload: &'a Payload,
    bytes: Vec<u8>,
    at: usize,
}

impl Read for Body<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.bytes.len() {
            let next = self.payload.next().map_err(std::io::Error::other)?;
            (self.bytes, self.at) = (next.map(|request| request.bytes).unwrap_or_default(), 0);
        }
        let read = self.bytes[self.at..].as_ref().read(buffer)?;
        self.at += read;
        Ok(read)
    }
}
