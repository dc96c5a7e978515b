//! What a person does about devices: lets a new one in, is let in by an old one, takes one back.
//! Nothing here waits: each step is an errand that reports back, and what comes of it arrives by the hub's events.

use std::sync::Arc;

use tidegate_proto::api::devices::{DeviceInfo, Introduction, Step};
use tidegate_proto::identity::PeerId;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::statement::DeviceChain;
use tokio::sync::mpsc;

use super::effects::Errand;
use super::orders::{TaskNews, TaskReport};
use super::owner::Owner;
use super::state::{Home, Task};
use crate::devices::newcomer::{LetIn, Newcomer};
use crate::devices::sponsor::Us;
use crate::devices::{Asker, this_computer};
use crate::signin::tokens::Session;

impl Owner {
    /// Whether the hub knows this device. One that joined with a link without a ticket has to be let in first.
    pub(super) fn is_enrolled(&self) -> bool {
        let home = self.state.home.as_ref();
        home.is_some_and(|home| !home.membership.device.is_empty())
    }

    /// Asks the person's other devices to let this one in.
    pub(super) fn introduce(&mut self, attempt: u64, session: Arc<Session>) {
        self.state.forget_sign_in();
        self.mark_signed_out(false);
        let Some(asker) = self.asker(None) else {
            return;
        };
        let (progress, mut steps) = mpsc::channel(4);
        let newcomer = Newcomer {
            asker,
            session,
            label: this_computer(),
            progress,
        };
        let reports = self.tools.task_reports.clone();
        let task = Task::spawn(async move {
            let told = async {
                while let Some(at) = steps.recv().await {
                    let news = TaskNews::Introducing(at);
                    let _ = reports.send(TaskReport { attempt, news }).await;
                }
            };
            let (result, ()) = tokio::join!(newcomer.run(), told);
            let news = TaskNews::LetIn(result);
            let _ = reports.send(TaskReport { attempt, news }).await;
        });
        self.work.errand = Some((attempt, Errand::Quiet { _task: task }));
    }

    /// Another device said yes.
    pub(super) fn enrol(&mut self, let_in: LetIn, session: &Session) {
        let Some(home) = &mut self.state.home else {
            return;
        };
        let LetIn { device, chain } = let_in;
        tracing::info!(%device, "device was let in by another one");
        home.membership.device = device;
        // One that does not hold would keep this device out wherever it is shown.
        home.membership.chain = chain.filter(|chain| holds(chain, home, session));
        self.keep();
    }

    pub(super) fn compare_device(&mut self, id: &str) -> Result<(), Problem> {
        let home = self.state.home.as_mut();
        let step = home.and_then(|home| home.requests.compare(id));
        self.step(id, step)
    }

    pub(super) fn approve_device(&mut self, id: &str) -> Result<(), Problem> {
        let now = self.tools.kit.clock.now();
        let step = self.us().and_then(|us| {
            let home = self.state.home.as_ref()?;
            let identity = home.identity.as_ref()?;
            let chain = home.membership.chain.as_ref();
            home.requests.approve(id, &us, (identity, chain), now)
        });
        self.step(id, step)
    }

    pub(super) fn decline_device(&mut self, id: &str) -> Result<(), Problem> {
        if let Some(home) = &mut self.state.home {
            home.requests.forget(id);
        }
        self.step(id, Some(Step::Decline))
    }

    /// Takes a step in the background; `None` when there is nothing to take it in.
    fn step(&mut self, id: &str, step: Option<Step>) -> Result<(), Problem> {
        let asker = self
            .signed_in_asker()
            .ok_or_else(|| Problem::new(Code::SignInNeeded))?;
        let step = step.ok_or_else(|| Problem::new(Code::IntroductionOver))?;
        let (id, reports) = (id.to_owned(), self.tools.task_reports.clone());
        let is_last = matches!(step, Step::Approve { .. });
        self.farewells.spawn(async move {
            let result = asker.step(&id, step).await;
            let result = result
                .map(drop)
                .map_err(|error| error.problem(&asker.hub.address));
            let is_in = result.is_ok() && is_last;
            let news = TaskNews::Stepped { id, result };
            let _ = reports.send(TaskReport { attempt: 0, news }).await;
            if is_in {
                let news = TaskNews::Devices(ask(&asker, None).await);
                let _ = reports.send(TaskReport { attempt: 0, news }).await;
            }
        });
        Ok(())
    }

    pub(super) fn on_stepped(&mut self, id: &str, result: Result<(), Problem>) {
        let Err(problem) = result else { return };
        if let Some(home) = &mut self.state.home {
            home.requests.forget(id);
        }
        self.trouble(problem);
    }

    pub(super) fn revoke_device(&mut self, device: &str) -> Result<(), Problem> {
        let asker = self
            .signed_in_asker()
            .ok_or_else(|| Problem::new(Code::SignInNeeded))?;
        let device: PeerId = device
            .parse()
            .map_err(|_| Problem::new(Code::ComputerNotListed))?;
        let reports = self.tools.task_reports.clone();
        self.farewells.spawn(async move {
            let news = TaskNews::Devices(ask(&asker, Some(device)).await);
            let _ = reports.send(TaskReport { attempt: 0, news }).await;
        });
        Ok(())
    }

    pub(super) fn on_devices(&mut self, result: Result<Vec<DeviceInfo>, Problem>) {
        match (result, &mut self.state.home) {
            (Ok(devices), Some(home)) => home.devices = devices,
            (Ok(_), None) => {}
            (Err(problem), _) => self.trouble(problem),
        }
    }

    /// The hub says who asks to be let in.
    pub(super) fn on_introductions(&mut self, seen: Vec<Introduction>) {
        let Some(us) = self.us() else { return };
        let Some(home) = &mut self.state.home else {
            return;
        };
        for forged in home.requests.hear(seen, &us) {
            self.trouble(Problem::new(Code::IntroductionForged));
            let _ = self.decline_device(&forged);
        }
    }

    fn us(&self) -> Option<Us> {
        self.state.us(self.state.home.as_ref()?)
    }

    fn signed_in_asker(&self) -> Option<Asker> {
        let access = self.state.account.access()?;
        self.asker(Some(access.credential.clone()))
    }

    fn asker(&self, credential: Option<String>) -> Option<Asker> {
        let home = self.state.home.as_ref()?;
        Some(Asker {
            hub: home.membership.hub(),
            noise: Arc::clone(&self.tools.noise),
            identity: home.identity.clone()?,
            credential,
        })
    }
}

/// Whether the chain leads from the root to this device and its person.
fn holds(chain: &DeviceChain, home: &Home, session: &Session) -> bool {
    let membership = &home.membership;
    let (Some(root), Some(identity)) = (&membership.root_key, &home.identity) else {
        return false;
    };
    let mine = (session.claims.subject.clone(), identity.verify_key());
    chain.verify(root, &membership.org) == Ok(mine)
}

async fn ask(asker: &Asker, revoke: Option<PeerId>) -> Result<Vec<DeviceInfo>, Problem> {
    let answer = asker.devices(revoke).await;
    answer
        .map(|answer| answer.devices)
        .map_err(|error| error.problem(&asker.hub.address))
}
