//! What has to be done to the menu that is shown, to make it another one.
//! A newcomer would set it anew as a whole: on Linux that registers the icon again, and Xfce's panel dies when it is still reading the menu before.

use super::{Item, Menu};

/// One step; the steps are taken in order, and each counts from the top of what the one before left.
#[derive(Clone, Debug, PartialEq)]
pub enum Edit {
    Label { at: usize, label: String },
    Remove { at: usize },
    Insert { at: usize, item: Item },
}

/// Items that stay are only given their new words, so that a menu that is open stays open; what is between the first and the last that differ in kind is replaced.
pub fn edits(shown: &Menu, wanted: &Menu) -> Vec<Edit> {
    let (old, new) = (shown.items.as_slice(), wanted.items.as_slice());
    let pairs = || old.iter().zip(new);
    let above = pairs()
        .take_while(|(old, new)| old.is_one_with(new))
        .count();
    let most = old.len().min(new.len()) - above;
    let from_below = old.iter().rev().zip(new.iter().rev());
    let below = from_below.take_while(|(old, new)| old.is_one_with(new));
    let below = below.take(most).count();
    let (gone, come) = (above..old.len() - below, above..new.len() - below);

    let removed = gone.map(|_| Edit::Remove { at: above });
    let inserted = come.map(|at| Edit::Insert {
        at,
        item: new[at].clone(),
    });
    let stays = pairs().take(above).enumerate();
    let stays = stays.chain(
        old[old.len() - below..]
            .iter()
            .zip(&new[new.len() - below..])
            .enumerate()
            .map(|(from, pair)| (new.len() - below + from, pair)),
    );
    let labelled = stays.filter_map(|(at, (old, new))| {
        let label = new.label().filter(|label| old.label() != Some(label))?;
        Some(Edit::Label {
            at,
            label: label.to_owned(),
        })
    });
    removed.chain(inserted).chain(labelled).collect()
}

impl Item {
    /// Whether it is the same one, whatever it says now.
    fn is_one_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Line(_), Self::Line(_)) | (Self::Separator, Self::Separator) => true,
            (Self::Entry { id, .. }, Self::Entry { id: other, .. }) => id == other,
            (Self::Line(_) | Self::Entry { .. } | Self::Separator, _) => false,
        }
    }

    fn label(&self) -> Option<&str> {
        match self {
            Self::Line(label) | Self::Entry { label, .. } => Some(label),
            Self::Separator => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Intent;

    /// `-` is a separator, `=text` a line, everything else an entry with its id before the colon.
    fn menu(text: &str) -> Menu {
        let items = text
            .split_whitespace()
            .map(|word| match word.split_once(':') {
                Some((id, label)) => Item::Entry {
                    id: id.to_owned(),
                    label: label.to_owned(),
                    intent: Intent::OpenWindow,
                },
                None if word == "-" => Item::Separator,
                None => Item::Line(word.to_owned()),
            });
        Menu {
            items: items.collect(),
        }
    }

    fn apply(mut menu: Menu, edits: Vec<Edit>) -> Menu {
        for edit in edits {
            match edit {
                Edit::Remove { at } => drop(menu.items.remove(at)),
                Edit::Insert { at, item } => menu.items.insert(at, item),
                Edit::Label { at, label: new } => match &mut menu.items[at] {
                    Item::Line(label) | Item::Entry { label, .. } => *label = new,
                    Item::Separator => panic!("a separator says nothing"),
                },
            }
        }
        menu
    }

    #[test]
    fn any_menu_becomes_any_other() {
        let menus = [
            "",
            "=start - open:Open - quit:Quit",
            "=ana - connect-a:A connect-b:B - out:Out open:Open - quit:Quit",
            "=ana =again - connect-b:B - out:Out open:Open - quit:Quit",
            "=ana - =a·12h drop-a:A copy-a:C - connect-b:B - out:Out open:Open - quit:QuitA",
            "=ana - =a·11h drop-a:A copy-a:C =b·3h drop-b:B - out:Out open:Open - quit:Quit2",
            "- - -",
            "a:1 a:1 a:2 a:1",
            "a:1",
        ];
        for from in menus.map(menu) {
            for to in menus.map(menu) {
                assert_eq!(apply(from.clone(), edits(&from, &to)), to);
            }
        }
    }

    #[test]
    fn time_that_passes_is_a_new_label_and_nothing_else() {
        let before = menu("=ana - =a·12h drop-a:A - out:Out open:Open - quit:Quit");
        let after = menu("=ana - =a·11h drop-a:A - out:Out open:Open - quit:Quit");

        assert_eq!(
            edits(&before, &after),
            [Edit::Label {
                at: 2,
                label: "=a·11h".to_owned()
            }]
        );
        assert_eq!(edits(&after, &after), []);
    }

    #[test]
    fn what_is_above_and_below_a_new_item_is_left_alone() {
        let before = menu("=ana - connect-a:A - open:Open - quit:Quit");
        let after = menu("=ana - connect-a:A connect-b:B - open:Open - quit:Quit");

        assert_eq!(edits(&before, &after).len(), 1);
        assert_eq!(edits(&after, &before), [Edit::Remove { at: 3 }]);
    }
}
