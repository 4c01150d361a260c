//! Which session may send which links: everything that is not named here is refused.

use lockstep_proto::ids::{AccountId, DeviceId, Hash};
use lockstep_proto::log::{AccountLink, DeviceAdd, Enrolment, LinkBody, Signer};
use lockstep_proto::sign::Signed;

use super::fixture::*;
use crate::caller::{Caller, Session};
use crate::services::permit;

const TOKEN: Hash = Hash([7; 32]);

/// Links as somebody could send them; who may sign what, the verifier says.
struct Links {
    by_phone: Signed<AccountLink>,
    by_laptop: Signed<AccountLink>,
    by_recovery_key: Signed<AccountLink>,
    adds_tablet: Signed<AccountLink>,
    adds_watch: Signed<AccountLink>,
    password_by_tablet: Signed<AccountLink>,
    other_by_tablet: Signed<AccountLink>,
}

impl Links {
    fn new() -> Self {
        let account = TestAccount::new(&World::new(), "ann", "phone");
        let device = |name: &str| Signer::Device(device_id(name));
        let version = || LinkBody::SecurityVersion(2);
        let adds = |name: &str| {
            let add = DeviceAdd { keys: device_keys(name), how: Enrolment::Kit };
            account.link(Signer::Enrolment, "ann enrolment", LinkBody::DeviceAdd(add))
        };
        let auth = || LinkBody::AuthUpdate(account.auth("next", &[1; 32]));
        Self {
            by_phone: account.link(device("phone"), "phone", version()),
            by_laptop: account.link(device("laptop"), "laptop", version()),
            by_recovery_key: account.link(Signer::Recovery, "ann recovery", version()),
            adds_tablet: adds("tablet"),
            adds_watch: adds("watch"),
            password_by_tablet: account.link(device("tablet"), "tablet", auth()),
            other_by_tablet: account.link(device("tablet"), "tablet", version()),
        }
    }
}

fn may(session: Session, links: &[&Signed<AccountLink>]) -> bool {
    let links: Vec<_> = links.iter().map(|link| (*link).clone()).collect();
    permit::of(Caller { account_id: AccountId([1; 32]), session }, &links).is_some()
}

#[test]
fn a_device_sends_what_it_or_the_recovery_key_has_signed_and_nothing_else() {
    let links = Links::new();
    let phone = Session::Device(device_id("phone"));
    assert!(may(phone, &[&links.by_phone, &links.by_recovery_key, &links.by_phone]));
    for foreign in [&links.by_laptop, &links.adds_tablet, &links.password_by_tablet] {
        assert!(!may(phone, &[foreign]) && !may(phone, &[&links.by_phone, foreign]));
        assert!(!may(phone, &[foreign, &links.by_phone]));
    }
}

#[test]
fn an_enrolment_session_brings_one_device_in_and_lets_it_set_the_password() {
    let links = Links::new();
    let enrolment = |added: Option<DeviceId>| Session::Enrolment { token: TOKEN, added };
    let (new, tablet) = (enrolment(None), enrolment(Some(device_id("tablet"))));
    let Links { adds_tablet, adds_watch, password_by_tablet, other_by_tablet, .. } = &links;
    assert!(may(new, &[adds_tablet]) && may(new, &[adds_tablet, password_by_tablet]));
    // Sent again, or in two requests.
    assert!(may(tablet, &[adds_tablet, password_by_tablet]) && may(tablet, &[password_by_tablet]));
    for refused in [
        &[password_by_tablet][..],
        &[password_by_tablet, adds_tablet],
        &[adds_tablet, adds_watch],
        &[adds_tablet, other_by_tablet],
        &[adds_watch, password_by_tablet],
        &[&links.by_phone],
        &[&links.by_recovery_key],
        &[adds_tablet, &links.by_recovery_key],
    ] {
        assert!(!may(new, refused));
    }
    assert!(!may(tablet, &[adds_watch]) && !may(tablet, &[other_by_tablet]));
    let permit = |links: &[&Signed<AccountLink>]| {
        let links: Vec<_> = links.iter().map(|link| (*link).clone()).collect();
        permit::of(Caller { account_id: AccountId([1; 32]), session: new }, &links).unwrap()
    };
    let noted = permit(&[adds_tablet, password_by_tablet]);
    assert_eq!((noted.token(), noted.added()), (Some(TOKEN), Some(device_id("tablet"))));
    assert_eq!(permit(&[]).added(), None);
}

#[test]
fn a_recovery_session_sends_one_link_of_the_recovery_key_once() {
    let links = Links::new();
    let recovery = |spent: bool| Session::Recovery { token: TOKEN, spent };
    let own = &links.by_recovery_key;
    assert!(may(recovery(false), &[own]));
    for refused in [&[][..], &[own, own], &[own, &links.by_phone], &[&links.by_phone], &[&links.adds_tablet]]
    {
        assert!(!may(recovery(false), refused));
    }
    // What it has done it may send again, to learn that it is done; anything else is refused as spent.
    for (spent, unspent) in [(false, Some(())), (true, None)] {
        let caller = Caller { account_id: AccountId([1; 32]), session: recovery(spent) };
        let permit = permit::of(caller, std::slice::from_ref(own)).unwrap();
        assert_eq!((permit.check_unspent(), permit.token()), (unspent, Some(TOKEN)));
    }
}
