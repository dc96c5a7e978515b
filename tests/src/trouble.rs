//! The error of the stage: a story of what it was doing when something outside of it went wrong.
//! Text on purpose, unlike everywhere else in this repository: nobody branches on it, a person reads it.

use std::fmt::{Debug, Display, Formatter};

pub struct Trouble(String);

pub type Outcome<T> = Result<T, Trouble>;

impl Trouble {
    pub fn new(story: impl Into<String>) -> Self {
        Self(story.into())
    }
}

/// `Trouble` itself is no `Error`, so that every `Error` converts into it.
impl<E: std::error::Error> From<E> for Trouble {
    fn from(error: E) -> Self {
        let mut story = error.to_string();
        let mut cause = error.source();
        while let Some(next) = cause {
            story = format!("{story}: {next}");
            cause = next.source();
        }
        Self(story)
    }
}

impl Display for Trouble {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl Debug for Trouble {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Says what was being done: `std::fs::read(path).doing("read the notebook")?`.
pub trait Doing<T> {
    /// # Errors
    /// The original one, with the words before it.
    fn doing(self, what: impl Display) -> Outcome<T>;
}

impl<T, E: Into<Trouble>> Doing<T> for Result<T, E> {
    fn doing(self, what: impl Display) -> Outcome<T> {
        self.map_err(|error| Trouble(format!("could not {what}: {}", error.into())))
    }
}

impl<T> Doing<T> for Option<T> {
    fn doing(self, what: impl Display) -> Outcome<T> {
        self.ok_or_else(|| Trouble(format!("could not {what}: there is none")))
    }
}
