//! Commands by everybody.

use serde_json::{Value, json};

use super::place::{Actor, Place, Scene, World};
use super::support::client::{Client, Closed};
use super::table::Command;

/// The letters of a row in one place.
pub async fn answers(world: &mut World, (row, place): (&Command, Option<Place>)) -> String {
    let scene = world.scene(place.unwrap_or(Place::Private)).await;
    let mut letters = String::new();
    for actor in Actor::ALL {
        letters.push(answer(world, &scene, (row, actor)).await);
    }
    letters
}

async fn answer(world: &World, scene: &Scene, (row, actor): (&Command, Actor)) -> char {
    let mut client = Client::connect(&world.node).await;
    let token = world.token(scene, actor);
    if row.op == "identify" {
        return identify(&mut client, scene, token).await;
    }
    if let Some(token) = token {
        client.say(&json!({"op": "identify", "token": token})).await;
        client.next("ready").await;
    }
    let mut frame: Value = serde_json::from_str(&scene.filled(row.fields)).unwrap();
    frame["op"] = json!(row.op);
    client.say(&frame).await;
    if row.done.is_empty() {
        // What is refused is refused before this is answered.
        client.say(&json!({"op": "heartbeat"})).await;
        return outcome(&mut client, "heartbeat_ack").await;
    }
    outcome(&mut client, row.done).await
}

/// Whether the channel is among those of the user.
async fn identify(client: &mut Client, scene: &Scene, token: Option<String>) -> char {
    client.say(&json!({"op": "identify", "token": token.as_deref().unwrap_or("none")})).await;
    match client.frame().await {
        Ok(ready) if ready["op"] == "ready" => {
            let channels = ready["channels"].as_array().unwrap();
            let id = scene.filled("{channel}");
            if channels.iter().any(|channel| channel["id"] == id.as_str()) { '+' } else { '-' }
        }
        Ok(error) => {
            assert_eq!((&error["op"], &error["code"]), (&json!("error"), &json!("unauthorized")));
            assert_eq!(client.closed().await, Closed(4004));
            't'
        }
        Err(closed) => panic!("{closed:?}"),
    }
}

async fn outcome(client: &mut Client, done: &str) -> char {
    loop {
        match client.frame().await {
            Ok(frame) if frame["op"] == done || frame["type"] == done => return '+',
            Ok(frame) if frame["op"] == "error" => {
                return match frame["code"].as_str().unwrap() {
                    "forbidden" => 'f',
                    "unknown_channel" => 'c',
                    _ => panic!("not {done} but {frame}"),
                };
            }
            // What others do.
            Ok(_) => {}
            Err(closed) => {
                assert_eq!(closed, Closed(4003));
                return 'i';
            }
        }
    }
}
