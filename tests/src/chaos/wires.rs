//! The lane of the wires: the café's line gets bad or is cut, a cable is pulled, the laptop gets another address.
//! Each fault is taken back before the next one begins; a line is as it was, an address stays changed.

use std::sync::Arc;
use std::time::Duration;

use super::faults::{Fault, Kind};
use crate::Site;
use crate::ground::{Harm, PLACES, Quality};
use crate::stage::Stage;
use crate::trouble::{Doing, Outcome};

pub(super) struct Wires {
    stage: Arc<Stage>,
    place: usize,
}

impl Wires {
    pub(super) fn of(stage: &Arc<Stage>) -> Self {
        Self {
            stage: Arc::clone(stage),
            place: 0,
        }
    }

    pub(super) async fn suffer(&mut self, faults: &[&Fault]) -> Outcome<()> {
        for fault in faults {
            tokio::time::sleep(fault.after).await;
            self.one(fault)
                .await
                .doing(format!("play that {}", fault.kind.in_words()))?;
        }
        Ok(())
    }

    async fn one(&mut self, fault: &Fault) -> Outcome<()> {
        let network = self.stage.ground().network().doing("find the network")?;
        match fault.kind {
            Kind::Unplugged => {
                let _pulled = network.unplug(Site::Private)?;
                tokio::time::sleep(fault.lasts).await;
            }
            Kind::Moved => {
                let next = (self.place + 1) % PLACES.len();
                network.readdress_the_laptop(PLACES[self.place], PLACES[next])?;
                self.place = next;
            }
            kind => {
                let line = network.line().doing("find the café's line")?;
                line.set(made_worse(kind, fault.strength));
                tokio::time::sleep(fault.lasts).await;
                line.set(Quality::cafe());
            }
        }
        Ok(())
    }
}

fn made_worse(kind: Kind, strength: f64) -> Quality {
    let mut quality = Quality::cafe();
    let rare = 0.002 + 0.05 * strength;
    let often = 0.02 + 0.4 * strength;
    let harm = &mut quality.harm;
    match kind {
        Kind::Cut => quality.cut = true,
        Kind::Lossy => quality.loss = often,
        Kind::Slow => {
            quality.delay = Duration::from_millis(50).mul_f64(1.0 + 7.0 * strength);
            quality.rate = 2_000_000;
        }
        Kind::Doubled => harm.double = often,
        Kind::Reordered => harm.late = often,
        Kind::Corrupted => harm.corrupt = often,
        Kind::Forged => harm.forge = rare,
        _ => quality.harm = Harm::default(),
    }
    quality
}
