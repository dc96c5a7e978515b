//! Each thing the doctors look at, broken for real: the doctor blames that thing and nothing else, says what to do, and doing it helps.
//! `tests/doctor.toml` says which check is broken by which of these; house.rs keeps it true.

#[path = "doctor/computer.rs"]
mod computer;
#[path = "doctor/found.rs"]
mod found;
#[path = "doctor/outlet.rs"]
mod outlet;
#[path = "doctor/service.rs"]
mod service;
#[path = "doctor/way.rs"]
mod way;

use tidegate_tests::narrator::Narrator;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::Outcome;

use self::found::Found;
use super::ana::Ana;

pub(crate) async fn play(narrator: &Narrator, world: &mut World, ana: &Ana) {
    let well = narrator.step("a_healthy_laptop_and_outlet_have_nothing_to_mend", async {
        ana.doctor(world, "well").await?.is_well()?;
        outlet::examine(world, "well").await?.is_well()
    });
    if well.await.is_ok() {
        computer::play(narrator, world, ana).await;
        way::play(narrator, world, ana).await;
        service::play(narrator, world, ana).await;
        outlet::play(narrator, world).await;
    }
}

impl Ana {
    /// What `tidegate doctor` finds on her laptop, with no agent running.
    async fn doctor(&self, world: &World, name: &str) -> Outcome<Found> {
        self.doctor_with(world, name, &[], &[]).await
    }

    /// The same for a service, which it connects to.
    async fn doctor_of(&self, world: &World, name: &str, service: &str) -> Outcome<Found> {
        self.doctor_with(world, name, &[service], &[]).await
    }

    async fn doctor_with(
        &self,
        world: &World,
        name: &str,
        words: &[&str],
        env: &[(&str, &str)],
    ) -> Outcome<Found> {
        let program = self
            .laptop
            .program(&format!("doctor-{name}"), &self.tidegate)
            .args(["doctor", "--json"])
            .args(words);
        let program = env
            .iter()
            .fold(program, |program, (key, value)| program.env(*key, *value));
        Found::by(program, world).await
    }

    /// After the fix: nothing is left to blame.
    async fn is_well(&self, world: &World) -> Outcome<()> {
        self.doctor(world, "mended").await?.is_well()
    }
}
