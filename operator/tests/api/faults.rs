//! A fault at one of the operator's calls, whomever it calls: the API server, the broker or a chat node.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use axum::extract::Request;
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use kube::client::Body;
use serde_json::json;
use tokio::sync::Notify;
use tower::{BoxError, Layer, Service};

/// Whom the operator calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    ApiServer,
    Broker,
    ChatNode,
    Watch,
}

/// What happens at the call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The operator ends, and the call was never made.
    CrashBefore,
    /// The operator ends, and the call was made.
    CrashAfter,
    /// The call is refused with this status, and nothing is done.
    Refuse(u16),
    /// The call is done, and its answer gets lost.
    LoseAnswer,
    /// The call takes a while.
    Delay,
    /// The watch breaks off where it would tell something.
    Cut,
    /// The watch is told that it is too old to go on.
    Gone,
}

/// Where the fault is, and how far the operator has come.
#[derive(Debug)]
pub struct Faults {
    at: Option<(usize, Fault)>,
    made: AtomicUsize,
    hit: Mutex<Option<(Place, String)>>,
    crash: Notify,
}

const DELAY: Duration = Duration::from_millis(150);

impl Faults {
    pub fn none() -> Arc<Self> {
        Self::new(None)
    }

    /// A fault at the call of this number, counted from 0.
    pub fn at(call: usize, fault: Fault) -> Arc<Self> {
        Self::new(Some((call, fault)))
    }

    fn new(at: Option<(usize, Fault)>) -> Arc<Self> {
        Arc::new(Self {
            at,
            made: AtomicUsize::new(usize::MAX / 2),
            hit: Mutex::default(),
            crash: Notify::new(),
        })
    }

    /// Counts calls from here on. Before nothing happens.
    pub fn arm(&self) {
        self.made.store(0, Ordering::SeqCst);
    }

    /// Number of calls since.
    pub fn calls(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }

    /// The call that was hit, if one was.
    pub fn hit(&self) -> Option<(Place, String)> {
        self.hit.lock().unwrap().clone()
    }

    /// Waits until the operator has to end.
    pub async fn crashed(&self) {
        self.crash.notified().await;
    }

    /// The operator's last moment.
    async fn end<T>(&self) -> T {
        self.crash.notify_one();
        pending().await
    }

    /// The next call, or the next thing that a watch is told: what happens to it.
    pub fn next(&self, place: Place, what: String) -> Option<Fault> {
        let call = self.made.fetch_add(1, Ordering::SeqCst);
        let fault = self.at.filter(|(at, _)| *at == call).map(|(_, fault)| fault)?;
        *self.hit.lock().unwrap() = Some((place, what));
        Some(fault)
    }

    /// The fault in front of a server.
    pub async fn http(&self, place: Place, request: Request, next: Next) -> Response {
        let what = format!("{} {}", request.method(), request.uri().path());
        match self.next(place, what) {
            None | Some(Fault::Cut | Fault::Gone) => next.run(request).await,
            Some(Fault::CrashBefore) => self.end().await,
            Some(Fault::CrashAfter) => {
                next.run(request).await;
                self.end().await
            }
            Some(Fault::Refuse(status)) => status_of(status).into_response(),
            Some(Fault::LoseAnswer) => {
                next.run(request).await;
                StatusCode::BAD_GATEWAY.into_response()
            }
            Some(Fault::Delay) => {
                tokio::time::sleep(DELAY).await;
                next.run(request).await
            }
        }
    }
}

fn status_of(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap()
}

/// The fault in the client of the API server.
#[derive(Clone)]
pub struct FaultLayer(pub Arc<Faults>);

#[derive(Clone)]
pub struct FaultService<S> {
    inner: S,
    faults: Arc<Faults>,
}

impl<S> Layer<S> for FaultLayer {
    type Service = FaultService<S>;

    fn layer(&self, inner: S) -> FaultService<S> {
        FaultService { inner, faults: Arc::clone(&self.0) }
    }
}

type Answer = axum::http::Response<axum::body::Body>;

impl<S, B> Service<axum::http::Request<Body>> for FaultService<S>
where
    S: Service<axum::http::Request<Body>, Response = axum::http::Response<B>, Error = BoxError>,
    S::Future: Send + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Answer;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: axum::http::Request<Body>) -> Self::Future {
        let what = format!("{} {}", request.method(), request.uri().path());
        let faults = Arc::clone(&self.faults);
        let fault = faults.next(Place::ApiServer, what);
        match fault {
            Some(Fault::CrashBefore) => return Box::pin(async move { faults.end().await }),
            Some(Fault::Refuse(status)) => return Box::pin(async move { Ok(refusal(status)) }),
            _ => {}
        }
        let call = self.inner.call(request);
        Box::pin(async move {
            if fault == Some(Fault::Delay) {
                tokio::time::sleep(DELAY).await;
            }
            let answer = call.await?.map(axum::body::Body::new);
            match fault {
                Some(Fault::CrashAfter) => faults.end().await,
                Some(Fault::LoseAnswer) => Err("the answer got lost".into()),
                _ => Ok(answer),
            }
        })
    }
}

/// What the API server says.
fn refusal(code: u16) -> Answer {
    let reason = match code {
        409 => "Conflict",
        410 => "Expired",
        429 => "TooManyRequests",
        _ => "InternalError",
    };
    let body = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "a fault on purpose", "reason": reason, "code": code,
    });
    (status_of(code), axum::Json(body)).into_response()
}
