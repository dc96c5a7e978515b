//! The window for eyes that want everything twice as large: WebKit's own text at 200 %, in each state on the way to a query.
//! The second computer of `second` was a screen of double density; this one has large text on an ordinary one.

use tidegate_tests::User;
use tidegate_tests::company::SERVICE;
use tidegate_tests::narrator::Narrator;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::Outcome;

use super::desk::Desk;
use super::ends::goes_on;

pub(crate) async fn play(narrator: &Narrator, world: &World, ana: &Desk) -> Outcome<()> {
    // The café has one loopback: what she holds, the other laptop cannot have.
    goes_on(ana).await?;
    let large = [("GDK_DPI_SCALE", "2")];
    let desk = Desk::sit_down(world, User::Colleague, &large).await?;
    let window = &desk.window;
    window.shows("page-not_joined").await?;
    desk.look(narrator, "zoom-1-not-joined").await?;
    window.write("join-link", "tidegate://jo").await?;
    window.shows("join-error").await?;
    desk.look(narrator, "zoom-2-bad-link").await?;
    window
        .run("document.querySelector('[data-testid=join-link]').select()")
        .await?;
    let link = world.company.admin.ticket(&world.provider.ana).await?;
    window.write("join-link", &link).await?;
    window.shows("join-root").await?;
    desk.look(narrator, "zoom-3-link").await?;
    window.click("join-button").await?;
    window.shows("page-signed_out").await?;
    desk.look(narrator, "zoom-4-signed-out").await?;
    window.click("sign-in-with-code").await?;
    window.shows("code").await?;
    desk.look(narrator, "zoom-5-code").await?;
    window.click("sign-in-cancel").await?;
    window.shows("page-signed_out").await?;
    desk.sign_in(world, "page-signed_in").await?;
    window.shows(&format!("connect-{SERVICE}")).await?;
    desk.look(narrator, "zoom-6-signed-in").await?;
    window.click(&format!("connect-{SERVICE}")).await?;
    window.shows("problem-TG-6001").await?;
    desk.look(narrator, "zoom-7-port-taken").await?;
    window.click("problem-act-TG-6001").await?;
    window
        .says(&format!("state-{SERVICE}"), "Connected")
        .await?;
    desk.look(narrator, "zoom-8-connected").await?;
    window.click(&format!("copy-menu-{SERVICE}")).await?;
    desk.look(narrator, "zoom-9-menu").await?;
    window.click(&format!("copy-{SERVICE}-psql")).await?;
    window.click("settings").await?;
    desk.look(narrator, "zoom-10-settings").await?;
    window.click("leave").await?;
    desk.look(narrator, "zoom-11-leaving").await?;
    desk.look_at_the_screen(narrator, "zoom").await
}
