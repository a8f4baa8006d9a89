use chat_node::protocol::message::User;
use chat_node::store::bucket::BucketLength;
use chat_node::store::{Around, StoreError};
use futures::future::join_all;

use super::fixture::{Fixture, OFFICIAL, T0, flakes, put, user};

pub async fn preparing_again_from_many_nodes_at_once_changes_nothing(fixture: Fixture) {
    let mut nodes = Vec::new();
    for _ in 0..6 {
        nodes.push(fixture.unprepared().await);
    }
    for done in join_all(nodes.iter().map(|node| node.prepare("Official"))).await {
        done.unwrap();
    }
    let first = put(&*nodes[0], &mut flakes(), T0, "a").await;
    for done in join_all(nodes.iter().map(|node| node.prepare("Official"))).await {
        done.unwrap();
    }
    assert_eq!(nodes[1].channel(OFFICIAL).await.unwrap().unwrap().head, first.position);
    assert_eq!(nodes[2].history(OFFICIAL, Around::End, 10).await.unwrap(), [first]);
}

pub async fn another_bucket_length_is_refused_and_the_first_one_still_works(fixture: Fixture) {
    drop(fixture.node().await);
    let other = fixture.open(BucketLength::default()).await.unwrap();
    let Err(StoreError::Refused(reason)) = other.prepare("Official").await else { panic!("not refused") };
    assert!(reason.contains("3600 s") && reason.contains("10d"), "{reason}");
    drop(other);
    let hour = "60m".parse::<crds::Duration>().unwrap();
    fixture.open(hour.into()).await.unwrap().prepare("Official").await.unwrap();
}

pub async fn the_official_channel_takes_the_configured_name(fixture: Fixture) {
    let node = fixture.node().await;
    put(&*node, &mut flakes(), T0, "a").await;
    node.prepare("Everyone").await.unwrap();
    let channel = node.channel(OFFICIAL).await.unwrap().unwrap();
    assert_eq!((channel.settings.name.as_str(), channel.head.0), ("Everyone", 1));
}

pub async fn a_user_is_kept_under_the_last_name(fixture: Fixture) {
    let node = fixture.node().await;
    assert_eq!(node.user(&user("ada")).await, Ok(None));
    for name in ["Ada", "Ada Lovelace"] {
        node.put_user(&User { id: user("ada"), name: name.to_owned() }).await.unwrap();
    }
    let puts = (0..10).map(|_| async {
        let bob = User { id: user("bob"), name: "Bob".to_owned() };
        fixture.unprepared().await.put_user(&bob).await
    });
    join_all(puts).await.into_iter().for_each(|done| done.unwrap());
    let name = |user: Option<User>| user.map(|user| user.name);
    assert_eq!(node.user(&user("ada")).await.map(name), Ok(Some("Ada Lovelace".to_owned())));
    assert_eq!(node.user(&user("bob")).await.map(name), Ok(Some("Bob".to_owned())));
}
