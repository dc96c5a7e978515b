//! What a person does about access: asks, withdraws, decides for others, extends, takes back.
//! Whoever ordered it is answered when the hub has: only then is it known whether anybody was asked.

pub(super) mod ending;
pub(super) mod order;
pub(super) mod standing;

use std::sync::Arc;

use tidegate_proto::api::access::{AccessAct, AccessAnswer, WAITS};
use tidegate_proto::names::ServiceName;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::span;
use tidegate_proto::statement::{AccessRequest, Extent, GrantId};
use tidegate_proto::time::{SKEW, UnixTime};

use order::AskedAt;

use super::orders::{Answered, TaskNews, TaskReport};
use super::owner::Owner;
use crate::circuit::Admission;
use crate::hub::access::Access;
use crate::requests::{Clerk, Wanted};
use crate::{Action, Decision};

/// Ids that terminals have printed and that are remembered.
const MOST_PRINTED: usize = 256;

/// Something about access that the hub has answered.
pub(crate) struct Asked {
    pub(super) result: Result<AccessAnswer, Problem>,
    /// Whoever ordered it; nobody where the agent fetched by itself.
    pub(super) answer: Option<Answered>,
    /// What was fetched.
    pub(super) fetched: Option<GrantId>,
    /// When the hub was asked.
    pub(super) asked: AskedAt,
}

impl Owner {
    /// Puts it to the hub, and answers when the hub has.
    pub(super) fn about_access(&mut self, action: &Action, answer: Answered) {
        let act = self.clerk().and_then(|clerk| {
            let act = self.access_act(&clerk, action)?;
            Ok((clerk, act))
        });
        self.note_printed(action);
        match act {
            Ok((clerk, act)) => self.put_to_hub(clerk, act, Some(answer), None),
            Err(problem) => answer.give(Err(problem)),
        }
    }

    /// First letters on a terminal stand for what they were printed for.
    fn note_printed(&mut self, action: &Action) {
        let (
            Action::SawRequests {
                requests,
                printed: true,
                ..
            },
            Some(home),
        ) = (action, &mut self.state.home)
        else {
            return;
        };
        for id in ids(requests) {
            if !home.printed.contains(&id) {
                home.printed.push_back(id);
            }
        }
        while home.printed.len() > MOST_PRINTED {
            home.printed.pop_front();
        }
    }

    fn put_to_hub(
        &mut self,
        clerk: Clerk,
        act: AccessAct,
        answer: Option<Answered>,
        fetched: Option<GrantId>,
    ) {
        let home = self.state.home.as_ref();
        let asked = home.map(|home| home.heard.asks()).unwrap_or_default();
        let reports = self.tools.task_reports.clone();
        self.farewells.spawn(async move {
            let result = clerk.call(act).await;
            let news = TaskNews::Access(Box::new(Asked {
                result,
                answer,
                fetched,
                asked,
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
                ids: ids(requests).collect(),
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
        // Who dates a request forward wants an answer that is older than the question.
        if !asked.at.has_begun(now) || now > asked.at.plus(WAITS + SKEW) {
            return Err(Problem::new(Code::RequestNotOpen));
        }
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
        let mut all = home.asked.iter();
        let told = all.find(|told| told.id().to_string() == id);
        let told = told.ok_or_else(not_open)?;
        Ok((told.id(), told.request.clone()))
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
                requests,
                grant,
                turn,
                ..
            }) => {
                if let (Some(id), Some(grant), Some(home)) =
                    (asked.fetched, grant, &mut self.state.home)
                {
                    home.fetching.remove(&id);
                    if grant.id() == id {
                        home.held.insert(id, Arc::new(grant));
                    }
                }
                self.on_requests(requests, |heard| heard.takes_answer(turn, asked.asked));
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
}

fn ids(requests: &[String]) -> impl Iterator<Item = GrantId> {
    requests.iter().filter_map(|id| id.parse().ok())
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
