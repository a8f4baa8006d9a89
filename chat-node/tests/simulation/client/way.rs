//! The ways in which a client is told what happens: over a WebSocket, by a stream of events, or by asking some node again
//! and again. It goes from one to the other with the same cursors.

use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::Request;
use axum::http::header::AUTHORIZATION;
use chat_node::protocol::cursors::Cursors;
use serde::de::DeserializeOwned;

use super::frame::{Frame, Page};
use super::poll::Poll;
use super::stream::Stream;
use super::view::View;
use crate::cluster::Cluster;
use crate::dice::Dice;
use crate::exchange::Part;
use crate::trace::NodeId;
use crate::wire::{Arriving, ClientEnd, Down};

pub enum Way {
    Socket(ClientEnd),
    Stream(Stream),
    Poll(Poll),
}

/// What a client hears.
pub enum Heard {
    Frame(Box<Frame>),
    Page(Page),
    SignOfLife,
    /// What no node may write.
    Nonsense(String),
    /// The end, and why.
    End(String),
}

/// How a client asks for events.
pub struct Asking {
    pub cluster: Arc<Cluster>,
    pub dice: Dice,
    pub token: String,
}

impl Way {
    /// To some node, with the name of that if it is only one.
    pub fn open(asking: Asking, cursors: &Cursors) -> Option<(Self, Option<NodeId>)> {
        match asking.dice.up_to(9) {
            0..6 => asking.cluster.connect(&asking.dice).map(|(node, end)| (Self::Socket(end), Some(node))),
            6..8 => Stream::open(&asking, cursors).map(|(node, stream)| (Self::Stream(stream), Some(node))),
            _ => Some((Self::Poll(Poll::new(asking)), None)),
        }
    }

    /// Waits for what comes next. Nothing is lost if the future is dropped.
    pub async fn hear(&mut self, view: &Mutex<View>) -> Heard {
        match self {
            Self::Socket(end) => match end.hear().await {
                Some(Down::Frame(frame)) => read(frame.as_str(), |frame| Heard::Frame(Box::new(frame))),
                Some(Down::Close(reason)) => Heard::End(format!("closed: {}", reason.text())),
                None => Heard::End("broken".to_owned()),
            },
            Self::Stream(stream) => stream.hear().await,
            Self::Poll(poll) => poll.hear(view).await,
        }
    }
}

impl Asking {
    /// Asks some node for `path`.
    pub fn ask(&self, path: &str) -> Option<(NodeId, Arriving<Part>)> {
        let request = Request::get(format!("/api/v1/{path}"))
            .header(AUTHORIZATION, format!("Bearer {}", self.token))
            .body(Body::empty());
        self.cluster.ask(&self.dice, request.ok()?)
    }
}

/// Something that is read from JSON.
pub fn read<T: DeserializeOwned>(text: &str, heard: impl FnOnce(T) -> Heard) -> Heard {
    match serde_json::from_str(text) {
        Ok(value) => heard(value),
        Err(error) => Heard::Nonsense(format!("{text}: {error}")),
    }
}
