//! What the hub says of requests, and what this device makes of it: which grant it shows to outlets, what whoever waits is told.
//! Nothing here is a right: an outlet judges each grant by itself, and a word of the hub only decides which one is shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_proto::api::access::{AccessAct, RequestState, RequestView};
use tidegate_proto::grant::Grant;
use tidegate_proto::identity::VerifyKey;
use tidegate_proto::names::{OrgName, ServiceName};
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::statement::{AccessRequest, GrantId};
use tidegate_proto::time::UnixTime;

use super::super::owner::Owner;
use super::super::state::Home;
use super::order::Heard;
use crate::circuit::Ask;

/// A grant with less left than this gives way to a newer one, in seconds: running programs are carried over.
const GIVES_WAY: u64 = 60;

/// A request that the hub told of, and what its device signed.
#[derive(Clone, PartialEq, Debug)]
pub(in crate::run) struct Told {
    pub(in crate::run) view: RequestView,
    pub(in crate::run) request: AccessRequest,
}

impl Told {
    /// What its device did not sign for this org, or signed for tomorrow, is not shown at all.
    fn of(view: RequestView, org: &OrgName, now: UnixTime) -> Option<Self> {
        let request = view.read(org).ok()?;
        let told = Self { view, request };
        told.request.at.has_begun(now).then_some(told)
    }

    pub(in crate::run) fn id(&self) -> GrantId {
        self.view.id()
    }

    pub(in crate::run) fn is_by(&self, key: Option<VerifyKey>) -> bool {
        Some(self.view.key) == key
    }

    /// When what is in use ends.
    pub(in crate::run) fn end(&self) -> Option<UnixTime> {
        match &self.view.state {
            RequestState::Granted {
                extent,
                first_use: Some(first),
                ..
            } => Some(first.plus(extent.seconds)),
            _ => None,
        }
    }

    /// When nothing can be done any more with what was granted, whether it is in use or not.
    fn last(&self) -> Option<UnixTime> {
        match &self.view.state {
            RequestState::Granted {
                extent, claim_by, ..
            } => Some(claim_by.plus(extent.seconds)),
            _ => None,
        }
    }

    /// `None` for what was granted and has not been fetched yet.
    fn ask(&self, home: &Home) -> Option<Ask> {
        let over = |problem| Ask::Over(self.id(), problem);
        Some(match &self.view.state {
            RequestState::Waiting { .. } => Ask::Waiting(self.id()),
            RequestState::Granted { .. } => {
                let held: &Arc<Grant> = home.held.get(&self.id())?;
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
}

impl Owner {
    /// The hub says how things are, or how they were before what it has said already: then `takes` says no.
    pub(in crate::run) fn on_requests(
        &mut self,
        requests: Vec<RequestView>,
        takes: impl FnOnce(&mut Heard) -> bool,
    ) {
        let now = self.tools.kit.clock.now();
        let Some(home) = &mut self.state.home else {
            return;
        };
        if !takes(&mut home.heard) {
            tracing::info!("an older list of requests was left");
            return self.settle_asks();
        }
        let org = &home.membership.org;
        let told = requests.into_iter();
        let told = told.filter_map(|view| Told::of(view, org, now)).collect();
        let held = |told: &Told| home.held.contains_key(&told.id());
        home.asked = kept(std::mem::take(&mut home.asked), told, held, now);
        self.settle_asks();
    }

    /// Which grants to present, and what whoever waits is told. Also as time passes: one that ends gives way to the next.
    pub(in crate::run) fn settle_asks(&mut self) {
        let now = self.tools.kit.clock.now();
        let Some(home) = &mut self.state.home else {
            return;
        };
        let (mut asks, mut missing) = (BTreeMap::new(), Vec::new());
        for (service, told) in chosen(home, now) {
            let ask = told.ask(home).unwrap_or_else(|| {
                missing.push(told.id());
                // Until it is here, whoever waits waits on.
                Ask::Waiting(told.id())
            });
            asks.insert(service, ask);
        }
        let known: Vec<_> = home.asked.iter().map(Told::id).collect();
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

/// What is known from now on: what was told, and what is in use here and was left out. Only a word about a grant ends it,
/// never silence: a list that is cut must not end what runs.
fn kept(
    before: Vec<Told>,
    mut told: Vec<Told>,
    held: impl Fn(&Told) -> bool,
    now: UnixTime,
) -> Vec<Told> {
    for former in before {
        let left_out = told.iter().all(|other| other.id() != former.id());
        if left_out && held(&former) && former.last().is_some_and(|last| now < last) {
            told.push(former);
        }
    }
    told
}

/// The request of this device that decides how it stands with each service.
fn chosen(home: &Home, now: UnixTime) -> BTreeMap<ServiceName, &Told> {
    let own = home.identity.as_ref().map(|key| key.verify_key());
    let mut by_service: BTreeMap<_, Vec<&Told>> = BTreeMap::new();
    for told in home.asked.iter().filter(|told| told.is_by(own)) {
        let service = told.request.service.clone();
        by_service.entry(service).or_default().push(told);
    }
    let decides = |(service, all): (_, Vec<_>)| Some((service, choose(&all, now)?));
    by_service.into_iter().filter_map(decides).collect()
}

/// The one that decides: what is in use, then what may be used, then what is waited for, then how the last one ended.
pub(super) fn choose<'t>(all: &[&'t Told], now: UnixTime) -> Option<&'t Told> {
    let granted = |told: &Told| matches!(told.view.state, RequestState::Granted { .. });
    let in_use = |told: &Told| told.end().is_some_and(|end| now.plus(GIVES_WAY) < end);
    let waiting = |told: &Told| matches!(told.view.state, RequestState::Waiting { .. });
    let newest = |fits: &dyn Fn(&Told) -> bool| {
        let fitting = all.iter().filter(|told| fits(told));
        fitting.max_by_key(|told| told.request.at).copied()
    };
    newest(&in_use)
        .or_else(|| newest(&granted))
        .or_else(|| newest(&waiting))
        .or_else(|| newest(&|_| true))
}

#[cfg(test)]
pub(super) mod tests {
    #![allow(clippy::unwrap_used)]
    use tidegate_proto::api::access::Named;
    use tidegate_proto::identity::SigningKey;
    use tidegate_proto::statement::{AccessRequest, Extent, Statement};

    use super::*;

    pub(in super::super) const NOW: UnixTime = UnixTime(1_800_000_000);

    fn acme() -> OrgName {
        "acme".parse().unwrap()
    }

    fn view(asked: u64, seconds: u64, state: RequestState) -> RequestView {
        let key = SigningKey::from_seed(&[1; 32]);
        let request = AccessRequest {
            org: acme(),
            sub: "00uana".parse().unwrap(),
            device: key.verify_key().peer_id(),
            service: "warehouse".parse().unwrap(),
            extent: Extent {
                seconds,
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

    fn told(asked: u64, seconds: u64, state: RequestState) -> Told {
        let later = NOW.plus(asked);
        Told::of(view(asked, seconds, state), &acme(), later).unwrap()
    }

    /// For `seconds`, asked for and first used so long after `NOW`.
    pub(in super::super) fn granted_for(seconds: u64, asked: u64, first_use: Option<u64>) -> Told {
        let state = RequestState::Granted {
            extent: Extent {
                seconds,
                read_only: false,
            },
            claim_by: NOW.plus(86_400),
            first_use: first_use.map(|at| NOW.plus(at)),
        };
        told(asked, seconds, state)
    }

    fn granted(asked: u64, first_use: Option<u64>) -> Told {
        granted_for(600, asked, first_use)
    }

    pub(in super::super) fn waiting(asked: u64) -> Told {
        let until = NOW.plus(86_400);
        told(asked, 600, RequestState::Waiting { until })
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
            told(0, 600, RequestState::Expired {}),
            told(1, 600, RequestState::Withdrawn {}),
        );
        let (asked, given) = (waiting(2), granted(3, None));

        assert_eq!(choose(&[], NOW), None);
        assert_eq!(choose(&[&old, &new], NOW), Some(&new));
        assert_eq!(choose(&[&old, &asked, &new], NOW), Some(&asked));
        assert_eq!(choose(&[&given, &asked], NOW), Some(&given));
    }

    #[test]
    fn a_list_that_is_cut_ends_nothing_that_runs_and_a_word_about_it_does() {
        let (used, other) = (granted(0, Some(0)), waiting(1));
        let before = || vec![used.clone(), other.clone()];
        let over = told(0, 600, RequestState::Over { used: true });
        let later = NOW.plus(86_400 + 600);

        assert_eq!(
            kept(before(), vec![], |_| true, NOW),
            std::slice::from_ref(&used)
        );
        assert_eq!(kept(before(), vec![over.clone()], |_| true, NOW), [over]);
        assert_eq!(kept(before(), vec![], |_| false, NOW), []);
        assert_eq!(kept(before(), vec![], |_| true, later), []);
    }

    #[test]
    fn what_was_not_signed_here_for_today_is_not_shown() {
        let asked = || view(100, 600, RequestState::Expired {});
        let of = |view, org: &str, at| Told::of(view, &org.parse().unwrap(), NOW.plus(at));
        let friend = Named {
            sub: "00ufriend".parse().unwrap(),
            name: None,
        };
        let in_anothers_name = RequestView {
            by: friend,
            ..asked()
        };

        assert!(of(asked(), "acme", 100).is_some());
        assert!(of(asked(), "acme", 40).is_some(), "clocks differ");
        assert!(of(asked(), "acme", 39).is_none(), "from tomorrow");
        assert!(of(asked(), "other", 100).is_none());
        assert!(of(in_anothers_name, "acme", 100).is_none());
    }
}
