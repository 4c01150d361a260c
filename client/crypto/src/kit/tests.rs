//! Sheets that are typed in again, with and without typos.

#![allow(clippy::unwrap_used)]

use lockstep_proto::signin::KsfProfile;
use proptest::prelude::*;

use super::*;
use crate::recovery_key::RecoveryKey;
use crate::secret_key::SecretKey;

fn kit(key: [u8; 16], account: [u8; 32], server: [u8; 16], url: &str) -> EmergencyKit {
    EmergencyKit {
        secret_key: SecretKey::from_bytes(key),
        account_id: AccountId(account),
        server_url: ServerUrl::new(url).unwrap(),
        server_id: ServerId(server),
        ksf_profile: KsfProfile::Profile1,
    }
}

fn sample() -> EmergencyKit {
    kit([1; 16], [2; 32], [3; 16], "https://vault.example:8443/a?b=<c>&d")
}

fn sheet() -> RecoverySheet {
    RecoverySheet {
        recovery_key: RecoveryKey::from_bytes([1; 20]),
        account_id: AccountId([2; 32]),
        server_url: ServerUrl::new("https://vault.example").unwrap(),
        server_id: ServerId([3; 16]),
    }
}

fn refused(text: &str) -> KitError {
    EmergencyKit::parse(text).err().unwrap()
}

#[test]
fn a_typo_in_any_character_of_any_field_is_detected() {
    let text = sample().expose_text();
    let fields = text.split_once("\n\n").unwrap().1;
    for (name, value) in fields.lines().filter_map(|line| line.split_once(": ")) {
        let value = value.trim();
        for position in 0..value.len() {
            let wrong = if &value[position..=position] == "7" { "8" } else { "7" };
            let typo = format!("{}{wrong}{}", &value[..position], &value[position + 1..]);
            let changed = text.replacen(value, &typo, 1);
            assert!(EmergencyKit::parse(&changed).is_err(), "{name}, character {position}");
        }
    }
}

#[test]
fn errors_name_the_line() {
    let text = sample().expose_text();
    let without =
        |name: &str| text.lines().filter(|line| !line.starts_with(name)).collect::<Vec<_>>().join("\n");
    assert_eq!(refused(&without("Secret Key:")), KitError::Missing("Secret Key"));
    assert_eq!(refused(&without("Check:")), KitError::Missing("Check"));
    assert_eq!(refused(""), KitError::Missing("KSF profile"));
    assert_eq!(refused(&format!("{}Account: x\n", *text)), KitError::Repeated("Account"));
    assert!(matches!(refused(&text.replace("LS1-", "LX1-")), KitError::Key(_)));
    assert_eq!(refused(&text.replace("https:", "gopher:")), KitError::ServerUrl);
    assert_eq!(refused(&text.replace("vault.example", "vault.exampel")), KitError::Check);
    assert!(matches!(refused(&text.replace("profile:  1", "profile:  2")), KitError::UpdateNeeded(_)));
}

#[test]
fn the_two_sheets_are_not_confused() {
    assert_eq!(refused(&sheet().expose_text()), KitError::OtherSheet("Emergency Kit"));
    let error = RecoverySheet::parse(&sample().expose_text()).err().unwrap();
    assert_eq!(error, KitError::OtherSheet("recovery sheet"));
}

#[test]
fn neither_sheet_holds_the_others_key() {
    assert!(!sample().expose_text().contains("LR1"));
    assert!(!sheet().expose_text().contains("LS1"));
}

#[test]
fn the_recovery_sheet_is_read_back() {
    let text = sheet().expose_text();
    let read = RecoverySheet::parse(&text).unwrap();
    assert_eq!(read.recovery_key.expose_bytes(), &[1; 20]);
    assert_eq!(*read.expose_text(), *text);
    let error = RecoverySheet::parse(&text.replace("vault.example", "vault.exampel")).err().unwrap();
    assert_eq!(error, KitError::Check);
}

#[test]
fn pages_are_one_escaped_svg_with_a_qr_code() {
    for svg in [sample().expose_svg().unwrap(), sheet().expose_svg().unwrap()] {
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert!(svg.matches("h1v1h-1z").count() > 500);
        assert!(!svg.contains("<c>"));
    }
    assert!(sample().expose_svg().unwrap().contains("&lt;c&gt;&amp;d"));
}

#[test]
fn the_longest_address_fits_on_the_page() {
    let url = format!("https://{}", "a".repeat(ServerUrl::LIMIT - 8));
    assert!(kit([1; 16], [2; 32], [3; 16], &url).expose_svg().is_ok());
    assert_eq!(ServerUrl::new(&format!("{url}a")), Err(KitError::ServerUrl));
    assert_eq!(ServerUrl::new("https://"), Err(KitError::ServerUrl));
    assert_eq!(ServerUrl::new("https://a\nCheck: x"), Err(KitError::ServerUrl));
}

proptest! {
    #[test]
    fn a_kit_is_read_back(key: [u8; 16], account: [u8; 32], server: [u8; 16], host in "[a-z0-9.:/-]{1,40}") {
        let text = kit(key, account, server, &format!("https://{host}")).expose_text();
        let read = EmergencyKit::parse(&text.replace('\n', "\r\n")).unwrap();
        prop_assert_eq!(*read.secret_key.expose_bytes(), key);
        prop_assert_eq!(read.account_id, AccountId(account));
        prop_assert_eq!(read.server_id, ServerId(server));
        prop_assert_eq!(&*read.expose_text(), &*text);
    }

    #[test]
    fn any_text_is_read_or_refused(text: String) {
        let _ = EmergencyKit::parse(&text);
        let _ = RecoverySheet::parse(&text);
    }
}
