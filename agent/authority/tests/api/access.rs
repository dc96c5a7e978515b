//! Access asked for, decided, used and taken back, by real people over real connections, and by those who should not.
//! What comes out is checked as an outlet checks it: the authority's word that something was approved counts for nothing here.

mod asking;
mod deciding;
mod emergencies;
mod ending;

use std::time::{Duration, Instant};

use http::StatusCode;
use serde_json::json;
use tidegate_proto::{
    api::{
        OutletAnswer, OutletRequest, RevokeAnswer, RevokeRequest,
        access::{
            AccessAct, AccessAnswer, AccessCall, FirstUse, GrantNews, RequestState, RequestView,
        },
        event, path,
        turn::Turn,
    },
    auth::prove,
    event::EventKind,
    grant::Grant,
    identity::{NoiseSecret, SigningKey},
    idtoken::KeySet,
    legs::{Legs, Trust},
    problem::Code,
    statement::{
        AccessRequest, Algorithm, Extent, GrantId, GrantStatement, RevokeTarget, Seal, Statement,
        StatementHash,
    },
};

use crate::support::{
    Stage,
    client::{Client, Device, Events, Refused},
};
const HOUR: Extent = Extent {
    seconds: 3600,
    read_only: false,
};

/// Somebody who is signed in on a device.
struct Person {
    device: Device,
    sub: &'static str,
    legs: Legs,
}

async fn person(stage: &Stage, sub: &'static str, group: &str) -> Person {
    person_but(stage, sub, group, |_| ()).await
}

async fn person_but(
    stage: &Stage,
    sub: &'static str,
    group: &str,
    change: impl FnOnce(&mut serde_json::Value),
) -> Person {
    let device = stage.device(sub).await;
    let mut claims = device.claims(&stage.provider, sub, &[group], stage.now());
    change(&mut claims);
    let token = stage.provider.sign(&claims);
    let answer = stage.connect().await.credential(&device, &token).await;
    let legs = Legs {
        identity: device.identity.verify_key(),
        credential: answer.unwrap().credential,
        id_token_0: token,
        rz: device.rz,
        id_token_n: None,
        enrolment: None,
    };
    Person { device, sub, legs }
}

impl Person {
    async fn call(&self, stage: &Stage, act: AccessAct) -> Result<AccessAnswer, Refused> {
        self.call_on(&mut stage.connect().await, act).await
    }

    async fn call_on(&self, client: &mut Client, act: AccessAct) -> Result<AccessAnswer, Refused> {
        let call = AccessCall {
            legs: self.legs.clone(),
            proof: prove(&client.hash, &self.device.identity),
            act,
        };
        client.post(path::ACCESS, &call).await
    }

    fn request(&self, stage: &Stage, id: &str) -> AccessRequest {
        AccessRequest {
            org: "acme".parse().unwrap(),
            sub: self.sub.parse().unwrap(),
            device: self.device.identity.verify_key().peer_id(),
            service: "vault".parse().unwrap(),
            extent: HOUR,
            reason: "INC-42 churn numbers".into(),
            emergency: false,
            extends: None,
            at: stage.now(),
            id: id.into(),
        }
    }

    async fn ask(&self, stage: &Stage, request: &AccessRequest) -> Result<GrantId, Refused> {
        let request = request.sign(&self.device.identity);
        let answer = self.call(stage, AccessAct::Ask { request }).await?;
        Ok(answer.id.unwrap())
    }

    fn approval(&self, stage: &Stage, id: GrantId, extent: Extent) -> AccessAct {
        let statement = GrantStatement {
            org: "acme".parse().unwrap(),
            request: id,
            extent,
            at: stage.now(),
            id: "g1".into(),
        };
        let grant = statement.sign(&self.device.identity);
        AccessAct::Approve { id, grant }
    }

    async fn approve(&self, stage: &Stage, id: GrantId) -> Result<AccessAnswer, Refused> {
        self.call(stage, self.approval(stage, id, HOUR)).await
    }

    async fn look(&self, stage: &Stage) -> Vec<RequestView> {
        let looked = self.call(stage, AccessAct::Look {}).await;
        looked.unwrap().requests
    }

    async fn state(&self, stage: &Stage, id: GrantId) -> Option<RequestState> {
        let all = self.look(stage).await;
        let one = all.into_iter().find(|view| view.id() == id);
        one.map(|view| view.state)
    }

    async fn events(&self, stage: &Stage) -> Events {
        let mut client = stage.connect().await;
        let asked = client.credential(&self.device, &self.legs.id_token_0).await;
        asked.unwrap();
        client.events().await
    }
}

/// The next list that a listener is told and that `fits`.
async fn told<T: serde::de::DeserializeOwned>(
    events: &mut Events,
    name: &str,
    fits: impl Fn(&T) -> bool,
) -> T {
    loop {
        let next = events.next().await.unwrap();
        if next.name == name {
            let said = serde_json::from_str(&next.data).unwrap();
            if fits(&said) {
                return said;
            }
        }
    }
}

fn code(refused: Result<impl Sized, Refused>) -> Option<u16> {
    refused.err().map(|(_, code)| code)
}

async fn signed_in_again(stage: &Stage, who: Person) -> Person {
    let group = if who.sub == "ben" {
        "owners"
    } else {
        "analysts"
    };
    let claims = who
        .device
        .claims(&stage.provider, who.sub, &[group], stage.now());
    let token = stage.provider.sign(&claims);
    let answer = stage.connect().await.credential(&who.device, &token).await;
    let legs = Legs {
        credential: answer.unwrap().credential,
        id_token_0: token,
        ..who.legs
    };
    Person { legs, ..who }
}

/// As an outlet would see it.
fn check(stage: &Stage, who: &Person, grant: &Grant) -> tidegate_proto::grant::Granted {
    let root = stage.org.root.verify_key();
    let org = "acme".parse().unwrap();
    let authority = stage.authority.statement();
    let idp = stage.provider.settings();
    let keys = stage.provider.key_set().to_string();
    let keys = KeySet::parse(keys.as_bytes(), &[Algorithm::ES256]).unwrap();
    let trust = Trust {
        org: &org,
        root: &root,
        authority: &authority,
        idp: &idp,
        keys: &keys,
        former: &[],
    };
    let me = who.legs.stand(&trust, stage.now()).unwrap().principal;
    let key = who.legs.identity;
    let service = "vault".parse().unwrap();
    let checked = grant.verify(&me, &key, &service, &trust, stage.now());
    checked.unwrap()
}
