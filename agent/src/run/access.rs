//! What a person does about access: asks, withdraws, decides for others, extends, takes back; and what the hub says about it.
//! Whoever ordered it is answered when the hub has: only then is it known whether anybody was asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_proto::api::access::{AccessAct, AccessAnswer, RequestState, RequestView};
use tidegate_proto::grant::Grant;
use tidegate_proto::names::ServiceName;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::span;
use tidegate_proto::statement::{AccessRequest, Extent, GrantId};
use tidegate_proto::text::Shown;
use tidegate_proto::time::UnixTime;

use super::orders::{Answered, TaskNews, TaskReport};
use super::owner::Owner;
use super::state::Home;
use crate::circuit::{Admission, Ask};
use crate::hub::access::Access;
use crate::requests::{Clerk, Wanted};
use crate::{Action, Decision};

/// A grant with less left than this gives way to a newer one, in seconds: running programs are carried over.
const GIVES_WAY: u64 = 60;

/// Something about access that the hub has answered.
pub(crate) struct Asked {
    pub(super) result: Result<AccessAnswer, Problem>,
    /// Whoever ordered it; nobody where the agent fetched by itself.
    pub(super) answer: Option<Answered>,
    /// What was fetched.
    pub(super) fetched: Option<GrantId>,
}

impl Owner {
    /// Puts it to the hub, and answers when the hub has.
    pub(super) fn about_access(&mut self, action: &Action, answer: Answered) {
        let act = self.clerk().and_then(|clerk| {
            let act = self.access_act(&clerk, action)?;
            Ok((clerk, act))
        });
        match act {
            Ok((clerk, act)) => self.put_to_hub(clerk, act, Some(answer), None),
            Err(problem) => answer.give(Err(problem)),
        }
    }

    fn put_to_hub(
        &mut self,
        clerk: Clerk,
        act: AccessAct,
        answer: Option<Answered>,
        fetched: Option<GrantId>,
    ) {
        let reports = self.tools.task_reports.clone();
        self.farewells.spawn(async move {
            let result = clerk.call(act).await;
            let news = TaskNews::Access(Box::new(Asked {
                result,
                answer,
                fetched,
            }));
            let _ = reports.send(TaskReport { attempt: 0, news }).await;
        });
    }

    fn access_act(&self, clerk: &Clerk, action: &Action) -> Result<AccessAct, Problem> {
        let now = self.tools.kit.clock.now();
        match action {
            Action::Ask {
                service,
                seconds,
                read_only,
                reason,
                emergency,
            } => {
                let asks = Wish {
                    service: &service.service,
                    seconds: *seconds,
                    read_only: *read_only,
                    reason,
                    emergency: *emergency,
                    extends: None,
                };
                self.ask(clerk, asks, now)
            }
            Action::Extend {
                request,
                seconds,
                reason,
                ..
            } => {
                let (id, before) = self.request(request)?;
                let asks = Wish {
                    service: &before.service,
                    seconds: *seconds,
                    read_only: before.extent.read_only,
                    reason,
                    emergency: false,
                    extends: Some(id),
                };
                self.ask(clerk, asks, now)
            }
            Action::Withdraw { request, .. } => {
                let (id, _) = self.request(request)?;
                Ok(AccessAct::Withdraw { id })
            }
            Action::Decide {
                request, decision, ..
            } => self.decide(clerk, request, decision, now),
            Action::TakeBack {
                request, because, ..
            } => {
                let (id, _) = self.request(request)?;
                let because = because.clone();
                Ok(AccessAct::TakeBack { id, because })
            }
            Action::SawRequests { requests, .. } => Ok(AccessAct::Seen {
                ids: requests.iter().filter_map(|id| id.parse().ok()).collect(),
            }),
            _ => Err(Problem::new(Code::Internal)),
        }
    }

    fn ask(&self, clerk: &Clerk, asks: Wish<'_>, now: UnixTime) -> Result<AccessAct, Problem> {
        let unfit = |said: &str| {
            Problem::new(Code::RequestUnfit)
                .service(asks.service)
                .said(said)
        };
        if !AccessRequest::is_reason(asks.reason) {
            return Err(unfit(
                "the reason is empty, too long, or holds what cannot be shown",
            ));
        }
        let askable = &clerk.access.askable;
        let terms = askable.iter().find(|one| one.service == *asks.service);
        let usual = terms.map_or(3_600, |terms| terms.usual);
        let seconds = asks.seconds.unwrap_or(usual);
        let longest = terms.map_or(Extent::LONGEST, |terms| terms.longest);
        if !(Extent::SHORTEST..=longest).contains(&seconds) {
            let (least, most) = (span::text(Extent::SHORTEST), span::text(longest));
            return Err(unfit(&format!(
                "a time from {least} to {most} can be asked for"
            )));
        }
        let session = self.state.session();
        let session = session.ok_or_else(|| Problem::new(Code::SignInNeeded))?;
        let wanted = Wanted {
            service: asks.service.clone(),
            extent: Extent {
                seconds,
                read_only: asks.read_only,
            },
            reason: asks.reason.to_owned(),
            emergency: asks.emergency,
            extends: asks.extends,
        };
        Ok(clerk.ask(&session.claims.subject, wanted, now))
    }

    fn decide(
        &self,
        clerk: &Clerk,
        request: &str,
        decision: &Decision,
        now: UnixTime,
    ) -> Result<AccessAct, Problem> {
        let (id, asked) = self.request(request)?;
        match decision {
            Decision::Deny { because } => Ok(AccessAct::Deny {
                id,
                because: because.clone(),
            }),
            Decision::Approve { seconds, read_only } => {
                let extent = Extent {
                    seconds: seconds.unwrap_or(asked.extent.seconds),
                    read_only: *read_only || asked.extent.read_only,
                };
                let fits = extent.within(&asked.extent) && extent.seconds >= Extent::SHORTEST;
                if !fits {
                    let asked = span::text(asked.extent.seconds);
                    let said = format!("no more than the {asked} that were asked for can be given");
                    return Err(Problem::new(Code::RequestUnfit).said(&said));
                }
                Ok(clerk.approve(id, extent, now))
            }
        }
    }

    /// A request that the hub has shown, as its device signed it.
    fn request(&self, id: &str) -> Result<(GrantId, AccessRequest), Problem> {
        let not_open = || Problem::new(Code::RequestNotOpen);
        let home = self.state.home.as_ref().ok_or_else(not_open)?;
        let view = home.asked.iter().find(|view| view.id().to_string() == id);
        let view = view.ok_or_else(not_open)?;
        let request = view.read().map_err(|_| not_open())?;
        Ok((view.id(), request))
    }

    fn clerk(&self) -> Result<Clerk, Problem> {
        let access = self.access()?;
        let home = self.state.home.as_ref();
        let home = home.ok_or_else(|| Problem::new(Code::NotJoined))?;
        Ok(Clerk {
            hub: home.membership.hub(),
            noise: Arc::clone(&self.tools.noise),
            access,
        })
    }

    fn access(&self) -> Result<Arc<Access>, Problem> {
        match &*self.admission.borrow() {
            Admission::Ready(access) => Ok(Arc::clone(access)),
            Admission::None(why) => Err(why.clone()),
            Admission::Pending => Err(Problem::new(Code::HubUnreachable)),
        }
    }

    /// The snapshot is up to date before whoever ordered it is answered.
    pub(super) fn on_asked(&mut self, asked: Asked) {
        let result = match asked.result {
            Ok(AccessAnswer {
                requests, grant, ..
            }) => {
                if let (Some(id), Some(grant), Some(home)) =
                    (asked.fetched, grant, &mut self.state.home)
                {
                    home.fetching.remove(&id);
                    if grant.id() == id {
                        home.held.insert(id, Arc::new(grant));
                    }
                }
                self.on_requests(requests);
                Ok(())
            }
            Err(problem) => {
                if let (Some(id), Some(home)) = (asked.fetched, &mut self.state.home) {
                    home.fetching.remove(&id);
                }
                Err(problem)
            }
        };
        if let Some(answer) = asked.answer {
            self.publish();
            answer.give(result);
        }
    }

    /// The hub says how things are. What its device did not sign is not shown at all.
    pub(super) fn on_requests(&mut self, requests: Vec<RequestView>) {
        let Some(home) = &mut self.state.home else {
            return;
        };
        let signed = requests.into_iter().filter(|view| view.read().is_ok());
        home.asked = signed.collect();
        self.settle_asks();
    }

    /// Which grants to present, and what whoever waits is told. Also as time passes: one that ends gives way to the next.
    pub(super) fn settle_asks(&mut self) {
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

/// A wish as the person said it.
struct Wish<'a> {
    service: &'a ServiceName,
    seconds: Option<u64>,
    read_only: bool,
    reason: &'a str,
    emergency: bool,
    extends: Option<GrantId>,
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
pub(super) fn end(view: &RequestView) -> Option<UnixTime> {
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

/// Text of others, for the snapshot.
pub(super) fn shown(text: &str) -> String {
    Shown::new(text).to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tidegate_proto::api::access::Named;
    use tidegate_proto::identity::SigningKey;
    use tidegate_proto::statement::Statement;

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
