//! Sign-ins that have begun, and are not over.

use std::collections::{HashMap, VecDeque};

use logkeep_cipher::{random_bytes, sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{OidcError, Returned};

/// How long somebody may take at the provider.
const LASTS_NS: i64 = 600 * 1_000_000_000;
/// Sign-ins at most, about 400 bytes each; beyond that the oldest are over.
const MOST: usize = 16_384;

/// One sign-in.
pub(super) struct Flow {
    /// The hash of the cookie.
    browser: [u8; 32],
    /// What the token must name.
    pub(super) nonce: String,
    /// What shows the provider that whoever has the code has begun this (RFC 7636).
    pub(super) verifier: Zeroizing<String>,
    /// The URL that it comes back to.
    pub(super) redirect: String,
    /// Where it leads.
    pub(super) to: String,
    began_ns: i64,
}

fn random() -> String {
    hex::encode(random_bytes::<32>())
}

impl Flow {
    /// A new one, with its state and the cookie of its browser.
    pub(super) fn new(redirect: &str, to: &str, began_ns: i64) -> (Self, String, String) {
        let cookie = random();
        let flow = Self {
            browser: sha256(cookie.as_bytes()),
            nonce: random(),
            verifier: Zeroizing::new(random()),
            redirect: redirect.to_owned(),
            to: to.to_owned(),
            began_ns,
        };
        (flow, random(), cookie)
    }
}

#[derive(Default)]
pub(super) struct Flows {
    by_state: HashMap<String, Flow>,
    /// All states, in the order in which they began; some are over.
    order: VecDeque<String>,
}

impl Flows {
    pub(super) fn add(&mut self, state: String, flow: Flow) {
        let now_ns = flow.began_ns;
        while let Some(oldest) = self.order.front() {
            let is_over = self.by_state.get(oldest).is_none_or(|flow| now_ns - flow.began_ns > LASTS_NS);
            if !is_over && self.order.len() < MOST {
                break;
            }
            self.by_state.remove(oldest);
            self.order.pop_front();
        }
        self.order.push_back(state.clone());
        self.by_state.insert(state, flow);
    }

    /// Takes a sign-in out, so that it can be finished only once, by whoever may.
    pub(super) fn take(&mut self, returned: &Returned, now_ns: i64) -> Result<Flow, OidcError> {
        let Some(flow) = self.by_state.remove(&returned.state) else {
            return Err(OidcError::NotBegun("no sign-in of this state has begun, or it is over"));
        };
        if !bool::from(sha256(returned.cookie.as_bytes()).ct_eq(&flow.browser)) {
            return Err(OidcError::NotBegun("another browser has begun this sign-in"));
        }
        if now_ns - flow.began_ns > LASTS_NS {
            return Err(OidcError::NotBegun("this sign-in has taken too long"));
        }
        Ok(flow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(flows: &mut Flows, now_ns: i64) -> Returned {
        let (flow, state, cookie) = Flow::new("r", "/", now_ns);
        flows.add(state.clone(), flow);
        Returned { cookie, state, ..Returned::default() }
    }

    fn fault(flows: &mut Flows, returned: &Returned, now_ns: i64) -> String {
        flows.take(returned, now_ns).err().map_or_else(|| "none".to_owned(), |error| error.to_string())
    }

    #[test]
    fn a_sign_in_is_finished_once_in_time_and_by_its_own_browser() {
        let mut flows = Flows::default();
        let over = "no sign-in of this state has begun, or it is over";
        let good = begin(&mut flows, 0);
        assert_eq!(fault(&mut flows, &good, LASTS_NS), "none");
        assert_eq!(fault(&mut flows, &good, 1), over, "a second time");
        assert_eq!(fault(&mut flows, &Returned::default(), 1), over);

        let (stolen, thief) = (begin(&mut flows, 0), begin(&mut flows, 0));
        let elsewhere = Returned { cookie: thief.cookie.clone(), ..stolen.clone() };
        assert_eq!(fault(&mut flows, &elsewhere, 1), "another browser has begun this sign-in");
        assert_eq!(fault(&mut flows, &stolen, 1), over, "what was tried elsewhere is over");

        let late = begin(&mut flows, 0);
        assert_eq!(fault(&mut flows, &late, LASTS_NS + 1), "this sign-in has taken too long");
    }

    #[test]
    fn what_is_over_is_forgotten_and_the_rest_is_bounded() {
        let mut flows = Flows::default();
        let first = begin(&mut flows, 0);
        for n in 0..MOST as i64 {
            begin(&mut flows, n);
        }
        assert_eq!((flows.by_state.len(), flows.order.len()), (MOST, MOST));
        assert_ne!(fault(&mut flows, &first, 1), "none", "the oldest had to go");
        begin(&mut flows, 2 * LASTS_NS);
        assert_eq!((flows.by_state.len(), flows.order.len()), (1, 1));
    }
}
