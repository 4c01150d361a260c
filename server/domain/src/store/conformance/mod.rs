//! What every store promises, as a suite that each runs over itself: `run(|| Arc::new(MyStore::new(…)))`.
//!
//! **Invariant:** a case uses the port alone, so that it says nothing that a caller could not rely on. What is stored
//! here is made up: stores compare and set, they do not judge.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod accounts;
mod commits;
mod concurrency;
mod made_up;
mod pages;

use std::sync::Arc;

use super::Store;

/// Runs every case, each on a fresh store. Wants a runtime with several threads.
///
/// # Panics
/// When the store breaks a promise.
pub async fn run(make: impl Fn() -> Arc<dyn Store>) {
    accounts::a_new_account_is_whole_and_made_once(&*make()).await;
    accounts::admission_is_decided_with_the_account(&*make()).await;
    accounts::links_are_compared_and_set(&*make()).await;
    accounts::log_pages_hold_everything_once(&*make()).await;
    accounts::a_store_belongs_to_one_server(&*make()).await;
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
}
