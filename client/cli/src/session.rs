//! An unlocked profile and what commands do with it.

use std::collections::BTreeMap;
use std::time::Duration;

use lockstep_client::account::{
    ProfileError, Unlocked, adopt_password, password_is_outdated, unlock, unlock_with_lrk,
};
use lockstep_client::api::Api;
use lockstep_client::client::{Client, ItemNotice, SyncReport};
use lockstep_client::crypto::password::{Password, PasswordError};
use lockstep_client::ports::Ports;
use lockstep_native::{LockError, NativeProfile, OpenError, open_profile};
use serde::Serialize;

use crate::agent;
use crate::context::{Connection, Context};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::output::Reader;
use crate::progress::Bar;
use crate::secrets::{self, Source};
use crate::show::sync::{Report, Synced};

/// How long the sync after an edit may take before it is left for later.
const PATIENCE: Duration = Duration::from_secs(20);

/// An unlocked profile; no other process can open it meanwhile.
pub(crate) struct Session {
    pub(crate) client: Client,
    pub(crate) ports: Ports,
    /// What every sync of this command did.
    synced: SyncReport,
    _owned: NativeProfile,
}

impl Session {
    /// Opens and unlocks the profile: with what `unlock` left in the background, else with the password.
    pub(crate) async fn open(context: &Context) -> Result<Self, Failure> {
        let (owned, ports) = open_existing(context).await?;
        let unlocked = Box::pin(unlocked(context, &ports)).await?;
        Self::of(owned, ports, unlocked).await
    }

    /// Opens the profile with this password, whatever is in the background: before what a passer-by must not do.
    pub(crate) async fn open_with(context: &Context, password: &Password) -> Result<Self, Failure> {
        let (owned, ports) = open_existing(context).await?;
        let unlocked = Box::pin(unlock(&ports, password)).await?;
        Self::of(owned, ports, unlocked).await
    }

    /// Opens the profile for what shows many secrets at once: the password is asked for, whatever is in the background.
    pub(crate) async fn open_asking(context: &Context) -> Result<Self, Failure> {
        Self::open_with(context, &read_password(context)?).await
    }

    /// Opens the profile with what `unlock` left in the background, and asks nobody; `None` where it is locked.
    pub(crate) async fn open_unlocked(context: &Context) -> Result<Option<Self>, Failure> {
        let (owned, ports) = open_existing(context).await?;
        match Box::pin(kept_unlocked(context, &ports)).await? {
            Some(unlocked) => Ok(Some(Self::of(owned, ports, unlocked).await?)),
            None => Ok(None),
        }
    }

    /// A profile that was unlocked by signing up or in.
    pub(crate) async fn of(owned: NativeProfile, ports: Ports, unlocked: Unlocked) -> Result<Self, Failure> {
        let client = Client::open(ports.clone(), unlocked).await?;
        Ok(Self { client, ports, synced: SyncReport::default(), _owned: owned })
    }

    /// Brings device and server in step, showing how far it is.
    pub(crate) async fn sync(&mut self, context: &Context) -> Result<Report, Failure> {
        let bar = Bar::new(&context.output);
        let report = Box::pin(self.client.sync_with(&bar)).await?;
        self.synced(report).await
    }

    /// What this command's syncs did, this one being the last, with the titles of the items that it tells of.
    pub(crate) async fn synced(&mut self, report: SyncReport) -> Result<Report, Failure> {
        self.synced.add(report);
        let mut titles = BTreeMap::new();
        for notice in &self.synced.notices {
            if let Some(open) = self.client.item(notice.vault_id, notice.item_id).await? {
                titles.insert(notice.item_id.to_string(), open.document.name().to_owned());
            }
        }
        Ok(Report::of(&self.synced).with_titles(&titles))
    }

    /// Writes a result that tells of these, after which no later sync does. A command whose result does not have the
    /// notices of its sync leaves them to the next one.
    pub(crate) async fn result(
        &mut self,
        context: &Context,
        text: &str,
        json: &impl Serialize,
        told: &[ItemNotice],
    ) {
        context.output.result(text, json);
        if context.output.lost().is_none() {
            // Where that cannot be kept they are told again.
            let _ = self.client.mark_told(told).await;
        }
    }

    /// Syncs what was just saved. An absent server is no failure: the edit waits on this device.
    pub(crate) async fn sync_saved(&mut self, context: &Context) -> Result<Synced, Failure> {
        if context.connection == Connection::Offline {
            return Ok(Synced::Skipped);
        }
        match tokio::time::timeout(PATIENCE, Box::pin(self.sync(context))).await {
            Ok(synced) => saved(synced),
            Err(_) => Ok(Synced::later(Failure::failed("busy", "the server takes too long"))),
        }
    }
}

/// What a sync after saving means: that it was saved is true in any case.
pub(crate) fn saved(synced: Result<Report, Failure>) -> Result<Synced, Failure> {
    match synced {
        Ok(report) => Ok(Synced::Done(report)),
        Err(failure) if failure.is_temporary() => Ok(Synced::later(failure)),
        Err(failure) => Err(failure.after("What you did is saved on this device, but the sync was stopped.")),
    }
}

/// The profile's files and ports, where there is an account.
pub(crate) async fn open_existing(context: &Context) -> Result<(NativeProfile, Ports), Failure> {
    if !context.place.folder().is_dir() {
        return Err(no_account(context));
    }
    let owned = open_profile(context.place.folder())?;
    let ports = owned.own_ports(&context.http()?).await?.ok_or_else(|| no_account(context))?;
    Ok((owned, ports))
}

/// The account's password as everything below takes it.
pub(crate) fn read_password(context: &Context) -> Result<Password, Failure> {
    hashed(&secrets::read(context.password, "Password")?)
}

/// A second password that the account has, under another question.
pub(crate) fn read_second_password(context: &Context, question: &str) -> Result<Password, Failure> {
    hashed(&secrets::read(context.password, question)?)
}

/// A new password, asked for twice.
pub(crate) fn read_new_password(context: &Context) -> Result<Password, Failure> {
    hashed(&secrets::read_new(context.password, "New password")?)
}

fn hashed(text: &str) -> Result<Password, Failure> {
    Password::new(text).map_err(|error: PasswordError| Failure::usage(error))
}

/// Where the account's password was changed elsewhere, the person at the terminal is asked for the new one, which then
/// opens this device; a program is told what to run. Whatever comes of it, the device is unlocked.
pub(crate) async fn ask_for_changed_password(
    context: &Context,
    ports: &Ports,
    unlocked: &mut Unlocked,
) -> Result<(), Failure> {
    if !password_is_outdated(&*ports.store, unlocked).await? {
        return Ok(());
    }
    let option = context.option();
    let later = format!(
        "The one before opens this device until the new one is typed here: `lockstep password confirm{option}` asks for it."
    );
    let asks = context.password == Source::Prompt
        && context.connection == Connection::Online
        && context.output.reader() == Reader::Person;
    if !asks {
        context.output.hint(&format!(
            "The account's password was changed, or registered anew, on another device. {later}"
        ));
        return Ok(());
    }
    context.output.note("The account's password was changed, or registered anew, on another device.");
    let text = secrets::read(Source::Prompt, "The account's password now (empty: later)")?;
    if text.is_empty() {
        context.output.note(&later);
        return Ok(());
    }
    let api = Api::new(ports.transport.clone());
    match Box::pin(adopt_password(ports, &api, unlocked, &hashed(&text)?)).await {
        Ok(()) => context.output.note("This device unlocks with it from now on."),
        Err(error) => context.output.note(&format!("{}\n{later}", Failure::from(error).told())),
    }
    Ok(())
}

async fn unlocked(context: &Context, ports: &Ports) -> Result<Unlocked, Failure> {
    if let Some(unlocked) = kept_unlocked(context, ports).await? {
        return Ok(unlocked);
    }
    let mut unlocked = unlock(ports, &read_password(context)?).await?;
    ask_for_changed_password(context, ports, &mut unlocked).await?;
    Ok(unlocked)
}

/// With the key that is kept in the background, if it is.
async fn kept_unlocked(context: &Context, ports: &Ports) -> Result<Option<Unlocked>, Failure> {
    let Some(key) = agent::ask(&context.place).await? else { return Ok(None) };
    match unlock_with_lrk(ports, key).await {
        // The profile was made anew since: what is in the background belongs to the old one.
        Err(ProfileError::WrongKey | ProfileError::Damaged(_)) => {
            agent::forget(&context.place).await?;
            Ok(None)
        }
        unlocked => Ok(Some(unlocked?)),
    }
}

fn no_account(context: &Context) -> Failure {
    let option = context.option();
    Failure::failed(
        "no-account",
        format!(
            "this profile has no account yet: run `lockstep signup{option}`, or on a further device `lockstep \
             join{option}` with what `lockstep device pair` shows on another one, or `lockstep signin{option} --kit \
             FILE` with your Emergency Kit"
        ),
    )
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Profile(error) => error.into(),
            OpenError::Lock(LockError::Busy) => Self::failed("busy", error),
            OpenError::NotPrivate(error) => Self::failed("not-private", error),
            OpenError::Http(_) => Self::new(Exit::Usage, "server-address", error),
            _ => Self::failed("profile", error),
        }
    }
}
