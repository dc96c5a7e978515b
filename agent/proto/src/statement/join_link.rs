//! The join link: address, org, the root's fingerprint and, for a new device, a one-time ticket with its private key.
//! Whoever holds the link holds the ticket, so it has no `Debug`, and the text form is wiped when dropped.

use super::{Statement, TicketStatement};
use crate::{
    identity::{PeerId, SigningKey},
    names::{HubAddress, OrgName},
    strict,
};
use std::str::FromStr;
use zeroize::Zeroizing;

/// A ticket as it travels: the signed statement and the private key that it names.
pub struct JoinTicket {
    /// `tg-ticket`, compact JWS; not verified before the root is known.
    pub jws: String,
    pub key: SigningKey,
}

/// Everything a new device needs to know.
pub struct JoinLink {
    pub address: HubAddress,
    pub org: OrgName,
    /// Fingerprint of the org root key.
    pub root: PeerId,
    pub ticket: Option<JoinTicket>,
}

/// Why a text is not a join link.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoinLinkError {
    #[error("not a tidegate join link")]
    Scheme,
    #[error("the join link is too long")]
    TooLong,
    #[error("a part of the join link is missing")]
    Missing,
    #[error("a part of the join link is unknown or there twice")]
    Unexpected,
    #[error("a part of the join link is damaged")]
    Damaged,
}

const SCHEME: &str = "tidegate://join";
const MAX_LINK: usize = 4_096;

/// The parts as they stand in the text.
#[derive(Default)]
struct Fields<'a> {
    hub: Option<&'a str>,
    org: Option<&'a str>,
    root: Option<&'a str>,
    ticket: Option<&'a str>,
    key: Option<&'a str>,
}

impl JoinLink {
    /// Reads `tidegate://join?hub=…&org=…&root=…[&ticket=…&key=…]`; white space around it, from pasting, is ignored.
    ///
    /// # Errors
    /// When anything in it is missing, repeated, unknown or damaged.
    pub fn parse(text: &str) -> Result<Self, JoinLinkError> {
        if text.len() > MAX_LINK {
            return Err(JoinLinkError::TooLong);
        }
        let rest = text
            .trim()
            .strip_prefix(SCHEME)
            .ok_or(JoinLinkError::Scheme)?;
        let query = rest
            .strip_prefix('/')
            .unwrap_or(rest)
            .strip_prefix('?')
            .ok_or(JoinLinkError::Scheme)?;
        let fields = Fields::read(query)?;
        Ok(Self {
            address: part(fields.hub)?,
            org: part(fields.org)?,
            root: part(fields.root)?,
            ticket: JoinTicket::from_parts(fields.ticket, fields.key)?,
        })
    }

    /// The link as text, to be given to one person over a channel that only they read.
    #[must_use]
    pub fn to_link(&self) -> Zeroizing<String> {
        let mut link = format!(
            "{SCHEME}?hub={}&org={}&root={}",
            self.address, self.org, self.root
        );
        if let Some(ticket) = &self.ticket {
            let key = Zeroizing::new(crate::strict::to_base64url(&*ticket.key.seed()));
            // Reserved at once, so that growing leaves no copy of the key behind.
            let mut whole = Zeroizing::new(String::with_capacity(
                link.len() + ticket.jws.len() + key.len() + 16,
            ));
            for piece in [&link, "&ticket=", &ticket.jws, "&key=", &key] {
                whole.push_str(piece);
            }
            return whole;
        }
        Zeroizing::new(std::mem::take(&mut link))
    }
}

impl<'a> Fields<'a> {
    fn read(query: &'a str) -> Result<Self, JoinLinkError> {
        let mut fields = Self::default();
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').ok_or(JoinLinkError::Damaged)?;
            let field = match name {
                "hub" => &mut fields.hub,
                "org" => &mut fields.org,
                "root" => &mut fields.root,
                "ticket" => &mut fields.ticket,
                "key" => &mut fields.key,
                _ => return Err(JoinLinkError::Unexpected),
            };
            if field.replace(value).is_some() {
                return Err(JoinLinkError::Unexpected);
            }
        }
        Ok(fields)
    }
}

impl JoinTicket {
    fn from_parts(jws: Option<&str>, key: Option<&str>) -> Result<Option<Self>, JoinLinkError> {
        let (jws, key) = match (jws, key) {
            (None, None) => return Ok(None),
            (Some(jws), Some(key)) => (jws, key),
            (Some(_), None) | (None, Some(_)) => return Err(JoinLinkError::Missing),
        };
        let shaped = jws
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        let seed = Zeroizing::new(strict::base64url(key).map_err(|_| JoinLinkError::Damaged)?);
        let seed = Zeroizing::new(
            <[u8; 32]>::try_from(seed.as_slice()).map_err(|_| JoinLinkError::Damaged)?,
        );
        if !shaped {
            return Err(JoinLinkError::Damaged);
        }
        Ok(Some(Self {
            jws: jws.to_owned(),
            key: SigningKey::from_seed(&seed),
        }))
    }

    /// Verifies the statement under the root and that the key is the one it names.
    ///
    /// # Errors
    /// What is wrong with the statement, or `Ticket` when the key is not its key.
    pub fn verify(
        &self,
        root: &crate::identity::VerifyKey,
        org: &OrgName,
    ) -> Result<TicketStatement, super::StatementError> {
        let ticket = TicketStatement::verify_for(&self.jws, root, org)?;
        if ticket.key == self.key.verify_key() {
            Ok(ticket)
        } else {
            Err(super::StatementError::Ticket)
        }
    }
}

fn part<T: FromStr>(text: Option<&str>) -> Result<T, JoinLinkError> {
    text.ok_or(JoinLinkError::Missing)?
        .parse()
        .map_err(|_| JoinLinkError::Damaged)
}
