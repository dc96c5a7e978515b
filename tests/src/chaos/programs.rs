//! The lane of the programs: killed and started again, asked to end and started again, frozen and thawed.
//! What a program said before it died is kept: an error in it, or a panic, counts against the product.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::faults::{Fault, Kind};
use super::ledger::Ledger;
use super::verdict;
use super::weight::{self, Weights};
use crate::company::Company;
use crate::process::{Process, Signal};
use crate::stage::Stage;
use crate::trouble::{Doing, Outcome};

/// How long a relay may take to say goodbye.
const DRAIN: Duration = Duration::from_secs(60);

pub(super) struct Programs<'a> {
    pub(super) stage: Arc<Stage>,
    pub(super) company: &'a mut Company,
    pub(super) agent: &'a Process,
    pub(super) ledger: Arc<Ledger>,
}

impl Programs<'_> {
    pub(super) async fn suffer(&mut self, faults: &[&Fault]) -> Outcome<()> {
        for fault in faults {
            tokio::time::sleep(fault.after).await;
            self.one(fault)
                .await
                .doing(format!("play that {}", fault.kind.in_words()))?;
        }
        Ok(())
    }

    pub(super) fn weights(&self) -> Outcome<Weights> {
        weight::weigh(&verdict::programs(self.company, self.agent))
    }

    async fn one(&mut self, fault: &Fault) -> Outcome<()> {
        let ledger = Arc::clone(&self.ledger);
        let stage = Arc::clone(&self.stage);
        let company = &mut *self.company;
        match fault.kind {
            Kind::RelayKilled => {
                let relay = company.relay.as_mut().doing("find the relay")?;
                killed(&mut relay.process, &ledger, fault.lasts).await;
                relay.start_again(&stage).await
            }
            Kind::RelayDrained => {
                let relay = company.relay.as_mut().doing("find the relay")?;
                relay.process.signal(Signal::TERM)?;
                relay.process.ended(DRAIN).await?;
                complaints(&relay.process, &ledger);
                relay.start_again(&stage).await
            }
            Kind::HubKilled => {
                killed(&mut company.hub.process, &ledger, fault.lasts).await;
                company.hub.start_again(&stage).await
            }
            Kind::OutletKilled => {
                company.outlet.process.kill();
                ledger.the_outlet_died(Instant::now());
                complaints(&company.outlet.process, &ledger);
                tokio::time::sleep(fault.lasts).await;
                company.outlet.start_again().await
            }
            Kind::AgentFrozen => asleep(self.agent, fault.lasts).await,
            Kind::HubFrozen => asleep(&company.hub.process, fault.lasts).await,
            Kind::OutletFrozen => asleep(&company.outlet.process, fault.lasts).await,
            Kind::RelayFrozen => {
                let relay = company.relay.as_ref().doing("find the relay")?;
                asleep(&relay.process, fault.lasts).await
            }
            _ => Ok(()),
        }
    }
}

async fn killed(process: &mut Process, ledger: &Ledger, lasts: Duration) {
    process.kill();
    complaints(process, ledger);
    tokio::time::sleep(lasts).await;
}

async fn asleep(process: &Process, lasts: Duration) -> Outcome<()> {
    process.signal(Signal::STOP)?;
    tokio::time::sleep(lasts).await;
    process.signal(Signal::CONT)
}

/// What only a fault of ours makes a program say.
pub(super) fn complaints(process: &Process, ledger: &Ledger) {
    let said = format!("{}{}", process.stdout(), process.stderr());
    for line in said.lines() {
        if line.contains(" ERROR ") || line.contains("panicked") {
            ledger.wrong(format!("{} said: {line}", process.name()));
        }
    }
}
