//! The Elasticsearch API, as far as senders of logs use it.
//!
//! Almost every log shipper can write to Elasticsearch, so this is how most of them reach us. Clients check that they
//! talk to the product before they trust an answer, read one answer per document, and set up templates and policies
//! they then expect to find again; each of those has its file here.
//!
//! Not here: searching (`server`), flattening the documents into attributes (`normalize`), what was set up (state of the
//! server).

mod answer;
mod bulk;
mod filter_path;
mod setup;

pub use answer::{ItemAnswer, Outcome, bulk_answer, error_body};
pub use bulk::{Action, BulkError, Document, Item, ItemError, Rejected, decode};
pub use filter_path::FilterPath;
pub use setup::{
    ACKNOWLEDGED, Identity, cat_health, cluster_health, data_streams, ilm_policies, index_templates, info, license,
    mapping, nodes_http, not_found, pipelines,
};

/// Header that must be on every answer: official clients raise an error without it, after the request was executed.
pub const PRODUCT_HEADER: (&str, &str) = ("X-Elastic-Product", "Elasticsearch");

#[cfg(test)]
mod tests;
