//! What a sleep and another network mean for everything that was connected: made anew where it is surely gone, asked where it
//! may be. Nobody waits for it: whoever needs a way meanwhile makes it, and finds out the same.

use std::net::IpAddr;

use super::Circuits;
use crate::wake::Slept;

impl Circuits {
    /// After a sleep nothing that was connected before is trusted. Says whether there was one.
    pub(crate) fn look_up(&self) -> Slept {
        let slept = self.wake.slept(self.clock.now());
        if slept == Slept::Yes {
            tracing::info!("computer woke up");
            self.warm.drop_spares();
            self.links.distrust();
            self.live.distrust();
            self.hurry.notify_one();
        }
        slept
    }

    /// The computer's network changed: what stood on addresses that are gone is made anew at once, whatever waits for the next
    /// attempt makes it now, and the rest is asked whether it is there.
    pub(crate) async fn network_changed(&self, is_gone: impl Fn(IpAddr) -> bool) {
        if self.links.leave(&is_gone) {
            tracing::info!("network changed");
            self.warm.drop_spares();
        }
        self.live.leave(is_gone);
        self.news.send_modify(|changes| *changes += 1);
        self.links.hurry();
        self.hurry.notify_one();
        self.links.ask(None).await;
    }

    /// Asks every relay whether it is there, after what may have been a sleep. Portals ask for themselves when a way is made anew.
    pub(crate) async fn ask_around(&self) {
        tracing::info!("nothing ran here for a while; asking whether all ways are there");
        self.links.ask(None).await;
    }
}
