//! Requests by everybody.

use super::document::Document;
use super::place::{Actor, Place, Scene, World};
use super::support::http::{Answer, request_stream};
use super::table::Request;

/// The letters of a row in one place. After a request that changed something comes a new scene.
pub async fn answers(
    world: &mut World,
    (row, place): (&Request, Option<Place>),
    document: &Document,
) -> String {
    let place = place.unwrap_or(Place::Private);
    let mut scene = world.scene(place).await;
    let mut letters = String::new();
    for actor in Actor::ALL {
        let answer = asked(world, &scene, (row, actor)).await;
        document.assert_allows(row.route, &answer);
        let letter = letter(&answer, row);
        if letter == '+' && !row.only_reads() {
            scene = world.scene(place).await;
        }
        letters.push(letter);
    }
    letters
}

async fn asked(world: &World, scene: &Scene, (row, actor): (&Request, Actor)) -> Answer {
    if row.route == "GET /api/v1/events" {
        return request_stream(world.node.address, row.route, world.token(scene, actor).as_deref()).await;
    }
    let body = scene.filled(row.body);
    let body = if body.is_empty() { serde_json::Value::Null } else { serde_json::from_str(&body).unwrap() };
    world.say(scene, actor, (&scene.filled(&row.line()), &body)).await
}

fn letter(answer: &Answer, row: &Request) -> char {
    if answer.status == row.done {
        return '+';
    }
    assert!(answer.status >= 400, "{}: not {} but {answer:?}", row.name(), row.done);
    let problem = answer.json();
    match (answer.status, problem["code"].as_str().unwrap()) {
        (401, "unauthorized") => 'u',
        (403, "forbidden") => 'f',
        (404, "unknown_channel") => 'c',
        (404, "unknown_group") => 'g',
        (404, "unknown_message") => 'm',
        (404, "unknown_user") => 'n',
        _ => panic!("{}: not {} but {answer:?}", row.name(), row.done),
    }
}
