//! Server-sent events, as the authority sends them: bytes in, events out (WHATWG HTML, section 9.2).
//! Only `event`, `data` and `id` matter here, an id for its own event alone, and every length is bounded; a stream that exceeds a bound is not read on.

/// The longest line, in bytes; a beacon is one line.
pub const MAX_LINE: usize = 64 * 1024;

/// One event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerEvent {
    /// `message` when the stream names none.
    pub name: String,
    pub data: String,
    /// Empty where the stream says none.
    pub id: String,
}

/// Why a stream is not read on.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventError {
    #[error("a line of the event stream is too long")]
    TooLong,
    #[error("the event stream is not text")]
    NotText,
}

/// Takes a stream apart, however its bytes were cut.
#[derive(Default)]
pub struct EventParser {
    line: Vec<u8>,
    name: String,
    data: Option<String>,
    id: String,
    /// The line before ended with CR: a LF now belongs to it.
    after_cr: bool,
}

impl EventParser {
    /// The events that `bytes` complete.
    ///
    /// # Errors
    /// When a bound is exceeded or a line is not UTF-8; the parser is of no use afterwards.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<ServerEvent>, EventError> {
        let mut events = Vec::new();
        for byte in bytes {
            let ends_cr = std::mem::replace(&mut self.after_cr, *byte == b'\r');
            match byte {
                b'\n' if ends_cr => {}
                b'\n' | b'\r' => events.extend(self.end_line()?),
                _ if self.line.len() == MAX_LINE => return Err(EventError::TooLong),
                other => self.line.push(*other),
            }
        }
        Ok(events)
    }

    fn end_line(&mut self) -> Result<Option<ServerEvent>, EventError> {
        let line = std::mem::take(&mut self.line);
        let line = std::str::from_utf8(&line).map_err(|_| EventError::NotText)?;
        if line.is_empty() {
            return Ok(self.dispatch());
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.name),
            "data" => self.add_data(value)?,
            "id" => value.clone_into(&mut self.id),
            _ => {}
        }
        Ok(None)
    }

    fn add_data(&mut self, value: &str) -> Result<(), EventError> {
        let data = match self.data.take() {
            Some(before) => before + "\n" + value,
            None => value.to_owned(),
        };
        if data.len() > MAX_LINE {
            return Err(EventError::TooLong);
        }
        self.data = Some(data);
        Ok(())
    }

    fn dispatch(&mut self) -> Option<ServerEvent> {
        let (name, id) = (std::mem::take(&mut self.name), std::mem::take(&mut self.id));
        let data = self.data.take()?;
        let name = if name.is_empty() {
            "message".to_owned()
        } else {
            name
        };
        Some(ServerEvent { name, data, id })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn event(name: &str, data: &str, id: &str) -> ServerEvent {
        ServerEvent {
            name: name.into(),
            data: data.into(),
            id: id.into(),
        }
    }

    #[test]
    fn reads_the_same_events_however_the_bytes_are_cut() {
        let stream = b": hello\r\n\r\nevent: beacon\ndata: a.b.c\n\nevent:changed\r\ndata\r\rdata:x\ndata: y\nid: 7\n\ndata: z\n\n";
        let expected = [
            event("beacon", "a.b.c", ""),
            event("changed", "", ""),
            event("message", "x\ny", "7"),
            event("message", "z", ""),
        ];

        for size in 1..stream.len() {
            let mut parser = EventParser::default();
            let events: Vec<_> = stream
                .chunks(size)
                .flat_map(|chunk| parser.push(chunk).unwrap())
                .collect();
            assert_eq!(events, expected, "in pieces of {size}");
        }
    }

    #[test]
    fn an_event_without_data_is_none() {
        assert_eq!(
            EventParser::default().push(b"event: beacon\n\n"),
            Ok(vec![])
        );
    }

    #[test]
    fn refuses_what_never_ends() {
        assert_eq!(
            EventParser::default().push(&vec![b'x'; MAX_LINE + 1]),
            Err(EventError::TooLong)
        );
        let lines = format!("data: {}\n", "x".repeat(1000)).repeat(70);
        assert_eq!(
            EventParser::default().push(lines.as_bytes()),
            Err(EventError::TooLong)
        );
        assert_eq!(
            EventParser::default().push(b"data: \xff\n"),
            Err(EventError::NotText)
        );
    }
}
