//! A fault in a watch: it breaks off in the middle, or is told that it is too old to go on.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body as AnyBody, Bytes, HttpBody};
use axum::http::{Request, Response};
use futures::{StreamExt, future, stream};
use kube::client::Body;
use serde_json::json;
use tower::{BoxError, Layer, Service};

use crate::faults::{Fault, Faults, Place};

/// The fault in the client that watches.
#[derive(Clone)]
pub struct WatchFaultLayer(pub Arc<Faults>);

#[derive(Clone)]
pub struct WatchFaultService<S> {
    inner: S,
    faults: Arc<Faults>,
}

impl<S> Layer<S> for WatchFaultLayer {
    type Service = WatchFaultService<S>;

    fn layer(&self, inner: S) -> WatchFaultService<S> {
        WatchFaultService { inner, faults: Arc::clone(&self.0) }
    }
}

impl<S, B> Service<Request<Body>> for WatchFaultService<S>
where
    S: Service<Request<Body>, Response = Response<B>, Error = BoxError>,
    S::Future: Send + 'static,
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<AnyBody>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<AnyBody>, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let is_watch = request.uri().query().is_some_and(|query| query.contains("watch=true"));
        let path = request.uri().path().to_owned();
        let (faults, call) = (Arc::clone(&self.faults), self.inner.call(request));
        Box::pin(async move {
            let answer = call.await?.map(AnyBody::new);
            Ok(if is_watch { answer.map(|body| faulty(body, path, faults)) } else { answer })
        })
    }
}

/// The body up to the fault, and what the fault puts in the place of the rest.
fn faulty(body: AnyBody, path: String, faults: Arc<Faults>) -> AnyBody {
    let pieces = body.into_data_stream().map(move |piece| match faults.next(Place::Watch, path.clone()) {
        Some(Fault::Cut) => (Some(Err(BoxError::from("the watch is cut on purpose"))), true),
        Some(Fault::Gone) => (Some(Ok(gone())), true),
        _ => (Some(piece.map_err(BoxError::from)), false),
    });
    let last = stream::once(future::ready((None, false)));
    let pieces = pieces.chain(last).scan(false, |over, (piece, is_last)| {
        let was_over = std::mem::replace(over, *over || is_last);
        future::ready(piece.filter(|_| !was_over))
    });
    AnyBody::from_stream(pieces)
}

fn gone() -> Bytes {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": "too old resource version: a fault on purpose", "reason": "Expired", "code": 410,
    });
    format!("{}\n", json!({ "type": "ERROR", "object": status })).into()
}
