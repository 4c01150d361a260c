//! Containers killed under load: the engine starts them again, and whatever was acknowledged is there.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use super::deployment::Deployment;
use super::engine::{output, wait_for_answer, wait_until};
use crate::binaries::{Blow, Victim, survive};

/// A deployment one of whose services is killed.
struct Containers {
    deployment: Deployment,
    service: &'static str,
    url: String,
    /// How often it was killed and started again.
    deaths: AtomicU32,
}

impl Containers {
    /// A deployment where anybody may sign up.
    fn up(file: &'static str, service: &'static str) -> Self {
        let settings =
            "LOCKSTEP_PORT={port}\nLOCKSTEP_PUBLIC_URL=http://127.0.0.1:{port}\nLOCKSTEP_SIGNUP=open";
        let deployment = Deployment::up(file, settings);
        let url = format!("http://127.0.0.1:{}", deployment.port());
        Self { deployment, service, url, deaths: AtomicU32::new(0) }
    }
}

impl Victim for Containers {
    fn url(&self) -> &str {
        &self.url
    }

    fn kill(&self) {
        let process = self.deployment.process(self.service);
        output(Command::new("kill").args(["-KILL", &process]));
    }

    fn start_again(&self) {
        let container = self.deployment.container(self.service);
        let expected = self.deaths.fetch_add(1, Ordering::Relaxed) + 1;
        let format = "{{.RestartCount}} {{.State.Restarting}}";
        wait_until(&container, format, &format!("{expected} false"));
        wait_for_answer(&[&format!("{}/readyz", self.url)]);
    }

    fn cut_sessions(&self) {
        unreachable!("these rounds kill");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a Docker engine: .ci/docker runs it"]
async fn what_was_acknowledged_survives_kills_of_the_container() {
    survive(Containers::up("compose.yaml", "server"), &[Blow::KillSupervised]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a Docker engine: .ci/docker runs it"]
async fn what_was_acknowledged_survives_kills_of_the_container_beside_postgres() {
    survive(Containers::up("compose.postgres.yaml", "server"), &[Blow::KillSupervised]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a Docker engine: .ci/docker runs it"]
async fn what_was_acknowledged_survives_kills_of_the_database() {
    survive(Containers::up("compose.postgres.yaml", "db"), &[Blow::KillSupervised]).await;
}
