//! What an outlet shows a relay while the authority is away: the root's own word for it, and the last pass it was given.
//! The pass only says under which handles agents know its services. It may have run out; what admits is the chain.

use crate::{
    api::CatalogueEntry,
    channel::HandshakeHash,
    identity::{NoisePublic, PeerId, SigningKey, VerifyKey},
    names::{OrgName, ServiceName},
    statement::{Pass, PassRole, ServiceStatement, Statement, StatementError, walk_roots},
    strict::{self, StrictError, fixed},
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Longest chain in bytes: with its type it fits into one record.
pub const MAX_CHAIN: usize = 64_000;

/// The chain root → catalogue entry (→ ticket) → this outlet's identity → this very link.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutletChain {
    /// As in the org bundle, from root 1.
    pub roots: Vec<String>,
    /// One for each handle of the pass.
    pub entries: Vec<CatalogueEntry>,
    /// The newest `tg-pass` for this link's key.
    pub pass: String,
    pub identity: VerifyKey,
    /// By `identity` over this channel's hash.
    #[serde(with = "fixed")]
    pub signature: [u8; 64],
}

/// Why a chain does not admit; for the relay's log only.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    #[error("{0}")]
    Statement(#[from] StatementError),
    #[error("{0}")]
    Strict(#[from] StrictError),
    #[error("the chain was not signed on this link")]
    Proof,
    #[error("the pass in the chain is for another link or not an outlet's")]
    Pass,
    #[error("a catalogue entry in the chain does not name the outlet")]
    NotNamed,
    #[error("the entries in the chain are not those of the pass")]
    Handles,
}

/// What a relay believes before it reads a chain.
pub struct Believed<'a> {
    pub org: &'a OrgName,
    /// Fingerprint of the newest root it knows of.
    pub root: PeerId,
    pub authority: &'a VerifyKey,
}

impl OutletChain {
    /// Made on the channel that `hash` names.
    #[must_use]
    pub fn prove(
        roots: Vec<String>,
        entries: Vec<CatalogueEntry>,
        pass: String,
        hash: &HandshakeHash,
        identity: &SigningKey,
    ) -> Self {
        Self {
            roots,
            entries,
            pass,
            identity: identity.verify_key(),
            signature: identity.sign(&proof_input(hash)),
        }
    }

    /// As JSON.
    ///
    /// # Errors
    /// `Size`: an outlet of very many services cannot come by a chain.
    ///
    /// # Panics
    /// Never: plain data with text keys always serialises.
    pub fn encode(&self) -> Result<Vec<u8>, StrictError> {
        let bytes = serde_json::to_vec(self).expect("a chain serialises");
        if bytes.len() > MAX_CHAIN {
            return Err(StrictError::Size);
        }
        Ok(bytes)
    }

    /// The pass of a chain in which everything holds, whenever it ran out. `newest` says which version of an entry the
    /// relay knows to be in force; an entry that is older, or of a service that is gone, proves nothing.
    ///
    /// # Errors
    /// The first thing that does not hold.
    pub fn verify(
        json: &[u8],
        believed: &Believed<'_>,
        (hash, link_key): (&HandshakeHash, &NoisePublic),
        newest: impl Fn(&ServiceName) -> Option<u64>,
    ) -> Result<Pass, ChainError> {
        let chain: Self = strict::json(json, MAX_CHAIN)?;
        // First: nothing costly happens for somebody who does not hold the key.
        chain
            .identity
            .verify(&proof_input(hash), &chain.signature)
            .map_err(|_| ChainError::Proof)?;
        let pass = Pass::verify_for(&chain.pass, believed.authority, believed.org)?;
        if pass.role != PassRole::Outlet || pass.cnf != link_key.fingerprint() {
            return Err(ChainError::Pass);
        }
        // As many entries as handles, and none twice: the work is bounded by what the authority once gave.
        let named: BTreeSet<_> = pass.handles.iter().copied().collect();
        if chain.entries.len() != named.len() {
            return Err(ChainError::Handles);
        }
        let root = walk_roots(&chain.roots, believed.org, believed.root)?;
        let mut handles = BTreeSet::new();
        let mut services = BTreeSet::new();
        for entry in &chain.entries {
            let service = ServiceStatement::verify_for(&entry.jws, &root, believed.org)?;
            if newest(&service.service).is_none_or(|known| service.version < known) {
                return Err(StatementError::Rollback.into());
            }
            let service = service.with_outlets(&entry.outlets);
            if !service
                .outlets
                .iter()
                .any(|keys| keys.identity == chain.identity)
            {
                return Err(ChainError::NotNamed);
            }
            handles.insert(entry.handle);
            services.insert(service.service);
        }
        // As many services as handles: an old pass must not keep a handle whose service was taken away.
        if handles.is_empty() || handles != named || services.len() != handles.len() {
            return Err(ChainError::Handles);
        }
        Ok(pass)
    }
}

/// `"tidegate/outlet-link/v1\0" ‖ final handshake hash`.
fn proof_input(hash: &HandshakeHash) -> Vec<u8> {
    [b"tidegate/outlet-link/v1\0".as_slice(), &hash.0].concat()
}
