//! Whatever crosses the wire is fuzzed.

use crate::tree::{expect_none, sources};

/// Whether a text names a type.
fn names(text: &str, name: &str) -> bool {
    text.split(|character: char| !character.is_alphanumeric() && character != '_').any(|word| word == name)
}

#[test]
fn every_body_and_every_signed_structure_is_fuzzed() {
    let sources = sources();
    let text = |path: &str| sources.iter().find(|source| source.path == path).unwrap().text.as_str();
    let (bodies, signed) = (text("tests/fuzz/targets/api.rs"), text("tests/fuzz/targets/canon.rs"));
    let mut lacking = Vec::new();
    for source in sources.iter().filter(|source| source.path.starts_with("proto/src/")) {
        let lines = source.production_lines();
        for (index, line) in lines.iter().enumerate() {
            let name =
                |rest: &str| rest.split([' ', '<', ';', '(', '{']).next().unwrap_or_default().to_owned();
            if let Some(structure) = line.strip_prefix("impl Structure for ").map(name)
                && !names(signed, &structure)
            {
                lacking.push(format!("{}:{}: {structure}", source.path, index + 1));
            }
            let read = lines[..index].iter().rev().take_while(|line| line.starts_with("#["));
            let is_body = source.path.starts_with("proto/src/api/")
                && read.into_iter().any(|line| line.contains("Deserialize"));
            if let Some(body) = line.strip_prefix("pub struct ").map(name)
                && is_body
                && !names(bodies, &body)
            {
                lacking.push(format!("{}:{}: {body}", source.path, index + 1));
            }
        }
    }
    expect_none("every body and every signed structure is in a fuzz target", &lacking);
}
