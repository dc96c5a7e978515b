//! From an offer to a proven person: dial the relay, answer the handshake, judge AUTH. Ten seconds for all of it.
//! Before AUTH holds, every refusal looks the same to the peer; the audit keeps the exact reason.

use super::{Turned, say, turn_away};
use crate::clock;
use crate::known::Footing;
use crate::premises::{PersonSlot, Premises, Service};
use crate::relays::Offer;
use std::sync::Arc;
use std::time::Duration;
use tidegate_link::{Guest, LinkError, Record, Secure, circuit, respond};
use tidegate_proto::channel::Prologue;
use tidegate_proto::frame::Frame;
use tidegate_proto::problem::{Code, Problem};
use tidegate_proto::refusal::{Phase, Refusal, RefusalReason};
use tidegate_proto::session::Session;
use tidegate_proto::time::UnixTime;

/// For reaching the relay, before the handshake begins.
const DIAL_LIMIT: Duration = Duration::from_secs(5);

/// A circuit whose other end has proved who it is. No permit, no target.
pub(super) struct Admitted {
    pub(super) secure: Secure,
    pub(super) session: Session,
    pub(super) _person: PersonSlot,
}

/// `None` when nobody was admitted; everything there was to say and to record has then been said and recorded.
pub(super) async fn admit(
    premises: &Arc<Premises>,
    service: &Service,
    offer: &Offer,
) -> Option<Admitted> {
    let guest = premises.gates.doorstep.enter();
    let started = clock::now();
    let mut secure = match guest.within(handshake(premises, service, offer)).await {
        Ok(secure) => secure,
        Err(error) => {
            tracing::debug!(service = %service.name, %error, "circuit had no handshake");
            return None;
        }
    };
    let mut session = Session::new(service.name.clone(), secure.hash, started);
    let judged = judge(premises, &guest, &mut secure, &mut session).await;
    drop(guest);
    match judged {
        Ok(deadline) => welcome(premises, secure, session, deadline).await,
        Err(Not::Refused(refusal)) => {
            turn_away(premises, &mut secure, &session, refusal.into()).await;
            None
        }
        Err(Not::There) => None,
    }
}

/// Why nobody was admitted.
enum Not {
    Refused(Refusal),
    /// The peer left without a word.
    There,
}

impl From<RefusalReason> for Not {
    fn from(exact: RefusalReason) -> Self {
        Self::Refused(Refusal::new(Phase::Admission, exact))
    }
}

async fn handshake(
    premises: &Premises,
    service: &Service,
    offer: &Offer,
) -> Result<Secure, LinkError> {
    let tcp = circuit(&offer.relay, offer.token, DIAL_LIMIT).await?;
    let prologue = |suite| {
        Prologue::portal(
            suite,
            premises.org.clone(),
            service.name.clone(),
            offer.token,
        )
    };
    respond(tcp, prologue, &premises.keys.noise).await
}

async fn judge(
    premises: &Premises,
    guest: &Guest,
    secure: &mut Secure,
    session: &mut Session,
) -> Result<UnixTime, Not> {
    let record = match guest.within(secure.recv()).await {
        Err(LinkError::TimedOut) => return Err(RefusalReason::TooLate.into()),
        Err(LinkError::Lost | LinkError::Io(_)) => return Err(Not::There),
        Err(_) => return Err(RefusalReason::OutOfOrder.into()),
        Ok(record) => record,
    };
    let auth = auth_in(&record).ok_or(RefusalReason::OutOfOrder)?;
    match judged(premises, session, auth) {
        Err(refusal) if refusal.wants_newer_keys() => {
            // The provider may have turned to new keys a moment ago.
            let asked = async {
                premises.ask_again.newer_keys().await;
                Ok(())
            };
            let _ = guest.within(asked).await;
            judged(premises, session, auth)
        }
        judged => judged,
    }
    .map_err(Not::Refused)
}

fn auth_in(record: &Record) -> Option<&[u8]> {
    match record.frame() {
        Frame::Auth(auth) => Some(auth),
        _ => None,
    }
}

fn judged(premises: &Premises, session: &mut Session, auth: &[u8]) -> Result<UnixTime, Refusal> {
    let footing = premises.footing();
    match footing.as_ref().and_then(Footing::for_proofs) {
        Some(standing) => session.handle_auth(auth, standing, clock::now()),
        // Whom to believe is not known yet, so nobody is believed.
        None => Err(Refusal::new(
            Phase::Admission,
            RefusalReason::UnknownService,
        )),
    }
}

async fn welcome(
    premises: &Arc<Premises>,
    mut secure: Secure,
    session: Session,
    deadline: UnixTime,
) -> Option<Admitted> {
    let sub = &session.principal()?.sub;
    let Some(person) = premises.gates.person(sub) else {
        let turned = Turned::by_us(
            &Problem::new(Code::TooManyConnections),
            "too many circuits of one person",
        );
        turn_away(premises, &mut secure, &session, turned).await;
        return None;
    };
    let told = say(&mut secure, &Frame::Admitted { deadline }).await;
    told.then_some(Admitted {
        secure,
        session,
        _person: person,
    })
}
