//! What convinces somebody who was not there that a vault was forked (P5).

use lockstep_proto::log::{AccountState, Commit};
use lockstep_proto::sign::Signed;

/// A commit, and the account's log as far as whoever holds the commit knows it.
pub(super) struct Held<'a> {
    pub(super) commit: &'a Signed<Commit>,
    pub(super) account: &'a AccountState,
}

/// Whether two commits stand at one place of one vault, differ, and are each signed by a device that the account's log
/// authorises where the commit says. Nothing else is needed, neither a vault's chain nor anybody's word.
///
/// This says that the commits contradict each other, not who is to blame: a device signs one commit on a head (R-ONCE),
/// but two devices may sign one each, of which an honest server accepts one.
pub(super) fn contradict(left: &Held<'_>, right: &Held<'_>) -> bool {
    let (one, other) = (left.commit.value(), right.commit.value());
    let same_place = one.vault_id == other.vault_id && one.seq == other.seq;
    same_place && left.commit.hash() != right.commit.hash() && is_signed(left) && is_signed(right)
}

fn is_signed(held: &Held<'_>) -> bool {
    let value = held.commit.value();
    let position = value.author_position;
    let device = held.account.device(&value.author_device);
    let device = device.filter(|device| device.is_authorised_after(position.seq));
    value.author_account == held.account.account_id()
        && held.account.hash_at(position.seq) == Some(position.hash)
        && device.is_some_and(|device| held.commit.verify(&device.keys().signing).is_ok())
}
