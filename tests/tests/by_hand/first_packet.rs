//! What a program says first travels inside OPEN: as much as fits, through the real relay and outlet to the real database.
//! A startup is far shorter; what fills it up here is a query behind it, which the outlet must neither lose nor cut.

use tidegate_link::Portal;
use tidegate_proto::frame::MAX_FIRST;
use tidegate_proto::problem::Code;
use tidegate_tests::narrator::Narrator;
use tidegate_tests::scene::World;
use tidegate_tests::trouble::{Outcome, Trouble};
use tidegate_tests::warehouse::DATABASE;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::papers::{Said, within};
use crate::thefts::Ana;
use crate::visitor::in_the_cafe;

/// `ReadyForQuery`, idle.
const READY: &[u8] = b"Z\0\0\0\x05I";

pub(crate) fn at_its_longest(narrator: &Narrator, world: &World, ana: &Ana) -> Outcome<()> {
    let (way, papers) = (ana.way.clone(), ana.papers.clone());
    let visit = async move {
        let (first, letters) = first_of(MAX_FIRST);
        let (secure, said, link) = way.shown(&papers, &first).await;
        assert_eq!(said, [Said::Admitted, Said::Opened]);
        let answer = within(answer_to(Portal::new(secure))).await;
        within(link.shutdown()).await;

        let (longer, _) = first_of(MAX_FIRST + 1);
        let (_, refused, link) = way.shown(&papers, &longer).await;
        within(link.shutdown()).await;
        (letters, answer, refused)
    };
    let (letters, answer, refused) = in_the_cafe(world, visit)?;

    narrator.say(format!(
        "{MAX_FIRST} bytes: the database counts {answer} letters; one more: {refused:?}"
    ));
    let too_much = Code::ClientAsksTooMuch.number();
    match &refused[..] {
        [Said::Admitted, Said::Refused(code, words, _)]
            if *code == too_much && words.contains("16 KiB") && answer == letters.to_string() =>
        {
            Ok(())
        }
        _ => Err(Trouble::new(format!("{letters} letters were sent"))),
    }
}

/// A startup and a query behind it, so many bytes together, and how many letters the query asks to be counted.
fn first_of(length: usize) -> (Vec<u8>, usize) {
    let parameters = format!("user\0ana\0database\0{DATABASE}\0\0");
    let mut first = counted(&[&[0, 3, 0, 0], parameters.as_bytes()].concat());
    let (before, after) = ("select length('", "')\0");
    let letters = length - first.len() - 5 - before.len() - after.len();
    first.push(b'Q');
    first.extend(counted(
        format!("{before}{}{after}", "x".repeat(letters)).as_bytes(),
    ));
    assert_eq!(first.len(), length);
    (first, letters)
}

fn counted(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&length.to_be_bytes()[..], body].concat()
}

/// The one value in the one row, once the database is ready for the second time.
async fn answer_to(mut portal: Portal) -> String {
    let mut heard = Vec::new();
    while heard
        .windows(READY.len())
        .filter(|six| *six == READY)
        .count()
        < 2
    {
        assert!(portal.read_buf(&mut heard).await.unwrap() > 0, "{heard:?}");
    }
    portal.write_all(b"X\0\0\0\x04").await.unwrap();
    portal.shutdown().await.unwrap();
    portal.read_to_end(&mut Vec::new()).await.unwrap();
    let row = heard
        .windows(7)
        .position(|row| row[0] == b'D' && row[5..] == [0, 1]);
    let value = &heard[row.unwrap() + 7..];
    let length = usize::try_from(u32::from_be_bytes(*value.first_chunk().unwrap())).unwrap();
    String::from_utf8(value[4..4 + length].to_vec()).unwrap()
}
