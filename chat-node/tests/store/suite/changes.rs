use std::sync::Arc;

use chat_node::ids::{ChannelId, MessageId, Position};
use chat_node::protocol::attachment::Embed;
use chat_node::protocol::message::{Change, ChangeEntry, ChannelSettings, Entry, Message};
use chat_node::store::{Around, Inserted, Store};
use futures::future::join_all;

use super::fixture::{Fixture, OFFICIAL, T0, change, flakes, message, put, put_change, user, void};

fn edit(message_id: MessageId, content: &str) -> Change {
    Change::Edit {
        message_id,
        content: content.to_owned(),
        mentions: vec![user("eve")],
        mention_everyone: true,
        embeds: vec![Embed { title: Some("secret".to_owned()), ..Embed::default() }],
    }
}

fn pin(message_id: MessageId, pinned: bool) -> Change {
    Change::Pin { message_id, pinned }
}

fn delete(message_id: MessageId) -> Change {
    Change::Delete { message_id }
}

fn react(message_id: MessageId, emoji: &str, on: bool) -> Change {
    Change::React { message_id, emoji: emoji.parse().unwrap(), on }
}

fn settings(name: &str) -> Change {
    let (name, topic) = (name.to_owned(), "A topic".to_owned());
    Change::Settings(ChannelSettings { name, topic, slow_mode_s: 21_600 })
}

/// A node with one message, and changes of it at the positions that follow.
async fn with_changes(
    fixture: &Fixture,
    changes: impl Fn(MessageId) -> Vec<Change>,
) -> (Arc<dyn Store>, Message, Vec<ChangeEntry>) {
    let node = fixture.node().await;
    let (first, entries) = add_changed(&*node, "a", changes).await;
    (node, first, entries)
}

async fn add_changed(
    node: &dyn Store,
    nonce: &str,
    changes: impl Fn(MessageId) -> Vec<Change>,
) -> (Message, Vec<ChangeEntry>) {
    let (mut flakes, mut entries) = (flakes(), Vec::new());
    let first = put(node, &mut flakes, T0, nonce).await;
    for one in changes(first.id) {
        entries.push(put_change(node, &mut flakes, "ada", one).await);
    }
    (first, entries)
}

async fn shown(node: &dyn Store, id: MessageId) -> Option<Message> {
    node.message(OFFICIAL, id).await.unwrap()
}

/// The texts of the stored edits.
async fn texts_of_edits(node: &dyn Store) -> Vec<String> {
    let text = |entry: ChangeEntry| match entry.change {
        Change::Edit { content, mentions, embeds, mention_everyone, .. } => {
            let bare = mentions.is_empty() && embeds.is_empty() && !mention_everyone;
            assert_eq!(bare, content.is_empty(), "what belongs to a text goes with it");
            Some(content)
        }
        _ => None,
    };
    node.changes_after(OFFICIAL, Position(0), 500).await.unwrap().into_iter().filter_map(text).collect()
}

pub async fn a_change_comes_back_as_it_was_stored(fixture: Fixture) {
    let node = fixture.node().await;
    let id = MessageId(7);
    let all = [
        edit(id, "ho"),
        delete(id),
        react(id, "👍", true),
        react(id, ":x:", false),
        pin(id, true),
        settings("x"),
    ];
    let mut flakes = flakes();
    let entries: Vec<_> = (1..)
        .zip(all)
        .map(|(n, one)| Entry::Change(change(MessageId(flakes.take(T0 + n).unwrap()), Position(n), one)))
        .collect();
    let with_void = [entries.clone(), vec![void(Position(7))]].concat();
    assert_eq!(node.insert(&with_void).await, Ok(vec![Inserted::New; 7]));
    assert_eq!(node.insert(&entries).await, Ok(vec![Inserted::New; 6]), "again, as after a lost answer");
    assert_eq!(node.entries_after(OFFICIAL, Position(0), 10).await.as_deref(), Ok(&with_void[..]));
    let changes: Vec<_> = node.changes_after(OFFICIAL, Position(2), 3).await.unwrap();
    let expected = &entries[2..5];
    assert_eq!(changes.into_iter().map(Entry::Change).collect::<Vec<_>>(), expected);
    assert_eq!(node.changes_after(OFFICIAL, Position(6), 10).await, Ok(vec![]));
    assert_eq!(node.changes_after(ChannelId(42), Position(0), 10).await, Ok(vec![]));
}

pub async fn a_change_whose_place_is_taken_says_so(fixture: Fixture) {
    let (node, first, entries) = with_changes(&fixture, |id| vec![pin(id, true)]).await;
    let at_taken_position =
        Entry::Change(change(MessageId(first.id.0 + 9), Position(2), pin(first.id, false)));
    let with_taken_id = Entry::Change(change(entries[0].id, Position(3), pin(first.id, false)));
    let with_a_messages_id = Entry::Change(change(first.id, Position(3), pin(first.id, false)));
    let outcomes = [Inserted::PositionTaken, Inserted::IdTaken, Inserted::IdTaken];
    for (entry, outcome) in [at_taken_position, with_taken_id, with_a_messages_id].into_iter().zip(outcomes) {
        assert_eq!(node.insert(&[entry]).await, Ok(vec![outcome]));
    }
    assert_eq!(node.insert(&[void(Position(3))]).await, Ok(vec![Inserted::New]), "it is still open");
}

pub async fn the_last_edit_holds_in_whatever_order_edits_are_folded(fixture: Fixture) {
    let (node, first, edits) =
        with_changes(&fixture, |id| vec![edit(id, "one"), edit(id, "two"), edit(id, "three")]).await;
    for (index, text) in [(1, "two"), (0, "two"), (1, "two"), (2, "three"), (0, "three"), (1, "three")] {
        node.fold(&edits[index]).await.unwrap();
        let message = shown(&*node, first.id).await.unwrap();
        assert_eq!(message.content, text);
        let last = if text == "two" { &edits[1] } else { &edits[2] };
        assert_eq!(message.edited_ms, Some(last.timestamp_ms));
    }
    let message = shown(&*node, first.id).await.unwrap();
    assert!(message.mention_everyone && message.mentions == [user("eve")] && message.embeds.len() == 1);
    assert_eq!((message.author.clone(), message.nonce.clone()), (first.author, first.nonce));
    assert_eq!(node.history(OFFICIAL, Around::End, 10).await, Ok(vec![message.clone()]));
    let entries = node.entries_after(OFFICIAL, Position(0), 1).await.unwrap();
    assert_eq!(entries, [Entry::Message(message)], "a replay shows it as it is now");
}

pub async fn pins_and_edits_do_not_hinder_each_other(fixture: Fixture) {
    let changes = |id| vec![edit(id, "new"), pin(id, true), pin(id, false), pin(id, true)];
    let (node, first, entries) = with_changes(&fixture, changes).await;
    let state = async || {
        let message = shown(&*node, first.id).await.unwrap();
        let listed = node.pinned(OFFICIAL).await.unwrap();
        assert_eq!(listed.len(), usize::from(message.pinned));
        (message.pinned, message.content == "new")
    };
    for (index, expected) in
        [(1, (true, false)), (0, (true, true)), (2, (false, true)), (1, (false, true)), (3, (true, true))]
    {
        node.fold(&entries[index]).await.unwrap();
        assert_eq!(state().await, expected, "after {index}");
    }
}

pub async fn at_most_fifty_pinned_messages_are_listed_newest_first(fixture: Fixture) {
    let (node, mut flakes, mut ids) = (fixture.node().await, flakes(), Vec::new());
    for n in 0..55_u64 {
        ids.insert(0, put(&*node, &mut flakes, T0 + n, &n.to_string()).await.id);
    }
    for id in &ids {
        node.fold(&put_change(&*node, &mut flakes, "ada", pin(*id, true)).await).await.unwrap();
    }
    let listed: Vec<_> = node.pinned(OFFICIAL).await.unwrap().iter().map(|message| message.id).collect();
    assert_eq!(listed, ids[..50]);
}

pub async fn a_deleted_message_is_a_void_in_the_log_and_nowhere_else(fixture: Fixture) {
    let changes = |id| vec![pin(id, true), react(id, "👍", true), delete(id)];
    let (node, first, entries) = with_changes(&fixture, changes).await;
    let second = put(&*node, &mut flakes(), T0 + 9, "b").await;
    for entry in entries.iter().chain(&entries) {
        node.fold(entry).await.unwrap();
    }
    assert_eq!(shown(&*node, first.id).await, None);
    assert_eq!(node.history(OFFICIAL, Around::Middle(first.id), 10).await, Ok(vec![second.clone()]));
    assert_eq!(node.pinned(OFFICIAL).await, Ok(vec![]));
    assert_eq!(node.reactions(&[first.id, second.id], &user("ada")).await, Ok(vec![]));
    assert_eq!(node.reactors(first.id, &"👍".parse().unwrap(), (None, 10)).await, Ok(vec![]));
    let log = node.entries_after(OFFICIAL, Position(0), 10).await.unwrap();
    assert_eq!(log[0], void(Position(1)));
    assert_eq!((log.len(), &log[4]), (5, &Entry::Message(second)), "nothing else moves");
}

pub async fn the_keys_of_a_deleted_message_stay_taken(fixture: Fixture) {
    let (node, first, entries) = with_changes(&fixture, |id| vec![delete(id)]).await;
    node.fold(&entries[0]).await.unwrap();
    let known = node.find_nonce(OFFICIAL, &first.author.id, &first.nonce).await.unwrap().unwrap();
    assert_eq!((known.id, known.position, known.content.as_str()), (first.id, first.position, ""));
    let again = Entry::Message(message(MessageId(first.id.0 + 9), Position(3), &first.nonce));
    assert_eq!(node.insert(&[again]).await, Ok(vec![Inserted::Known(known)]));
    let same_id = Entry::Message(message(first.id, Position(3), "other"));
    assert_eq!(node.insert(&[same_id]).await, Ok(vec![Inserted::IdTaken]));
    assert_eq!(node.insert(&[void(Position(1))]).await, Ok(vec![Inserted::PositionTaken]));
}

pub async fn deleting_takes_the_text_out_of_edits_whenever_they_come(fixture: Fixture) {
    let changes = |id| vec![edit(id, "folded"), edit(id, "late"), delete(id), edit(id, "after")];
    let (node, first, entries) = with_changes(&fixture, changes).await;
    let mut flakes = flakes();
    let other = put(&*node, &mut flakes, T0 + 50, "b").await;
    let kept = put_change(&*node, &mut flakes, "ada", edit(other.id, "kept")).await;
    for index in [0, 2, 1, 3, 2] {
        node.fold(&entries[index]).await.unwrap();
    }
    node.fold(&kept).await.unwrap();
    assert_eq!(shown(&*node, first.id).await, None, "no edit brings it back");
    assert_eq!(texts_of_edits(&*node).await, ["", "", "", "kept"]);
    assert_eq!(shown(&*node, other.id).await.unwrap().content, "kept");
}

pub async fn folding_at_once_from_many_nodes_leaves_nothing_of_a_deleted_message(fixture: Fixture) {
    let node = fixture.node().await;
    let changes =
        |id| vec![edit(id, "one"), react(id, "👍", true), delete(id), edit(id, "two"), pin(id, true)];
    for round in 0..6 {
        let (first, entries) = add_changed(&*node, &round.to_string(), changes).await;
        let folds = entries.iter().chain(&entries).map(|entry| {
            let fixture = &fixture;
            async move { fixture.unprepared().await.fold(entry).await.unwrap() }
        });
        join_all(folds).await;
        assert_eq!(shown(&*node, first.id).await, None);
        assert!(texts_of_edits(&*node).await.iter().all(String::is_empty));
        assert_eq!(node.reactors(first.id, &"👍".parse().unwrap(), (None, 10)).await, Ok(vec![]));
        assert_eq!(node.pinned(OFFICIAL).await, Ok(vec![]));
        let before = Position(first.position.0 - 1);
        assert_eq!(node.entries_after(OFFICIAL, before, 1).await, Ok(vec![void(first.position)]));
    }
}

pub async fn a_reaction_counts_once_however_often_it_is_folded(fixture: Fixture) {
    let (node, mut flakes) = (fixture.node().await, flakes());
    let first = put(&*node, &mut flakes, T0, "a").await;
    let second = put(&*node, &mut flakes, T0, "b").await;
    let mut entries = Vec::new();
    for name in ["ada", "bob", "cyd", "dan"] {
        entries.push(put_change(&*node, &mut flakes, name, react(first.id, "👍", true)).await);
    }
    entries.push(put_change(&*node, &mut flakes, "bob", react(first.id, "👍", false)).await);
    entries.push(put_change(&*node, &mut flakes, "cyd", react(first.id, ":x:", true)).await);
    // The same message and user, but a word that ends otherwise.
    entries.push(put_change(&*node, &mut flakes, "ada", react(first.id, ":x", true)).await);
    let folds = entries.iter().chain(entries.iter().rev()).chain(&entries).map(|entry| {
        let fixture = &fixture;
        async move { fixture.unprepared().await.fold(entry).await.unwrap() }
    });
    join_all(folds).await;
    let counts = async |viewer: &str| {
        let mut found = node.reactions(&[second.id, first.id], &user(viewer)).await.unwrap();
        assert_eq!(found.len(), 1, "a message without reactions is left out");
        let (id, counts) = found.remove(0);
        assert_eq!(id, first.id);
        counts.into_iter().map(|one| (one.emoji.to_string(), one.count, one.me)).collect::<Vec<_>>()
    };
    let expected = |x: bool, colon: bool, thumb: bool| {
        [(":x", 1, x), (":x:", 1, colon), ("👍", 3, thumb)].map(|(emoji, n, me)| (emoji.to_owned(), n, me))
    };
    assert_eq!(counts("cyd").await, expected(false, true, true));
    assert_eq!(counts("bob").await, expected(false, false, false), "taken back");
    let reactors = async |after: Option<&str>, limit| {
        let after = after.map(user);
        node.reactors(first.id, &"👍".parse().unwrap(), (after.as_ref(), limit)).await.unwrap()
    };
    assert_eq!(reactors(None, 2).await, [user("ada"), user("cyd")]);
    assert_eq!(reactors(Some("cyd"), 2).await, [user("dan")]);
    assert_eq!(reactors(Some("dan"), 2).await, []);
}

pub async fn settings_take_the_last_change_and_survive_preparing(fixture: Fixture) {
    let (node, _, entries) = with_changes(&fixture, |_| vec![settings("first"), settings("second")]).await;
    for index in [1, 0, 1] {
        node.fold(&entries[index]).await.unwrap();
    }
    node.prepare("Official").await.unwrap();
    let channel = node.channel(OFFICIAL).await.unwrap().unwrap();
    assert_eq!(channel.settings.name, "second");
    assert_eq!((channel.settings.topic.as_str(), channel.settings.slow_mode_s), ("A topic", 21_600));
    assert_eq!(channel.head, Position(3));
}

pub async fn a_crash_between_append_and_fold_is_repaired_from_the_mark(fixture: Fixture) {
    let changes = |id| vec![edit(id, "one"), pin(id, true), edit(id, "two")];
    let (dying, first, entries) = with_changes(&fixture, changes).await;
    dying.fold(&entries[0]).await.unwrap();
    dying.set_folded(OFFICIAL, entries[0].position).await.unwrap();
    let node = fixture.unprepared().await;
    let folded = node.channel(OFFICIAL).await.unwrap().unwrap().folded;
    assert_eq!(folded, Position(2));
    let left = node.changes_after(OFFICIAL, folded, 500).await.unwrap();
    assert_eq!(left, entries[1..]);
    for entry in &left {
        node.fold(entry).await.unwrap();
    }
    node.set_folded(OFFICIAL, Position(4)).await.unwrap();
    dying.set_folded(OFFICIAL, Position(3)).await.unwrap();
    let message = shown(&*node, first.id).await.unwrap();
    assert_eq!((message.content.as_str(), message.pinned), ("two", true));
    assert_eq!(node.channel(OFFICIAL).await.unwrap().unwrap().folded, Position(4), "it never falls");
}

pub async fn a_change_of_what_is_not_there_changes_nothing(fixture: Fixture) {
    let (node, first, _) = with_changes(&fixture, |_| Vec::new()).await;
    let foreign = |one| {
        let entry = change(MessageId(first.id.0 + 1), Position(9), one);
        ChangeEntry { channel_id: ChannelId(42), ..entry }
    };
    for one in [edit(first.id, "x"), pin(first.id, true), react(first.id, "👍", true), delete(first.id)] {
        node.fold(&foreign(one)).await.unwrap();
    }
    for one in [edit(MessageId(7), "x"), pin(MessageId(7), true), react(MessageId(7), "👍", true)] {
        node.fold(&change(MessageId(first.id.0 + 1), Position(9), one)).await.unwrap();
    }
    node.fold(&foreign(settings("x"))).await.unwrap();
    assert_eq!(shown(&*node, first.id).await, Some(first.clone()));
    assert_eq!(node.message(ChannelId(42), first.id).await, Ok(None));
    assert_eq!(node.reactions(&[first.id, MessageId(7)], &user("ada")).await, Ok(vec![]));
}
