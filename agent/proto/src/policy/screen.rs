//! A look at policy text before any parser sees it: Cedar's parser and evaluator recurse, and deep text ends the process.
//! It counts, it does not understand: what it lets through may still be refused, what it refuses nobody writes by hand.

/// Largest policy text, in bytes.
pub const MAX_POLICY: usize = 64 * 1024;
/// Deepest nesting of brackets and of `if`.
pub const MAX_NESTING: usize = 32;
/// Most operators in one policy: a long chain is as deep as a nested one.
pub const MAX_OPERATORS: usize = 256;

/// Why a text was not even parsed.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScreenError {
    #[error("the policy text is larger than 64 KiB")]
    Size,
    #[error("the policy is nested more than 32 deep")]
    Nesting,
    #[error("one policy has more than 256 operators")]
    Operators,
    #[error("the policy has letters outside ascii outside of quotes")]
    Alphabet,
    #[error("the policy contains invisible or direction-changing characters")]
    Invisible,
    #[error("the policy has a quote that does not end, or a bracket too many")]
    Unbalanced,
}

/// Where the reader is.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Place {
    Code,
    Quote,
    Escape,
    Comment,
}

#[derive(Default)]
struct Counts {
    brackets: usize,
    ifs: usize,
    operators: usize,
    word: String,
}

/// Refuses text that is too large, too deep, or deceptive.
pub(super) fn screen(text: &str) -> Result<(), ScreenError> {
    if text.len() > MAX_POLICY {
        return Err(ScreenError::Size);
    }
    let mut place = Place::Code;
    let mut counts = Counts::default();
    let mut previous = '\n';
    for c in text.chars() {
        if crate::text::deceives(c) && !matches!(c, '\n' | '\r' | '\t') {
            return Err(ScreenError::Invisible);
        }
        place = match (place, c) {
            (Place::Code, '"') => counts.end_of_word().map(|()| Place::Quote)?,
            (Place::Code, '/') if previous == '/' => Place::Comment,
            (Place::Code, _) => counts.read(previous, c)?,
            (Place::Quote, '"') | (Place::Comment, '\n') => Place::Code,
            (Place::Quote, '\\') => Place::Escape,
            (Place::Quote | Place::Escape, _) => Place::Quote,
            (Place::Comment, _) => Place::Comment,
        };
        previous = c;
    }
    counts.end_of_word()?;
    let whole = counts.brackets == 0 && matches!(place, Place::Code | Place::Comment);
    if whole {
        Ok(())
    } else {
        Err(ScreenError::Unbalanced)
    }
}

impl Counts {
    fn read(&mut self, previous: char, c: char) -> Result<Place, ScreenError> {
        if !c.is_ascii() {
            return Err(ScreenError::Alphabet);
        }
        if c.is_ascii_alphanumeric() || c == '_' {
            self.word.push(c);
            return Ok(Place::Code);
        }
        self.end_of_word()?;
        match c {
            '(' | '{' => self.open()?,
            '[' => self.operator().and_then(|()| self.open())?,
            ')' | ']' | '}' => {
                self.brackets = self
                    .brackets
                    .checked_sub(1)
                    .ok_or(ScreenError::Unbalanced)?
            }
            '.' | '!' | '-' | '+' | '*' => self.operator()?,
            // The second half of `&&`, `==`, `<=` and the like is not another operator.
            '|' | '&' | '<' | '>' | '=' if !"|&<>=!".contains(previous) => self.operator()?,
            ';' if self.brackets == 0 => *self = Self::default(),
            _ => {}
        }
        Ok(Place::Code)
    }

    fn open(&mut self) -> Result<(), ScreenError> {
        self.brackets += 1;
        self.nested()
    }

    fn end_of_word(&mut self) -> Result<(), ScreenError> {
        let word = std::mem::take(&mut self.word);
        match word.as_str() {
            "if" => {
                self.ifs += 1;
                self.nested()
            }
            // Clauses are joined like `&&`: each makes the whole one deeper.
            "in" | "has" | "like" | "is" | "when" | "unless" => self.operator(),
            _ => Ok(()),
        }
    }

    fn nested(&self) -> Result<(), ScreenError> {
        if self.brackets + self.ifs > MAX_NESTING {
            Err(ScreenError::Nesting)
        } else {
            Ok(())
        }
    }

    fn operator(&mut self) -> Result<(), ScreenError> {
        self.operators += 1;
        if self.operators > MAX_OPERATORS {
            Err(ScreenError::Operators)
        } else {
            Ok(())
        }
    }
}
