//! Access asked for, decided, used and taken back, by real people over real connections, and by those who should not.
//! What comes out is checked as an outlet checks it: the authority's word that something was approved counts for nothing here.

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

#[tokio::test]
async fn a_request_reaches_who_decides_at_once_and_the_answer_comes_back() {
    let stage = Stage::new().await;
    let ana = person(&stage, "ana", "analysts").await;
    let ben = person(&stage, "ben", "owners").await;
    let (mut at_ben, mut at_ana) = (ben.events(&stage).await, ana.events(&stage).await);

    let begun = Instant::now();
    let id = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();
    let seen: Vec<RequestView> =
        told(&mut at_ben, event::ACCESS, |all: &Vec<_>| !all.is_empty()).await;
    assert!(
        begun.elapsed() < Duration::from_secs(1),
        "pushed, not polled"
    );
    assert!(seen[0].yours && seen[0].id() == id);
    let asked = seen[0].read(&"acme".parse().unwrap()).unwrap();
    assert_eq!(asked.reason, "INC-42 churn numbers");

    ben.call(&stage, AccessAct::Seen { ids: vec![id] })
        .await
        .unwrap();
    let looked: Vec<RequestView> = told(&mut at_ana, event::ACCESS, |all: &Vec<RequestView>| {
        all.iter().any(|view| !view.seen.is_empty())
    })
    .await;
    assert_eq!(looked[0].seen[0].who.sub.as_str(), "ben");

    let half = Extent {
        seconds: 1800,
        read_only: false,
    };
    ben.call(&stage, ben.approval(&stage, id, half))
        .await
        .unwrap();
    let granted: Vec<RequestView> = told(&mut at_ana, event::ACCESS, |all: &Vec<RequestView>| {
        matches!(all[0].state, RequestState::Granted { .. })
    })
    .await;
    assert!(matches!(&granted[0].state, RequestState::Granted { extent, .. } if *extent == half));

    let fetched = ana.call(&stage, AccessAct::Fetch { id }).await.unwrap();
    let grant = fetched.grant.unwrap();
    let held = check(&stage, &ana, &grant);
    assert_eq!(held.extent, half);
    assert_eq!(held.approvers(), ["ben".parse().unwrap()]);

    // The seal names the line of the record that says so.
    let key = stage.public().key;
    let seal = Seal::verify(&grant.approvals[0].seal, &key).unwrap();
    let line = usize::try_from(seal.index).unwrap() - 1;
    let hash = StatementHash::of(&grant.approvals[0].grant);
    let events = stage.events();
    assert!(matches!(&events[line], EventKind::AccessApproved(approved)
        if approved.statement == hash && approved.by.as_str() == "ben" && approved.grant == id));

    assert_eq!(
        code(ben.call(&stage, AccessAct::Fetch { id }).await),
        Some(2028)
    );
    drop((at_ben, at_ana));
    stage.end().await;
}

#[tokio::test]
async fn only_those_whom_the_rules_name_decide_and_nobody_their_own() {
    let stage = Stage::new().await;
    let with =
        |email: &'static str| move |claims: &mut serde_json::Value| claims["email"] = json!(email);
    let ana = person_but(&stage, "ana", "owners-and-analysts", with("ana@acme.test")).await;
    let second = person_but(&stage, "ana2", "owners", with("ANA@acme.test")).await;
    let eve = person(&stage, "eve", "analysts").await;
    let low = person_but(&stage, "lou", "owners", |claims| {
        claims.as_object_mut().unwrap().remove("nonce");
    })
    .await;
    let id = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();

    assert_eq!(code(ana.approve(&stage, id).await), Some(2031), "her own");
    assert_eq!(
        code(second.approve(&stage, id).await),
        Some(2028),
        "her own, through another account"
    );
    assert_eq!(code(eve.approve(&stage, id).await), Some(2028));
    assert_eq!(code(low.approve(&stage, id).await), Some(2031));
    let deny = AccessAct::Deny {
        id,
        because: "no".into(),
    };
    assert_eq!(code(eve.call(&stage, deny).await), Some(2028));
    assert_eq!(
        code(eve.call(&stage, AccessAct::Withdraw { id }).await),
        Some(2028)
    );
    assert_eq!(
        code(eve.call(&stage, AccessAct::Fetch { id }).await),
        Some(2028)
    );
    assert!(eve.look(&stage).await.is_empty() && second.look(&stage).await.is_empty());
    assert!(matches!(
        ana.state(&stage, id).await,
        Some(RequestState::Waiting { .. })
    ));
    stage.end().await;
}

#[tokio::test]
async fn the_first_decision_counts_and_none_comes_after_the_end() {
    let stage = Stage::new().await;
    let ana = person(&stage, "ana", "analysts").await;
    let (ben, zoe) = (
        person(&stage, "ben", "owners").await,
        person(&stage, "zoe", "owners").await,
    );
    let gone = Some(2028);

    let id = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();
    let (one, two) = tokio::join!(ben.approve(&stage, id), zoe.approve(&stage, id));
    assert!(one.is_ok() != two.is_ok(), "exactly one was first");
    assert_eq!(
        code(ana.call(&stage, AccessAct::Withdraw { id }).await),
        gone
    );

    // The first one is granted and not used: another one is for another time.
    let mut shorter = ana.request(&stage, "r2");
    shorter.extent.seconds = 3500;
    let id = ana.ask(&stage, &shorter).await.unwrap();
    ana.call(&stage, AccessAct::Withdraw { id }).await.unwrap();
    assert_eq!(code(ben.approve(&stage, id).await), gone, "withdrawn");

    shorter.id = "r3".into();
    let id = ana.ask(&stage, &shorter).await.unwrap();
    let deny = |because: &str| AccessAct::Deny {
        id,
        because: because.into(),
    };
    for odd in ["", "  ", "a\nb", "\u{202e}", &"x".repeat(10_000)] {
        assert_eq!(code(ben.call(&stage, deny(odd)).await), Some(2029));
    }
    ben.call(&stage, deny("use the replica")).await.unwrap();
    assert!(matches!(ana.state(&stage, id).await,
        Some(RequestState::Denied { by, because }) if by.sub.as_str() == "ben" && because.as_str() == "use the replica"));
    assert_eq!(code(zoe.approve(&stage, id).await), gone, "denied");

    shorter.id = "r4".into();
    let id = ana.ask(&stage, &shorter).await.unwrap();
    let wider = Extent {
        seconds: 3501,
        ..HOUR
    };
    let wider = ben.approval(&stage, id, wider);
    assert_eq!(code(ben.call(&stage, wider).await), Some(2029));
    stage.end().await;
}

#[tokio::test]
async fn as_many_approve_as_the_rules_ask_for() {
    let stage = Stage::new().await;
    let ivy = person(&stage, "ivy", "interns").await;
    let (ben, zoe) = (
        person(&stage, "ben", "owners").await,
        person(&stage, "zoe", "owners").await,
    );
    let id = ivy.ask(&stage, &ivy.request(&stage, "r1")).await.unwrap();

    ben.approve(&stage, id).await.unwrap();
    assert!(matches!(
        ivy.state(&stage, id).await,
        Some(RequestState::Waiting { .. })
    ));
    assert_eq!(code(ben.approve(&stage, id).await), Some(2028), "twice");
    assert_eq!(
        code(ivy.call(&stage, AccessAct::Fetch { id }).await),
        Some(2028)
    );
    zoe.approve(&stage, id).await.unwrap();

    let fetched = ivy.call(&stage, AccessAct::Fetch { id }).await.unwrap();
    let held = check(&stage, &ivy, &fetched.grant.unwrap());
    assert_eq!(held.approvers().len(), 2);
    stage.end().await;
}

#[tokio::test]
async fn a_request_that_the_rules_do_not_know_or_that_makes_no_sense_is_not_taken() {
    let stage = Stage::new().await;
    let ana = person(&stage, "ana", "analysts").await;
    let other = person(&stage, "eve", "finance").await;
    let ask = async |who: &Person, change: &dyn Fn(&mut AccessRequest)| {
        let mut request = who.request(&stage, "r1");
        change(&mut request);
        code(who.ask(&stage, &request).await)
    };

    assert_eq!(ask(&other, &|_| ()).await, Some(2030));
    assert_eq!(
        ask(&ana, &|r| r.service = "nowhere".parse().unwrap()).await,
        Some(2030),
        "as if it were forbidden"
    );
    assert_eq!(ask(&ana, &|r| r.emergency = true).await, Some(2030));
    for seconds in [0, 59, 7201, u64::MAX] {
        assert_eq!(
            ask(&ana, &|r| r.extent.seconds = seconds).await,
            Some(2029),
            "{seconds}"
        );
    }
    for reason in ["", " ", "a\nb", "\u{202e}gpj.exe", &"x".repeat(10_000)] {
        assert_eq!(ask(&ana, &|r| r.reason = reason.into()).await, Some(2029));
    }
    assert_eq!(
        ask(&ana, &|r| r.at = r.at.plus(300)).await,
        Some(Code::ClockOff.number())
    );
    assert_eq!(
        ask(&ana, &|r| r.at = r.at.minus(300)).await,
        Some(Code::ClockOff.number())
    );
    assert_eq!(
        ask(&ana, &|r| r.sub = "eve".parse().unwrap()).await,
        Some(2005)
    );

    let foreign = ana.request(&stage, "r1").sign(&other.device.identity);
    let act = AccessAct::Ask { request: foreign };
    assert_eq!(code(ana.call(&stage, act).await), Some(2029));
    // Somebody who has Ana's legs, and not her key.
    let mut client = stage.connect().await;
    let stolen = AccessCall {
        legs: ana.legs.clone(),
        proof: prove(&client.hash, &other.device.identity),
        act: AccessAct::Look {},
    };
    let refused = client.post::<AccessAnswer>(path::ACCESS, &stolen).await;
    assert_eq!(refused.err(), Some((StatusCode::FORBIDDEN, 2005)));
    assert!(ana.look(&stage).await.is_empty());
    stage.end().await;
}

#[tokio::test]
async fn identical_requests_are_one_and_there_are_only_so_many() {
    let stage = Stage::new().await;
    let ana = person(&stage, "ana", "analysts").await;
    let first = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();
    let mut again = ana.request(&stage, "r2");
    again.reason = "still INC-42".into();

    assert_eq!(ana.ask(&stage, &again).await.unwrap(), first);
    for n in 1..10 {
        again.extent.seconds = 3600 + n;
        assert_ne!(ana.ask(&stage, &again).await.unwrap(), first);
    }
    again.extent.seconds = 3700;
    assert_eq!(code(ana.ask(&stage, &again).await), Some(2032));
    assert_eq!(ana.look(&stage).await.len(), 10);
    let asked = |event: &EventKind| matches!(event, EventKind::AccessAsked(_));
    assert_eq!(stage.events().iter().filter(|e| asked(e)).count(), 10);
    stage.end().await;
}

#[tokio::test]
async fn looking_too_often_is_refused_and_ending_something_is_not() {
    let stage = Stage::new().await;
    let (ana, ben) = (
        person(&stage, "ana", "analysts").await,
        person(&stage, "ben", "owners").await,
    );
    let id = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();
    ben.approve(&stage, id).await.unwrap();
    let seen = || AccessAct::Seen { ids: vec![id] };
    let mut refused = None;
    let mut client = stage.connect().await;
    for _ in 0..100 {
        refused = code(ana.call_on(&mut client, seen()).await);
        if refused.is_some() {
            break;
        }
    }

    assert!(refused.is_some(), "a hundred at once were taken");
    let because = String::new();
    let withdrawn = ana.call(&stage, AccessAct::Withdraw { id }).await;
    assert_eq!(code(withdrawn), refused, "of all such acts together");
    assert!(
        !ben.look(&stage).await.is_empty(),
        "others are not hindered"
    );
    let ended = ana.call(&stage, AccessAct::TakeBack { id, because }).await;
    assert_eq!(code(ended), None);
    stage.end().await;
}

#[tokio::test]
async fn what_is_taken_back_reaches_the_outlet_and_outlives_a_restart() {
    let stage = Stage::new().await;
    let ana = person(&stage, "ana", "analysts").await;
    let ben = person(&stage, "ben", "owners").await;
    let eve = person(&stage, "eve", "analysts").await;
    let mut outlet = stage.connect().await;
    outlet.outlet(&stage.org.outlet).await.unwrap();
    let mut at_outlet = outlet.events().await;
    let id = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();
    ben.approve(&stage, id).await.unwrap();
    let back = |because: &str| AccessAct::TakeBack {
        id,
        because: because.into(),
    };

    assert_eq!(code(eve.call(&stage, back("")).await), Some(2028));
    let begun = Instant::now();
    ben.call(&stage, back("the ticket is closed"))
        .await
        .unwrap();
    let news: GrantNews = told(&mut at_outlet, event::GRANTS, |_| true).await;
    assert!(begun.elapsed() < Duration::from_secs(1));
    assert_eq!(news.taken_back[0].grant, id);
    assert_eq!(
        code(ana.call(&stage, AccessAct::Fetch { id }).await),
        Some(2028)
    );

    drop(at_outlet);
    let stage = stage.restart().await;
    assert!(matches!(
        ana.state(&stage, id).await,
        Some(RequestState::TakenBack { .. })
    ));
    let heard = stage.connect().await.outlet(&stage.org.outlet).await;
    assert_eq!(heard.unwrap().grants, news, "also who comes later");
    stage.end().await;
}

#[tokio::test]
async fn a_first_use_is_told_to_who_asked_and_to_the_other_outlets() {
    let stage = Stage::new().await;
    let ana = person(&stage, "ana", "analysts").await;
    let ben = person(&stage, "ben", "owners").await;
    let id = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();
    ben.approve(&stage, id).await.unwrap();
    let mut at_ana = ana.events(&stage).await;
    let used = stage.now().minus(10);
    let tell = async |at| {
        let mut client = stage.connect().await;
        let request = OutletRequest {
            identity: stage.org.outlet.verify_key(),
            link_key: NoiseSecret::from_bytes(&[6; 32]).public(),
            proof: prove(&client.hash, &stage.org.outlet),
            used: vec![FirstUse {
                grant: id,
                at,
                until: at.plus(9),
            }],
        };
        let answer: OutletAnswer = client.post(path::OUTLET, &request).await.unwrap();
        answer.grants.used[0].at
    };

    assert_eq!(tell(used).await, used);
    assert_eq!(tell(used.plus(5)).await, used, "the earliest counts");
    let shown: Vec<RequestView> = told(&mut at_ana, event::ACCESS, |all: &Vec<RequestView>| {
        matches!(
            all[0].state,
            RequestState::Granted {
                first_use: Some(_),
                ..
            }
        )
    })
    .await;
    assert!(
        matches!(shown[0].state, RequestState::Granted { first_use, .. } if first_use == Some(used))
    );

    stage.clock.advance(3600);
    let ana = signed_in_again(&stage, ana).await;
    let over = ana.look(&stage).await;
    assert_eq!(over[0].state, RequestState::Over { used: true });
    drop(at_ana);
    stage.end().await;
}

#[tokio::test]
async fn what_nobody_decides_or_uses_runs_out() {
    let stage = Stage::new().await;
    let ana = person(&stage, "ana", "analysts").await;
    let ben = person(&stage, "ben", "owners").await;
    let waiting = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();
    let mut other = ana.request(&stage, "r2");
    other.extent.seconds = 600;
    let granted = ana.ask(&stage, &other).await.unwrap();
    ben.call(&stage, ben.approval(&stage, granted, other.extent))
        .await
        .unwrap();

    stage.clock.advance(86_400);

    // Their sign-ins have run out by now: they come back with new ones.
    let ana = signed_in_again(&stage, ana).await;
    let ben = signed_in_again(&stage, ben).await;
    assert_eq!(
        ana.state(&stage, waiting).await,
        Some(RequestState::Expired {})
    );
    assert_eq!(
        ana.state(&stage, granted).await,
        Some(RequestState::Over { used: false })
    );
    assert_eq!(code(ben.approve(&stage, waiting).await), Some(2028));
    let fetch = AccessAct::Fetch { id: granted };
    assert_eq!(code(ana.call(&stage, fetch).await), Some(2028));
    stage.end().await;
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

#[tokio::test]
async fn break_glass_opens_at_once_and_everybody_who_decides_hears_of_it() {
    let stage = Stage::new().await;
    let max = person(&stage, "max", "oncall").await;
    let ben = person(&stage, "ben", "owners").await;
    let mut at_ben = ben.events(&stage).await;
    let mut request = max.request(&stage, "r1");
    request.emergency = true;

    let id = max.ask(&stage, &request).await.unwrap();

    let fetched = max.call(&stage, AccessAct::Fetch { id }).await.unwrap();
    let held = check(&stage, &max, &fetched.grant.unwrap());
    assert!(held.emergency && held.approvers.is_empty());
    let alarm: Vec<RequestView> =
        told(&mut at_ben, event::ACCESS, |all: &Vec<_>| !all.is_empty()).await;
    let asked = alarm[0].read(&"acme".parse().unwrap()).unwrap();
    assert!(asked.emergency && !alarm[0].yours);
    let because = "not on call today".to_owned();
    ben.call(&stage, AccessAct::TakeBack { id, because })
        .await
        .unwrap();
    drop(at_ben);
    stage.end().await;
}

#[tokio::test]
async fn the_catalogue_says_what_has_to_be_asked_for() {
    let stage = Stage::new().await;
    let ana = person(&stage, "ana", "analysts").await;
    let answer = stage
        .connect()
        .await
        .credential(&ana.device, &ana.legs.id_token_0)
        .await
        .unwrap();

    let [askable] = answer.askable.as_slice() else {
        panic!("{:?}", answer.askable)
    };
    assert_eq!(askable.service.as_str(), "vault");
    assert_eq!((askable.longest, askable.approvals), (7200, 1));
    stage.end().await;
}

fn revoked(stage: &Stage, id: &str, sub: &str) -> RevokeRequest {
    let who = RevokeTarget::Subject(sub.parse().unwrap());
    RevokeRequest {
        revocation: stage.org.revocation(id, who, stage.now()),
    }
}

async fn ended_at_outlets(stage: &Stage) -> Vec<GrantId> {
    let heard = stage.connect().await.outlet(&stage.org.outlet).await;
    let ended = heard.unwrap().grants.taken_back;
    ended.iter().map(|back| back.grant).collect()
}

#[tokio::test]
async fn what_somebody_approved_or_asked_for_ends_with_them_and_stays_so() {
    let stage = Stage::new().await;
    let (ana, ivy) = (
        person(&stage, "ana", "analysts").await,
        person(&stage, "ivy", "interns").await,
    );
    let (ben, zoe) = (
        person(&stage, "ben", "owners").await,
        person(&stage, "zoe", "owners").await,
    );
    let by_ben = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();
    ben.approve(&stage, by_ben).await.unwrap();
    let mut shorter = ana.request(&stage, "r2");
    shorter.extent.seconds = 600;
    let by_zoe = ana.ask(&stage, &shorter).await.unwrap();
    let half = zoe.approval(&stage, by_zoe, shorter.extent);
    zoe.call(&stage, half).await.unwrap();
    let waiting = ivy.ask(&stage, &ivy.request(&stage, "r3")).await.unwrap();
    ben.approve(&stage, waiting).await.unwrap();

    let out = revoked(&stage, "o1", "ben");
    let taken: Result<RevokeAnswer, _> = stage.connect().await.post(path::REVOKE, &out).await;
    taken.unwrap();

    assert_eq!(ended_at_outlets(&stage).await, [by_ben]);
    assert!(matches!(ana.state(&stage, by_ben).await,
        Some(RequestState::TakenBack { by, .. }) if by.shown().as_str() == "an administrator"));
    zoe.approve(&stage, waiting).await.unwrap();
    assert!(
        matches!(
            ivy.state(&stage, waiting).await,
            Some(RequestState::Waiting { .. })
        ),
        "what Ben approved does not count any more"
    );

    let stage = stage.restart().await;
    assert_eq!(ended_at_outlets(&stage).await, [by_ben]);
    let out = revoked(&stage, "o2", "ana");
    let taken: Result<RevokeAnswer, _> = stage.connect().await.post(path::REVOKE, &out).await;
    taken.unwrap();
    let mut ended = ended_at_outlets(&stage).await;
    ended.sort_unstable();
    let mut both = [by_ben, by_zoe];
    both.sort_unstable();
    assert_eq!(ended, both, "and what she asked for ends with her");
    let back = |event: &&EventKind| matches!(event, EventKind::GrantTakenBack { by: None, .. });
    assert_eq!(stage.events().iter().filter(back).count(), 2);
    stage.end().await;
}

#[tokio::test]
async fn whoever_may_approve_takes_back_also_what_seems_to_be_over() {
    let stage = Stage::new().await;
    let ana = person(&stage, "ana", "analysts").await;
    let ben = person(&stage, "ben", "owners").await;
    let zoe = person(&stage, "zoe", "owners").await;
    let id = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();
    ben.approve(&stage, id).await.unwrap();
    // An outlet with a clock of its own, or one that lies, says that its time is up.
    let mut client = stage.connect().await;
    let request = OutletRequest {
        identity: stage.org.outlet.verify_key(),
        link_key: NoiseSecret::from_bytes(&[6; 32]).public(),
        proof: prove(&client.hash, &stage.org.outlet),
        used: vec![FirstUse {
            grant: id,
            at: stage.now().minus(HOUR.seconds),
            until: stage.now(),
        }],
    };
    let _: OutletAnswer = client.post(path::OUTLET, &request).await.unwrap();

    let seen = zoe.state(&stage, id).await;
    assert_eq!(seen, Some(RequestState::Over { used: true }));
    let because = "the ticket is closed".to_owned();
    zoe.call(&stage, AccessAct::TakeBack { id, because })
        .await
        .unwrap();

    assert_eq!(ended_at_outlets(&stage).await, [id]);
    stage.end().await;
}

#[tokio::test]
async fn an_alarm_is_shown_until_it_was_seen_and_before_what_is_to_be_decided() {
    let stage = Stage::new().await;
    let max = person(&stage, "max", "oncall").await;
    let ben = person(&stage, "ben", "owners-and-analysts").await;
    let mut request = max.request(&stage, "r1");
    request.emergency = true;
    let alarm = max.ask(&stage, &request).await.unwrap();
    let because = String::new();
    max.call(&stage, AccessAct::TakeBack { id: alarm, because })
        .await
        .unwrap();
    let own = ben.ask(&stage, &ben.request(&stage, "r1")).await.unwrap();
    let ana = person(&stage, "ana", "analysts").await;
    let open = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();

    let all = ben.look(&stage).await;
    let ids: Vec<_> = all.iter().map(RequestView::id).collect();
    assert_eq!(ids, [own, alarm, open]);
    assert!(matches!(all[1].state, RequestState::TakenBack { .. }));

    let ids = vec![alarm];
    ben.call(&stage, AccessAct::Seen { ids }).await.unwrap();
    assert_eq!(ben.state(&stage, alarm).await, None);
    stage.end().await;
}

#[tokio::test]
async fn what_was_let_in_without_anybody_and_not_used_is_the_same_again_and_has_its_own_bounds() {
    let stage = Stage::new().await;
    let max = person(&stage, "max", "oncall").await;
    let mut alarm = max.request(&stage, "r1");
    alarm.emergency = true;
    let first = max.ask(&stage, &alarm).await.unwrap();
    alarm.id = "r2".into();
    assert_eq!(max.ask(&stage, &alarm).await.unwrap(), first, "not used");
    for n in 1..6 {
        alarm.extent.seconds = 600 + n;
        max.ask(&stage, &alarm).await.unwrap();
    }

    alarm.extent.seconds = 700;
    assert_eq!(code(max.ask(&stage, &alarm).await), Some(2032));
    stage.end().await;
}

#[tokio::test]
async fn nothing_is_called_granted_that_an_outlet_would_not_believe() {
    let stage = Stage::new().await;
    let ivy = person(&stage, "ivy", "interns").await;
    let with =
        |email: &'static str| move |claims: &mut serde_json::Value| claims["email"] = json!(email);
    let ben = person_but(&stage, "ben", "owners", with("ben@acme.test")).await;
    let twin = person_but(&stage, "ben2", "owners", with("Ben@acme.test")).await;
    let id = ivy.ask(&stage, &ivy.request(&stage, "r1")).await.unwrap();
    ben.approve(&stage, id).await.unwrap();
    assert_eq!(
        code(twin.approve(&stage, id).await),
        Some(2028),
        "one person"
    );

    // The provider changes its key: what was approved before still counts.
    stage.provider.turn_key("k2");
    stage.clock.advance(400); // an unknown key leads to a fetch once in five minutes
    let zoe = person(&stage, "zoe", "owners").await;
    zoe.approve(&stage, id).await.unwrap();
    let state = ivy_again(&stage, &ivy).await.state(&stage, id).await;
    assert!(
        matches!(state, Some(RequestState::Granted { .. })),
        "{state:?}"
    );
    let approved = |event: &&EventKind| matches!(event, EventKind::AccessApproved(_));
    assert_eq!(stage.events().iter().filter(approved).count(), 2);
    stage.end().await;
}

async fn ivy_again(stage: &Stage, ivy: &Person) -> Person {
    let device = Device {
        identity: SigningKey::from_seed(&ivy.device.identity.seed()),
        rz: ivy.device.rz,
    };
    let claims = device.claims(&stage.provider, "ivy", &["interns"], stage.now());
    let token = stage.provider.sign(&claims);
    let answer = stage.connect().await.credential(&device, &token).await;
    let legs = Legs {
        credential: answer.unwrap().credential,
        id_token_0: token,
        ..ivy.legs.clone()
    };
    Person {
        device,
        sub: "ivy",
        legs,
    }
}

#[tokio::test]
async fn the_rules_of_the_approval_say_how_many_must_approve() {
    let mut stage = Stage::new().await;
    let ana = person(&stage, "ana", "analysts").await;
    let (ben, zoe) = (
        person(&stage, "ben", "owners").await,
        person(&stage, "zoe", "owners").await,
    );
    let id = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();
    stage.org.policy = stage
        .org
        .policy
        .replace(r#"@longest("2h")"#, r#"@approvals("2")"#);
    stage.org.version += 1;
    stage.authority.reload(stage.bundle()).await.unwrap();

    ben.approve(&stage, id).await.unwrap();
    let one = ana.look(&stage).await.remove(0);
    assert!(matches!(one.state, RequestState::Waiting { .. }));
    assert_eq!((one.needs, one.approved.len()), (2, 1));
    zoe.approve(&stage, id).await.unwrap();
    let two = ana.look(&stage).await.remove(0);
    assert!(matches!(two.state, RequestState::Granted { .. }));
    stage.end().await;
}

#[tokio::test]
async fn whoever_does_not_renew_is_not_told_of_others_requests_for_long() {
    let stage = Stage::new().await;
    let ben = person(&stage, "ben", "owners").await;
    let mut at_ben = ben.events(&stage).await;
    assert_eq!(at_ben.next().await.unwrap().name, event::BEACON);

    stage.clock.advance(901);
    let ana = person(&stage, "ana", "analysts").await;
    ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();

    while let Some(said) = at_ben.next().await {
        assert_ne!(said.name, event::ACCESS);
    }
    stage.end().await;
}

#[tokio::test]
async fn what_is_over_loses_the_approvers_tokens_and_later_itself() {
    let stage = Stage::new().await;
    let ana = person(&stage, "ana", "analysts").await;
    let ben = person(&stage, "ben", "owners").await;
    let id = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();
    ben.approve(&stage, id).await.unwrap();
    let token = ben.legs.id_token_0.clone();
    assert!(stage.accesses().await[0].contains(&token));

    stage.clock.advance(2 * 86_400 - 60);
    let stage = stage.restart_at_its_time().await;
    until(&stage, |docs| docs.len() == 1 && !docs[0].contains(&token)).await;
    stage.clock.advance(32 * 86_400);
    let stage = stage.restart_at_its_time().await;
    until(&stage, |docs| docs.is_empty()).await;
    stage.end().await;
}

/// Until the hourly duty, which comes at the start as well, has done its work.
async fn until(stage: &Stage, fits: impl Fn(&[String]) -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        while !fits(&stage.accesses().await) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap();
}

#[tokio::test]
async fn a_request_that_cannot_be_read_any_more_ends_and_the_authority_starts() {
    let stage = Stage::new().await;
    let ana = person(&stage, "ana", "analysts").await;
    let ben = person(&stage, "ben", "owners").await;
    let id = ana.ask(&stage, &ana.request(&stage, "r1")).await.unwrap();
    ben.approve(&stage, id).await.unwrap();
    stage.spoil_accesses().await;

    let stage = stage.restart().await;

    assert_eq!(ended_at_outlets(&stage).await, [id]);
    assert!(ana.look(&stage).await.is_empty());
    stage.end().await;
}
