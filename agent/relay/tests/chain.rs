//! An outlet comes back while the authority is away: by the root's word, on its own link, and for nothing more than before.
//! Its pass has run out in every test here; an agent's, which is younger, has not.
#![allow(clippy::unwrap_used)]

mod common;

use common::{Stage, WAREHOUSE, org};
use std::{collections::BTreeMap, sync::Arc};
use tidegate_link::{LinkError, RelayLink};
use tidegate_proto::{
    api::CatalogueEntry,
    channel::HandshakeHash,
    entropy::SystemEntropy,
    identity::{NoiseSecret, SigningKey},
    statement::{
        OutletKeys, Pass, PassRole, Relay, RootStatement, ServiceKind, ServiceStatement, Statement,
    },
    wire::{chain::OutletChain, link::RelayRefusal},
};
use tidegate_relay::{Catalogue, Limits};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const NO_PASS: LinkError = LinkError::Refused(RelayRefusal::Pass);
const SOON: std::time::Duration = std::time::Duration::from_secs(10);

/// An outlet whose pass has run out, and what it has to show.
struct Outlet {
    link_key: NoiseSecret,
    identity: SigningKey,
    entry: ServiceStatement,
    pass: Pass,
}

impl Outlet {
    fn of(stage: &Stage) -> Self {
        let (link_key, identity) = (
            NoiseSecret::generate(&SystemEntropy),
            SigningKey::generate(&SystemEntropy),
        );
        let keys = OutletKeys {
            identity: identity.verify_key(),
            noise: link_key.public(),
        };
        let relay = Relay {
            address: stage.address.clone(),
            noise: stage.key,
        };
        let entry = ServiceStatement {
            org: org(),
            service: "warehouse".parse().unwrap(),
            kind: ServiceKind::Tcp,
            outlets: vec![keys],
            enrolment: None,
            relays: vec![relay],
            port: 15432,
            version: 2,
            title: String::new(),
            database: None,
        };
        let pass = stage.pass(PassRole::Outlet, &link_key, "db");
        stage.advance(3600);
        Self {
            link_key,
            identity,
            entry,
            pass,
        }
    }

    fn chain(&self, stage: &Stage, hash: &HandshakeHash) -> OutletChain {
        let root = RootStatement {
            org: org(),
            key: stage.root.verify_key(),
            number: 1,
        };
        let entry = CatalogueEntry {
            jws: self.entry.sign(&stage.root),
            handle: WAREHOUSE,
            outlets: vec![],
        };
        let pass = self.pass.sign(&stage.authority);
        let roots = vec![root.sign(&stage.root)];
        OutletChain::prove(roots, vec![entry], pass, hash, &self.identity)
    }

    /// Shows its chain after `change`.
    async fn link(
        &self,
        stage: &Stage,
        change: impl FnOnce(&mut OutletChain),
    ) -> Result<RelayLink, LinkError> {
        let chain = |hash: &HandshakeHash| {
            let mut chain = self.chain(stage, hash);
            change(&mut chain);
            chain.encode().unwrap()
        };
        RelayLink::connect_by_chain(&stage.address, stage.key, &self.link_key, &org(), chain).await
    }
}

#[tokio::test]
async fn an_outlet_comes_back_without_the_authority_and_is_offered_circuits() {
    let stage = Stage::start(Limits::default()).await;
    let outlet = Outlet::of(&stage);
    assert_eq!(
        stage.link(&outlet.link_key, &outlet.pass).await.err(),
        Some(NO_PASS)
    );

    let back = outlet.link(&stage, |_| ()).await.unwrap();

    let agent = stage.agent("ana").await;
    let token = agent.open(WAREHOUSE).await.unwrap();
    assert_eq!(back.incoming().await, Some((WAREHOUSE, token)));
    let mut near = tidegate_link::circuit(&stage.address, token, SOON)
        .await
        .unwrap();
    let mut far = tidegate_link::circuit(&stage.address, token, SOON)
        .await
        .unwrap();
    near.write_all(b"x").await.unwrap();
    far.read_exact(&mut [0]).await.unwrap();
    stage.end().await;
}

#[tokio::test]
async fn a_chain_is_good_for_ten_minutes_and_gives_way_to_a_pass() {
    let stage = Stage::start(Limits::default()).await;
    let (lazy, renewing) = (Outlet::of(&stage), Outlet::of(&stage));
    let (lazy_link, link) = (
        lazy.link(&stage, |_| ()).await.unwrap(),
        renewing.link(&stage, |_| ()).await.unwrap(),
    );

    stage.advance(300);
    let newer = stage.pass(PassRole::Outlet, &renewing.link_key, "db");
    link.new_pass(newer.sign(&stage.authority)).await.unwrap();
    assert!(link.key_tunnel().await.is_ok());
    stage.advance(400);

    assert!(link.key_tunnel().await.is_ok());
    assert!(lazy_link.key_tunnel().await.is_err());
    stage.end().await;
}

#[tokio::test]
async fn only_the_roots_newest_word_about_this_outlet_on_this_link_admits() {
    let stage = Stage::start(Limits::default()).await;
    let outlet = Outlet::of(&stage);
    let stranger = SigningKey::generate(&SystemEntropy);
    let refused = async |outlet: &Outlet, change: &dyn Fn(&mut OutletChain)| {
        outlet.link(&stage, change).await.err() == Some(NO_PASS)
    };

    assert!(refused(&outlet, &|chain| chain.signature = [0; 64]).await);
    assert!(refused(&outlet, &|chain| chain.identity = stranger.verify_key()).await);
    assert!(refused(&outlet, &|chain| chain.entries.clear()).await);
    assert!(
        refused(&outlet, &|chain| chain
            .entries
            .push(chain.entries[0].clone()))
        .await
    );
    assert!(refused(&outlet, &|chain| chain.roots.clear()).await);
    let other = HandshakeHash([7; 32]);
    assert!(refused(&outlet, &|chain| *chain = outlet.chain(&stage, &other)).await);
    assert!(refused(&outlet, &|chain| chain.pass = outlet.pass.sign(&stranger)).await);
    assert!(
        refused(&outlet, &|chain| chain.entries[0].jws =
            outlet.entry.sign(&stranger))
        .await
    );

    let change = |change: fn(&mut Outlet)| {
        let mut outlet = Outlet::of(&stage);
        change(&mut outlet);
        outlet
    };
    let nothing = |_: &mut OutletChain| ();
    let older = change(|outlet| outlet.entry.version = 1);
    assert!(refused(&older, &nothing).await);
    let agents = change(|outlet| outlet.pass.role = PassRole::Agent);
    assert!(refused(&agents, &nothing).await);
    let more_handles = change(|outlet| outlet.pass.handles.push(common::OTHER));
    assert!(refused(&more_handles, &nothing).await);
    let not_named = change(|outlet| outlet.identity = SigningKey::generate(&SystemEntropy));
    assert!(refused(&not_named, &nothing).await);
    let elsewhere = change(|outlet| outlet.link_key = NoiseSecret::generate(&SystemEntropy));
    assert!(refused(&elsewhere, &nothing).await);

    let gone = Catalogue {
        services: BTreeMap::new(),
        root: stage.root.verify_key().peer_id(),
    };
    assert!(outlet.link(&stage, |_| ()).await.is_ok());
    stage.catalogue.send_replace(Arc::new(gone));
    assert!(refused(&outlet, &nothing).await);
    stage.end().await;
}

#[tokio::test]
async fn an_outlet_that_is_shut_out_has_no_chain() {
    let stage = Stage::start(Limits::default()).await;
    let outlet = Outlet::of(&stage);

    stage.shut_out("db");

    assert_eq!(outlet.link(&stage, |_| ()).await.err(), Some(NO_PASS));
    stage.end().await;
}
