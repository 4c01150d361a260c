//! Secrets cannot be shown, compared carelessly or serialised.

use crate::tree::{expect_none, sources};

/// Types that hold a secret, and where they stand.
const SECRETS: &[&str] =
    &["Ark", "Auk", "VaultKey", "ItemKey", "Lrk", "Luk", "SecretKey", "RecoveryKey", "DeviceKeys"];

#[test]
fn secret_types_exist_and_derive_nothing_that_shows_them() {
    let mut offences = Vec::new();
    let mut found = Vec::new();
    for source in sources().into_iter().filter(|source| source.path.starts_with("client/crypto/src")) {
        let lines: Vec<&str> = source.text.lines().collect();
        for (index, line) in lines.iter().enumerate() {
            let Some(rest) = line.strip_prefix("pub struct ") else { continue };
            let name = rest.split([';', ' ', '(', '{', '<']).next().unwrap_or_default();
            if !SECRETS.contains(&name) {
                continue;
            }
            found.push(name.to_owned());
            let attributes = lines[..index]
                .iter()
                .rev()
                .take_while(|line| line.starts_with("#[") || line.starts_with("///"));
            for attribute in attributes {
                for shown in ["Debug", "Serialize", "Display"] {
                    if attribute.starts_with("#[derive") && attribute.contains(shown) {
                        offences.push(format!("{}:{}: {name} derives {shown}", source.path, index + 1));
                    }
                }
            }
        }
        for name in SECRETS {
            if source.text.contains(&format!("\n    {name}\n);")) {
                found.push((*name).to_owned());
            }
            for shown in ["Debug", "Display", "Serialize"] {
                if source.text.contains(&format!("{shown} for {name} ")) {
                    offences.push(format!("{}: {name} implements {shown}", source.path));
                }
            }
        }
    }
    expect_none("secrets are not shown", &offences);
    let missing: Vec<&&str> =
        SECRETS.iter().filter(|name| !found.iter().any(|found| found == **name)).collect();
    assert!(missing.is_empty(), "{missing:?} are not where this test looks: keep the list true");
}
