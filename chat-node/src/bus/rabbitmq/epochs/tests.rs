use crds::RoutingMode;
use proptest::prelude::*;

use super::*;

fn plan(epoch: u32) -> TopologyPlan {
    TopologyPlan { epoch, partitions: 4, routing: RoutingMode::User }
}

fn order(listen: &[u32], publish: u32) -> TopologyOrder {
    TopologyOrder { listen: listen.iter().copied().map(plan).collect(), publish }
}

fn serving(epoch: u32) -> Epochs {
    let mut epochs = Epochs::new(order(&[epoch], epoch)).unwrap();
    epochs.joined(plan(epoch));
    epochs
}

fn publishing(epochs: &Epochs) -> u32 {
    epochs.publishing().0.epoch
}

#[tokio::test(start_paused = true)]
async fn publishing_moves_only_to_what_is_bound() {
    let mut epochs = serving(1);
    assert_eq!(epochs.order(order(&[1, 2], 2)), Ok(true));
    epochs.switch();
    assert_eq!((epochs.to_join(Instant::now()), epochs.take_leaving()), (Some(plan(2)), None));
    assert_eq!(publishing(&epochs), 1);
    epochs.joined(plan(2));
    assert_eq!(publishing(&epochs), 2);
}

#[test]
fn an_epoch_is_left_only_after_publishing_has_moved() {
    let mut epochs = serving(1);
    epochs.order(order(&[2], 2)).unwrap();
    assert_eq!(epochs.take_leaving(), None);
    epochs.joined(plan(2));
    assert_eq!(epochs.take_leaving(), Some(plan(1)));
    assert_eq!(epochs.take_leaving(), None);
    assert_eq!(epochs.bound(), [plan(2)]);
}

#[test]
fn a_change_that_is_given_up_leaves_everything_as_it_was() {
    let mut epochs = serving(1);
    epochs.order(order(&[1, 2], 1)).unwrap();
    epochs.joined(plan(2));
    epochs.order(order(&[1], 1)).unwrap();
    assert_eq!(epochs.take_leaving(), Some(plan(2)));
    assert_eq!((publishing(&epochs), epochs.lacking()), (1, None));
}

#[test]
fn publishing_has_moved_when_nothing_is_on_its_way_to_the_earlier_epoch() {
    let mut epochs = serving(1);
    let envelope = epochs.publishing().1;
    epochs.order(order(&[1, 2], 2)).unwrap();
    epochs.joined(plan(2));
    assert_eq!(epochs.settled(), None);
    drop(envelope);
    assert_eq!(epochs.settled(), Some(2));
}

#[test]
fn the_same_order_again_is_nothing_new() {
    assert_eq!(serving(1).order(order(&[1], 1)), Ok(false));
}

#[tokio::test(start_paused = true)]
async fn a_new_connection_binds_the_whole_order_and_what_it_publishes_to_first() {
    let mut epochs = serving(1);
    epochs.order(order(&[1, 2], 2)).unwrap();
    epochs.disconnect();
    assert_eq!((publishing(&epochs), epochs.bound()), (2, &[][..]));
    assert_eq!(epochs.to_join(Instant::now()), Some(plan(2)));
    epochs.joined(plan(2));
    assert_eq!(epochs.to_join(Instant::now()), Some(plan(1)));
    // Others may still publish there.
    assert!(epochs.lacking().is_some());
    epochs.joined(plan(1));
    assert_eq!(epochs.lacking(), None);
}

#[tokio::test(start_paused = true)]
async fn an_epoch_that_cannot_be_bound_is_tried_again_ever_more_seldom() {
    let mut epochs = serving(1);
    epochs.order(order(&[1, 2], 1)).unwrap();
    let mut now = Instant::now();
    for wait in [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000] {
        assert_eq!(epochs.to_join(now), Some(plan(2)));
        epochs.failed(plan(2), "it is missing".to_owned(), now);
        assert_eq!(epochs.to_join(now), None);
        assert_eq!(epochs.next_retry(), Some(now + Duration::from_millis(wait)));
        now += Duration::from_millis(wait);
    }
    // Nobody counts on this node there yet.
    assert_eq!(epochs.lacking(), None);
}

#[tokio::test(start_paused = true)]
async fn a_bound_epoch_that_gets_lost_is_lacking_until_it_is_bound_again() {
    let mut epochs = serving(1);
    epochs.order(order(&[1, 2], 1)).unwrap();
    epochs.joined(plan(2));
    epochs.failed(plan(2), "it is missing".to_owned(), Instant::now());
    assert_eq!(epochs.bound(), [plan(1)]);
    assert!(epochs.lacking().unwrap().contains("it is missing"));
    epochs.joined(plan(2));
    assert_eq!(epochs.lacking(), None);
}

proptest! {
    /// Whatever is ordered and however binding goes: what is published has somebody who listens, and in the end the
    /// node is where it was told to be.
    #[test]
    fn every_way_ends_as_ordered(steps in proptest::collection::vec((0_u8..4, 1_u32..5, 1_u32..5), 0..60)) {
        let now = Instant::now();
        let mut epochs = serving(1);
        let mut last = order(&[1], 1);
        for (step, one, two) in steps {
            match step {
                0 => {
                    let listen = if one == two { vec![one] } else { vec![one, two] };
                    last = order(&listen, two);
                    epochs.order(last.clone()).unwrap();
                }
                1 => if let Some(plan) = epochs.to_join(now) { epochs.joined(plan) },
                2 => if let Some(plan) = epochs.to_join(now) { epochs.failed(plan, String::new(), now) },
                _ => drop(epochs.take_leaving()),
            }
            epochs.switch();
            prop_assert!(epochs.bound().contains(&epochs.publishing().0));
        }
        let later = now + RETRY.end * 2;
        while let Some(plan) = epochs.to_join(later) { epochs.joined(plan) }
        epochs.switch();
        while epochs.take_leaving().is_some() {}
        let mut bound: Vec<_> = epochs.bound().iter().map(|plan| plan.epoch).collect();
        let mut wanted: Vec<_> = last.listen.iter().map(|plan| plan.epoch).collect();
        bound.sort_unstable();
        wanted.sort_unstable();
        prop_assert_eq!(bound, wanted);
        prop_assert_eq!(epochs.settled(), Some(last.publish));
    }
}
