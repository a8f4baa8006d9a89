//! What every store must do. `suite!(run)` makes a test of every sentence; `run` gets its name and its body, and calls
//! the body with a [`fixture::Fixture`] around an empty database.

pub mod changes;
pub mod channels;
pub mod fixture;
pub mod groups;
pub mod leases;
pub mod log;
pub mod messages;
pub mod preparing;
pub mod reads;
pub mod retention;
pub mod revisions;

macro_rules! suite {
    (@tests $run:path; $($module:ident :: { $($test:ident),* $(,)? })*) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                $run(stringify!($test), crate::suite::$module::$test).await;
            }
        )*)*
    };
    ($run:path) => {
        suite! { @tests $run;
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
                history_goes_both_ways_from_any_message_across_empty_buckets,
                history_finds_what_lies_beyond_hundreds_of_buckets_without_messages,
                entries_after_a_position_come_in_order_up_to_the_limit,
            }
            changes::{
                a_change_comes_back_as_it_was_stored,
                a_change_whose_place_is_taken_says_so,
                the_last_edit_holds_in_whatever_order_edits_are_folded,
                pins_and_edits_do_not_hinder_each_other,
                at_most_fifty_pinned_messages_are_listed_newest_first,
                a_deleted_message_is_a_void_in_the_log_and_nowhere_else,
                the_keys_of_a_deleted_message_stay_taken,
                deleting_takes_the_text_out_of_edits_whenever_they_come,
                folding_at_once_from_many_nodes_leaves_nothing_of_a_deleted_message,
                a_reaction_counts_once_however_often_it_is_folded,
                settings_take_the_last_change_and_survive_preparing,
                a_crash_between_append_and_fold_is_repaired_from_the_mark,
                a_change_of_what_is_not_there_changes_nothing,
            }
            groups::{
                a_group_made_from_many_nodes_at_once_is_one,
                the_official_group_has_the_configured_name_and_the_first_channel,
                two_changes_at_once_are_both_noted,
                a_position_reserved_after_a_bump_carries_its_version,
                an_entry_keeps_the_access_version_it_was_reserved_under,
                only_the_last_changes_are_remembered,
                members_come_in_order_of_their_ids_page_by_page,
                a_users_groups_come_in_order_and_are_theirs_only,
                a_groups_channels_are_made_once_listed_in_order_and_removed,
                a_deleted_group_takes_its_members_and_channels_along,
            }
            revisions::{
                a_role_is_changed_in_place,
                a_role_write_that_comes_late_changes_nothing,
                who_is_put_out_before_they_come_in_stays_out,
                a_role_write_that_meets_its_own_success_has_succeeded,
                of_many_role_writes_at_once_over_one_revision_one_holds,
                a_removed_member_leaves_nothing_that_counts_as_one,
                overrides_that_come_late_change_nothing,
                settings_of_a_group_that_come_late_change_nothing,
            }
            reads::{
                a_read_position_never_falls,
                only_messages_that_are_there_count_as_unread,
                the_position_of_the_last_message_is_right_when_many_reserve_at_once,
            }
            retention::{
                whole_buckets_go_and_the_head_stays,
                the_log_reads_from_the_floor_and_seals_nothing_below,
                dropping_everything_keeps_the_head,
                an_open_position_after_the_bucket_is_not_taken_along,
                buckets_that_hold_only_changes_or_deleted_messages_go_as_well,
                thousands_of_entries_go_at_once,
            }
            log::{
                many_writers_on_many_nodes_fill_every_position_once_in_order_of_ids,
                a_send_repeated_on_another_node_is_the_same_message,
                a_crash_between_reserve_and_insert_is_sealed_by_readers_at_once,
                a_writer_that_was_sealed_gets_another_position,
                a_send_of_unknown_outcome_is_found_by_its_nonce_on_another_node,
                changes_and_messages_of_many_nodes_share_one_log,
                no_node_starves_on_a_hot_channel,
            }
        }
    };
}
