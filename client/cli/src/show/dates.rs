//! When things were done to an account, as the devices that did them say.

use lockstep_client::account::AccountDates;
use lockstep_client::proto::log::AccountState;
use serde::Serialize;

use crate::when::rfc3339;

/// For programs: under a name that says whose word it is.
#[derive(Debug, Serialize)]
pub(crate) struct Claimed {
    account_made: String,
    password_changed: String,
    recovery_key_changed: String,
}

impl Claimed {
    pub(crate) fn of(dates: AccountDates) -> Self {
        Self {
            account_made: rfc3339(dates.made_ms),
            password_changed: rfc3339(dates.password_ms),
            recovery_key_changed: rfc3339(dates.recovery_key_ms),
        }
    }

    /// For people, below a list of devices with their dates.
    pub(crate) fn text(&self) -> String {
        let Self { account_made: _, password_changed, recovery_key_changed } = self;
        format!(
            "The password was last changed, or registered anew, on {password_changed}, the Recovery Key on \
             {recovery_key_changed}. Each date is the word of the device that did it; nobody can check its clock."
        )
    }
}

/// What a log says, for people.
pub(crate) fn of_log(state: &AccountState) -> String {
    Claimed::of(AccountDates::of(state)).text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_shown_as_a_device_s_word() {
        let dates =
            AccountDates { made_ms: 0, password_ms: 1_700_000_000_000, recovery_key_ms: (1 << 48) - 1 };
        let claimed = Claimed::of(dates);
        let text = claimed.text();
        assert!(
            text.starts_with("The password was last changed, or registered anew, on 2023-11-14T22:13:20Z"),
            "{text}"
        );
        assert!(
            text.contains("the Recovery Key on 9999-12-31T23:59:59Z. Each date is the word of the device"),
            "{text}"
        );
        insta::assert_json_snapshot!(claimed, @r#"
        {
          "account_made": "1970-01-01T00:00:00Z",
          "password_changed": "2023-11-14T22:13:20Z",
          "recovery_key_changed": "9999-12-31T23:59:59Z"
        }
        "#);
    }
}
