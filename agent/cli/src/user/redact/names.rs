//! Which names become which numbers, and where they stand in a text.
//! A newcomer would put `org-1` into the text at once: then a service called `org` is found in it again. One letter that nobody writes stands there meanwhile.

use std::collections::HashMap;

use tidegate_agent::NameOf;

/// Shorter names are replaced where they stand alone: `is` is in too many words.
const SHORT: usize = 4;
/// From here on letters stand for replacements: planes that no writing has.
const FIRST: u32 = 0xF_0000;

/// Names, and what stands for each.
#[derive(Default)]
pub(super) struct Names {
    /// By the name in small letters.
    known: HashMap<String, char>,
    /// The names of `known`, longest first, so that none is left with half of another in it.
    sorted: Vec<String>,
    /// What the letters stand for, in order.
    shown: Vec<String>,
    /// How many there are of each kind.
    counts: HashMap<&'static str, usize>,
}

impl Names {
    pub(super) fn add(&mut self, of: NameOf, name: &str) {
        let name = name.trim();
        match of {
            // The port behind it says nothing of anybody.
            NameOf::Hub | NameOf::Relay => {
                let host = name.rsplit_once(':').map_or(name, |(host, _)| host);
                self.stand_in(kind(of), host.trim_matches(['[', ']']));
            }
            _ => drop(self.stand_in(kind(of), name)),
        }
    }

    /// The letter for a name, the same each time; `None` where there is too little of it.
    pub(super) fn stand_in(&mut self, kind: &'static str, name: &str) -> Option<char> {
        let lower = name.to_lowercase();
        if let Some(letter) = self.known.get(&lower) {
            return Some(*letter);
        }
        if lower.chars().count() < 2 {
            return None;
        }
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        let shown = format!("{kind}-{count}");
        let letter = self.letter(shown)?;
        self.known.insert(lower.clone(), letter);
        let place = self
            .sorted
            .partition_point(|other| other.len() > lower.len());
        self.sorted.insert(place, lower);
        Some(letter)
    }

    fn letter(&mut self, shown: String) -> Option<char> {
        let index = u32::try_from(self.shown.len()).ok()?;
        let letter = char::from_u32(FIRST + index)?;
        self.shown.push(shown);
        Some(letter)
    }

    /// Puts letters in the place of all names. With `compound`, of those that are more than one word.
    pub(super) fn hide(&self, text: &str, compound: bool) -> String {
        let mut text = text.to_owned();
        let names = self.sorted.iter();
        for name in names.filter(|name| !compound || name.contains(is_joint)) {
            if let Some(letter) = self.known.get(name) {
                text = replaced(&text, name, *letter);
            }
        }
        text
    }

    /// Puts what is shown in the place of the letters.
    pub(super) fn show(&self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        for letter in text.chars() {
            let index = u32::from(letter).checked_sub(FIRST);
            match index.and_then(|index| self.shown.get(index as usize)) {
                Some(name) => shown.push_str(name),
                None => shown.push(letter),
            }
        }
        shown
    }
}

/// Whether the letter is one of ours: whoever writes it wants to be taken for a name.
pub(super) fn is_stand_in(letter: char) -> bool {
    u32::from(letter) >= FIRST
}

fn kind(of: NameOf) -> &'static str {
    match of {
        NameOf::Org => "org",
        NameOf::Hub => "hub",
        NameOf::Relay => "relay",
        NameOf::Device => "device",
        NameOf::Person => "person",
        NameOf::Service => "service",
        NameOf::Title => "title",
        NameOf::Database => "database",
        NameOf::Program => "program",
    }
}

/// What holds the words of a longer name together.
fn is_joint(letter: char) -> bool {
    letter.is_whitespace() || ".@:/".contains(letter)
}

/// Each place of `name`, whatever the size of its letters; a short one only where it is a word.
fn replaced(text: &str, name: &str, letter: char) -> String {
    // Only where both have as many bytes can a place in one be a place in the other.
    let lower = text.to_lowercase();
    let lower = if lower.len() == text.len() {
        lower
    } else {
        text.to_ascii_lowercase()
    };
    let alone = name.chars().count() < SHORT;
    let mut kept = String::with_capacity(text.len());
    let mut from = 0;
    for (at, _) in lower.match_indices(name) {
        let end = at + name.len();
        let is_whole = text.is_char_boundary(at) && text.is_char_boundary(end);
        if at < from || !is_whole || (alone && !is_word(&lower, at, end)) {
            continue;
        }
        kept.push_str(&text[from..at]);
        kept.push(letter);
        from = end;
    }
    kept.push_str(&text[from..]);
    kept
}

fn is_word(text: &str, from: usize, to: usize) -> bool {
    let before = text[..from].chars().next_back();
    let after = text[to..].chars().next();
    ![before, after]
        .into_iter()
        .flatten()
        .any(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_replaced_whole_wherever_it_stands_and_no_replacement_is_replaced_again() {
        let mut names = Names::default();
        for (of, name) in [
            (NameOf::Org, "acme"),
            (NameOf::Service, "org"),
            (NameOf::Service, "is"),
            (NameOf::Hub, "hub.acme.example:443"),
            (NameOf::Device, "Ana's laptop"),
        ] {
            names.add(of, name);
        }

        let hidden = names.hide(
            "ACME is acmecorp at hub.acme.example:443, this org, Ana's laptop",
            false,
        );

        assert_eq!(
            names.show(&hidden),
            "org-1 service-2 org-1corp at hub-1:443, this service-1, device-1"
        );
    }
}
