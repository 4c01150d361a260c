//! Time stands still unless everybody waits: no test here takes any.

use std::time::Duration;

use lockstep_proto::ids::{DeviceId, VaultId};
use tokio::time::Instant;

use super::*;

const VAULT: VaultId = VaultId([1; 32]);

fn device(number: u8) -> DeviceId {
    DeviceId([number; 16])
}

/// How long a device waits for its turn, which it gives up at once.
async fn wait(turns: &Turns, number: u8) -> Duration {
    let started = Instant::now();
    drop(turns.take(VAULT, device(number)).await);
    started.elapsed()
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_in_a_vault_of_ones_own() {
    let turns = Turns::default();
    let _others = turns.take(VaultId([2; 32]), device(2)).await;
    assert_eq!(wait(&turns, 1).await, Duration::ZERO);
    assert_eq!(wait(&turns, 1).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn turns_come_in_the_order_of_arrival() {
    let turns = Turns::default();
    let first = turns.take(VAULT, device(0)).await;
    let order = Mutex::new(Vec::new());
    let later = |number: u8| {
        let (turns, order) = (&turns, &order);
        async move {
            let _turn = turns.take(VAULT, device(number)).await;
            order.lock().unwrap_or_else(PoisonError::into_inner).push(number);
        }
    };
    tokio::join!(later(3), later(1), later(2), async { drop(first) });
    assert_eq!(*lock_list(&order), [3, 1, 2]);
}

fn lock_list(order: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    order.lock().unwrap_or_else(PoisonError::into_inner)
}

#[tokio::test(start_paused = true)]
async fn a_turn_is_kept_for_who_was_overtaken_and_no_longer_than_the_limit() {
    let turns = Turns::default();
    turns.take(VAULT, device(1)).await.keep(Seq(1));
    assert_eq!(wait(&turns, 1).await, Duration::ZERO);

    turns.take(VAULT, device(2)).await.keep(Seq(2));
    assert_eq!(wait(&turns, 1).await, HOLD_LIMIT);
    // It has lapsed: nobody waits for it any more.
    assert_eq!(wait(&turns, 1).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_device_is_waited_for_three_times_as_long_as_it_took_within_bounds() {
    for (took, waited) in [(1, 200), (100, 300), (400, 500)] {
        let turns = Turns::default();
        turns.take(VAULT, device(1)).await.keep(Seq(3));
        tokio::time::advance(Duration::from_millis(took)).await;
        turns.take(VAULT, device(1)).await.keep(Seq(4));
        assert_eq!(wait(&turns, 2).await, Duration::from_millis(waited));
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_lets_two_turns_lapse_has_none_for_a_minute() {
    let turns = Turns::default();
    for _ in 0..2 {
        turns.take(VAULT, device(1)).await.keep(Seq(5));
        assert_eq!(wait(&turns, 2).await, HOLD_LIMIT);
    }
    turns.take(VAULT, device(1)).await.keep(Seq(6));
    assert_eq!(wait(&turns, 2).await, Duration::ZERO);
    tokio::time::advance(NO_TURNS).await;
    turns.take(VAULT, device(1)).await.keep(Seq(7));
    assert_eq!(wait(&turns, 2).await, HOLD_LIMIT);
}

#[tokio::test(start_paused = true)]
async fn one_that_comes_again_in_time_begins_anew() {
    let turns = Turns::default();
    for _ in 0..4 {
        turns.take(VAULT, device(1)).await.keep(Seq(8));
        wait(&turns, 2).await;
        turns.take(VAULT, device(1)).await.keep(Seq(9));
        drop(turns.take(VAULT, device(1)).await);
    }
    assert_eq!(wait(&turns, 2).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn who_goes_away_leaves_its_place() {
    let turns = Turns::default();
    let first = turns.take(VAULT, device(1)).await;
    {
        let mut second = Box::pin(turns.take(VAULT, device(2)));
        let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(second.as_mut().poll(cx))).await;
        assert!(polled.is_pending());
    }
    drop(first);
    assert_eq!(wait(&turns, 3).await, Duration::ZERO);
    assert!(turns.lock().lines.is_empty());
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_for_ever_and_no_line_is_without_end() {
    let turns = Turns::default();
    let _stuck = turns.take(VAULT, device(1)).await;
    assert_eq!(wait(&turns, 2).await, WAIT_LIMIT);
    let mut waiting = Vec::new();
    for number in 1..LINE_LIMIT as u8 {
        let mut next = Box::pin(turns.take(VAULT, device(100 + number)));
        let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(next.as_mut().poll(cx))).await;
        assert!(polled.is_pending());
        waiting.push(next);
    }
    assert_eq!(wait(&turns, 4).await, Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_not_overtaken_again_cannot_keep_its_turn() {
    let turns = Turns::default();
    turns.take(VAULT, device(1)).await.keep(Seq(5));
    let started = Instant::now();
    let mut second = Box::pin(turns.take(VAULT, device(2)));
    let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(second.as_mut().poll(cx))).await;
    assert!(polled.is_pending());
    // It comes in time with another commit on an old head, and nobody wrote meanwhile.
    turns.take(VAULT, device(1)).await.keep(Seq(5));
    drop(second.await);
    assert_eq!(started.elapsed(), Duration::ZERO);
    // Somebody on another node did: then it is kept again.
    turns.take(VAULT, device(1)).await.keep(Seq(6));
    turns.take(VAULT, device(1)).await.keep(Seq(7));
    assert_eq!(wait(&turns, 2).await, HOLD_LEAST);
}

#[tokio::test(start_paused = true)]
async fn the_third_in_line_does_not_sleep_when_the_second_goes_away() {
    let turns = Turns::default();
    let first = turns.take(VAULT, device(1)).await;
    let started = Instant::now();
    let mut second = Box::pin(turns.take(VAULT, device(2)));
    let polled = std::future::poll_fn(|cx| std::task::Poll::Ready(second.as_mut().poll(cx))).await;
    assert!(polled.is_pending());
    let third = async {
        drop(turns.take(VAULT, device(3)).await);
        started.elapsed()
    };
    let away = async {
        tokio::task::yield_now().await;
        first.keep(Seq(1));
        drop(second);
    };
    let (waited, ()) = tokio::join!(third, away);
    assert_eq!(waited, HOLD_LIMIT);
}

#[tokio::test(start_paused = true)]
async fn a_turn_that_nobody_waited_for_is_forgotten_without_a_lapse() {
    let turns = Turns::default();
    for _ in 0..4 {
        turns.take(VAULT, device(1)).await.keep(Seq(1));
        tokio::time::advance(Duration::from_secs(3_600)).await;
        assert_eq!(wait(&turns, 2).await, Duration::ZERO);
    }
    turns.take(VAULT, device(1)).await.keep(Seq(1));
    assert_eq!(wait(&turns, 2).await, HOLD_LIMIT);
    assert!(turns.lock().lines.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_device_has_one_place_in_a_line() {
    let turns = Turns::default();
    let _first = turns.take(VAULT, device(1)).await;
    assert_eq!(wait(&turns, 1).await, Duration::ZERO);
    assert_eq!(turns.lock().lines[&VAULT].len(), 1);
}
