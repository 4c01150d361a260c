//! The profile's first record, and what may be done at which stage.

use std::sync::Arc;

use lockstep_proto::canon;

use super::super::profile::{PROFILE, refuse_existing};
use super::super::*;
use super::device::{Device, account};
use super::server::Server;
use crate::ports::{Batch, LocalStore as _, Table};
use crate::testing::block_on;

const STAGES: [Stage; 4] = [Stage::SigningUp, Stage::SigningIn, Stage::Recovering, Stage::Ready];

fn put(device: &Device, bytes: Vec<u8>) {
    let mut batch = Batch::new();
    batch.put(Table::Profile, PROFILE, bytes);
    block_on(device.ports.store.write(batch)).unwrap();
}

fn first_record(device: &Device) -> Profile {
    block_on(profile(&*device.ports.store)).unwrap().unwrap()
}

#[test]
fn only_a_profile_that_was_never_finished_can_be_abandoned_and_nothing_of_it_stays() {
    for stage in STAGES {
        let (_, device, _) = account();
        let kept = Profile { stage, ..first_record(&device) };
        put(&device, canon::to_bytes(&kept));
        assert_eq!(first_record(&device), kept);
        let (refused, abandoned) =
            (block_on(refuse_existing(&*device.store)), block_on(abandon_unfinished(&device.ports)));
        match stage {
            Stage::Ready => {
                assert!(matches!(refused, Err(ProfileError::Exists)));
                assert!(matches!(abandoned, Err(ProfileError::Complete)));
                assert_eq!(first_record(&device), kept);
            }
            _ => {
                assert!(matches!(refused, Err(ProfileError::Unfinished(found)) if found == stage));
                abandoned.unwrap();
                assert!(device.is_untouched());
                block_on(refuse_existing(&*device.store)).unwrap();
            }
        }
    }
    let empty = Device::new(&Arc::new(Server::new()), 3);
    assert!(matches!(block_on(abandon_unfinished(&empty.ports)), Err(ProfileError::Missing)));
}

/// A newer program's profile is told from a damaged one, and neither is taken for none: else a new account would be
/// made over the keys of the old one.
#[test]
fn a_profile_that_cannot_be_read_is_never_taken_for_none() {
    let (_, device, _) = account();
    let good = canon::to_bytes(&first_record(&device));
    let newer = [&2_u16.to_be_bytes()[..], &good[2..]].concat();
    put(&device, newer.clone());
    assert!(matches!(block_on(profile(&*device.store)), Err(ProfileError::Newer { found: 2 })));
    let mut stage = good.clone();
    stage[2] = 5;
    let mut url = good.clone();
    // The first byte of the address, after format, stage and length.
    url[7] = 0xff;
    let damaged = [Vec::new(), good[..good.len() - 1].to_vec(), [&good[..], &[0]].concat(), stage, url];
    for bytes in damaged {
        put(&device, bytes.clone());
        let read = block_on(profile(&*device.store));
        assert!(matches!(read, Err(ProfileError::Damaged(_))), "{read:?}");
        assert!(device.sign_up().is_err());
        assert!(block_on(abandon_unfinished(&device.ports)).is_err());
        assert_eq!(block_on(device.store.read(Table::Profile, PROFILE)).unwrap(), Some(bytes));
    }
}

#[test]
fn every_bit_of_the_first_record_is_read_or_refused() {
    let (_, device, _) = account();
    let kept = first_record(&device);
    let good = canon::to_bytes(&kept);
    for at in 0..good.len() * 8 {
        let mut flipped = good.clone();
        flipped[at / 8] ^= 1 << (at % 8);
        if let Ok(read) = canon::from_bytes::<Profile>(&flipped) {
            assert!(read != kept && canon::to_bytes(&read) == flipped, "bit {at}");
        }
    }
}
