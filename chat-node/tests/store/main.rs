//! Every store behaves the same: one suite, all backends. The one on MongoDB runs where `VT_TEST_MONGODB_URI`
//! names a server; each test has a database of its own there, dropped at its end.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod channels;
mod fixture;
mod leases;
mod log;
mod messages;
#[path = "../simulation/model/mod.rs"]
#[allow(dead_code, reason = "the simulation looks deeper into it")]
mod model;
mod preparing;

macro_rules! conformance {
    ($($module:ident :: { $($test:ident),* $(,)? })*) => {
        mod embedded {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    crate::fixture::embedded(crate::$module::$test).await;
                }
            )*)*
        }

        mod simulated {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    crate::fixture::simulated(crate::$module::$test).await;
                }
            )*)*
        }

        mod mongo {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    crate::fixture::mongo(stringify!($test), crate::$module::$test).await;
                }
            )*)*
        }
    };
}

conformance! {
    preparing::{
        preparing_again_from_many_nodes_at_once_changes_nothing,
        another_bucket_length_is_refused_and_the_first_one_still_works,
        the_official_channel_takes_the_configured_name,
        a_user_is_kept_under_the_last_name,
    }
    leases::{
        nodes_that_start_at_once_hold_different_numbers,
        an_expired_number_is_leased_again_and_its_old_holder_has_lost_it,
        a_number_whose_ids_are_used_beyond_now_is_not_leased,
        a_number_that_was_given_back_says_until_when_it_was_used,
        a_lease_that_expired_but_was_not_taken_can_be_renewed,
        all_numbers_can_be_leased_and_then_none,
    }
    channels::{
        a_direct_channel_opened_from_many_nodes_at_once_is_one,
        a_users_direct_channels_come_newest_first_and_are_theirs_only,
        heads_are_told_of_the_channels_that_exist,
        positions_and_times_grow_when_the_writers_clock_goes_back,
        reserving_at_once_gives_nobody_the_same_position,
        an_unknown_channel_is_none_and_cannot_be_reserved_on,
    }
    messages::{
        an_entry_comes_back_as_it_was_stored,
        a_repeated_insert_counts_as_new,
        a_nonce_is_stored_once_when_many_race,
        one_nonce_in_two_channels_or_of_two_authors_are_different_messages,
        an_id_that_is_taken_leaves_the_position_open,
        either_the_seal_or_the_late_writer_wins,
        a_mixed_insert_tells_each_entrys_outcome,
        history_pages_join_without_gap_across_buckets_empty_ones_and_voids,
        a_page_takes_messages_that_stand_alone_in_a_hundred_buckets,
        history_before_an_id_that_does_not_exist_starts_below_it,
        entries_after_a_position_come_in_order_up_to_the_limit,
    }
    log::{
        many_writers_on_many_nodes_fill_every_position_once_in_order_of_ids,
        a_send_repeated_on_another_node_is_the_same_message,
        a_crash_between_reserve_and_insert_is_sealed_by_readers_at_once,
        a_writer_that_was_sealed_gets_another_position,
    }
}
