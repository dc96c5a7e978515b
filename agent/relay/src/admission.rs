//! Who may have a link: the holder of the Noise key that a `tg-pass` of this org's authority names, while it lasts,
//! and an outlet that the root names, for as long at a time, with the handles of the last pass it was given.
//! Every way to fail gets the same answer.

use crate::RelayConfig;
use std::sync::Arc;
use tidegate_proto::{
    channel::HandshakeHash,
    identity::NoisePublic,
    names::ServiceName,
    statement::{Pass, Statement, StatementError},
    wire::chain::{Believed, ChainError, OutletChain},
};

/// Why a pass does not admit; for our log only.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAdmitted {
    #[error("{0}")]
    Statement(#[from] StatementError),
    #[error("{0}")]
    Chain(#[from] ChainError),
    #[error("its holder was shut out")]
    ShutOut,
    #[error("the pass belongs to another key")]
    OtherKey,
    #[error("the pass says something else than the one before")]
    OtherHolder,
}

/// Verifies `jws` for a link whose peer has proven that it holds `peer`.
pub(crate) fn admit(
    config: &RelayConfig,
    jws: &str,
    peer: NoisePublic,
) -> Result<Pass, NotAdmitted> {
    let now = (config.clock)();
    let authority = config.authority.borrow().clone();
    authority.valid_at(now)?;
    let pass = Pass::verify_for(jws, &authority.key, &config.org)?;
    pass.valid_at(now)?;
    if pass.cnf != peer.fingerprint() {
        return Err(NotAdmitted::OtherKey);
    }
    if is_shut_out(config, &pass.pseudonym) {
        return Err(NotAdmitted::ShutOut);
    }
    Ok(pass)
}

/// Verifies an outlet's chain on the link that `hash` names: the pass in it, made good for one more life.
/// That the authority's own statement has run out does not matter: it only has to have signed the handles once.
pub(crate) fn admit_chain(
    config: &RelayConfig,
    json: &[u8],
    link: (&HandshakeHash, &NoisePublic),
) -> Result<Pass, NotAdmitted> {
    let authority = config.authority.borrow().clone();
    let catalogue = Arc::clone(&config.catalogue.borrow());
    let believed = Believed {
        org: &config.org,
        root: catalogue.root,
        authority: &authority.key,
    };
    let newest = |service: &ServiceName| catalogue.services.get(service).copied();
    let pass = OutletChain::verify(json, &believed, link, newest)?;
    if is_shut_out(config, &pass.pseudonym) {
        return Err(NotAdmitted::ShutOut);
    }
    let not_after = (config.clock)().plus(Pass::LIFE);
    Ok(Pass { not_after, ..pass })
}

/// Whether the authority has shut this one out since its pass was signed.
pub(crate) fn is_shut_out(config: &RelayConfig, pseudonym: &str) -> bool {
    config.shut_out.borrow().contains(pseudonym)
}

/// Verifies a newer pass for a link that `old` admitted.
pub(crate) fn renew(
    config: &RelayConfig,
    jws: &str,
    peer: NoisePublic,
    old: &Pass,
) -> Result<Pass, NotAdmitted> {
    same_holder(admit(config, jws, peer)?, old)
}

/// The same by a chain.
pub(crate) fn renew_by_chain(
    config: &RelayConfig,
    json: &[u8],
    link: (&HandshakeHash, &NoisePublic),
    old: &Pass,
) -> Result<Pass, NotAdmitted> {
    same_holder(admit_chain(config, json, link)?, old)
}

fn same_holder(pass: Pass, old: &Pass) -> Result<Pass, NotAdmitted> {
    if pass.pseudonym != old.pseudonym || pass.role != old.role {
        return Err(NotAdmitted::OtherHolder);
    }
    Ok(pass)
}
