//! The café scene: the main job of Tidegate from an empty laptop to the first query and the closed door, on real parts.
//! One file for each step. A step says on the terminal what it saw; what it did not see is an error.

mod away;
mod lid;
pub mod prepared;
mod s1_stage;
mod s2_first_start;
mod s3_connect;
mod s4_notebook;
mod s5_the_end;
mod s6_outsiders;
mod watch;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::ca::CertificateAuthority;
use crate::company::{Blueprint, Company};
use crate::laptop::{Laptop, Tray, Window};
use crate::narrator::{Hands, Narrator};
use crate::provider::Provider;
use crate::stage::Stage;
use crate::trouble::{Outcome, Trouble};
use crate::warehouse::Warehouse;

/// How long after the last session its record may stay open: last words, and the two last acknowledgements.
const CLOSED: Duration = Duration::from_secs(3);

/// Everything but the laptop.
pub struct World {
    pub stage: Arc<Stage>,
    pub ca: CertificateAuthority,
    pub provider: Provider,
    pub warehouse: Warehouse,
    pub company: Company,
}

/// Ana's laptop with the app running on it.
pub struct Desk {
    pub laptop: Laptop,
    pub tray: Tray,
    pub window: Window,
    /// The join link that was used; the key in it opens nothing any more, and lies about nowhere all the same.
    pub link: String,
}

/// Plays everything, then takes the stage down and proves that nothing is left of it.
///
/// # Errors
/// The step that failed, and what was seen instead.
pub async fn play(narrator: &Narrator) -> Outcome<()> {
    play_on(narrator, Stage::set()?).await
}

/// The same on a stage that is already there.
///
/// # Errors
/// As `play`.
pub async fn play_on(narrator: &Narrator, stage: Arc<Stage>) -> Outcome<()> {
    let mut world = narrator
        .step(
            "1. The stage is set",
            s1_stage::set(narrator, stage, |plan| {
                plan.where_statements_are_recorded()
                    .keeps_portals_for([600, 60])
            }),
        )
        .await?;
    let desk = narrator
        .step(
            "2. Ana starts the app and joins",
            s2_first_start::play(narrator, &world),
        )
        .await?;
    narrator
        .step("3. She connects", s3_connect::play(narrator, &world, &desk))
        .await?;
    narrator
        .step(
            "4. Her notebook reads the warehouse",
            s4_notebook::play(narrator, &world, &desk),
        )
        .await?;
    narrator
        .step(
            "4b. The database, the outlet, her right are away for a moment",
            away::play(narrator, &mut world, &desk),
        )
        .await?;
    narrator
        .step(
            "4c. Her lid closes in the middle of a query",
            lid::play(narrator, &world, &desk),
        )
        .await?;
    narrator
        .step(
            "5a. She disconnects",
            s5_the_end::disconnect(narrator, &world, &desk),
        )
        .await?;
    narrator
        .step(
            "5b. She is revoked",
            s5_the_end::revoke(narrator, &world, &desk),
        )
        .await?;
    narrator
        .step(
            "6. Others find nothing",
            s6_outsiders::play(narrator, &world),
        )
        .await?;
    narrator
        .step("7. Nothing is left", take_down(narrator, world, desk))
        .await
}

/// The world without a laptop, for other plays.
///
/// # Errors
/// When a part of it does not come up.
pub async fn set(narrator: &Narrator) -> Outcome<World> {
    s1_stage::set(narrator, Stage::set()?, |plan| plan).await
}

/// The same on a stage that is already there, with a company as `change` wants it.
///
/// # Errors
/// When a part of it does not come up.
pub async fn set_on(
    narrator: &Narrator,
    stage: Arc<Stage>,
    change: impl FnOnce(Blueprint<'_>) -> Blueprint<'_>,
) -> Outcome<World> {
    s1_stage::set(narrator, stage, change).await
}

/// As `set`, in a company where nobody has standing access.
///
/// # Errors
/// When a part of it does not come up.
pub async fn set_where_people_ask(narrator: &Narrator) -> Outcome<World> {
    s1_stage::set(narrator, Stage::set()?, |plan| plan.where_people_ask()).await
}

impl World {
    /// Waits until no session is at the database and no record of a portal is open, and finds the record whole.
    ///
    /// # Errors
    /// When it takes longer than last words and two last acknowledgements do.
    pub async fn comes_to_rest(&self) -> Outcome<()> {
        self.warehouse.is_left_alone(Duration::from_secs(2)).await?;
        let since = Instant::now();
        loop {
            let verdict = self.company.outlet.verify_audit().await?;
            if verdict.contains("\"whole\":true") && verdict.contains("\"open\":0") {
                println!("  no record open {} ms later", since.elapsed().as_millis());
                return Ok(());
            }
            if since.elapsed() > CLOSED {
                return Err(Trouble::new(format!("the record says {verdict}")));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Takes everything down and proves that nothing is left of it.
    ///
    /// # Errors
    /// When something does not end well, or is left.
    pub async fn end(self) -> Outcome<()> {
        let World {
            stage,
            provider,
            warehouse,
            company,
            ca: _,
        } = self;
        company.stop().await?;
        warehouse.stop().await?;
        drop(provider);
        stage.close()
    }
}

/// Where pictures, charts and logs go.
///
/// # Errors
/// When the folder cannot be made.
pub fn narrator(hands: Hands, checkout: &Path) -> Outcome<Narrator> {
    Narrator::new(hands, &checkout.join("tests/out"))
}

async fn take_down(narrator: &Narrator, world: World, desk: Desk) -> Outcome<()> {
    drop(desk);
    world.end().await?;
    narrator.say("No process, no namespace, no file of this run is left.");
    Ok(())
}
