//! Enters a new device into the account's log by the enrolment key (`device_add`, how = kit).
//!
//! **Invariant:** the signed link is durable before it is sent, and another one is signed only when the log has another
//! link in its place (R-ONCE).

use std::collections::BTreeMap;

use lockstep_crypto::device::DeviceKeys;
use lockstep_crypto::keys::Ark;
use lockstep_crypto::password_key::PasswordKey;
use lockstep_proto::api::ErrorCode;
use lockstep_proto::api::account::AppendLinks;
use lockstep_proto::ids::DeviceId;
use lockstep_proto::log::{AccountLink, AccountState, DeviceAdd, Enrolment, LinkBody, Signer};
use lockstep_proto::sign::Signed;

use super::error::AccountError;
use super::log_sync::{install, own_link, pull_with_slots};
use super::profile::{ProfileError, SIGN_IN, Stage};
use super::sign_in_error::SignInError;
use super::unlocked::Unlocked;
use crate::api::{Api, ApiError, Garbage, TokenSource};
use crate::ports::{Batch, LocalStore, Ports, Table};

/// How often the link is signed anew because the log moved on.
const ROUNDS: usize = 5;

/// The link that adds the device, after the log's head, at `now_ms` by its clock.
pub(super) fn make_device_link(
    state: &AccountState,
    ark: &Ark,
    keys: &DeviceKeys,
    password_key: &PasswordKey,
    now_ms: u64,
) -> Signed<AccountLink> {
    let add = DeviceAdd { keys: keys.public().clone(), how: Enrolment::Kit };
    let body = LinkBody::DeviceAdd(add);
    let signer = Signer::Enrolment;
    let link = AccountLink::after(state.account_id(), &state.head(), signer, now_ms, Vec::new(), body);
    let enrolment_key = ark.derive_enrolment_key(state.seed(), state.generation());
    Signed::sign(link, &enrolment_key).countersigned(&password_key.signing())
}

/// Adds the link that waits to a batch.
pub(super) fn put_device_link(
    unlocked: &Unlocked,
    link: &Signed<AccountLink>,
    batch: &mut Batch,
) -> Result<(), ProfileError> {
    let sealed = unlocked.sealer().seal(Table::Profile, SIGN_IN, &link.to_wire());
    batch.put(Table::Profile, SIGN_IN, sealed.map_err(|_| ProfileError::Damaged("the sign-in"))?);
    Ok(())
}

/// The link that waits.
pub(super) async fn read_device_link(
    store: &dyn LocalStore,
    unlocked: &Unlocked,
) -> Result<Signed<AccountLink>, ProfileError> {
    let damaged = || ProfileError::Damaged("the sign-in");
    let sealed = store.read(Table::Profile, SIGN_IN).await?.ok_or_else(damaged)?;
    let wire = unlocked.sealer().open(Table::Profile, SIGN_IN, &sealed).map_err(|_| damaged())?;
    Signed::from_wire(&wire).map_err(|_| damaged())
}

/// Sends the link until the log has the device, and marks the profile as finished.
pub(super) async fn enrol(
    ports: &Ports,
    api: &Api,
    (tokens, password_key): (&dyn TokenSource, &PasswordKey),
    mut unlocked: Unlocked,
    mut link: Signed<AccountLink>,
) -> Result<Unlocked, SignInError> {
    for _ in 0..ROUNDS {
        let body = AppendLinks { links: vec![link.to_body()], slots: Vec::new(), record: None };
        match api.append_links(tokens, &body).await {
            Ok(appended) if appended.head.hash == link.hash() => {
                let pulled = own_link(&unlocked.state, link)?;
                let finished = finished(&unlocked);
                install(ports, &mut unlocked, pulled, &BTreeMap::new(), finished).await?;
                unlocked.profile.stage = Stage::Ready;
                return Ok(unlocked);
            }
            Ok(_) => {
                let garbage = ApiError::Garbage { status: 200, what: Garbage::Body, retry_after: None };
                return Err(garbage.into());
            }
            Err(error) if error.code() == Some(ErrorCode::HeadMoved) => {
                match overtaken(ports, api, (tokens, password_key), &mut unlocked, &link).await? {
                    Some(again) => link = again,
                    None => return Ok(unlocked),
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(AccountError::LinkOvertaken.into())
}

/// The log moved on. `None` if it has the device by now; otherwise the link signed anew, durable.
async fn overtaken(
    ports: &Ports,
    api: &Api,
    (tokens, password_key): (&dyn TokenSource, &PasswordKey),
    unlocked: &mut Unlocked,
    link: &Signed<AccountLink>,
) -> Result<Option<Signed<AccountLink>>, SignInError> {
    let account_id = unlocked.account_id();
    let (pulled, slots) =
        pull_with_slots(&*ports.store, api, tokens, &account_id, Some(&unlocked.state)).await?;
    if pulled.state.hash_at(link.value().seq).is_none() {
        return Err(AccountError::Withheld { head: pulled.state.head() }.into());
    }
    if pulled.state.device(&unlocked.device_id()).is_some() {
        let finished = finished(unlocked);
        install(ports, unlocked, pulled, &slots, finished).await?;
        unlocked.profile.stage = Stage::Ready;
        return Ok(None);
    }
    let same_devices = active(&pulled.state).eq(active(&unlocked.state));
    let same_password = pulled.state.auth().is_some_and(|auth| auth.password_key == password_key.public());
    if pulled.state.generation() != unlocked.generation || !same_devices || !same_password {
        return Err(SignInError::AccountChanged);
    }
    let now_ms = ports.clock.now_ms();
    let again = make_device_link(&pulled.state, &unlocked.ark, &unlocked.keys, password_key, now_ms);
    let mut batch = Batch::new();
    put_device_link(unlocked, &again, &mut batch)?;
    install(ports, unlocked, pulled, &slots, batch).await?;
    Ok(Some(again))
}

fn active(state: &AccountState) -> impl Iterator<Item = &DeviceId> {
    state.devices().iter().filter(|(_, device)| device.is_active()).map(|(id, _)| id)
}

fn finished(unlocked: &Unlocked) -> Batch {
    let mut batch = Batch::new();
    unlocked.profile.put(Stage::Ready, &mut batch);
    batch.delete(Table::Profile, SIGN_IN);
    batch
}
