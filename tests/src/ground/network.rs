//! Three network namespaces and what joins them: internet, café (40 ms away), private (closed by nftables).
//! The private network IS routed from the café, so that it is the firewall which closes it and not a missing route.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::process::Command;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::link::{Link, Quality};
use super::{HUB_PORT, RELAY_PORT, Site, tun};
use crate::trouble::{Doing, Outcome, Trouble};

pub(super) const HUB: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 10);
pub(super) const BETA_HUB: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 11);
pub(super) const PROVIDER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 20);
pub(super) const DATABASE: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 5);
/// The private network's own end of the wire to the internet.
pub const OUTLET: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 2);
pub const LAPTOP: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 10);

/// Where a laptop that moves can be: the first is where it begins.
pub const PLACES: [Ipv4Addr; 3] = [
    LAPTOP,
    Ipv4Addr::new(192, 0, 2, 44),
    Ipv4Addr::new(192, 0, 2, 99),
];

pub struct Network {
    names: [String; 3],
    // The link goes first: its devices live inside the namespaces.
    link: Option<Link>,
}

impl Network {
    /// # Errors
    /// When the machine forbids a part of it.
    pub fn build(run_id: &str) -> Outcome<Self> {
        sweep();
        let names = ["net", "cafe", "priv"].map(|site| format!("{run_id}-{site}"));
        let mut network = Self { names, link: None };
        for name in &network.names {
            ip(&format!("netns add {name}"))?;
            ip(&format!("-n {name} link set lo up"))?;
        }
        network.wire()?;
        network.close_the_private_network()?;
        network.lay_the_line()?;
        Ok(network)
    }

    #[must_use]
    pub fn name(&self, site: Site) -> &str {
        match site {
            Site::Internet => &self.names[0],
            Site::Cafe => &self.names[1],
            Site::Private => &self.names[2],
        }
    }

    /// The café's line, to make it worse or better while the play goes on.
    #[must_use]
    pub fn line(&self) -> Option<&Link> {
        self.link.as_ref()
    }

    /// Closes a way out of a place until the guard is dropped. `rule` is what nftables calls one: `tcp dport 7443 drop`.
    ///
    /// # Errors
    /// When the rule is refused.
    pub fn close(&self, site: Site, rule: &str) -> Outcome<Closed> {
        let closed = Closed(self.name(site).to_owned());
        let table = format!(
            "table inet broken {{\nchain out {{\ntype filter hook output priority -10\n{rule}\n}}\n}}"
        );
        closed.nft(&table)?;
        Ok(closed)
    }

    /// Pulls a place's cable, until the guard is dropped: nothing goes out, nothing comes in, and nobody is told.
    ///
    /// # Errors
    /// When the firewall does not take the rules.
    pub fn unplug(&self, site: Site) -> Outcome<Closed> {
        let closed = Closed(self.name(site).to_owned());
        closed.nft(
            "table inet broken {
              chain out { type filter hook output priority -10; oif != lo drop; }
              chain in { type filter hook input priority -10; iif != lo drop; }
            }",
        )?;
        Ok(closed)
    }

    /// Runs something on a thread of its own inside a place; sockets that it makes stay there.
    ///
    /// # Errors
    /// When the namespace cannot be entered.
    pub fn inside<T: Send + 'static>(
        &self,
        site: Site,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> std::io::Result<T> {
        let door = File::open(format!("/var/run/netns/{}", self.name(site)))?;
        let thread = std::thread::spawn(move || {
            move_into_link_name_space(door.as_fd(), Some(LinkNameSpaceType::Network))?;
            Ok(work())
        });
        thread
            .join()
            .map_err(|_| std::io::Error::other("the thread inside the namespace panicked"))?
    }

    /// The laptop leaves for another network: its address is gone, and with it all that was under way to or from it.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn readdress_the_laptop(&self, from: Ipv4Addr, to: Ipv4Addr) -> Outcome<()> {
        self.laptop_leaves(from)?;
        self.laptop_arrives(to)
    }

    /// The laptop is in no network: it has no address there.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn laptop_leaves(&self, from: Ipv4Addr) -> Outcome<()> {
        let cafe = self.name(Site::Cafe);
        ip(&format!(
            "-n {cafe} addr del {from} peer 192.0.2.1 dev cafe"
        ))
    }

    /// The laptop is in a network again, with this address.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn laptop_arrives(&self, to: Ipv4Addr) -> Outcome<()> {
        let (net, cafe) = (self.name(Site::Internet), self.name(Site::Cafe));
        ip(&format!("-n {net} route replace {to} dev cafe"))?;
        ip(&format!("-n {cafe} addr add {to} peer 192.0.2.1 dev cafe"))?;
        ip(&format!(
            "-n {cafe} route replace default via 192.0.2.1 dev cafe"
        ))
    }

    fn wire(&self) -> Outcome<()> {
        let (net, private) = (self.name(Site::Internet), self.name(Site::Private));
        ip(&format!(
            "link add private netns {net} type veth peer name internet netns {private}"
        ))?;
        ip(&format!("-n {net} addr add 10.77.0.1/30 dev private"))?;
        ip(&format!("-n {net} link set private up"))?;
        ip(&format!("-n {net} addr add {HUB}/32 dev lo"))?;
        ip(&format!("-n {net} addr add {BETA_HUB}/32 dev lo"))?;
        ip(&format!("-n {net} addr add {PROVIDER}/32 dev lo"))?;
        ip(&format!("-n {net} route add 10.77.1.0/24 via {OUTLET}"))?;
        ip(&format!("-n {private} addr add {OUTLET}/30 dev internet"))?;
        ip(&format!("-n {private} addr add {DATABASE}/32 dev lo"))?;
        ip(&format!("-n {private} link set internet up"))?;
        ip(&format!("-n {private} route add default via 10.77.0.1"))?;
        ip(&format!(
            "netns exec {net} sysctl -q -w net.ipv4.ip_forward=1"
        ))
    }

    /// Inbound: nothing. Outbound: the hub's one port, and the answers to it.
    fn close_the_private_network(&self) -> Outcome<()> {
        let rules = format!(
            "table inet closed {{
              chain in {{ type filter hook input priority 0; policy drop;
                iif lo accept; ct state established,related accept; }}
              chain out {{ type filter hook output priority 0; policy drop;
                oif lo accept; ct state established,related accept; ip daddr {HUB} tcp dport {HUB_PORT} accept; }}
              chain through {{ type filter hook forward priority 0; policy drop; }}
            }}"
        );
        run(
            "ip",
            ["netns", "exec", self.name(Site::Private), "nft", &rules],
        )
    }

    /// Outbound, one port more: the administrator of the private network was told of a relay.
    ///
    /// # Errors
    /// When the firewall does not take the rule.
    pub fn let_out_to_the_relay(&self) -> Outcome<()> {
        self.let_out_to(HUB, RELAY_PORT)
    }

    /// The same for the hub of the second company, whose outlet stands in this network too.
    ///
    /// # Errors
    /// When the firewall does not take the rule.
    pub fn let_out_to_beta(&self) -> Outcome<()> {
        self.let_out_to(BETA_HUB, HUB_PORT)
    }

    fn let_out_to(&self, address: Ipv4Addr, port: u16) -> Outcome<()> {
        let rule = format!("add rule inet closed out ip daddr {address} tcp dport {port} accept");
        run(
            "ip",
            ["netns", "exec", self.name(Site::Private), "nft", &rule],
        )
    }

    fn lay_the_line(&mut self) -> Outcome<()> {
        let here = self
            .inside(Site::Cafe, || tun::open("cafe"))?
            .doing("make a TUN device")?;
        let there = self
            .inside(Site::Internet, || tun::open("cafe"))?
            .doing("make a TUN device")?;
        let (net, cafe) = (self.name(Site::Internet), self.name(Site::Cafe));
        ip(&format!(
            "-n {cafe} addr add {LAPTOP} peer 192.0.2.1 dev cafe"
        ))?;
        ip(&format!("-n {cafe} link set cafe up"))?;
        ip(&format!("-n {cafe} route add default via 192.0.2.1"))?;
        ip(&format!(
            "-n {net} addr add 192.0.2.1 peer {LAPTOP} dev cafe"
        ))?;
        ip(&format!("-n {net} link set cafe up"))?;
        self.link = Some(Link::between(here, there, Quality::cafe(), 1)?);
        Ok(())
    }
}

/// A way that is closed.
pub struct Closed(String);

impl Closed {
    fn nft(&self, words: &str) -> Outcome<()> {
        run("ip", ["netns", "exec", &self.0, "nft", words])
    }
}

impl Drop for Closed {
    fn drop(&mut self) {
        let _ = self.nft("delete table inet broken");
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        drop(self.link.take());
        for name in &self.names {
            let _ = ip(&format!("netns del {name}"));
        }
    }
}

/// Names of the namespaces on this machine that belong to a run.
#[must_use]
pub fn namespaces_of(run_id: &str) -> Vec<String> {
    let entries = std::fs::read_dir("/var/run/netns")
        .into_iter()
        .flatten()
        .flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| name.starts_with(&format!("{run_id}-")))
        .collect()
}

/// Takes away what a run that was killed has left: its process id is in the name.
fn sweep() {
    for name in namespaces_of_dead_runs() {
        let _ = ip(&format!("netns del {name}"));
    }
}

fn namespaces_of_dead_runs() -> Vec<String> {
    let entries = std::fs::read_dir("/var/run/netns")
        .into_iter()
        .flatten()
        .flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names
        .filter(|name| {
            maker(name).is_some_and(|pid| !std::path::Path::new(&format!("/proc/{pid}")).exists())
        })
        .collect()
}

fn maker(namespace: &str) -> Option<u32> {
    let (pid, rest) = namespace.strip_prefix("tg")?.split_once('x')?;
    rest.contains('-').then(|| pid.parse().ok())?
}

fn ip(words: &str) -> Outcome<()> {
    run("ip", words.split(' '))
}

fn run<'a>(program: &str, words: impl IntoIterator<Item = &'a str>) -> Outcome<()> {
    let mut command = Command::new(program);
    let answer = command
        .args(words)
        .output()
        .doing(format!("start {program}"))?;
    if answer.status.success() {
        return Ok(());
    }
    let reason = String::from_utf8_lossy(&answer.stderr);
    Err(Trouble::new(format!(
        "{command:?} failed: {}",
        reason.trim()
    )))
}
