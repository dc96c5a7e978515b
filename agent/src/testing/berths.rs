//! Portals that the test's outlet keeps when their circuits die, and who asks for them.
//! It lets in whoever names a portal at the outlet that has it; what an outlet checks besides is tested there.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use tidegate_link::{Budget, LinkError, Portal, PortalControl, PortalError, Secure};
use tidegate_proto::frame::{Frame, Resume};
use tidegate_proto::problem::Code;
use tokio::sync::watch;

const INSTANCE: [u8; 16] = [7; 16];

#[derive(Default)]
pub(crate) struct Berths {
    keeps: AtomicBool,
    /// By number: the portal, and at which of the outlets it lies.
    open: Mutex<BTreeMap<u64, (PortalControl, usize)>>,
    /// Nobody comes back who shows no grant.
    wants_grants: AtomicBool,
    /// Whatever carries a portal again is harmed at once.
    pub(crate) harmed: AtomicBool,
    /// How many RESUMEs were granted.
    pub(crate) resumed: watch::Sender<usize>,
    /// Which of the outlets is away: the others answer for it.
    pub(crate) away: Mutex<Option<usize>>,
    /// Which outlet each circuit met.
    pub(crate) met: Mutex<Vec<usize>>,
    /// At which outlet each one was opened, and each RESUME arrived.
    pub(crate) at: Mutex<Vec<usize>>,
    /// How those ended that were kept.
    pub(crate) ended: watch::Sender<Vec<Option<PortalError>>>,
}

impl Berths {
    /// Portals are kept from now on.
    pub(crate) fn keep(&self) {
        self.keeps.store(true, Ordering::SeqCst);
    }

    /// Portals stand on grants from now on.
    pub(crate) fn want_grants(&self) {
        self.wants_grants.store(true, Ordering::SeqCst);
    }

    /// Whoever answers when it is the turn of `outlet`, one of `all`.
    pub(super) fn meet(&self, outlet: usize, all: usize) -> usize {
        let away = *self.away.lock().unwrap();
        let met = match away {
            Some(away) if away == outlet => (outlet + 1) % all,
            Some(_) | None => outlet,
        };
        self.met.lock().unwrap().push(met);
        met
    }

    pub(super) fn keeps(&self) -> bool {
        self.keeps.load(Ordering::SeqCst)
    }

    /// Every circuit that carries one dies.
    pub(crate) fn lose(&self) {
        for (control, _) in self.open.lock().unwrap().values() {
            let _ = control.detach();
        }
    }

    pub(super) async fn open(
        &self,
        mut secure: Secure,
        portal: u64,
        outlet: usize,
    ) -> Result<Portal, LinkError> {
        let instance = INSTANCE;
        let berth = Frame::Berth {
            portal,
            instance,
            seconds: 60,
        };
        secure.send(&berth).await?;
        let opened = Portal::resumable(secure, &Budget::new(1 << 20), |back| Some(back.circuit));
        let entry = (opened.control(), outlet);
        self.open.lock().unwrap().insert(portal, entry);
        self.at.lock().unwrap().push(outlet);
        Ok(opened)
    }

    pub(super) fn over(&self, portal: u64) {
        let entry = self.open.lock().unwrap().remove(&portal);
        let end = entry.and_then(|(control, _)| control.ended());
        self.ended.send_modify(|ended| ended.push(end));
    }

    pub(super) async fn resume(
        &self,
        mut secure: Secure,
        resume: Resume,
        (outlet, granted): (usize, bool),
    ) -> Result<(), LinkError> {
        self.at.lock().unwrap().push(outlet);
        let entry = self.open.lock().unwrap().get(&resume.portal).cloned();
        let granted = granted || !self.wants_grants.load(Ordering::SeqCst);
        let here = entry.filter(|(_, at)| granted && *at == outlet && resume.instance == INSTANCE);
        let Some((control, _)) = here else {
            let code = Code::CircuitLost.number();
            return secure.send(&Frame::Refused { code, text: "no" }).await;
        };
        if let Ok(received) = control.detach() {
            secure.send(&Frame::Resumed { received }).await?;
            let _ = control.attach(secure, resume.received);
            if self.harmed.load(Ordering::SeqCst) {
                let _ = control.detach();
            }
            self.resumed.send_modify(|resumed| *resumed += 1);
        }
        Ok(())
    }
}
