//! What a deployment's server keeps, copied out for a look at it.

use std::path::PathBuf;
use std::process::Command;

use super::deployment::Deployment;
use super::engine::{docker, output};

/// A folder with the server's volume and, where there is one, its database as bytes, table by table.
pub(super) fn copy(deployment: &Deployment) -> PathBuf {
    let folder = deployment.folder().join("kept");
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    std::fs::create_dir(&folder).unwrap();
    let volume = format!("{}:/data", deployment.container("server"));
    docker(&["cp", &volume, folder.to_str().unwrap()]);
    if deployment.services().iter().any(|service| service == "db") {
        let tables = sql(deployment, "select tablename from pg_tables where schemaname = 'public'");
        for table in String::from_utf8(tables).unwrap().lines() {
            let bytes = sql(deployment, &format!("copy {table} to stdout with (format binary)"));
            std::fs::write(folder.join(format!("table {table}")), bytes).unwrap();
        }
    }
    folder
}

fn sql(deployment: &Deployment, statement: &str) -> Vec<u8> {
    let container = deployment.container("db");
    let psql = ["exec", &container, "psql", "-U", "lockstep", "-d", "lockstep", "-Atc", statement];
    output(Command::new("docker").args(psql))
}
