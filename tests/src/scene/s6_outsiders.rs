//! Step 6: Bob has an account but no right; a stranger in the café has a port scanner. Both find nothing.
//! What Bob is told about the warehouse must be, word for word, what he is told about something that does not exist.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use super::World;
use crate::company::SERVICE;
use crate::ground::{Network, OUTLET, Site};
use crate::laptop::Laptop;
use crate::narrator::{Hands, Narrator};
use crate::trouble::{Outcome, Trouble};

const NOBODYS: &str = "nonesuch";
/// What whoever may not is told, and whoever asks for what is not there.
const NOT_AVAILABLE: &str = "TG-2001";

pub(super) async fn play(narrator: &Narrator, world: &World) -> Outcome<()> {
    bob(narrator, world).await?;
    match world.stage.ground().network() {
        Some(network) => scan(narrator, world, network),
        None => {
            narrator.say("no port scan: there is only one network here");
            Ok(())
        }
    }
}

/// On a laptop of his own, by the command line.
async fn bob(narrator: &Narrator, world: &World) -> Outcome<()> {
    let link = world.company.admin.ticket(&world.provider.bob).await?;
    let laptop = Laptop::switch_on_for(
        &world.stage,
        &world.ca,
        crate::User::Colleague,
        Hands::Driver,
    )
    .await?;
    let tidegate = world.stage.binary("tidegate")?;
    laptop.join(&link).await?;
    let login = laptop
        .program("bob-login", &tidegate)
        .arg("login")
        .start(&world.stage)?;
    let browser = laptop.browser().await?;
    browser.sign_in(&world.provider.bob, None).await?;
    browser.let_go().await?;
    let mut login = login;
    if !login.ended(Duration::from_secs(30)).await?.success() {
        let said = login.stderr();
        return Err(Trouble::new(format!("Bob was not signed in: {said}")));
    }

    let status = laptop
        .terminal("bob-status", &tidegate, &["status", "--json"])
        .await?;
    if !status.contains("\"signed_in\"") || status.contains(SERVICE) {
        return Err(Trouble::new(format!(
            "Bob should be signed in, and not see the warehouse: {status}"
        )));
    }
    let forbidden = refusal(&laptop, &tidegate, SERVICE).await?;
    let unknown = refusal(&laptop, &tidegate, NOBODYS).await?;
    narrator.say(format!("Bob: tidegate connect {SERVICE}\n     {forbidden}"));
    if !forbidden.contains(NOT_AVAILABLE) {
        return Err(Trouble::new(format!(
            "Bob was refused for another reason: {forbidden}"
        )));
    }
    // The name begins a sentence, so its first letter may be large.
    if forbidden.to_lowercase().replace(SERVICE, NOBODYS) != unknown.to_lowercase() {
        return Err(Trouble::new(format!(
            "Bob can tell forbidden from unknown:\n{forbidden}\n{unknown}"
        )));
    }
    Ok(())
}

async fn refusal(laptop: &Laptop, tidegate: &std::path::Path, service: &str) -> Outcome<String> {
    let mut process = laptop
        .program(&format!("bob-{service}"), tidegate)
        .args(["connect", service])
        .start(laptop.stage())?;
    let status = process.ended(Duration::from_secs(20)).await?;
    let said = process.stderr().trim().to_owned();
    if status.success() || said.is_empty() {
        return Err(Trouble::new(format!(
            "Bob was not refused at {service}: {status} {said}"
        )));
    }
    Ok(said)
}

/// Every port of both addresses of the private network. The hub's are scanned in the same way, to see that the scanner sees.
fn scan(narrator: &Narrator, world: &World, network: &Network) -> Outcome<()> {
    let seen = knock(network, world.stage.ground().hub(), 1..=u16::MAX)?;
    if !seen.contains(&crate::ground::HUB_PORT) {
        return Err(Trouble::new(format!(
            "the scanner does not even see the hub: {seen:?}"
        )));
    }
    for address in [world.stage.ground().database(), IpAddr::V4(OUTLET)] {
        let answered = knock(network, address, 1..=u16::MAX)?;
        if !answered.is_empty() {
            return Err(Trouble::new(format!("{address} answers on {answered:?}")));
        }
        narrator.say(format!(
            "port scan of {address} from the café: 65,535 ports, not one answer"
        ));
    }
    Ok(())
}

/// Ports that answered at all, with yes or no.
fn knock(
    network: &Network,
    address: IpAddr,
    ports: std::ops::RangeInclusive<u16>,
) -> Outcome<Vec<u16>> {
    let ports: Vec<u16> = ports.collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let answered = network.inside(Site::Cafe, move || {
        let mut answered = Vec::new();
        for some in ports.chunks(8192) {
            answered.extend(runtime.block_on(knock_at_once(address, some)));
        }
        answered
    })?;
    Ok(answered)
}

async fn knock_at_once(address: IpAddr, ports: &[u16]) -> Vec<u16> {
    let mut knocks = tokio::task::JoinSet::new();
    for port in ports.iter().copied() {
        let target = SocketAddr::new(address, port);
        knocks.spawn(async move {
            let limit = Duration::from_millis(300);
            match tokio::time::timeout(limit, tokio::net::TcpStream::connect(target)).await {
                Err(_silence) => None,
                Ok(Ok(_)) => Some(port),
                Ok(Err(error)) => {
                    (error.kind() == std::io::ErrorKind::ConnectionRefused).then_some(port)
                }
            }
        });
    }
    knocks.join_all().await.into_iter().flatten().collect()
}
