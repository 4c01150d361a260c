//! Invitation, offer and reveal of one pairing, as one side has them.

use lockstep_proto::canon::{Canon as _, Encoder};
use lockstep_proto::hash::hash;
use lockstep_proto::ids::Hash;

use super::{Invitation, Offer, PairingMessageError, PairingWords, Reveal, Sent};

/// The three messages before the words. Both devices show the same words iff they have the same exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    invitation: Sent<Invitation>,
    offer: Sent<Offer>,
    reveal: Sent<Reveal>,
}

impl Exchange {
    /// The exchange of these messages.
    ///
    /// # Errors
    /// [`PairingMessageError::Commitment`] when the revealed nonce is not the one that the invitation commits to;
    /// [`PairingMessageError::Keys`].
    pub fn new(
        invitation: Sent<Invitation>,
        offer: Sent<Offer>,
        reveal: Sent<Reveal>,
    ) -> Result<Self, PairingMessageError> {
        if Invitation::commit(&reveal.message().nonce) != invitation.message().commitment {
            return Err(PairingMessageError::Commitment);
        }
        offer.message().keys()?;
        Ok(Self { invitation, offer, reveal })
    }

    /// The invitation.
    pub fn invitation(&self) -> &Invitation {
        self.invitation.message()
    }

    /// The offer.
    pub fn offer(&self) -> &Offer {
        self.offer.message()
    }

    /// The first 44 bits of `H("pair-words", commitment ‖ nonce ‖ bytes offer ‖ account_id ‖ head)` as four words.
    pub fn words(&self) -> PairingWords {
        let invitation = self.invitation.message();
        let mut out = Encoder::new();
        invitation.commitment.encode(&mut out);
        out.fixed(&self.reveal.message().nonce);
        out.bytes(self.offer.as_bytes());
        invitation.account_id.encode(&mut out);
        invitation.head.encode(&mut out);
        PairingWords::of(&hash("pair-words", &[&out.into_bytes()]))
    }

    /// `H("pair-transcript", bytes invitation ‖ bytes offer ‖ bytes reveal)`.
    pub(super) fn transcript(&self) -> Hash {
        let mut out = Encoder::new();
        out.bytes(self.invitation.as_bytes());
        out.bytes(self.offer.as_bytes());
        out.bytes(self.reveal.as_bytes());
        hash("pair-transcript", &[&out.into_bytes()])
    }
}
