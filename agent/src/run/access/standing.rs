//! What the hub says of requests, and what this device makes of it: which grant it shows to outlets, what whoever waits is told.
//! Nothing here is a right: an outlet judges each grant by itself, and a word of the hub only decides which one is shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_proto::api::access::{AccessAct, RequestState, RequestView};
use tidegate_proto::grant::Grant;
use tidegate_proto::names::ServiceName;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::statement::GrantId;
use tidegate_proto::time::UnixTime;

use super::super::owner::Owner;
use super::super::state::Home;
use crate::circuit::Ask;

/// A grant with less left than this gives way to a newer one, in seconds: running programs are carried over.
const GIVES_WAY: u64 = 60;

impl Owner {
    /// The hub says how things are. What its device did not sign is not shown at all.
    pub(in crate::run) fn on_requests(&mut self, requests: Vec<RequestView>) {
        let Some(home) = &mut self.state.home else {
            return;
        };
        let signed = requests.into_iter().filter(|view| view.read().is_ok());
        home.asked = signed.collect();
        self.settle_asks();
    }

    /// Which grants to present, and what whoever waits is told. Also as time passes: one that ends gives way to the next.
    pub(in crate::run) fn settle_asks(&mut self) {
        let now = self.tools.kit.clock.now();
        let Some(home) = &mut self.state.home else {
            return;
        };
        let own = home.identity.as_ref().map(|key| key.verify_key());
        let here = |view: &&RequestView| Some(view.key) == own;
        let mut by_service: BTreeMap<ServiceName, Vec<&RequestView>> = BTreeMap::new();
        for view in home.asked.iter().filter(here) {
            if let Ok(request) = view.read() {
                by_service.entry(request.service).or_default().push(view);
            }
        }
        let chosen: BTreeMap<_, _> = by_service
            .into_iter()
            .filter_map(|(service, views)| Some((service, choose(&views, now)?.clone())))
            .collect();
        let (mut asks, mut missing) = (BTreeMap::new(), Vec::new());
        for (service, view) in chosen {
            match ask_of(&view, home) {
                Some(ask) => drop(asks.insert(service, ask)),
                // Until it is here, whoever waits waits on.
                None => {
                    missing.push(view.id());
                    asks.insert(service, Ask::Waiting(view.id()));
                }
            }
        }
        let known: Vec<_> = home.asked.iter().map(RequestView::id).collect();
        home.held.retain(|id, _| known.contains(id));
        missing.retain(|id| home.fetching.insert(*id));
        let changed = self
            .tools
            .circuits
            .asks
            .send_if_modified(|old| old.settle(asks));
        if changed {
            self.show_grants();
        }
        for id in missing {
            self.fetch(id);
        }
    }

    fn fetch(&mut self, id: GrantId) {
        match self.clerk() {
            Ok(clerk) => self.put_to_hub(clerk, AccessAct::Fetch { id }, None, Some(id)),
            Err(_) => {
                if let Some(home) = &mut self.state.home {
                    home.fetching.remove(&id);
                }
            }
        }
    }

    /// Running portals are shown what there is now: a grant that follows another one carries them on.
    fn show_grants(&mut self) {
        let Ok(access) = self.access() else { return };
        let circuits = Arc::clone(&self.tools.circuits);
        self.farewells.spawn(async move {
            let asks = circuits.asks.borrow().clone();
            circuits.live.renew(&access, &asks).await;
        });
    }
}

/// The request that decides how this device stands with a service.
fn choose<'v>(views: &[&'v RequestView], now: UnixTime) -> Option<&'v RequestView> {
    let granted = |view: &&&RequestView| matches!(view.state, RequestState::Granted { .. });
    let in_use = |view: &&&RequestView| end(view).is_some_and(|end| now.plus(GIVES_WAY) < end);
    let waiting = |view: &&&RequestView| matches!(view.state, RequestState::Waiting { .. });
    let newest = |views: Vec<&&'v RequestView>| {
        let asked = |view: &&&RequestView| view.read().map_or(UnixTime(0), |request| request.at);
        views.into_iter().max_by_key(asked).copied()
    };
    let of =
        |fits: &dyn Fn(&&&RequestView) -> bool| newest(views.iter().filter(|v| fits(v)).collect());
    of(&in_use)
        .or_else(|| of(&granted))
        .or_else(|| of(&waiting))
        .or_else(|| newest(views.iter().collect()))
}

/// When what is in use ends.
pub(in crate::run) fn end(view: &RequestView) -> Option<UnixTime> {
    match &view.state {
        RequestState::Granted {
            extent,
            first_use: Some(first),
            ..
        } => Some(first.plus(extent.seconds)),
        _ => None,
    }
}

/// `None` for what was granted and has not been fetched yet.
fn ask_of(view: &RequestView, home: &Home) -> Option<Ask> {
    let over = |problem| Ask::Over(view.id(), problem);
    Some(match &view.state {
        RequestState::Waiting { .. } => Ask::Waiting(view.id()),
        RequestState::Granted { .. } => {
            let held: &Arc<Grant> = home.held.get(&view.id())?;
            Ask::Granted(Arc::clone(held))
        }
        RequestState::Denied { because, .. } => {
            over(Problem::new(Code::RequestDenied).said(because.as_str()))
        }
        RequestState::Withdrawn {} => over(Problem::new(Code::RequestWithdrawn)),
        RequestState::Expired {} => over(Problem::new(Code::RequestExpired)),
        RequestState::TakenBack { .. } => over(Problem::new(Code::GrantTakenBack)),
        RequestState::Over { .. } => over(Problem::new(Code::GrantOver)),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tidegate_proto::api::access::Named;
    use tidegate_proto::identity::SigningKey;
    use tidegate_proto::statement::{AccessRequest, Extent, Statement};

    use super::*;

    const NOW: UnixTime = UnixTime(1_800_000_000);

    fn view(asked: u64, state: RequestState) -> RequestView {
        let key = SigningKey::from_seed(&[1; 32]);
        let request = AccessRequest {
            org: "acme".parse().unwrap(),
            sub: "00uana".parse().unwrap(),
            device: key.verify_key().peer_id(),
            service: "warehouse".parse().unwrap(),
            extent: Extent {
                seconds: 600,
                read_only: false,
            },
            reason: "INC-42".into(),
            emergency: false,
            extends: None,
            at: NOW.plus(asked),
            id: format!("r{asked}"),
        };
        RequestView {
            request: request.sign(&key),
            key: key.verify_key(),
            by: Named {
                sub: "00uana".parse().unwrap(),
                name: None,
            },
            yours: false,
            needs: 1,
            approved: Vec::new(),
            seen: Vec::new(),
            state,
        }
    }

    fn granted(asked: u64, first_use: Option<u64>) -> RequestView {
        let state = RequestState::Granted {
            extent: Extent {
                seconds: 600,
                read_only: false,
            },
            claim_by: NOW.plus(86_400),
            first_use: first_use.map(|at| NOW.plus(at)),
        };
        view(asked, state)
    }

    fn waiting(asked: u64) -> RequestView {
        let until = NOW.plus(86_400);
        view(asked, RequestState::Waiting { until })
    }

    #[test]
    fn what_is_in_use_is_used_up_before_what_follows_it() {
        let (first, second) = (granted(0, Some(0)), granted(100, None));
        let both = [&second, &first];
        let chosen = |at: u64| choose(&both, NOW.plus(at)).unwrap().id();

        assert_eq!(chosen(0), first.id());
        assert_eq!(chosen(539), first.id());
        assert_eq!(chosen(540), second.id(), "in time for what runs");
        assert_eq!(chosen(700), second.id());
    }

    #[test]
    fn what_may_be_used_counts_before_what_is_waited_for_and_the_newest_end_last() {
        let (old, new) = (
            view(0, RequestState::Expired {}),
            view(1, RequestState::Withdrawn {}),
        );
        let (asked, given) = (waiting(2), granted(3, None));

        assert_eq!(choose(&[], NOW), None);
        assert_eq!(choose(&[&old, &new], NOW), Some(&new));
        assert_eq!(choose(&[&old, &asked, &new], NOW), Some(&asked));
        assert_eq!(choose(&[&given, &asked], NOW), Some(&given));
    }
}
