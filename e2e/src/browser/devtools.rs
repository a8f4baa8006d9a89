//! The DevTools protocol: numbered calls and their answers over one WebSocket.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_websockets::{ClientBuilder, Limits, MaybeTlsStream, Message, WebSocketStream};

/// Calls that may be under way.
const CALLS: usize = 16;
/// A picture of a page is an answer of some MB.
const LARGEST_ANSWER: usize = 64 << 20;
const DEADLINE: Duration = Duration::from_secs(30);

/// A connection to a browser. Clones share it.
#[derive(Clone, Debug)]
pub struct DevTools {
    calls: mpsc::Sender<Call>,
}

#[derive(Debug)]
struct Call {
    message: Value,
    answer: oneshot::Sender<Value>,
}

impl DevTools {
    /// Connects to a `ws://` URL.
    pub async fn connect(url: &str) -> Result<Self> {
        let limits = Limits::default().max_payload_len(Some(LARGEST_ANSWER));
        let connecting =
            async { ClientBuilder::new().uri(url)?.limits(limits).connect().await.context("refused") };
        let connected = tokio::time::timeout(DEADLINE, connecting).await.context("no answer")?;
        let (socket, _) = connected.with_context(|| format!("cannot connect to the browser at {url}"))?;
        let (calls, inbox) = mpsc::channel(CALLS);
        tokio::spawn(exchange(socket, inbox));
        Ok(Self { calls })
    }

    /// Calls a method of the browser.
    pub async fn call(&self, method: &str, params: Value) -> Result<Value> {
        self.call_in(None, method, params).await
    }

    /// Calls a method of a page, by the page's session.
    pub async fn call_in(&self, session: Option<&str>, method: &str, params: Value) -> Result<Value> {
        let mut message = json!({ "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = json!(session);
        }
        let (answer, answered) = oneshot::channel();
        self.calls.send(Call { message, answer }).await.ok().context("the browser is gone")?;
        let answer = tokio::time::timeout(DEADLINE, answered).await;
        let mut answer =
            answer.with_context(|| format!("{method}: no answer"))?.context("the browser is gone")?;
        if let Some(error) = answer.get("error") {
            bail!("{method}: {error}");
        }
        Ok(answer["result"].take())
    }
}

/// Numbers the calls and brings the answers to their callers; ends with the connection.
async fn exchange(mut socket: WebSocketStream<MaybeTlsStream<TcpStream>>, mut inbox: mpsc::Receiver<Call>) {
    let mut waiting: HashMap<u64, oneshot::Sender<Value>> = HashMap::new();
    let mut next = 1_u64;
    loop {
        tokio::select! {
            call = inbox.recv() => {
                let Some(Call { mut message, answer }) = call else { return };
                message["id"] = json!(next);
                waiting.insert(next, answer);
                next += 1;
                if socket.send(Message::text(message.to_string())).await.is_err() {
                    return;
                }
            }
            message = socket.next() => {
                let Some(Ok(message)) = message else { return };
                let value: Option<Value> = message.as_text().and_then(|text| serde_json::from_str(text).ok());
                // What has no number is an event; nobody asked for one.
                let Some(value) = value else { continue };
                let caller = value["id"].as_u64().and_then(|id| waiting.remove(&id));
                if let Some(caller) = caller {
                    // The caller may have stopped waiting.
                    let _ = caller.send(value);
                }
            }
        }
    }
}
