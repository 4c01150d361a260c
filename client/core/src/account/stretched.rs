//! Runs the stretching inside OPAQUE and local unlock off the executor: the computation is run once to learn what it
//! would stretch, and again with the answer of the [`Stretcher`](crate::ports::Stretcher) port.

use std::sync::{Arc, Mutex, PoisonError};

use lockstep_crypto::keys::Luk;
use lockstep_crypto::opaque::{LoggedIn, Login, OpaqueError, Parties, Registered, Registration, Stretching};
use lockstep_crypto::password::{OpaquePassword, Password};
use lockstep_crypto::stretch::{STRETCHED_LENGTH, Stretch, StretchError};
use lockstep_crypto::unlock::{LocalUnlock, derive_luk};
use lockstep_proto::signin::KsfProfile;
use zeroize::Zeroizing;

use crate::ports::Ports;

type Stretched = Zeroizing<[u8; STRETCHED_LENGTH]>;

/// Finishes an OPAQUE registration.
pub(super) async fn finish_registration(
    ports: &Ports,
    registration: Registration,
    password: &OpaquePassword,
    response: &[u8],
    parties: &Parties,
    profile: KsfProfile,
) -> Result<Registered, OpaqueError> {
    let note = Arc::new(Note::default());
    let noting = Stretching { stretch: Arc::<Note>::clone(&note), profile };
    match registration.clone().finish(password, response, parties, &noting, &*ports.random) {
        Err(OpaqueError::Stretch) => {}
        other => return other,
    }
    let known = note.answer(ports, profile).await.map_err(|_| OpaqueError::Stretch)?;
    let stretching = Stretching { stretch: Arc::new(known), profile };
    registration.finish(password, response, parties, &stretching, &*ports.random)
}

/// Finishes an OPAQUE sign-in up to KE3.
pub(super) async fn finish_login(
    ports: &Ports,
    login: Login,
    password: &OpaquePassword,
    ke2: &[u8],
    parties: &Parties,
    profile: KsfProfile,
) -> Result<LoggedIn, OpaqueError> {
    let note = Arc::new(Note::default());
    let noting = Stretching { stretch: Arc::<Note>::clone(&note), profile };
    match login.clone().finish(password, ke2, parties, &noting, &*ports.random) {
        Err(OpaqueError::Stretch) => {}
        other => return other,
    }
    let known = note.answer(ports, profile).await.map_err(|_| OpaqueError::Stretch)?;
    let stretching = Stretching { stretch: Arc::new(known), profile };
    login.finish(password, ke2, parties, &stretching, &*ports.random)
}

/// LUK: what a password opens on this device.
pub(super) async fn stretched_luk(
    ports: &Ports,
    password: &Password,
    local: &LocalUnlock<'_>,
) -> Result<Luk, StretchError> {
    let note = Note::default();
    if let Ok(luk) = derive_luk(password, local, &note) {
        return Ok(luk);
    }
    let known = note.answer(ports, local.profile).await?;
    derive_luk(password, local, &known)
}

/// What was to be stretched.
struct Question {
    input: Zeroizing<Vec<u8>>,
    salt: Vec<u8>,
}

/// Stretches nothing: notes what was asked and fails.
#[derive(Default)]
struct Note(Mutex<Option<Question>>);

impl Note {
    async fn answer(&self, ports: &Ports, profile: KsfProfile) -> Result<Known, StretchError> {
        let question = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Question { input, salt } = question.ok_or(StretchError::Salt)?;
        let copy = Zeroizing::new(input.to_vec());
        let stretched = ports.stretcher.stretch(profile, copy, salt.clone()).await?;
        Ok(Known { profile, question: Question { input, salt }, stretched })
    }
}

impl Stretch for Note {
    fn stretch(&self, _: KsfProfile, input: &[u8], salt: &[u8]) -> Result<Stretched, StretchError> {
        let question = Question { input: Zeroizing::new(input.to_vec()), salt: salt.to_vec() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(question);
        Err(StretchError::Salt)
    }
}

/// Knows the answer to one question.
struct Known {
    profile: KsfProfile,
    question: Question,
    stretched: Stretched,
}

impl Stretch for Known {
    fn stretch(&self, profile: KsfProfile, input: &[u8], salt: &[u8]) -> Result<Stretched, StretchError> {
        let same = profile == self.profile && *self.question.input == input && self.question.salt == salt;
        if same { Ok(self.stretched.clone()) } else { Err(StretchError::Salt) }
    }
}
