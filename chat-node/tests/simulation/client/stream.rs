//! A stream of events: each one is a page of frames, and its id the cursors behind it.

use chat_node::protocol::cursors::Cursors;

use super::frame::Page;
use super::way::{Asking, Heard, read};
use crate::exchange::Part;
use crate::trace::NodeId;
use crate::wire::Arriving;

pub struct Stream {
    answer: Arriving<Part>,
    text: String,
}

impl Stream {
    /// From some node, behind these cursors.
    pub fn open(asking: &Asking, cursors: &Cursors) -> Option<(NodeId, Self)> {
        let (node, answer) = asking.ask(&format!("events?cursors={cursors}"))?;
        Some((node, Self { answer, text: String::new() }))
    }

    /// Waits for the next event. Nothing is lost if the future is dropped.
    pub async fn hear(&mut self) -> Heard {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let heard = heard(event);
                self.text = rest.to_owned();
                return heard;
            }
            match self.answer.next().await {
                Some(Part::Head(_)) => {}
                Some(Part::Data(data)) => self.text.push_str(&String::from_utf8_lossy(&data)),
                // A refusal is no event.
                Some(Part::End) => return Heard::End(format!("ended: {}", self.text)),
                None => return Heard::End("broken".to_owned()),
            }
        }
    }
}

fn heard(event: &str) -> Heard {
    let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name));
    match (field("id: "), field("data: ")) {
        (Some(id), Some(data)) => read(data, |frames| Heard::Page(Page { frames, cursors: id.to_owned() })),
        (None, Some(data)) => Heard::End(format!("closed: {data}")),
        (_, None) => Heard::SignOfLife,
    }
}
