//! Two organisations on one laptop, each with a hub, an outlet and a root of its own; both call a service `warehouse`.
//! The same name and the same wished port: the one that came first keeps its port, the other gets one that stays.

use tidegate_tests::company::Company;
use tidegate_tests::narrator::Narrator;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome, Trouble};
use tidegate_tests::warehouse::DATABASE;

use super::desk::Desk;

pub(crate) async fn play(
    narrator: &Narrator,
    world: &World,
    beta: &Company,
    ana: &Desk,
) -> Outcome<()> {
    let window = &ana.window;
    let link = beta.admin.ticket(&world.provider.ana).await?;
    window.click("settings").await?;
    window.click("join-another").await?;
    window.write("join-link", &link).await?;
    ana.look(narrator, "orgs-1-join-another").await?;
    window.click("join-button").await?;
    window
        .shows("org-beta")
        .await
        .doing("join the second org")?;
    ana.look(narrator, "orgs-2-joined").await?;
    ana.sign_in(world, "connect-beta/warehouse").await?;
    ana.look(narrator, "orgs-3-both").await?;

    let took = ana.connect("acme/warehouse", "acme/warehouse").await?;
    narrator.say(format!("acme/warehouse after {} ms", took.as_millis()));
    let took = ana.connect("beta/warehouse", "beta/warehouse").await?;
    narrator.say(format!("beta/warehouse after {} ms", took.as_millis()));
    let mut ports = Vec::new();
    for org in ["acme", "beta"] {
        let address = window.read(&format!("address-{org}/warehouse")).await?;
        let to = format!("postgresql://{address}/{DATABASE}");
        let flights = ana.psql(&to, "select count(*) from flights").await?;
        narrator.say(format!("{org}: {to} has {flights} flights"));
        ports.push(address);
        if flights != "336776" {
            return Err(Trouble::new(format!("{org} answers {flights}")));
        }
    }
    if ports[0] == ports[1] || ports[0] != "localhost:15432" {
        return Err(Trouble::new(format!("the ports are {ports:?}")));
    }
    world.company.outlet.verify_audit().await?;
    beta.outlet.verify_audit().await?;

    window.write("search", "warehouse").await?;
    ana.look(narrator, "orgs-4-search").await?;
    let both =
        window.has("service-acme/warehouse").await && window.has("service-beta/warehouse").await;
    let others = window.has("service-acme/billing").await;
    window.write("search", " beta").await?;
    let only_beta =
        !window.has("service-acme/warehouse").await && window.has("service-beta/warehouse").await;
    if !both || others || !only_beta {
        return Err(Trouble::new("the search does not find what it should"));
    }
    window
        .run("document.querySelector('[data-testid=search]').select()")
        .await?;
    window.write("search", "\u{e003}").await?;
    ana.look_at_the_screen(narrator, "orgs-5").await?;
    narrator.say(format!("tray:\n{}", ana.tray.read().await?));

    window.click("settings").await?;
    ana.look(narrator, "orgs-6-settings").await?;
    window.click("settings-back").await
}
