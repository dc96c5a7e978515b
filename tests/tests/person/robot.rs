//! Somebody who does what is asked, word by word, and now and then something else before.
//! What it does not understand, a person would not understand either: then the words are to be mended, not the robot.

use std::path::Path;
use std::time::Duration;

use tidegate_tests::laptop::Tray;
use tidegate_tests::narrator::Narrator;
use tidegate_tests::trouble::{Doing, Outcome, Trouble};

use super::demo::{Demo, Next};
use super::display::{At, Own};

/// Enough for every wrong click before the right one; the demo reminds somebody who is slow five times in it.
const PATIENCE: Duration = Duration::from_secs(100);
/// For whoever does nothing.
const SHORT: Duration = Duration::from_secs(15);
const LIMIT: Duration = Duration::from_secs(40);
/// Everything that a person of the café scene is asked.
const ASKED: usize = 4;
/// The provider's page: its button, and its words about a wrong password.
const BUTTON: [u8; 3] = [0x0f, 0x5f, 0x74];
const REFUSED: [u8; 3] = [0xfd, 0xec, 0xea];

pub(crate) async fn plays(narrator: &Narrator, out: &Path) -> Outcome<()> {
    let own = Own::switch_on()?;
    let mut demo = Demo::start(&own.name, out, PATIENCE)?;
    let mut asked = 0;
    let status = loop {
        match demo.next().await? {
            Next::Ended(status) => break status,
            Next::Asks(line) => {
                narrator.say(&line);
                asked += 1;
                At(&own.name).picture(&out.join(format!("person-{asked}.png")))?;
                does(&mut demo, &line, asked == 1).await.doing(&line)?;
            }
        }
    };
    let said = demo.said();
    narrator.say(format!("it ended with {status} after {asked} requests"));
    if status.success()
        && asked == ASKED
        && said.contains("Nothing is left\n")
        && !said.contains('✗')
    {
        return Ok(());
    }
    Err(Trouble::new(said))
}

/// Does what a line asks. `slowly`: not before it was asked again.
async fn does(demo: &mut Demo, line: &str, slowly: bool) -> Outcome<()> {
    if slowly {
        demo.says("still to do", PATIENCE).await?;
    }
    if line.contains("paste the join link") {
        return joins(demo).await;
    }
    let item = between(line, "click ", " in the tray").doing("understand it")?;
    let tray = Tray::of(&demo.home()).await?;
    // A wrong click first: nothing comes of it.
    tray.click("Open Tidegate").await?;
    tray.click(item).await?;
    match between(line, "sign in as ", " and paste") {
        Some(login) => signs_in(demo, login).await,
        None => Ok(()),
    }
}

/// With words that are no link first, and Enter.
async fn joins(demo: &mut Demo) -> Outcome<()> {
    let laptop = demo.laptop()?;
    let hands = At(&laptop);
    hands.goes_to("^Tidegate$").await?;
    hands.types("good morning")?;
    hands.presses(&["Return", "ctrl+a", "ctrl+v"])?;
    let mut tries = 0..5;
    loop {
        // Join is not there to be clicked before the link was read, and the link is read as fast as the machine is.
        hands.presses(&["Return"])?;
        match demo.says("this device is enrolled", LIMIT / 5).await {
            Err(trouble) if tries.next().is_none() => return Err(trouble),
            Err(_) => {}
            joined => return joined,
        }
    }
}

/// With a wrong password first.
async fn signs_in(demo: &mut Demo, login: &str) -> Outcome<()> {
    let laptop = demo.laptop()?;
    let hands = At(&laptop);
    hands.goes_to("Acme - Sign in").await?;
    hands.sees("the sign-in page", BUTTON).await?;
    hands.types(login)?;
    hands.presses(&["Tab"])?;
    hands.types("forgotten")?;
    hands.presses(&["Return"])?;
    hands.sees("the provider's refusal", REFUSED).await?;
    // The name is there already.
    hands.presses(&["Tab", "ctrl+v", "Return"])?;
    demo.says("clipboard: postgresql://", LIMIT).await
}

pub(crate) async fn does_nothing(narrator: &Narrator, out: &Path) -> Outcome<()> {
    let own = Own::switch_on()?;
    let mut demo = Demo::start(&own.name, out, SHORT)?;
    let Next::Asks(line) = demo.next().await? else {
        return Err(Trouble::new(demo.said()));
    };
    let Next::Ended(status) = demo.next().await? else {
        return Err(Trouble::new("it asks for more"));
    };
    let (said, reminders) = (demo.said(), demo.reminders());
    narrator.say(format!(
        "{line}\nthen {reminders} reminders, and it ended with {status}"
    ));
    let vain = said
        .lines()
        .rfind(|line| line.contains("nobody did this within 15 seconds"));
    narrator.say(vain.doing(format!("read why it ended: {said}"))?);
    let told = line.contains("within 15 seconds") && reminders >= 3;
    match !status.success() && told && vain.is_some_and(|vain| vain.contains("join link")) {
        true => Ok(()),
        false => Err(Trouble::new(said)),
    }
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    Some(rest.split_once(after)?.0)
}
