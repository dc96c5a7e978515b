//! New devices that ask to be let in by another device of the same person: carried for ten minutes, in memory only.
//! A newcomer would check the words here: the authority sees everything that makes them, and is the one they protect against.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tidegate_proto::{
    api::devices::{Introduction, IntroductionEnd, Revealed, Sponsor},
    identity::VerifyKey,
    introduction::LIFE,
    names::Subject,
    time::UnixTime,
};
use tokio::sync::watch;

use crate::refusal::Refusal;

/// All of them; of one person, those that wait, and those that were declined and are still there to be seen.
const MOST: usize = 1_024;
const MOST_OF_ONE: usize = 3;
const MOST_DECLINED: usize = 5;

/// All that are open.
#[derive(Default)]
pub(crate) struct Introductions {
    open: Mutex<HashMap<String, Open>>,
    /// Counts changes: whoever listens looks again.
    changed: watch::Sender<u64>,
}

struct Open {
    sub: Subject,
    view: Introduction,
    /// It was approved and the device is being enrolled: nobody can change that any more.
    deciding: bool,
}

impl Open {
    fn waits(&self) -> bool {
        self.view.end.is_none()
    }

    fn was_declined(&self) -> bool {
        self.view.end == Some(IntroductionEnd::Declined)
    }
}

impl Introductions {
    /// Begins one, in the place of an earlier one of the same key.
    pub(crate) fn begin(
        &self,
        sub: Subject,
        view: Introduction,
        now: UnixTime,
    ) -> Result<Introduction, Refusal> {
        let mut open = self.lock(now);
        let same = |other: &Open| other.view.newcomer == view.newcomer;
        if open.values().any(|other| same(other) && other.deciding) {
            return Err(Refusal::TooOften);
        }
        open.retain(|_, other| !same(other));
        // The oldest that nobody compares makes room: three that a thief of an ID token asked for must not keep her own out.
        let idle = |one: &Open| one.waits() && one.view.sponsor.is_none();
        make_room(&mut open, &sub, (MOST_OF_ONE, Open::waits), idle)?;
        make_room(
            &mut open,
            &sub,
            (MOST_DECLINED, Open::was_declined),
            Open::was_declined,
        )?;
        if open.len() >= MOST {
            return Err(Refusal::TooOften);
        }
        let kept = Open {
            sub,
            view: view.clone(),
            deciding: false,
        };
        open.insert(view.id.clone(), kept);
        self.tell(open);
        Ok(view)
    }

    /// The sponsor shows its nonce: the first device that does is the one that compares.
    pub(crate) fn compare(
        &self,
        (id, sub): (&str, &Subject),
        sponsor: Sponsor,
        now: UnixTime,
    ) -> Result<Introduction, Refusal> {
        self.change(id, now, |open| match &open.view.sponsor {
            _ if open.sub != *sub => Err(Refusal::NoIntroduction),
            Some(other) if *other != sponsor => Err(Refusal::ComparedElsewhere),
            _ => {
                open.view.sponsor = Some(sponsor);
                Ok(())
            }
        })
    }

    /// The newcomer shows its nonce, once.
    pub(crate) fn reveal(
        &self,
        (id, newcomer): (&str, &VerifyKey),
        nonce: [u8; 32],
        now: UnixTime,
    ) -> Result<Introduction, Refusal> {
        self.change(id, now, |open| {
            let mine = open.view.newcomer == *newcomer && open.view.sponsor.is_some();
            let revealed = Revealed { nonce };
            match &open.view.revealed {
                None if mine => open.view.revealed = Some(revealed),
                Some(before) if mine && *before == revealed => {}
                _ => return Err(Refusal::NoIntroduction),
            }
            Ok(())
        })
    }

    /// What the sponsor may approve: the words were on both screens.
    pub(crate) fn compared(
        &self,
        (id, sub): (&str, &Subject),
        sponsor: &VerifyKey,
        now: UnixTime,
    ) -> Result<Introduction, Refusal> {
        let open = self.lock(now);
        let found = open.get(id).filter(|open| {
            let by = open.view.sponsor.as_ref().map(|sponsor| &sponsor.key);
            open.sub == *sub && by == Some(sponsor) && open.view.revealed.is_some()
        });
        found
            .filter(|open| open.view.end.is_none())
            .map(|open| open.view.clone())
            .ok_or(Refusal::NoIntroduction)
    }

    /// Before the device is enrolled: from here on nobody declines it, and nobody approves it a second time.
    pub(crate) fn decide(&self, id: &str, now: UnixTime) -> Result<(), Refusal> {
        self.change(id, now, |open| {
            let before = std::mem::replace(&mut open.deciding, true);
            if before {
                Err(Refusal::NoIntroduction)
            } else {
                Ok(())
            }
        })
        .map(drop)
    }

    /// The device could not be enrolled: all is as it was before it was approved.
    pub(crate) fn undecided(&self, id: &str, now: UnixTime) {
        let _ = self.change(id, now, |open| {
            open.deciding = false;
            Ok(())
        });
    }

    /// Ends one for both; it stays to be seen until its time is up.
    pub(crate) fn end(
        &self,
        id: &str,
        end: IntroductionEnd,
        now: UnixTime,
    ) -> Result<Introduction, Refusal> {
        self.change(id, now, |open| {
            open.view.end = Some(end);
            open.deciding = false;
            Ok(())
        })
    }

    /// Ends one by the word of either side.
    pub(crate) fn decline(
        &self,
        id: &str,
        by: &VerifyKey,
        sub: Option<&Subject>,
        now: UnixTime,
    ) -> Result<Introduction, Refusal> {
        self.change(id, now, |open| {
            let concerned = open.view.newcomer == *by || sub == Some(&open.sub);
            if concerned && !open.deciding {
                open.view.end = Some(IntroductionEnd::Declined);
                Ok(())
            } else {
                Err(Refusal::NoIntroduction)
            }
        })
    }

    /// All that a person's devices are to see.
    pub(crate) fn of_person(&self, sub: &Subject, now: UnixTime) -> Vec<Introduction> {
        self.pick(now, |open| open.sub == *sub && open.view.end.is_none())
    }

    /// What the new device itself is to see.
    pub(crate) fn of_newcomer(&self, key: &VerifyKey, now: UnixTime) -> Vec<Introduction> {
        self.pick(now, |open| open.view.newcomer == *key)
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn pick(&self, now: UnixTime, fits: impl Fn(&Open) -> bool) -> Vec<Introduction> {
        let open = self.lock(now);
        let mut picked: Vec<_> = open
            .values()
            .filter(|open| fits(open))
            .map(|open| open.view.clone())
            .collect();
        picked.sort_by(|one, other| (one.expires, &one.id).cmp(&(other.expires, &other.id)));
        picked
    }

    fn change(
        &self,
        id: &str,
        now: UnixTime,
        change: impl FnOnce(&mut Open) -> Result<(), Refusal>,
    ) -> Result<Introduction, Refusal> {
        let mut all = self.lock(now);
        let open = all.get_mut(id).ok_or(Refusal::NoIntroduction)?;
        if open.view.end.is_some() {
            return Err(Refusal::NoIntroduction);
        }
        change(open)?;
        let view = open.view.clone();
        self.tell(all);
        Ok(view)
    }

    /// The table without what has run out.
    fn lock(&self, now: UnixTime) -> MutexGuard<'_, HashMap<String, Open>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, open| now < open.view.expires && now.until(open.view.expires) <= LIFE);
        open
    }

    fn tell(&self, open: MutexGuard<'_, HashMap<String, Open>>) {
        drop(open);
        self.changed.send_modify(|changes| *changes += 1);
    }
}

/// Takes the oldest that may go out of a person's, until there is room for one more of a kind.
fn make_room(
    open: &mut HashMap<String, Open>,
    sub: &Subject,
    (most, kind): (usize, impl Fn(&Open) -> bool),
    may_go: impl Fn(&Open) -> bool,
) -> Result<(), Refusal> {
    let mine = |one: &Open| one.sub == *sub;
    while open.values().filter(|one| mine(one) && kind(one)).count() >= most {
        let oldest = open
            .iter()
            .filter(|(_, one)| mine(one) && may_go(one))
            .min_by_key(|(id, one)| (one.view.expires, (*id).clone()));
        let id = oldest.map(|(id, _)| id.clone());
        open.remove(&id.ok_or(Refusal::TooOften)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use tidegate_proto::{identity::SigningKey, statement::Assurance};

    use super::*;

    const NOW: UnixTime = UnixTime(1_800_000_000);

    fn key(n: u8) -> VerifyKey {
        SigningKey::from_seed(&[n; 32]).verify_key()
    }

    fn sub(name: &str) -> Subject {
        name.parse().unwrap()
    }

    fn asked(n: u8) -> Introduction {
        Introduction {
            id: format!("id-{n}"),
            newcomer: key(n),
            label: "new".into(),
            assurance: Assurance::High,
            commitment: [n; 32],
            expires: NOW.plus(LIFE),
            sponsor: None,
            revealed: None,
            end: None,
        }
    }

    fn sponsor(n: u8) -> Sponsor {
        Sponsor {
            key: key(n),
            nonce: [n; 32],
        }
    }

    #[test]
    fn the_first_device_that_compares_stays_the_one_and_only_the_newcomer_reveals() {
        let all = Introductions::default();
        let ana = sub("ana");
        all.begin(ana.clone(), asked(1), NOW).unwrap();

        let early = all.reveal(("id-1", &key(1)), [1; 32], NOW);
        all.compare(("id-1", &ana), sponsor(2), NOW).unwrap();
        let second = all.compare(("id-1", &ana), sponsor(3), NOW);
        let stranger = all.compare(("id-1", &sub("bob")), sponsor(2), NOW);
        let other = all.reveal(("id-1", &key(2)), [1; 32], NOW);
        let unseen = all.compared(("id-1", &ana), &key(2), NOW);
        all.reveal(("id-1", &key(1)), [1; 32], NOW).unwrap();
        let changed = all.reveal(("id-1", &key(1)), [9; 32], NOW);

        assert_eq!(early.err(), Some(Refusal::NoIntroduction));
        assert_eq!(second.err(), Some(Refusal::ComparedElsewhere));
        assert_eq!(stranger.err(), Some(Refusal::NoIntroduction));
        assert_eq!(other.err(), Some(Refusal::NoIntroduction));
        assert_eq!(unseen.err(), Some(Refusal::NoIntroduction));
        assert_eq!(changed.err(), Some(Refusal::NoIntroduction));
        assert!(all.compared(("id-1", &ana), &key(2), NOW).is_ok());
        assert!(all.compared(("id-1", &ana), &key(3), NOW).is_err());
    }

    #[test]
    fn it_is_over_after_ten_minutes_or_when_somebody_declines() {
        let all = Introductions::default();
        let ana = sub("ana");
        all.begin(ana.clone(), asked(1), NOW).unwrap();
        all.begin(ana.clone(), asked(2), NOW).unwrap();

        assert_eq!(
            all.decline("id-1", &key(9), Some(&sub("bob")), NOW).err(),
            Some(Refusal::NoIntroduction)
        );
        all.decline("id-1", &key(9), Some(&ana), NOW).unwrap();

        assert_eq!(all.of_person(&ana, NOW).len(), 1);
        assert_eq!(
            all.of_newcomer(&key(1), NOW)[0].end,
            Some(IntroductionEnd::Declined)
        );
        assert!(all.compare(("id-1", &ana), sponsor(3), NOW).is_err());
        assert!(all.of_person(&ana, NOW.plus(LIFE)).is_empty());
        assert!(all.open.lock().unwrap().is_empty());
    }

    #[test]
    fn begun_and_declined_two_thousand_times_leaves_room_for_everybody() {
        let all = Introductions::default();
        for n in 0..2_000_u16 {
            let mut view = asked(u8::try_from(n % 250).unwrap());
            view.id = format!("id-{n}");
            let newcomer = view.newcomer;
            all.begin(sub("ana"), view, NOW).unwrap();
            all.decline(&format!("id-{n}"), &newcomer, None, NOW)
                .unwrap();
        }

        all.begin(sub("bob"), asked(1), NOW).unwrap();
        all.begin(sub("ana"), asked(2), NOW).unwrap();

        let mine = all
            .lock(NOW)
            .values()
            .filter(|one| one.sub == sub("ana"))
            .count();
        assert!(mine <= MOST_DECLINED + 1, "{mine}");
    }

    #[test]
    fn one_person_cannot_fill_the_table_and_a_key_asks_once() {
        let all = Introductions::default();
        for n in 0..MOST_OF_ONE {
            let n = u8::try_from(n).unwrap();
            all.begin(sub("ana"), asked(n), NOW).unwrap();
            all.begin(sub("ana"), asked(n), NOW).unwrap();
        }

        let ana = sub("ana");
        all.begin(ana.clone(), asked(9), NOW).unwrap();
        all.begin(sub("bob"), asked(10), NOW).unwrap();

        let waiting = all.of_person(&ana, NOW);
        assert_eq!(waiting.len(), MOST_OF_ONE);
        assert!(waiting.iter().any(|one| one.id == "id-9"));
        for one in &waiting {
            all.compare((&one.id, &ana), sponsor(20), NOW).unwrap();
        }
        assert_eq!(
            all.begin(ana, asked(11), NOW).err(),
            Some(Refusal::TooOften),
            "what is being compared stays"
        );
    }
}
