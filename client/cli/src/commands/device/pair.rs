//! `device pair`: this device lets a new one in.

use std::io::{self, IsTerminal as _};

use lockstep_client::client::Invited;
use serde_json::json;

use crate::context::{Connection, Context};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::{Reader, clean_line, shell_word};
use crate::questions::{check_somebody_looks, confirm_by_looking};
use crate::session::{Session, read_password};

const QUESTION: &str = "Does the new device show the same four words?";
const KEPT: &str = "the new device was not let in and got nothing";

/// Invites, waits, shows the words, and lets in whoever the person at both screens confirms.
///
/// # Errors
/// A [`Failure`] that says what was changed.
pub async fn run(context: &Context) -> Result<Exit, Failure> {
    if context.connection == Connection::Offline {
        return Err(Failure::usage(
            "pairing needs the server, and --offline forbids it; nothing was changed",
        ));
    }
    check_somebody_looks(QUESTION, "nothing was changed")?;
    let password = read_password(context)?;
    let mut session = Session::open_with(context, &password).await?;
    let invited = Box::pin(session.client.pair(&password)).await?;
    drop(password);
    show(context, &invited)?;
    let offered = Box::pin(invited.offer()).await?;
    let name = clean_line(offered.name());
    context.output.note(&format!(
        "A new device answers: \"{name}\".\nThe words here: {}\nThey must be the same as on the new device.",
        offered.words()
    ));
    confirm_by_looking(QUESTION, KEPT)?;
    let words = offered.words().to_string();
    let device_id = Box::pin(offered.confirm()).await?.to_string();
    let text = format!("\"{name}\" is now a device of your account ({device_id}).");
    context.output.result(&text, &json!({ "device_id": device_id, "name": name, "words": words }));
    Ok(Exit::Done)
}

/// The QR code where somebody sees it, the link, and what to type where there is no camera.
fn show(context: &Context, invited: &Invited<'_>) -> Result<(), Failure> {
    let unusable = |error| Failure::failed("pairing-link", error);
    let link = invited.link().map_err(unusable)?;
    if context.output.reader() == Reader::Person && io::stderr().is_terminal() {
        let qr = link.expose_qr().map_err(unusable)?;
        context.output.qr(&qr);
    }
    context.output.note(&format!(
        "On the new device, within two minutes:\n  lockstep join\n  Pairing link: {}\nor, typed by hand:\n  \
         lockstep join --server {}\n  Pairing code: {}\nThe account there must be {}.\nWaiting for the new device ...",
        link.expose_text().as_str(),
        shell_word(link.server_url.as_str()),
        invited.code().expose_text().as_str(),
        invited.account_id(),
    ));
    Ok(())
}
