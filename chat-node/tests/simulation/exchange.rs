//! A request over HTTP and its answer: the head, then the body part by part, each a while later. What was still on its way
//! when either end goes is lost.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Request, StatusCode};
use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tower::ServiceExt;

use crate::life::Life;
use crate::wire::{Arriving, arrival, arriving};
use crate::world::World;

/// A part of an answer.
#[derive(Debug)]
pub enum Part {
    Head(StatusCode),
    Data(Bytes),
    End,
}

/// Asks a node; whoever drops what arrives does not want it any more.
pub fn ask(
    world: &Arc<World>,
    (life, router): (Arc<Life>, Router),
    request: Request<Body>,
) -> Arriving<Part> {
    let (parts, answer) = arriving(&life);
    let world = Arc::clone(world);
    tokio::spawn(async move {
        tokio::select! {
            biased;
            () = parts.closed() => {}
            () = serve(&world, (&life, router), request, &parts) => {}
        }
    });
    answer
}

async fn serve(
    world: &World,
    (life, router): (&Life, Router),
    request: Request<Body>,
    parts: &mpsc::Sender<(Instant, Part)>,
) {
    sleep_until(arrival(world)).await;
    life.runs().await;
    let Ok(response) = router.oneshot(request).await;
    let send = async |part| {
        life.runs().await;
        // Who is gone needs no answer.
        let _ = parts.send((arrival(world), part)).await;
    };
    send(Part::Head(response.status())).await;
    let mut body = response.into_body().into_data_stream();
    while let Some(Ok(data)) = body.next().await {
        send(Part::Data(data)).await;
    }
    send(Part::End).await;
}
