//! Remembers the frames that were read last: what goes to thousands of connections is the same text each time, and to
//! compare it is much cheaper than to read it again.

use super::FromServer;
use super::read::{NotUnderstood, read};
use crate::load::message::Run;
use crate::load::oracle::Entry;

/// Places to remember a frame at; what falls on the same one pushes the other out.
const PLACES: usize = 1_024;
/// Where the ids of messages stand as servers write them: what differs most between frames.
const TELLING: std::ops::Range<usize> = 56..72;

#[derive(Debug, Default)]
struct Remembered {
    text: Vec<u8>,
    channel: u64,
    entry: Option<Entry>,
}

/// Reads frames of one run.
#[derive(Debug)]
pub struct Reader {
    run: Run,
    remembered: Vec<Remembered>,
}

impl Reader {
    /// Reads frames of this run.
    pub fn new(run: Run) -> Self {
        Self { run, remembered: (0..PLACES).map(|_| Remembered::default()).collect() }
    }

    /// The frame that a text holds.
    ///
    /// # Errors
    /// [`NotUnderstood`].
    pub fn read(&mut self, text: &[u8]) -> Result<FromServer, NotUnderstood> {
        let Some(telling) = text.get(TELLING) else { return read(&self.run, text) };
        let place = &mut self.remembered[place(telling)];
        if let Some(entry) = place.entry.filter(|_| place.text == text) {
            return Ok(FromServer::Entry(place.channel, entry));
        }
        let frame = read(&self.run, text)?;
        if let FromServer::Entry(channel, entry) = frame {
            place.text.clear();
            place.text.extend_from_slice(text);
            (place.channel, place.entry) = (channel, Some(entry));
        }
        Ok(frame)
    }
}

fn place(telling: &[u8]) -> usize {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    telling.iter().fold(0xcbf2_9ce4_8422_2325, mix) as usize % PLACES
}
