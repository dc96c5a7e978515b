//! Trouble with the account: a sign-in that is not enough for a service, and a person whom the provider does not know any more.
//! The provider is the real one; only its ID tokens are short-lived, so that the day fits into a minute.

use std::time::{Duration, Instant};

use serde_json::json;
use tidegate_tests::company::{SERVICE, SERVICE_PORT};
use tidegate_tests::narrator::{Hands, Narrator};
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome, Trouble};
use tidegate_tests::warehouse::DATABASE;
use tidegate_tests::{Laptop, User};

use super::ana::{Ana, must_say};

const LIMIT: Duration = Duration::from_secs(40);
/// ID tokens live so many seconds here; an agent replaces them before the last tenth.
const TOKEN: u64 = 100;

/// Both troubles; Ana cannot do anything afterwards.
pub(crate) async fn play(narrator: &Narrator, world: &World, ana: &Ana) {
    let _ = narrator
        .step(
            "a_sign_in_with_a_code_is_refused_with_the_reason",
            a_code_is_not_enough(world),
        )
        .await;
    let _ = narrator
        .step(
            "a_person_disabled_at_the_provider_is_out_with_a_running_query",
            disabled(world, ana),
        )
        .await;
}

/// Before anybody signs in.
pub(crate) fn short_tokens(world: &World) -> Outcome<()> {
    world.provider.set_lifetimes(&json!({ "idToken": TOKEN }))
}

/// Bob types a code on another computer. The warehouse asks for a sign-in that is bound to the device.
async fn a_code_is_not_enough(world: &World) -> Outcome<()> {
    let bob = &world.provider.bob;
    let laptop =
        Laptop::switch_on_for(&world.stage, &world.ca, User::Colleague, Hands::Driver).await?;
    let tidegate = world.stage.binary("tidegate")?;
    let link = world.company.admin.ticket(bob).await?;
    let join = laptop.program("join-bob", &tidegate).stdin(&link);
    let join = join.args(["join", "--keys", "file"]);
    join.output(&world.stage, LIMIT).await?;
    let mut login = laptop
        .program("login-code", &tidegate)
        .args(["login", "--device-code"])
        .start(&world.stage)?;
    login.says("type this code:", LIMIT).await?;
    let said = login.stderr();
    let mut lines = said
        .lines()
        .skip_while(|line| !line.starts_with("https://"));
    let (address, code) = (lines.next(), lines.nth(1));
    let (address, code) = (
        address.doing("find the address")?,
        code.doing("find the code")?,
    );

    let ca = laptop.home().join("acme-ca.pem");
    world
        .stage
        .run()
        .private_file(User::Colleague, &ca, world.ca.pem())?;
    let typed = laptop
        .program("type-code", "node")
        .arg(world.stage.run().at("provider/type-code.mjs"))
        .args([address.trim(), code.trim(), bob.login])
        .env("PASSWORD", &bob.password)
        .env("NODE_EXTRA_CA_CERTS", ca)
        .output(&world.stage, LIMIT)
        .await?;
    must_say(&typed, &["done"])?;
    login.says("Signed in as", LIMIT).await?;
    let mut connect = laptop
        .program("connect-code", &tidegate)
        .args(["connect", SERVICE])
        .start(&world.stage)?;
    let status = connect.ended(LIMIT).await?;

    println!("  {status}: {}", connect.stderr().trim());
    must_say(&connect.stderr(), &["TG-3018", "browser"])
}

/// Ana is disabled at the provider while she works: everything of hers ends, long before her sign-in would have.
async fn disabled(world: &World, ana: &Ana) -> Outcome<()> {
    let agent = ana.connect(world).await?;
    let url = format!("postgresql://localhost:{SERVICE_PORT}/{DATABASE}");
    let mut query = ana
        .laptop
        .program("long-query", "psql")
        .args(["-X", "-c", "select pg_sleep(600)", &url])
        .start(&world.stage)?;
    let until = Instant::now() + LIMIT;
    while world.warehouse.running_queries().await? == 0 {
        if Instant::now() > until {
            let said = query.stderr();
            return Err(Trouble::new(format!("the query never ran: {said}")));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    world.provider.disable(&world.provider.ana)?;
    let disabled = Instant::now();
    query
        .ended(Duration::from_secs(TOKEN + 20))
        .await
        .doing("end the query of somebody who is disabled")?;

    println!(
        "  after {} s, psql: {}",
        disabled.elapsed().as_secs(),
        query.stderr().trim()
    );
    must_say(&query.stderr(), &["TG-3014"])?;
    world
        .warehouse
        .is_left_alone(Duration::from_secs(2))
        .await?;
    drop(agent);
    must_say(
        &world.company.outlet.verify_audit().await?,
        &["\"whole\":true", "\"open\":0"],
    )
}
