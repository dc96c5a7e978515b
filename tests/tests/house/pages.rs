//! What a comment sends its reader to is there: a section of the protocol's page, by its number.
//! Pages that are not part of this tree are named nowhere: whoever follows a comment must arrive.

use crate::tree::{is_code, read, tracked};

const PAGE: &str = "agent/proto/PROTOCOL.md";
/// Pages that somebody who only has this tree does not have.
const ELSEWHERE: &[&str] = &["DESIGN section", "RECIPES", "STYLE section"];

#[test]
fn every_section_of_the_protocol_that_a_comment_names_is_there() {
    let page = read(PAGE);
    let there = |number: &str| page.contains(&format!("\n## {number}. "));
    let mut named = 0;

    for file in tracked().iter().filter(|file| is_code(file)) {
        for place in read(file).split("PROTOCOL section").skip(1) {
            for number in numbers(place) {
                assert!(there(&number), "{file} names section {number} of {PAGE}");
                named += 1;
            }
        }
    }
    assert!(named > 20, "the comments name only {named} sections");
}

#[test]
fn no_comment_names_a_page_that_is_not_here() {
    let own = file!().rsplit('/').next().unwrap();
    for file in tracked().iter().filter(|file| is_code(file)) {
        let text = read(file);
        let named = ELSEWHERE.iter().find(|page| text.contains(*page));
        assert!(named.is_none() || file.ends_with(own), "{file}: {named:?}");
    }
}

/// `s 3 and 5).` names 3 and 5; ` 7, check 4` names 7.
fn numbers(after: &str) -> Vec<String> {
    let sentence = after.split(['(', ')', ',', ':', '.', '\n']).next().unwrap();
    let words = sentence.split(|letter: char| !letter.is_ascii_digit());
    words
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}
