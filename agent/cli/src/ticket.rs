//! `tidegate ticket`: a link with a one-time ticket in it, for one person's new device or for one service's outlet.
//! The link is the secret: it goes to standard output and nowhere else; give it to one person over a channel only they read.

use std::path::PathBuf;

use tidegate_link::now;
use tidegate_proto::{
    entropy::{Entropy, SystemEntropy},
    identity::SigningKey,
    names::{ServiceName, Subject},
    statement::{
        JoinLink, JoinTicket, Promised, ServiceStatement, Statement, TicketKind, TicketStatement,
    },
    strict::to_base64url,
};

use crate::{
    failure::Failure,
    org::{passphrase::PassphraseArgs, root_key::RootKey, settings::OrgSettings},
    trouble::Trouble,
};

#[derive(clap::Args)]
pub(crate) struct Ticket {
    /// Directory that `tidegate org init` made.
    #[arg(long)]
    dir: PathBuf,
    /// The person, by the identity provider's `sub`.
    #[arg(long, allow_hyphen_values = true, required_unless_present = "outlet")]
    sub: Option<Subject>,
    /// A service that the person will use; may be repeated. Its name, title and port then stand in the link,
    /// so that it can be connected to with the first click; whoever reads the link reads them too.
    #[arg(long = "service", value_name = "NAME")]
    services: Vec<ServiceName>,
    /// For an outlet of this service instead of a person's device.
    #[arg(long, value_name = "SERVICE", conflicts_with_all = ["sub", "services"])]
    outlet: Option<ServiceName>,
    /// How long it may wait to be used.
    #[arg(long, default_value_t = 24, value_parser = clap::value_parser!(u64).range(1..=168))]
    hours: u64,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

impl Ticket {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let root = RootKey::open(&self.dir, self.passphrase.take()?)?;
        let settings = OrgSettings::of(&root, &self.dir)?;
        let (kind, whose) = match (self.outlet, self.sub) {
            (Some(service), _) => outlet(&settings, service)?,
            (None, Some(sub)) => {
                let whose = format!("a device of {sub}");
                (TicketKind::Device { sub }, whose)
            }
            (None, None) => unreachable!("clap asks for one of them"),
        };
        let services = promised(&settings, &self.services)?;
        let link = JoinLink {
            address: settings.hub,
            org: root.org.clone(),
            root: root.key.verify_key().peer_id(),
            ticket: Some(ticket(&root, kind, services, self.hours)),
        };
        println!("{}", link.to_link().as_str());
        eprintln!("Good once, for {} h, for {whose}.", self.hours);
        Ok(())
    }
}

fn outlet(settings: &OrgSettings, name: ServiceName) -> Result<(TicketKind, String), Failure> {
    let service = find(settings, &name)?;
    if service.enrolment.is_none() {
        return Err(Trouble::OutletsByKey { service: name }.into());
    }
    let whose = format!("an outlet of {name}");
    Ok((TicketKind::Outlet { service: name }, whose))
}

/// What the laptop may show before anybody has signed in. Only what was asked for: a link can be read on its way.
fn promised(settings: &OrgSettings, names: &[ServiceName]) -> Result<Vec<Promised>, Failure> {
    if names.len() > TicketStatement::MAX_SERVICES {
        return Err(Trouble::TooManyServices.into());
    }
    let promise = |name: &ServiceName| {
        let service = find(settings, name)?;
        Ok(Promised {
            service: service.service.clone(),
            kind: service.kind,
            title: service.title.clone(),
            port: service.port,
        })
    };
    names.iter().map(promise).collect()
}

fn find<'a>(
    settings: &'a OrgSettings,
    name: &ServiceName,
) -> Result<&'a ServiceStatement, Failure> {
    let mut services = settings.services.iter();
    let found = services.find(|service| service.service == *name);
    found.ok_or_else(|| {
        let service = name.clone();
        Trouble::NoSuchService { service }.into()
    })
}

fn ticket(root: &RootKey, kind: TicketKind, services: Vec<Promised>, hours: u64) -> JoinTicket {
    let key = SigningKey::generate(&SystemEntropy);
    let mut id = [0; 16];
    SystemEntropy.fill(&mut id);
    let at = now();
    let statement = TicketStatement {
        org: root.org.clone(),
        kind,
        key: key.verify_key(),
        at,
        not_after: at.plus(hours * 3600),
        id: to_base64url(&id),
        services,
    };
    JoinTicket {
        jws: statement.sign(&root.key),
        key,
    }
}
