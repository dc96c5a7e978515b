//! `tidegate outlet enrol`: makes this machine an outlet of the service that a ticket names.
//! The link holds a secret until it is used: it comes from a file or from standard input, never from the command line.

use std::io::Read;
use std::path::{Path, PathBuf};

use tidegate_link::{keyfile, now};
use tidegate_outlet::{OutletConfig, enrolment::Enrolments, keys::OutletKeys};
use tidegate_proto::{
    api::{EnrolAnswer, path},
    entropy::SystemEntropy,
    names::ServiceName,
    statement::{
        Enrolment, EnrolmentChain, JoinLink, JoinTicket, Statement, TicketKind, TicketStatement,
    },
};
use zeroize::Zeroizing;

use crate::{
    failure::{Exit, Failure},
    hub_client::HubClient,
    trouble::Trouble,
};

/// Longest link that is read, in bytes.
const MOST: usize = 8 * 1024;

#[derive(clap::Args)]
pub(crate) struct Enrol {
    /// The outlet's configuration, TOML.
    #[arg(long)]
    config: PathBuf,
    /// A file that only you can read with the link from `tidegate ticket --outlet`, or `-` for standard input.
    link: PathBuf,
}

impl Enrol {
    pub(crate) async fn run(self) -> Result<(), Failure> {
        let config = super::load(&self.config)?;
        let service = enrol(&config, &self.link).await?;
        println!("Enrolled as an outlet of {service}.");
        Ok(())
    }
}

/// Uses the ticket up, unless this outlet has been enrolled before.
pub(super) async fn enrol_once(config: &OutletConfig, link: &Path) -> Result<(), Failure> {
    let enrolled = Enrolments::load(&config.data).map_err(not_kept)?;
    let all = |service: &ServiceName| enrolled.0.contains_key(service);
    if config.services.iter().any(|service| all(&service.name)) {
        return Ok(());
    }
    let service = enrol(config, link).await?;
    tracing::info!(%service, "outlet was enrolled");
    Ok(())
}

/// The keys are made and kept before the hub hears of them: a ticket is good once.
async fn enrol(config: &OutletConfig, link: &Path) -> Result<ServiceName, Failure> {
    let link = read(link)?;
    let link = JoinLink::parse(&link)
        .map_err(|error| unfit(error.to_string(), "Copy the whole link again."))?;
    if link.org != config.org {
        let cause = format!(
            "It is for the org {}, and this outlet is {}'s.",
            link.org, config.org
        );
        return Err(unfit(
            cause,
            "Use a ticket of this org, or correct `org` in outlet.toml.",
        ));
    }
    let Some(ticket) = link.ticket else {
        return Err(unfit("There is no ticket in it.", ASK));
    };
    let mut hub = HubClient::connect(&config.hub, &config.org, config.root).await?;
    let (statement, service) = check(&ticket, &hub, config)?;

    let keys = OutletKeys::load_or_make(&config.data, &SystemEntropy).map_err(super::no_keys)?;
    let enrolment = Enrolment {
        org: config.org.clone(),
        ticket: statement.id,
        key: keys.identity.verify_key(),
        noise: Some(keys.noise.public()),
        at: now(),
    };
    let chain = EnrolmentChain {
        enrolment: enrolment.sign(&ticket.key),
        ticket: ticket.jws,
    };
    let _: EnrolAnswer = hub.post(path::ENROL, &chain).await?;
    let mut enrolled = Enrolments::load(&config.data).map_err(not_kept)?;
    enrolled.0.insert(service.clone(), chain);
    enrolled.store(&config.data).map_err(not_kept)?;
    Ok(service)
}

/// A ticket that cannot work is not shown to the hub.
fn check(
    ticket: &JoinTicket,
    hub: &HubClient,
    config: &OutletConfig,
) -> Result<(TicketStatement, ServiceName), Failure> {
    let statement = ticket
        .verify(&hub.root, &config.org)
        .map_err(|_| unfit("The org root did not sign its ticket as it is.", ASK))?;
    statement
        .valid_at(now())
        .map_err(|_| unfit("Its ticket has expired.", ASK))?;
    let TicketKind::Outlet { service } = &statement.kind else {
        let cause = "Its ticket is for a person's computer.";
        return Err(unfit(
            cause,
            "Ask for one made with `tidegate ticket --outlet`.",
        ));
    };
    let service = service.clone();
    if config.services.iter().all(|served| served.name != service) {
        let cause = format!("Its ticket is for {service}, which outlet.toml does not serve.");
        return Err(unfit(
            cause,
            "Ask for a ticket for a service that it serves, or add this one.",
        ));
    }
    Ok((statement, service))
}

const ASK: &str = "Ask the org's administrator for a new one.";

fn unfit(cause: impl Into<String>, next: &str) -> Failure {
    Failure::new(
        Exit::Refused,
        "the link makes no outlet of this machine",
        cause.into(),
        next,
    )
}

fn not_kept(error: impl ToString) -> Failure {
    Failure::new(
        Exit::ThisComputer,
        "the enrolment is not kept",
        error.to_string(),
        "make the data directory writable, or move the damaged file away and enrol again",
    )
}

fn read(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let bytes = if path.as_os_str() == "-" {
        let mut bytes = Zeroizing::new(Vec::with_capacity(MOST));
        let read = std::io::stdin().take(MOST as u64).read_to_end(&mut bytes);
        read.map_err(|error| Failure::unusable("the link", &error, "a link"))?;
        bytes
    } else if path.to_string_lossy().starts_with("tidegate:") {
        let cause =
            "Every program on this machine can read a command line, and the link holds a secret.";
        return Err(unfit(
            cause,
            "Give it on standard input, with `-`, or in a file. This one is not used up.",
        ));
    } else {
        keyfile::read(path, MOST).map_err(|error| Trouble::file(path, error))?
    };
    let text = std::str::from_utf8(&bytes).map_err(|_| unfit("It is not text.", ASK))?;
    Ok(Zeroizing::new(text.to_owned()))
}
