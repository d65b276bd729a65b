//! What clients ask and set up before they send.
//!
//! Nothing of it changes how records are stored. It is remembered, within bounds, because a client that does not find its
//! template again puts it for ever; after a restart it is simply put once more.

use std::collections::BTreeMap;

use axum::extract::Request;
use http::Method;
use logkeep_record::{TenantId, Value, json};
use logkeep_wire::compress::decompress;
use logkeep_wire::elasticsearch::{
    ACKNOWLEDGED, cat_health, cluster_health, data_streams, ilm_policies, index_templates, info, license, mapping,
    nodes_http, not_found, pipelines,
};
use parking_lot::Mutex;

use super::{Answer, Asked};
use crate::Intake;
use crate::refusal::{Kind, Refusal};
use crate::senders::Sender;

/// Things remembered, and their bytes, over all tenants.
const KEPT: usize = 4_096;
const KEPT_BYTES: usize = 16 << 20;

/// What can be put and got under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Policy,
    Template,
    Component,
    Stream,
    Pipeline,
    Index,
}

impl Thing {
    /// The thing at a path and its name, empty for all of them.
    fn at<'p>(path: &[&'p str]) -> Option<(Self, &'p str)> {
        Some(match path {
            ["_ilm", "policy", name @ ..] => (Self::Policy, only(name)?),
            ["_index_template" | "_template", name @ ..] => (Self::Template, only(name)?),
            ["_component_template", name @ ..] => (Self::Component, only(name)?),
            ["_data_stream", name @ ..] => (Self::Stream, only(name)?),
            ["_ingest", "pipeline", name @ ..] => (Self::Pipeline, only(name)?),
            ["_alias", name] => (Self::Index, name),
            [index] | [index, "_mapping" | "_alias" | "_settings"] | [index, "_alias", _]
                if !index.starts_with('_') =>
            {
                (Self::Index, index)
            }
            _ => return None,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Policy => "lifecycle policy",
            Self::Template => "index template",
            Self::Component => "component template",
            Self::Stream => "data stream",
            Self::Pipeline => "pipeline",
            Self::Index => "index",
        }
    }

    fn list(self, found: &[(&str, &str)]) -> Vec<u8> {
        let names = || found.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        match self {
            Self::Policy => ilm_policies(found),
            Self::Template => index_templates(found),
            Self::Component | Self::Pipeline => pipelines(found),
            Self::Stream => data_streams(&names()),
            Self::Index => mapping(&names()),
        }
    }
}

fn only<'p>(rest: &[&'p str]) -> Option<&'p str> {
    match rest {
        [] => Some(""),
        [name] => Some(name),
        _ => None,
    }
}

/// The other names that an index is put with. A client looks for the one it writes to, and puts the index again if it is not there.
fn aliases(path: &[String], body: &str) -> Vec<String> {
    if let [_, word, alias] = path
        && word == "_alias"
    {
        return vec![alias.clone()];
    }
    let Ok(Value::Map(pairs)) = json::parse(body) else { return Vec::new() };
    match pairs.into_iter().find(|(key, _)| key == "aliases") {
        Some((_, Value::Map(aliases))) => aliases.into_iter().map(|(name, _)| name.into_owned()).collect(),
        _ => Vec::new(),
    }
}

/// What was put, by tenant.
#[derive(Default)]
pub(super) struct Setup {
    things: Mutex<BTreeMap<(TenantId, Thing, String), String>>,
}

impl Setup {
    fn put(&self, key: (TenantId, Thing, String), body: String) -> Result<(), Refusal> {
        let mut things = self.things.lock();
        let bytes: usize = things.iter().map(|((_, _, name), body)| name.len() + body.len()).sum();
        let is_new = !things.contains_key(&key);
        if is_new && things.len() >= KEPT || bytes + key.2.len() + body.len() > KEPT_BYTES {
            return Err(Refusal::new(Kind::TooLarge, "too many templates, policies and pipelines; delete some"));
        }
        things.insert(key, body);
        Ok(())
    }

    /// Those of a tenant whose name fits: a list of names joined by commas, each with a `*` at its end perhaps.
    fn find(&self, tenant: &TenantId, thing: Thing, names: &str) -> Vec<(String, String)> {
        let fits = |name: &str| {
            names.is_empty()
                || names.split(',').any(|asked| match asked.strip_suffix('*') {
                    Some(start) => name.starts_with(start),
                    None => name == asked,
                })
        };
        let things = self.things.lock();
        let of_tenant =
            things.iter().filter(|((owner, kind, name), _)| owner == tenant && *kind == thing && fits(name));
        of_tenant.map(|((_, _, name), body)| (name.clone(), body.clone())).collect()
    }

    fn delete(&self, tenant: &TenantId, thing: Thing, names: &str) -> bool {
        let found = self.find(tenant, thing, names);
        let mut things = self.things.lock();
        found.iter().for_each(|(name, _)| drop(things.remove(&(tenant.clone(), thing, name.clone()))));
        !found.is_empty()
    }
}

impl Intake {
    /// Everything but documents.
    pub(super) async fn set_up(&self, sender: &Sender, asked: &Asked<'_>, request: Request) -> Result<Answer, Refusal> {
        let path: Vec<&str> = asked.path.iter().map(String::as_str).collect();
        if matches!(asked.method, Method::GET | Method::HEAD | Method::POST)
            && let Some(answer) = self.about_us(asked, &path)
        {
            return sender.let_in().map(|_| answer);
        }
        match Thing::at(&path) {
            Some((thing, name)) => self.thing(sender, (thing, name), asked, request).await,
            None => sender.let_in().map(|_| no_handler(asked)),
        }
    }

    /// What does not depend on what was set up.
    fn about_us(&self, asked: &Asked<'_>, path: &[&str]) -> Option<Answer> {
        let identity = &self.inner.elasticsearch.identity;
        let body = match path {
            [] => info(identity),
            ["_license" | "_xpack"] | ["_xpack", "license"] => license(identity),
            ["_cluster", "health", ..] => cluster_health(identity, true),
            ["_cat", "health"] => {
                let as_json = asked.query.get("format").is_some_and(|format| format == "json");
                let body = cat_health(identity, true, self.now_ns() / 1_000_000_000, as_json);
                let content_type = if as_json { super::JSON } else { "text/plain; charset=UTF-8" };
                return Some(Answer { status: 200, content_type, body });
            }
            ["_nodes", "http"] | ["_nodes", _, "http"] => nodes_http(identity, &asked.host),
            ["_refresh" | "_flush"] | [_, "_refresh" | "_flush"] => {
                br#"{"_shards":{"total":1,"successful":1,"failed":0}}"#.to_vec()
            }
            ["_aliases"] => ACKNOWLEDGED.to_vec(),
            _ => return None,
        };
        Some(Answer::json(200, body))
    }

    async fn thing(
        &self,
        sender: &Sender,
        (thing, name): (Thing, &str),
        asked: &Asked<'_>,
        request: Request,
    ) -> Result<Answer, Refusal> {
        let setup = &self.inner.elasticsearch.setup;
        if matches!(asked.method, Method::PUT | Method::POST) && !name.is_empty() {
            let incoming = self.read(sender, request).await?;
            let body = decompress(&incoming.body, &incoming.content_encoding, KEPT_BYTES)?;
            let body = String::from_utf8_lossy(&body).into_owned();
            let names = if thing == Thing::Index { aliases(&asked.path, &body) } else { Vec::new() };
            for alias in names {
                setup.put((incoming.origin.tenant.clone(), thing, alias), String::new())?;
            }
            setup.put((incoming.origin.tenant.clone(), thing, name.to_owned()), body)?;
            return Ok(Answer::json(200, ACKNOWLEDGED));
        }
        let tenant = sender.let_in()?.tenant.clone();
        match asked.method {
            Method::GET | Method::HEAD => {
                let found = setup.find(&tenant, thing, name);
                if found.is_empty() && !name.is_empty() && !name.contains('*') {
                    return Ok(Answer::json(404, not_found(thing.name(), name)));
                }
                let found: Vec<_> = found.iter().map(|(name, body)| (name.as_str(), body.as_str())).collect();
                Ok(Answer::json(200, thing.list(&found)))
            }
            Method::DELETE if setup.delete(&tenant, thing, name) => Ok(Answer::json(200, ACKNOWLEDGED)),
            Method::DELETE => Ok(Answer::json(404, not_found(thing.name(), name))),
            _ => Ok(no_handler(asked)),
        }
    }
}

fn no_handler(asked: &Asked<'_>) -> Answer {
    let path: String = asked.path.join("/").chars().take(200).collect();
    let reason = format!("no handler found for uri [/{path}] and method [{}]", asked.method);
    Answer::error(400, "illegal_argument_exception", &reason)
}
