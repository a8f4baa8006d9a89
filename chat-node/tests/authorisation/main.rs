//! Who may do what: every request of the OpenAPI document and every command of the gateway, by everybody who can be
//! there, in every kind of place. A route or a command without a row here fails.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod commands;
mod described;
mod document;
mod place;
mod requests;
#[path = "../support/mod.rs"]
mod support;
mod table;

use std::collections::BTreeSet;

use chat_node::protocol::frame::ClientFrame;

use self::document::Document;
use self::place::{Actor, Place, World};
use self::table::{COMMANDS, Cells, REQUESTS};

/// What is not as the table says.
#[derive(Default)]
struct Differences(Vec<String>);

impl Differences {
    fn compare(&mut self, row: &str, place: Option<Place>, (expected, got): (&str, &str)) {
        if expected != got {
            self.0.push(format!("{row} in {place:?}: expected {expected}, got {got}"));
        }
    }

    fn assert_none(self) {
        let differences = self.0.join("\n");
        assert!(differences.is_empty(), "columns: {:?}\n{differences}", Actor::ALL);
    }
}

async fn everything_in(place: Place) {
    let mut world = World::with(place).await;
    let document = Document::of(&world.node).await;
    let mut differences = Differences::default();
    for row in REQUESTS {
        if let Some(expected) = row.cells.at(place) {
            let got = requests::answers(&mut world, (row, Some(place)), &document).await;
            differences.compare(&row.name(), Some(place), (expected, &got));
        }
    }
    for row in COMMANDS {
        if let Some(expected) = row.cells.at(place) {
            let got = commands::answers(&mut world, (row, Some(place))).await;
            differences.compare(row.op, Some(place), (expected, &got));
        }
    }
    differences.assert_none();
}

macro_rules! places {
    ($($test:ident: $place:ident;)*) => {$(
        #[tokio::test]
        async fn $test() {
            everything_in(Place::$place).await;
        }
    )*};
}

places! {
    in_a_private_group_roles_decide: Private;
    in_the_official_group_everybody_is_a_member: Official;
    a_direct_channel_has_two_users_and_no_ruler: Direct;
    where_reading_is_denied_there_is_no_channel: NoReading;
    where_sending_is_denied_one_reads: NoSending;
    where_admins_post_the_others_read: AdminsPost;
}

#[tokio::test]
async fn what_belongs_to_no_place_needs_a_token() {
    let mut world = World::new().await;
    let document = Document::of(&world.node).await;
    let mut differences = Differences::default();
    for row in REQUESTS {
        if let Cells::Anywhere(expected) = row.cells {
            let got = requests::answers(&mut world, (row, None), &document).await;
            differences.compare(&row.name(), None, (expected, &got));
        }
    }
    for row in COMMANDS {
        if let Cells::Anywhere(expected) = row.cells {
            let got = commands::answers(&mut world, (row, None)).await;
            differences.compare(row.op, None, (expected, &got));
        }
    }
    differences.assert_none();
}

#[tokio::test]
async fn the_table_has_every_request_of_the_document_and_every_command() {
    let world = World::new().await;
    let documented = Document::of(&world.node).await.operations();
    let rows: BTreeSet<_> = REQUESTS.iter().map(|row| row.route.to_owned()).collect();
    assert_eq!(rows, documented);
    let commands: BTreeSet<_> = COMMANDS.iter().map(|row| row.op).collect();
    assert_eq!(commands, ClientFrame::OPS.into_iter().collect());
}
