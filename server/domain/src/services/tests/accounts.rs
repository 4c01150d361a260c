//! How old a state may be that a node goes by.

use super::fixture::*;
use crate::services::SessionError;

/// Another node removes a device: this one goes by what it has in memory for ten seconds, and no longer, whatever its
/// clock does meanwhile.
#[tokio::test]
async fn another_nodes_removal_is_known_here_after_ten_seconds_also_where_the_clock_was_set_back() {
    for (looked_up_at, asked_at, known) in [
        (NOON_MS, NOON_MS + 9_999, false),
        (NOON_MS, NOON_MS + 10_000, true),
        (NOON_MS + 3_600_000, NOON_MS, true),
    ] {
        let here = World::new();
        let there = here.node();
        let mut account = TestAccount::sign_up(&here, "ann", "phone").await;
        account.pair(&there, "phone", "laptop").await;
        here.clock.set_ms(looked_up_at);
        here.services.sessions.device(account.id(), device_id("laptop")).await.unwrap();
        here.clock.set_ms(NOON_MS);
        let (rekey, slots) = account.rekey(&["laptop"]);
        let link = account.sign("phone", lockstep_proto::log::LinkBody::Rekey(Box::new(rekey)));
        append(&there, account.caller("phone"), vec![link], slots).await.unwrap();
        here.clock.set_ms(asked_at);
        let found = here.services.sessions.device(account.id(), device_id("laptop")).await;
        match known {
            true => assert!(matches!(found, Err(SessionError::Revoked)), "{asked_at}"),
            false => assert!(found.is_ok(), "{asked_at}"),
        }
    }
}

/// A clock that was set back costs one look into the store, not one at each request until it is where it was.
#[tokio::test]
async fn a_clock_that_was_set_back_makes_no_state_stale_twice() {
    let here = World::new();
    let mut account = TestAccount::sign_up(&here, "ann", "phone").await;
    here.clock.set_ms(NOON_MS + 3_600_000);
    here.services.sessions.device(account.id(), device_id("phone")).await.unwrap();
    here.clock.set_ms(NOON_MS);
    here.services.sessions.device(account.id(), device_id("phone")).await.unwrap();
    // What another node appends now is not looked for: the state is of this moment.
    account.pair(&here.node(), "phone", "laptop").await;
    let laptop = here.services.sessions.device(account.id(), device_id("laptop")).await;
    assert!(matches!(laptop, Err(SessionError::Ended)));
}
