//! A join link that came from outside, through the browser or another program: it waits here for a person's click.
//! A newcomer would hand the link to the window: only what it says goes there, the ticket stays.

use serde::Serialize;
use tidegate_agent::Secret;
use ts_rs::TS;

use crate::join_text::{LinkView, read_join_text};
use crate::problem::ProblemView;

#[derive(Clone, Debug, PartialEq)]
pub struct Arrived {
    /// `None` where it is no link that could be used.
    link: Option<Secret>,
    view: Arrival,
}

/// What the window shows of it.
#[derive(Clone, Debug, PartialEq, Serialize, TS)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Arrival {
    Link {
        link: LinkView,
        /// Another one came while this one waited; it was not taken.
        another: bool,
    },
    Bad {
        problem: Box<ProblemView>,
    },
}

impl Arrived {
    pub fn read(link: Secret) -> Self {
        match read_join_text(link.reveal()) {
            Ok(view) => Self {
                link: Some(link),
                view: Arrival::Link {
                    link: view,
                    another: false,
                },
            },
            Err(problem) => Self {
                link: None,
                view: Arrival::Bad { problem },
            },
        }
    }

    /// One more has come. A link that somebody may be reading stays: a page could put its own in its place before the click.
    pub fn and_then_came(&mut self, newer: Secret) {
        match &mut self.view {
            Arrival::Link { another, .. } => *another |= self.link.as_ref() != Some(&newer),
            Arrival::Bad { .. } => *self = Self::read(newer),
        }
    }

    pub fn view(&self) -> Arrival {
        self.view.clone()
    }

    pub fn into_link(self) -> Option<Secret> {
        self.link
    }
}
