//! `code`: the one-time password that holds now.

use clap::Args;
use lockstep_client::item::views::Login;
use lockstep_client::proto::ids::ItemId;
use lockstep_client::tools::Totp;
use serde::Serialize;

use crate::context::Context;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::find;
use crate::output::{Reader, clean_line};
use crate::session::Session;

/// Options of `code`.
#[derive(Debug, Args)]
pub struct CodeArguments {
    /// The item: its id, the start of its id, or its title.
    item: String,
}

/// The result of `code`.
#[derive(Debug, Serialize)]
struct Code {
    id: String,
    title: String,
    code: String,
    seconds_left: u64,
    period: u64,
}

/// Shows the item's one-time password. Standard output holds the code alone, for scripts; how long it holds is a remark.
///
/// # Errors
/// A [`Failure`] where the item has no secret for one, or none that gives codes.
pub async fn run(context: &Context, arguments: CodeArguments) -> Result<Exit, Failure> {
    let session = Session::open(context).await?;
    let found = find::one(&session.client, &arguments.item).await?;
    let open = session.client.item(found.vault_id, found.item_id()).await?;
    let open = open.ok_or_else(|| Failure::failed("no-item", "the item was purged"))?;
    let secret = Login::of(&open.document).totp();
    let code = code(found.item_id(), &found.item.title, secret, session.ports.clock.now_ms())?;
    match context.output.reader() {
        Reader::Person => context.output.value(&code.code)?,
        Reader::Program => context.output.result("", &code),
    }
    context.output.hint(&format!("It holds for {} more.", seconds(code.seconds_left)));
    Ok(Exit::Done)
}

fn code(item_id: ItemId, title: &str, secret: Option<&str>, now_ms: u64) -> Result<Code, Failure> {
    let name = clean_line(title);
    let secret = secret.ok_or_else(|| {
        Failure::failed(
            "no-field",
            format!(
                "\"{name}\" has no secret for one-time passwords; `lockstep edit {item_id} --secret totp` gives it one"
            ),
        )
    })?;
    let totp = Totp::parse(secret).map_err(|error| {
        Failure::failed(
            "totp",
            format!("the one-time password secret of \"{name}\" is kept, but gives no codes: {error}"),
        )
    })?;
    let now = totp.code(now_ms);
    Ok(Code {
        id: item_id.to_string(),
        title: title.to_owned(),
        code: now.code,
        seconds_left: now.remaining_ms.div_ceil(1_000),
        period: now.period_ms / 1_000,
    })
}

fn seconds(count: u64) -> String {
    if count == 1 { "1 second".to_owned() } else { format!("{count} seconds") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_the_one_of_its_moment() {
        let at = |now_ms: u64| {
            let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
            code(ItemId::from_random([7; 16]), "Bank", Some(secret), now_ms).unwrap()
        };
        // RFC 6238, appendix B, the last six digits.
        assert_eq!((at(59_000).code.as_str(), at(59_000).seconds_left), ("287082", 1));
        assert_eq!((at(59_001).seconds_left, at(60_000).seconds_left, at(60_001).seconds_left), (1, 30, 30));
        assert_eq!((seconds(1), seconds(30)), ("1 second".to_owned(), "30 seconds".to_owned()));
        insta::assert_json_snapshot!(at(1_111_111_109_000), @r#"
        {
          "id": "07070707-0707-8707-8707-070707070707",
          "title": "Bank",
          "code": "081804",
          "seconds_left": 1,
          "period": 30
        }
        "#);
    }

    #[test]
    fn an_item_without_a_usable_secret_is_told_and_the_secret_is_not_repeated() {
        let of = |secret: Option<&str>| code(ItemId::from_random([7; 16]), "Bank", secret, 0).unwrap_err();
        assert_eq!(of(None).code, "no-field");
        let unusable = of(Some("banana"));
        assert!(unusable.code == "totp" && !unusable.message.contains("banana"), "{unusable}");
    }
}
