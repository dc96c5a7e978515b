//! Each theft: what was stolen, what was tried with it, and what the real programs made of it.
//! A thief may also be an insider: a sign-in of his own at the real provider, and a way to the outlet.

use std::time::Duration;

use serde_json::{Value, json};
use tidegate_link::api_client::ApiError;
use tidegate_link::now;
use tidegate_proto::identity::SigningKey;
use tidegate_proto::problem::Code;
use tidegate_proto::statement::PassRole;
use tidegate_tests::narrator::Narrator;
use tidegate_tests::provider::CLIENT_ID;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Doing, Outcome, Trouble};
use tidegate_tests::warehouse::LOGIN;

use crate::papers::{Said, minted, minted_pass};
use crate::visitor::{Device, Hub, Papers, Way, forges, in_the_cafe, signs_in};

const SOON: Duration = Duration::from_secs(5);
const FLIGHTS: i64 = 336_776;

/// What Ana holds, and how she goes.
pub(crate) struct Ana {
    pub(crate) way: Way,
    pub(crate) papers: Papers,
    /// That made her device.
    pub(crate) link: String,
    /// The warehouse, as the root signed it.
    pub(crate) entry: String,
}

/// Enrolled by ticket, signed in at the provider, and let in.
pub(crate) async fn ana(narrator: &Narrator, world: &World) -> Outcome<Ana> {
    let (hub, device) = (Hub::of(world), Device::new(1));
    let link = world.company.admin.ticket(&world.provider.ana).await?;
    let token = signs_in(world, &world.provider.ana, &device.nonce()).await?;
    let visit = async move {
        hub.enrols(device, &link).await;
        let answer = hub.credential(device, &token).await.unwrap();
        let papers = Papers {
            pass: answer.pass.clone(),
            credential: answer.credential.clone(),
            id_token: token,
            rz: device.rz,
            device,
        };
        let (way, entry) = (hub.way(&answer).await, answer.services[0].jws.clone());
        let flights = way.flights(&papers).await;
        let ana = Ana {
            way,
            papers,
            link,
            entry,
        };
        (flights, ana)
    };
    let (flights, ana) = in_the_cafe(world, visit)?;
    narrator.say(format!("she counts {flights} flights"));
    match flights {
        FLIGHTS => Ok(ana),
        other => Err(Trouble::new(format!("there are {other} flights"))),
    }
}

/// With the key out of the hub's own data directory, credentials and passes can be made; a sign-in and a device cannot.
pub(crate) async fn the_authoritys_key(
    narrator: &Narrator,
    world: &World,
    ana: &Ana,
) -> Outcome<()> {
    let before = Trace::of(world)?;
    let stolen = std::fs::read(world.company.hub.data.join("authority/authority.keys"))
        .doing("steal the authority's keys")?;
    let seed: [u8; 32] = stolen[stolen.len() - 96..][..32].try_into()?;
    let thief = Device::new(2);
    let his = signs_in(world, &world.provider.bob, &thief.nonce()).await?;
    let (way, papers) = (ana.way.clone(), ana.papers.clone());
    let visit = async move {
        let stolen = SigningKey::from_seed(&seed);
        let key = thief.identity().verify_key();
        let with = |sub: &str, id_token: &str, rz| Papers {
            pass: minted_pass(&stolen, PassRole::Agent, way.handle),
            credential: minted(&stolen, sub, &key),
            id_token: id_token.to_owned(),
            rz,
            device: thief,
        };
        [
            (
                "as Ana, with his own sign-in",
                way.said(&with("00uana", &his, thief.rz)).await,
            ),
            (
                "as Ana, with her ID token",
                way.said(&with("00uana", &papers.id_token, papers.rz)).await,
            ),
            (
                "as himself, with her ID token",
                way.said(&with("00ubob", &papers.id_token, papers.rz)).await,
            ),
            (
                "as himself, with his own sign-in",
                way.said(&with("00ubob", &his, thief.rz)).await,
            ),
        ]
    };
    let said = in_the_cafe(world, visit)?;

    for (what, said) in &said {
        narrator.say(format!("{what}: {said:?}"));
    }
    for (what, said) in &said[..3] {
        is_not_admitted(what, said)?;
    }
    // Nothing is false about the last one but the device, which is the authority's word: he is admitted, as somebody
    // to whom the provider gives no group that may.
    let as_himself = &said[3].1;
    let forbidden = Code::NotAvailable.number();
    if !matches!(&as_himself[..], [Said::Admitted, Said::Refused(code, ..)] if *code == forbidden) {
        return Err(Trouble::new(format!("as himself: {as_himself:?}")));
    }
    before.is_all_there_is(narrator, world, 4).await
}

/// With the provider's key anything can be said of anybody, and no device can be made.
pub(crate) async fn the_providers_key(
    narrator: &Narrator,
    world: &World,
    ana: &Ana,
) -> Outcome<()> {
    let before = Trace::of(world)?;
    let thief = Device::new(3);
    let stolen = world.provider.steal_signing_key()?;
    let forged = forges(world, &stolen, &claims(world, &thief)).await?;
    let (hub, way, papers) = (Hub::of(world), ana.way.clone(), ana.papers.clone());
    let visit = async move {
        let asked = hub.credential(thief, &forged).await.map(|_| ());
        // The way in is lent by somebody inside; credentials are not.
        let with = |credential: String| Papers {
            credential,
            id_token: forged.clone(),
            rz: thief.rz,
            device: thief,
            ..papers.clone()
        };
        let his_own = minted(&thief.identity(), "00uana", &thief.identity().verify_key());
        let said = [
            (
                "with a credential of his own",
                way.said(&with(his_own)).await,
            ),
            (
                "with Ana's credential",
                way.said(&with(papers.credential.clone())).await,
            ),
        ];
        (asked, said)
    };
    let (asked, said) = in_the_cafe(world, visit)?;

    narrator.say(format!("the hub: {asked:?}"));
    if asked != Err(ApiError::Refused(Code::NotEnrolled.number())) {
        return Err(Trouble::new(
            "the hub did not say that the device is not enrolled",
        ));
    }
    for (what, said) in &said {
        narrator.say(format!("{what}: {said:?}"));
        is_not_admitted(what, said)?;
    }
    before.is_all_there_is(narrator, world, 2).await
}

/// The same Ana, after all that.
pub(crate) async fn nobody_else(world: &World, ana: &Ana) -> Outcome<()> {
    let before = Trace::of(world)?;
    let (way, papers) = (ana.way.clone(), ana.papers.clone());
    let flights = in_the_cafe(world, async move { way.flights(&papers).await })?;
    world.warehouse.is_left_alone(SOON).await?;
    let after = Trace::of(world)?;
    if flights != FLIGHTS || before.opened != 1 || after.opened != 2 {
        return Err(Trouble::new(format!(
            "{flights} flights; {} portals, then {}",
            before.opened, after.opened
        )));
    }
    let verdict = world.company.outlet.verify_audit().await?;
    match verdict.contains("\"whole\":true") && verdict.contains("\"open\":0") {
        true => Ok(()),
        false => Err(Trouble::new(verdict)),
    }
}

/// Everything that a sign-in of Ana on this device would say.
pub(crate) fn claims(world: &World, device: &Device) -> Value {
    let now = now();
    json!({
        "iss": world.provider.issuer, "sub": "00uana", "aud": CLIENT_ID, "iat": now, "exp": now.plus(3600),
        "auth_time": now, "nonce": device.nonce(), "groups": ["Everyone", "data-science"],
        "department": "Data Science",
    })
}

pub(crate) fn is_not_admitted(what: &str, said: &[Said]) -> Outcome<()> {
    let refused = Code::NotAdmitted.number();
    match said {
        [Said::Refused(code, ..), Said::Ended] if *code == refused => Ok(()),
        _ => Err(Trouble::new(format!("{what}: {said:?}"))),
    }
}

/// What outlet and database keep of those who came.
pub(crate) struct Trace {
    opened: usize,
    refused: usize,
    logins: usize,
}

impl Trace {
    pub(crate) fn of(world: &World) -> Outcome<Self> {
        let events = world.company.outlet.events()?;
        let kinds = |kind: &str| {
            let is = |event: &&Value| event["what"]["kind"] == kind;
            events.iter().filter(is).count()
        };
        Ok(Self {
            opened: kinds("portal-opened"),
            refused: kinds("portal-refused"),
            logins: world
                .warehouse
                .log()
                .matches(&format!("connection authorized: user={LOGIN}"))
                .count(),
        })
    }

    /// Nothing was opened since, the database saw nobody, and the record has `refused` refusals more, each with its reason.
    pub(crate) async fn is_all_there_is(
        &self,
        narrator: &Narrator,
        world: &World,
        refused: usize,
    ) -> Outcome<()> {
        let until = std::time::Instant::now() + SOON;
        loop {
            let now = Self::of(world)?;
            if (now.opened, now.logins) != (self.opened, self.logins) {
                return Err(Trouble::new("something was opened"));
            }
            if now.refused >= self.refused + refused {
                break;
            }
            if std::time::Instant::now() > until {
                return Err(Trouble::new(format!(
                    "{} refusals are in the record",
                    now.refused
                )));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        for event in world.company.outlet.events()? {
            if event["what"]["kind"] == "portal-refused" {
                narrator.say(format!("audit: {}", event["what"]["exact"]));
            }
        }
        Ok(())
    }
}
