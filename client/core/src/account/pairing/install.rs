//! From a reply to a profile: what the new device was told is compared with the account's log, then stored at once.

use lockstep_crypto::device::DeviceKeys;
use lockstep_crypto::hedge::Hedge;
use lockstep_crypto::opaque::Parties;
use lockstep_crypto::pairing::Grant;
use lockstep_crypto::password::Password;
use lockstep_crypto::slots::SlotError;
use lockstep_proto::ids::{AccountId, Seq, ServerId};
use lockstep_proto::log::{AccountLink, AccountState, Device, Enrolment, LinkBody, LogHead, Signer};
use lockstep_proto::sign::Signed;

use super::PairingError;
use crate::account::device_secrets::DeviceSecrets;
use crate::account::events::put_link_events;
use crate::account::local_password::put_password_key;
use crate::account::local_slot::make_local_slot;
use crate::account::log_store::{put_links, put_pin};
use crate::account::log_sync::{install, pull_with_slots};
use crate::account::profile::{Profile, ProfileError, Stage, refuse_existing};
use crate::account::pull::Pulled;
use crate::account::sign_in_run::{Entrant, check_log, enter};
use crate::account::{AccountError, Claims, Said, Unlocked};
use crate::api::Api;
use crate::ports::{Batch, Ports};

/// What a device that was let in knows.
pub(super) struct Entry {
    pub(super) server_url: String,
    pub(super) server_id: ServerId,
    pub(super) account_id: AccountId,
    /// The head that the words have confirmed.
    pub(super) before: LogHead,
    /// The link that adds this device.
    pub(super) added: LogHead,
    pub(super) keys: DeviceKeys,
    pub(super) grant: Grant,
}

/// Signs in, pulls and verifies the log, compares, stores.
pub(super) async fn install_profile(
    ports: &Ports,
    api: &Api,
    entry: &Entry,
    password: &Password,
) -> Result<Unlocked, PairingError> {
    refuse_existing(&*ports.store).await?;
    let entrant = Entrant {
        parties: Parties { account_id: entry.account_id, server_id: entry.server_id },
        secret_key: &entry.grant.secret_key,
        password,
        floor: entry.grant.ksf_profile,
    };
    let entered = Box::pin(enter(ports, api, &entrant)).await?;
    let account_id = &entry.account_id;
    let (pulled, slots) = pull_with_slots(&*ports.store, api, &entered.token, account_id, None).await?;
    check_log(&pulled.state, &entered, &entrant)?;
    let admission = Admission::check(entry, &pulled.state, &pulled.links)?;

    let keys = DeviceKeys::from_secret_bytes(&*entry.keys.expose_secret_bytes())
        .map_err(|_| ProfileError::Damaged("its keys"))?;
    let rng_secret = keys.derive_rng_secret();
    let hedge = Hedge::new(&*ports.random, &rng_secret);
    let owner = (entry.account_id, keys.device_id());
    let local = Box::pin(make_local_slot(ports, password, owner, entered.profile, &hedge)).await?;
    let profile = Profile {
        stage: Stage::Ready,
        server_url: entry.server_url.clone(),
        server_id: entry.server_id,
        account_id: owner.0,
        device_id: owner.1,
        ksf_profile: entered.profile,
        salt: local.salt,
        local_slot: local.slot,
    };
    let secrets = DeviceSecrets {
        keys,
        ark: entry.grant.ark.duplicate(),
        generation: entry.grant.generation,
        secret_key: entry.grant.secret_key.duplicate(),
    };
    let mut batch = Batch::new();
    profile.put(Stage::Ready, &mut batch);
    let mut unlocked = Unlocked::new(profile, secrets, admission.state, local.lrk, ports.random.clone());
    unlocked.put_secrets(&mut batch)?;
    put_password_key(&unlocked, &local.luk, &entered.password_key, &mut batch)?;
    let claims = admission.claims.put(&mut batch, &unlocked);
    claims.map_err(|_| ProfileError::Damaged("what other devices have seen cannot be sealed"))?;
    // Up to the link that added it this device has only just come in; what came after is news.
    let Pulled { state, mut links } = pulled;
    let news = links.split_off(admission.links);
    put_links(&entry.account_id, &links, &mut batch);
    put_link_events(&unlocked, (None, None), None, &links, ports.clock.now_ms(), &mut batch)?;
    put_pin(unlocked.state(), unlocked.sealer(), &mut batch)?;
    install(ports, &mut unlocked, Pulled { state, links: news }, &slots, batch).await?;
    Ok(unlocked)
}

/// What the account's log says about how this device came in.
struct Admission {
    /// The account after the link that added it.
    state: AccountState,
    /// Links up to there.
    links: usize,
    /// What the device that let it in had seen of every vault.
    claims: Claims,
}

impl Admission {
    fn check(entry: &Entry, now: &AccountState, links: &[Signed<AccountLink>]) -> Result<Self, PairingError> {
        for head in [entry.before, entry.added] {
            match now.hash_at(head.seq) {
                None => return Err(AccountError::Withheld { head }.into()),
                Some(hash) if hash != head.hash => {
                    return Err(AccountError::Diverged { at: head.seq }.into());
                }
                Some(_) => {}
            }
        }
        let place = usize::try_from(entry.added.seq.0).unwrap_or(usize::MAX);
        let link = links.get(place).ok_or(PairingError::OtherLink)?.value();
        let LinkBody::DeviceAdd(add) = &link.body else { return Err(PairingError::OtherLink) };
        let Signer::Device(by) = link.signer else { return Err(PairingError::OtherLink) };
        let follows = entry.added.seq == Seq(entry.before.seq.0.saturating_add(1));
        if add.keys != *entry.keys.public() || add.how != Enrolment::Pairing || !follows {
            return Err(PairingError::OtherLink);
        }
        if !now.device(&entry.keys.device_id()).is_some_and(Device::is_active) {
            return Err(AccountError::DeviceRevoked.into());
        }
        let state = AccountState::from_links(&links[..=place]).map_err(AccountError::from)?;
        let Grant { ark, generation, .. } = &entry.grant;
        let commit = ark.derive_commit(state.seed(), *generation);
        if *generation != state.generation() || commit != state.ark_commit() {
            return Err(AccountError::Slot(SlotError::NotCommitted).into());
        }
        let mut claims = Claims::default();
        claims.note(link.heads.iter().map(|seen| Said { seen: *seen, by }));
        Ok(Self { state, links: place + 1, claims })
    }
}
