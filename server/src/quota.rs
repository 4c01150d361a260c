//! What one account holds and may hold, for the operator.

use std::io::Write as _;

use anyhow::Context as _;
use lockstep_domain::store::{AccountLimits, OwnLimits, Store, Usage};
use lockstep_proto::bytes::from_base64url;
use lockstep_proto::ids::AccountId;

use crate::config::{Config, QuotaArguments};

const MIB: u64 = 1 << 20;

/// Gives an account limits of its own, if asked to, and says what it holds and may hold. A server that runs takes them at once.
///
/// # Errors
/// Says what keeps it from doing so; nothing is changed then.
pub async fn quota(config: &Config, arguments: &QuotaArguments) -> anyhow::Result<()> {
    let store = lockstep_store::open(&config.database)?;
    let account_id = account(&arguments.account)?;
    let absent = || format!("the server has no account {account_id}");
    let before = store.usage(account_id).await?.with_context(absent)?;
    let own = wanted(before.own, arguments);
    if own != before.own {
        store.set_limits(account_id, own).await?;
    }
    let told = told(&*store, account_id, config.front.account).await?.with_context(absent)?;
    write!(std::io::stdout(), "{told}")?;
    Ok(())
}

fn account(text: &str) -> anyhow::Result<AccountId> {
    let bytes = from_base64url(text).and_then(|bytes| bytes.try_into().ok());
    bytes.map(AccountId).with_context(|| {
        format!("{text:?} is no account id. `lockstep status` on a device of the account shows it")
    })
}

fn wanted(before: OwnLimits, arguments: &QuotaArguments) -> OwnLimits {
    if arguments.default {
        return OwnLimits::default();
    }
    OwnLimits {
        bytes: arguments.storage.map(|mib| u64::from(mib) * MIB).or(before.bytes),
        vaults: arguments.vaults.map(u64::from).or(before.vaults),
    }
}

async fn told(
    store: &dyn Store,
    account_id: AccountId,
    common: AccountLimits,
) -> anyhow::Result<Option<String>> {
    let Some(usage) = store.usage(account_id).await? else { return Ok(None) };
    let Usage { log_bytes, vault_bytes, vaults, own } = usage;
    let limits = own.or(common);
    let whose = |own: Option<u64>| if own.is_some() { "its own limit" } else { "as every account" };
    Ok(Some(format!(
        "storage: {:.1} of {} MiB ({})\nvaults: {vaults} of {} ({})\n",
        (log_bytes + vault_bytes) as f64 / MIB as f64,
        limits.bytes / MIB,
        whose(own.bytes),
        limits.vaults,
        whose(own.vaults),
    )))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn arguments(storage: Option<u32>, vaults: Option<u32>, default: bool) -> QuotaArguments {
        QuotaArguments { account: String::new(), storage, vaults, default }
    }

    #[test]
    fn what_is_not_said_stays_and_the_default_takes_all_back() {
        let before = OwnLimits { bytes: Some(5), vaults: None };
        for (given, after) in [
            (arguments(None, None, false), before),
            (arguments(None, Some(3), false), OwnLimits { vaults: Some(3), ..before }),
            (arguments(Some(4_096), None, false), OwnLimits { bytes: Some(4_096 << 20), vaults: None }),
            (arguments(None, None, true), OwnLimits::default()),
        ] {
            assert_eq!(wanted(before, &given), after);
        }
    }

    #[test]
    fn what_is_no_account_id_is_told_so() {
        for text in ["", "abc", "!", &"A".repeat(44), "\n"] {
            assert!(account(text).unwrap_err().to_string().contains("is no account id"), "{text}");
        }
        let id = AccountId([7; 32]);
        assert_eq!(account(&id.to_string()).unwrap(), id);
    }
}
