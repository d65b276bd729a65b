//! What an operator has chosen that whoever audits the server should know of.
//!
//! None of it is a fault: the configuration says that it is meant. It is reported in the log at the start, in `GET
//! /api/v1/status`, and by `logkeep config check`.

use crate::listen::{Endpoint, Receiver, ReceiverState, Transport};
use crate::server::ServerConfig;
use logkeep_access::{Directory, GlassInfo};
use logkeep_intake::Demand;

/// One thing to know of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What kind of thing: `plaintext`, `open_senders`, `one_administrator`, `break_glass_active`, `break_glass_unreviewed`
    /// or `break_glass_overdue`.
    pub code: &'static str,
    /// Of which listener, if it is of one.
    pub listener: Option<&'static str>,
    /// In a sentence.
    pub text: String,
}

impl Receiver {
    /// What there is to know of this one.
    pub fn findings(&self) -> Vec<Finding> {
        let finding = |code, text: &str| Finding { code, listener: Some(self.protocol), text: text.to_owned() };
        let mut found = Vec::new();
        if self.is_exposed() {
            found.push(finding(
                "plaintext",
                "other hosts send to this listener in the clear, as the configuration says: what they send can be read and changed on its way",
            ));
        }
        if self.is_reachable() && self.senders == Demand::Open {
            found.push(finding(
                "open_senders",
                "other hosts send to this listener without saying who they are, as the configuration says: anybody can put records there",
            ));
        }
        found
    }
}

/// What there is to know of who manages people, and of who did alone what takes two.
pub(crate) fn of_people(directory: &Directory) -> Vec<Finding> {
    let finding = |code, text: String| Finding { code, listener: None, text };
    let mut found = Vec::new();
    if directory.has_one_administrator() {
        let text = "there is one administrator only: nobody else can approve what takes two people";
        found.push(finding("one_administrator", text.to_owned()));
    }
    for GlassInfo { id, user, is_active, is_overdue, review, .. } in directory.glasses() {
        let (code, text) = match review {
            _ if is_active => ("break_glass_active", "has broken the glass"),
            Some(_) => continue,
            None if is_overdue => {
                ("break_glass_overdue", "broke the glass more than two days ago, and nobody else has reviewed it")
            }
            None => ("break_glass_unreviewed", "has broken the glass, and nobody else has reviewed it yet"),
        };
        found.push(finding(code, format!("`{user}` {text} (`break-glass/{id}`)")));
    }
    found
}

/// What there is to know of a configuration, before anything listens.
pub fn findings(config: &ServerConfig) -> Vec<Finding> {
    let receiver = |protocol, endpoint: &Endpoint| Receiver {
        protocol,
        address: Some(endpoint.address),
        state: ReceiverState::Listening,
        transport: Transport::of(Some(endpoint)),
        senders: endpoint.senders,
    };
    let others = config.receivers.iter().filter_map(|(port, at)| Some(receiver(port.name, at.as_ref()?)));
    std::iter::once(receiver("http", &config.main)).chain(others).flat_map(|one| one.findings()).collect()
}
