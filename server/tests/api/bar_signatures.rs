//! Who lets devices be barred.

use ed25519_dalek::SigningKey;
use lockstep_proto::api::ErrorCode;
use lockstep_proto::api::account::{BarDevices, Barred};
use lockstep_proto::api::vaults::Committed;
use lockstep_proto::bar::BarStatement;
use lockstep_proto::ids::{Hash, Seq, ServerId};
use lockstep_proto::log::LogHead;
use lockstep_proto::sign::Signed;

use crate::revocation::Scene;
use crate::support::{Backend, password_key};

/// Whoever is barred writes nothing: a thief with an unlocked device bars nobody.
#[actix_web::test]
async fn a44_nobody_is_barred_without_the_password_or_the_recovery_key() {
    for backend in Backend::ALL {
        let mut scene = Scene::new(backend).await;
        let (world, account, token) = (&scene.world, &scene.account, &scene.token);
        let (other, server_id) = (scene.other.id(), world.server_id);
        let honest = account.bars(server_id, vec![other]);
        let signed = |statement: BarStatement, key: &SigningKey| BarDevices {
            signature: Some(*Signed::sign(statement, key).signature()),
            ..honest.clone()
        };
        let statement = || account.bar_statement(server_id, vec![other]);
        let of_another_device = BarStatement { device_id: other, ..statement() };
        let of_another_server = BarStatement { server_id: ServerId([9; 16]), ..statement() };
        let of_more = BarStatement { devices: Vec::new(), ..statement() };
        let earlier = LogHead { seq: Seq(1), hash: Hash([1; 32]) };
        let of_another_head = BarStatement { head: earlier, ..statement() };
        let password = password_key(&account.records[&account.head.hash]);
        for forged in [
            BarDevices { signature: None, ..honest.clone() },
            signed(statement(), &account.device.key),
            signed(statement(), &account.enrolment_key),
            signed(statement(), &password_key(&Hash([7; 32]))),
            signed(of_another_device, &password),
            signed(of_another_server, &password),
            signed(of_more, &password),
            signed(of_another_head, &password),
        ] {
            let refused = world.post("/v1/account/bar", token, &forged).await;
            assert_eq!(refused.code(), ErrorCode::Forbidden, "{forged:?}");
        }
        for head in [None, Some(earlier)] {
            let moved = world.post("/v1/account/bar", token, &BarDevices { head, ..honest.clone() }).await;
            assert_eq!(moved.problem().head, Some(account.head));
        }
        let by_recovery_key = signed(statement(), &account.recovery_key);
        scene.other_writes().await.ok::<Committed>();
        let (world, token) = (&scene.world, &scene.token);
        world.post("/v1/account/bar", token, &by_recovery_key).await.ok::<Barred>();
        assert_eq!(scene.other_writes().await.code(), ErrorCode::DeviceBarred);
    }
}
