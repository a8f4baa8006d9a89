use chat_node::ids::{ChannelId, MessageId, Position};
use chat_node::protocol::message::Change;
use chat_node::store::Reserve;
use futures::future::join_all;

use super::fixture::{Fixture, OFFICIAL, T0, flakes, put, put_change, user, void, wanted};

pub async fn a_read_position_never_falls(fixture: Fixture) {
    let node = fixture.node().await;
    let ada = user("ada");
    let sets = (0..20_u64).map(|n| {
        let (fixture, ada) = (&fixture, &ada);
        async move {
            let position = Position(1 + n * 7 % 20);
            let holds = fixture.unprepared().await.set_read(ada, OFFICIAL, position).await.unwrap();
            assert!(holds >= position);
        }
    });
    join_all(sets).await;
    assert_eq!(node.set_read(&ada, OFFICIAL, Position(3)).await, Ok(Position(20)));
    assert_eq!(node.set_read(&ada, ChannelId(9), Position(0)).await, Ok(Position(0)));
    assert_eq!(node.set_read(&user("adam"), ChannelId(7), Position(5)).await, Ok(Position(5)));
    let mut reads = node.reads(&ada, &[ChannelId(7), OFFICIAL, ChannelId(9)]).await.unwrap();
    reads.sort();
    assert_eq!(reads, [(OFFICIAL, Position(20)), (ChannelId(9), Position(0))]);
    assert_eq!(node.reads(&ada, &[]).await, Ok(vec![]));
}

pub async fn only_messages_that_are_there_count_as_unread(fixture: Fixture) {
    let (node, mut flakes, mut messages) = (fixture.node().await, flakes(), Vec::new());
    for n in 0..8_u64 {
        messages.push(put(&*node, &mut flakes, T0 + n, &n.to_string()).await);
        let reserved = node.reserve(OFFICIAL, Reserve { count: 1, last_message: 0 }, T0).await.unwrap();
        node.insert(&[void(reserved.first)]).await.unwrap();
    }
    let delete = Change::Delete { message_id: messages[6].id };
    let deletion = put_change(&*node, &mut flakes, "ada", delete).await;
    let count = async |after, up_to| node.count_messages(OFFICIAL, Position(after), up_to).await.unwrap();
    assert_eq!((count(0, 100).await, count(0, 5).await), (8, 5));
    node.fold(&deletion).await.unwrap();
    let counts = [count(0, 100).await, count(1, 100).await, count(2, 100).await, count(12, 100).await];
    assert_eq!(counts, [7, 6, 6, 1]);
    assert_eq!((count(15, 100).await, count(999, 1).await), (0, 0));
    assert_eq!(node.count_messages(ChannelId(42), Position(0), 10).await, Ok(0));
    let channel = node.channel(OFFICIAL).await.unwrap().unwrap();
    assert_eq!((channel.last_message, channel.head), (messages[7].position, Position(17)));
    assert!(messages[0].id > MessageId(0));
}

pub async fn the_position_of_the_last_message_is_right_when_many_reserve_at_once(fixture: Fixture) {
    let node = fixture.node().await;
    for _ in 0..5 {
        let reserves = (0..12_u16).map(|n| {
            let fixture = &fixture;
            async move {
                let asked = Reserve { count: 1 + n % 4, last_message: n % (2 + n % 4) };
                let got = fixture.unprepared().await.reserve(OFFICIAL, asked, T0).await.unwrap();
                (asked.last_message > 0).then(|| got.first.0 - 1 + u64::from(asked.last_message))
            }
        });
        let last = join_all(reserves).await.into_iter().flatten().max();
        let channel = node.channel(OFFICIAL).await.unwrap().unwrap();
        assert_eq!(Some(channel.last_message.0), last);
    }
    let before = node.channel(OFFICIAL).await.unwrap().unwrap();
    node.reserve(OFFICIAL, Reserve { count: 3, last_message: 0 }, T0).await.unwrap();
    node.reserve(OFFICIAL, Reserve { last_message: 0, ..wanted(1) }, T0).await.unwrap();
    let after = node.channel(OFFICIAL).await.unwrap().unwrap();
    assert_eq!((after.last_message, after.head.0), (before.last_message, before.head.0 + 4));
}
