//! How little a container may do, as the kernel and the engine see it.

use std::collections::BTreeMap;

use super::deployment::Deployment;
use super::engine::inspect;

/// The right to listen on ports below 1,024, as a mask of capabilities.
const NET_BIND_SERVICE: u64 = 1 << 10;

/// Every container of the deployment is confined, and the server's most of all.
pub(super) fn assert_confined(deployment: &Deployment) {
    for service in deployment.services() {
        let status = status(&deployment.process(&service));
        let allowed = if service == "caddy" { NET_BIND_SERVICE } else { 0 };
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            let held = u64::from_str_radix(&status[set], 16).unwrap();
            assert_eq!(held & !allowed, 0, "{service}: {set} is {held:x}");
        }
        assert_eq!((&*status["NoNewPrivs"], &*status["Seccomp"]), ("1", "2"), "{service}");
        assert_eq!(status["Uid"].starts_with("0\t"), service == "caddy", "{service}");
        assert!(mount_options(&deployment.process(&service), "/").starts_with("ro"), "{service}");
        assert_limited(&inspect(&deployment.container(&service)));
    }
    let process = deployment.process("server");
    assert_eq!(status(&process)["Uid"], "65532\t65532\t65532\t65532");
    assert_eq!(status(&process)["Gid"], "65532\t65532\t65532\t65532");
    assert!(mount_options(&process, "/data").starts_with("rw"));
}

fn assert_limited(container: &serde_json::Value) {
    let host = &container["HostConfig"];
    for limit in ["Memory", "NanoCpus", "PidsLimit"] {
        assert!(host[limit].as_u64().unwrap() > 0, "{limit}: {}", container["Name"]);
    }
    assert_eq!(host["RestartPolicy"]["Name"], "unless-stopped");
    let log = &host["LogConfig"];
    assert_eq!(
        (&log["Type"], &log["Config"]["max-size"], &log["Config"]["max-file"]),
        (&"json-file".into(), &"10m".into(), &"5".into())
    );
    assert!(container["Config"]["StopTimeout"].as_u64().unwrap() >= 30);
}

/// The lines of `/proc/PID/status`.
fn status(process: &str) -> BTreeMap<String, String> {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let fields = text.lines().filter_map(|line| line.split_once(':'));
    fields.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

/// How the process sees what is mounted there.
fn mount_options(process: &str, place: &str) -> String {
    let text = std::fs::read_to_string(format!("/proc/{process}/mountinfo")).unwrap();
    let found = text.lines().map(|line| line.split(' ').collect::<Vec<_>>()).find(|words| words[4] == place);
    found.unwrap_or_else(|| panic!("nothing is mounted on {place}"))[5].to_owned()
}
