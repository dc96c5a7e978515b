//! The provider takes a key away at once, because somebody has it, while hub, outlet and the tunnel between them live.
//! The thief is Ana's colleague at her own laptop: with that key he writes sign-ins for her enrolled device.

use tidegate_link::api_client::ApiError;
use tidegate_tests::narrator::Narrator;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Outcome, Trouble};

use crate::papers::Said;
use crate::thefts::{Ana, Trace, claims, is_not_admitted};
use crate::visitor::{Hub, Papers, forges, in_the_cafe, signs_in};

const FLIGHTS: i64 = 336_776;

pub(crate) async fn in_an_emergency(narrator: &Narrator, world: &World, ana: &Ana) -> Outcome<()> {
    let (way, device) = (ana.way.clone(), ana.papers.device);
    let stolen = world.provider.steal_signing_key()?;
    let with = |id_token: String| Papers {
        id_token,
        ..ana.papers.clone()
    };
    let forged = with(forges(world, &stolen, &claims(world, &device)).await?);
    let (there, papers) = (way.clone(), forged.clone());
    let while_it_counts = in_the_cafe(world, async move { there.said(&papers).await })?;
    // Nothing is wrong with it but the key, which is not taken away yet.
    if while_it_counts != [Said::Admitted, Said::Opened] {
        return Err(Trouble::new(format!(
            "the key still counts: {while_it_counts:?}"
        )));
    }

    world.provider.rotate_keys(true)?;

    let token = signs_in(world, &world.provider.ana, &device.nonce()).await?;
    let hub = Hub::of(world);
    let (anew, there) = (with(token), way.clone());
    let visit = async move {
        let answer = hub.credential(device, &anew.id_token).await.unwrap();
        let anew = Papers {
            credential: answer.credential,
            pass: answer.pass,
            ..anew
        };
        there.flights(&anew).await
    };
    let flights = in_the_cafe(world, visit)?;
    narrator.say(format!(
        "signed in by the new key she counts {flights} flights"
    ));

    let before = Trace::of(world)?;
    let (hub, again) = (
        Hub::of(world),
        forges(world, &stolen, &claims(world, &device)).await?,
    );
    let fresh = with(again);
    let visit = async move {
        let asked = hub.credential(device, &fresh.id_token).await.map(|_| ());
        (asked, [way.said(&forged).await, way.said(&fresh).await])
    };
    let (asked, said) = in_the_cafe(world, visit)?;
    narrator.say(format!(
        "by the key that is gone: the hub {asked:?}, the outlet {said:?}"
    ));
    if flights != FLIGHTS || !matches!(asked, Err(ApiError::Refused(_))) {
        return Err(Trouble::new(format!(
            "{flights} flights; the hub: {asked:?}"
        )));
    }
    for said in &said {
        is_not_admitted("a token by a key that is gone", said)?;
    }
    before.is_all_there_is(narrator, world, said.len()).await
}
