//! Who may have a link: the holder of the Noise key that a `tg-pass` of this org's authority names, while it lasts.
//! Every way to fail gets the same answer.

use crate::RelayConfig;
use tidegate_proto::{
    identity::NoisePublic,
    statement::{Pass, Statement, StatementError},
};

/// Why a pass does not admit; for our log only.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotAdmitted {
    #[error("{0}")]
    Statement(#[from] StatementError),
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
    let pass = admit(config, jws, peer)?;
    if pass.pseudonym != old.pseudonym || pass.role != old.role {
        return Err(NotAdmitted::OtherHolder);
    }
    Ok(pass)
}
