//! What every store promises, as a suite that each runs over itself: `run(|| Arc::new(MyStore::new(…)))`.
//!
//! **Invariant:** a case uses the port alone, so that it says nothing that a caller could not rely on. What is stored
//! here is made up: stores compare and set, they do not judge.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accounts;
mod bars;
mod boundaries;
mod commits;
mod concurrency;
mod heal;
mod history;
mod made_up;
mod pages;
mod quota;
mod races;
mod reopening;
mod retention;
mod sides;
mod since;

use std::sync::Arc;

use super::Store;

pub use reopening::survive_reopening;

/// Runs every case, each on a fresh store. Wants a runtime with several threads.
///
/// # Panics
/// When the store breaks a promise.
pub async fn run(make: impl Fn() -> Arc<dyn Store>) {
    accounts::a_new_account_is_whole_and_made_once(&*make()).await;
    accounts::admission_is_decided_with_the_account(&*make()).await;
    accounts::links_are_compared_and_set(&*make()).await;
    accounts::slots_stay_until_they_are_given_up(&*make()).await;
    accounts::an_account_comes_back_without_a_record(&*make()).await;
    accounts::log_pages_hold_everything_once(&*make()).await;
    accounts::a_store_belongs_to_one_server(&*make()).await;
    bars::a_barred_device_writes_nothing_until_its_bar_ends(&*make()).await;
    bars::bars_are_extended_never_shortened_and_keep_to_their_vault(&*make()).await;
    bars::what_a_revocation_asks_is_of_one_moment(&*make()).await;
    bars::a_commit_is_before_a_bar_or_refused(make()).await;
    bars::who_is_barred_from_a_vault_that_is_not_there_does_not_make_it(&*make()).await;
    bars::a_vault_is_made_before_a_bar_or_not_at_all(make()).await;
    heal::a_vault_catches_up_in_one_step(&*make()).await;
    heal::a_vault_comes_back_from_its_genesis(&*make()).await;
    heal::every_refusal_of_a_stage_writes_nothing(&*make()).await;
    heal::every_refusal_of_a_finish_leaves_vault_and_stage(&*make()).await;
    heal::areas_are_of_one_account_and_are_forgotten(&*make()).await;
    sides::a_join_moves_the_chain_and_keeps_its_sides(&*make()).await;
    sides::every_refusal_of_a_join_writes_nothing(&*make()).await;
    sides::side_commits_wait_once_each_and_within_their_limit(&*make()).await;
    sides::side_commits_are_ordered_and_fill_a_page_to_the_byte(&*make()).await;
    sides::what_waits_is_of_one_account_and_is_forgotten_with_its_area(&*make()).await;
    sides::a_catch_up_keeps_the_sides_that_its_chain_needs(&*make()).await;
    sides::a_chain_with_a_gap_is_read_and_continued_like_any_other(&*make()).await;
    sides::one_of_many_joins_on_one_head_is_made(make()).await;
    commits::a_vault_is_made_once(&*make()).await;
    commits::every_refusal_is_exact_and_writes_nothing(&*make()).await;
    commits::the_same_commit_twice_is_already_there(&*make()).await;
    commits::the_quota_counts_history(&*make()).await;
    commits::members_alone_read(&*make()).await;
    pages::items_are_ordered_by_their_last_change(&*make()).await;
    pages::pages_end_at_their_limit_and_miss_nothing(&*make()).await;
    pages::old_versions_stay(&*make()).await;
    concurrency::every_writer_gets_all_its_commits_in(make()).await;
    concurrency::readers_never_see_a_commit_without_the_one_before(make()).await;
    concurrency::one_commit_sent_many_times_is_stored_once(make()).await;
    concurrency::of_many_first_accounts_without_admission_one_is_made(make()).await;
    boundaries::links_fill_a_page_to_the_byte(&*make()).await;
    boundaries::commits_fill_a_page_to_the_byte(&*make()).await;
    boundaries::items_fill_a_page_to_the_byte(&*make()).await;
    boundaries::blobs_fill_a_page_to_the_byte(&*make()).await;
    history::a_change_moves_an_item_to_the_end_however_often(&*make()).await;
    history::live_items_and_tombstones_are_counted_apart(&*make()).await;
    history::room_shrinks_by_every_commit_and_ends_at_the_last_byte(&*make()).await;
    since::control_commits_are_found_among_all_others(&*make()).await;
    since::control_commits_fill_a_page_to_the_byte(&*make()).await;
    since::news_are_all_that_happened_since_a_commit(&*make()).await;
    since::news_end_at_their_limit_to_the_byte(&*make()).await;
    retention::versions_are_listed_newest_first(&*make()).await;
    retention::versions_go_by_age_and_never_within_a_day(&*make()).await;
    retention::versions_go_by_their_number(&*make()).await;
    retention::a_purged_item_keeps_its_versions_for_a_time_of_its_own(&*make()).await;
    retention::pruning_goes_step_by_step_and_keeps_to_its_vault(&*make()).await;
    retention::vaults_are_walked_in_the_order_of_their_ids(&*make()).await;
    races::one_account_made_many_times_is_made_once(make()).await;
    races::an_invitation_admits_one_of_many(make()).await;
    races::one_of_many_links_on_one_head_is_appended(make()).await;
    races::one_vault_made_many_times_is_made_once(make()).await;
    races::an_account_never_gets_more_vaults_than_it_may(make()).await;
    races::vaults_together_never_hold_more_than_the_quota(make()).await;
    quota::every_stored_byte_counts_and_room_comes_back(&*make()).await;
    quota::vaults_share_one_quota_to_the_last_byte(&*make()).await;
    quota::what_is_waived_is_taken_and_counted(&*make()).await;
    quota::what_is_staged_counts_once_and_becomes_the_vaults(&*make()).await;
    quota::a_log_has_a_bound_of_its_own(&*make()).await;
    quota::one_account_may_have_limits_of_its_own(&*make()).await;
    races::of_many_servers_one_owns_the_store(make()).await;
}
