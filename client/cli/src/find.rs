//! Which item a person means: its id, the start of its id, or its title.

use lockstep_client::client::{Client, ItemSummary};
use lockstep_client::proto::ids::{ItemId, VaultId};
use lockstep_client::tools::{NaturalOrder, fold};

use crate::failure::Failure;
use crate::output::clean_line;

/// Fewer characters of an id mean too little.
const SHORTEST_PREFIX: usize = 4;

/// An item and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its vault.
    pub vault_id: VaultId,
    /// What a list shows of it.
    pub item: ItemSummary,
}

impl Found {
    /// The item's id.
    pub fn item_id(&self) -> ItemId {
        self.item.item_id
    }
}

/// Every item of every vault, or of one, in the natural order of titles, then by id.
///
/// # Errors
/// A [`Failure`] when the profile cannot be read.
pub async fn all(client: &Client, vault: Option<VaultId>) -> Result<Vec<Found>, Failure> {
    let mut found = Vec::new();
    for info in client.vaults().await? {
        if vault.is_none_or(|only| only == info.vault_id) {
            let items = client.items(info.vault_id).await?;
            found.extend(items.into_iter().map(|item| Found { vault_id: info.vault_id, item }));
        }
    }
    found.sort_by_cached_key(|found| (NaturalOrder::of(&found.item.title), found.item_id()));
    Ok(found)
}

/// The one item that `text` means.
///
/// # Errors
/// A [`Failure`] that names the candidates when there is none, or more than one.
pub async fn one(client: &Client, text: &str) -> Result<Found, Failure> {
    choose(all(client, None).await?, text)
}

/// The vault that `text` means by name, id or start of id; without text, the only one.
///
/// # Errors
/// A [`Failure`] that names the vaults.
pub async fn vault(client: &Client, text: Option<&str>) -> Result<VaultId, Failure> {
    let vaults = client.vaults().await?;
    let chosen: Vec<_> = match text {
        None => vaults.iter().collect(),
        Some(wanted) => {
            let folded = fold(wanted);
            let id = |id: VaultId| wanted.len() >= SHORTEST_PREFIX && id.to_string().starts_with(wanted);
            first_of([
                vaults.iter().filter(|vault| vault.name == wanted || id(vault.vault_id)).collect(),
                vaults.iter().filter(|vault| !folded.is_empty() && fold(&vault.name) == folded).collect(),
            ])
        }
    };
    match chosen.as_slice() {
        [vault] => Ok(vault.vault_id),
        [] if vaults.is_empty() => {
            Err(Failure::failed("no-vault", "this device has no vault yet; run `lockstep sync`"))
        }
        _ => {
            let names: Vec<_> =
                vaults.iter().map(|v| format!("{} ({})", clean_line(&v.name), v.vault_id)).collect();
            Err(Failure::usage(format!("say which vault with --vault: {}", names.join(", "))))
        }
    }
}

fn choose(items: Vec<Found>, text: &str) -> Result<Found, Failure> {
    let (id, folded) = (text.to_lowercase(), fold(text));
    let by_id = |found: &&Found| id.len() >= SHORTEST_PREFIX && found.item_id().to_string().starts_with(&id);
    let titled = |found: &&Found| found.item.title == text;
    let live = |found: &&Found| !found.item.trashed;
    let alike: Vec<&Found> =
        items.iter().filter(|found| !folded.is_empty() && fold(&found.item.title) == folded).collect();
    // What was typed exactly is meant before what is only alike, and what is there before what is in the trash.
    let candidates = first_of([
        items.iter().filter(|found| found.item_id().to_string() == id).collect(),
        items.iter().filter(titled).filter(live).collect(),
        items.iter().filter(titled).collect(),
        alike.iter().copied().filter(live).collect(),
        alike,
        items.iter().filter(by_id).collect(),
    ]);
    match candidates.as_slice() {
        [only] => Ok((*only).clone()),
        [] => Err(Failure::failed(
            "no-item",
            format!(
                "no item has the id or the title \"{}\"; `lockstep list --search` finds parts",
                clean_line(text)
            ),
        )),
        several => Err(ambiguous(text, several)),
    }
}

/// The first of these lists that holds something.
fn first_of<T, const N: usize>(lists: [Vec<T>; N]) -> Vec<T> {
    lists.into_iter().find(|list| !list.is_empty()).unwrap_or_default()
}

fn ambiguous(text: &str, several: &[&Found]) -> Failure {
    const SHOWN: usize = 8;
    let lines: Vec<_> = several
        .iter()
        .take(SHOWN)
        .map(|found| format!("  {}  {}", found.item_id(), clean_line(&found.item.title)))
        .collect();
    let more =
        if several.len() > SHOWN { format!("\n  and {} more", several.len() - SHOWN) } else { String::new() };
    let count = several.len();
    Failure::failed(
        "ambiguous-item",
        format!(
            "\"{}\" means {count} items; name one by its id:\n{}{more}\nNothing was changed",
            clean_line(text),
            lines.join("\n")
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: u8, title: &str, trashed: bool) -> Found {
        let item = ItemSummary {
            item_id: ItemId::from_random([id; 16]),
            kind: "login".into(),
            title: title.into(),
            username: None,
            tags: Vec::new(),
            favourite: false,
            trashed,
            archived: false,
            updated_ms: 0,
            conflict: false,
            pending: false,
            quarantined: false,
        };
        Found { vault_id: VaultId([1; 32]), item }
    }

    #[test]
    fn an_item_is_meant_by_id_by_the_start_of_its_id_and_by_its_title() {
        let items = || vec![item(0x11, "Bank", false), item(0x22, "bank", false)];
        let id = items()[1].item_id().to_string();
        assert_eq!(choose(items(), &id).unwrap(), items()[1]);
        assert_eq!(choose(items(), &id[..4].to_uppercase()).unwrap(), items()[1]);
        assert_eq!(choose(items(), "Bank").unwrap(), items()[0]);
        assert_eq!(choose(items(), "BANK").unwrap_err().code, "ambiguous-item");
        assert_eq!(choose(items(), "").unwrap_err().code, "no-item");
        assert_eq!(choose(items(), "222").unwrap_err().code, "no-item");
    }

    #[test]
    fn a_title_is_found_without_its_accents_and_an_exact_one_comes_first() {
        let items = || {
            let titles = ["Zürich Bank", "Łódź", "straße", "STRASSE", "Cafe\u{301}", "ａｄｏｂｅ"];
            titles.iter().zip(0x11..).map(|(title, id)| item(id, title, false)).collect::<Vec<_>>()
        };
        for (typed, index) in
            [("zurich bank", 0), ("lodz", 1), ("straße", 2), ("STRASSE", 3), ("Café", 4), ("Adobe", 5)]
        {
            assert_eq!(choose(items(), typed).unwrap(), items()[index], "{typed}");
        }
        let several = choose(items(), "Strasse").unwrap_err();
        assert!(several.message.contains("straße") && several.message.contains("STRASSE"), "{several}");
        let trashed = vec![item(0x11, "Café", true), item(0x22, "cafe", false)];
        assert_eq!(choose(trashed.clone(), "CAFE").unwrap(), trashed[1]);
        assert_eq!(choose(trashed.clone(), "Café").unwrap(), trashed[0], "exact, though in the trash");
    }

    #[test]
    fn several_items_of_one_title_are_named() {
        let items = vec![item(0x11, "Bank", false), item(0x22, "Bank", false)];
        let ids: Vec<_> = items.iter().map(|found| found.item_id().to_string()).collect();
        let failure = choose(items, "Bank").unwrap_err();
        assert_eq!(failure.code, "ambiguous-item");
        assert!(ids.iter().all(|id| failure.message.contains(id)));
    }

    #[test]
    fn a_title_means_the_item_that_is_not_in_the_trash() {
        let items = || vec![item(0x11, "Bank", true), item(0x22, "Bank", false)];
        assert_eq!(choose(items(), "Bank").unwrap(), items()[1]);
        assert_eq!(choose(vec![item(0x11, "Bank", true)], "Bank").unwrap(), items()[0]);
    }
}
