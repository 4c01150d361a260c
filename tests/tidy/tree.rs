//! The source tree as the rules see it.

use std::path::{Path, PathBuf};

/// One Rust file, by its path below the top folder.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    /// Whether the whole file is test code.
    pub(crate) fn is_test(&self) -> bool {
        self.path.starts_with("tests/")
            || self.path.contains("/tests/")
            || self.path.ends_with("tests.rs")
            || self.path.ends_with("_test.rs")
            || self.path.ends_with("conformance.rs")
            || self.path.contains("/conformance/")
            || self.path.ends_with("/testing.rs")
    }

    /// The lines before the file's own test module, which stands last.
    pub(crate) fn production_lines(&self) -> Vec<&str> {
        if self.is_test() {
            return Vec::new();
        }
        let lines: Vec<&str> = self.text.lines().collect();
        let inline_tests = lines
            .windows(4)
            .position(|window| {
                window[0].trim() == "#[cfg(test)]"
                    && window[1..].iter().any(|line| line.ends_with("mod tests {"))
            })
            .unwrap_or(lines.len());
        lines[..inline_tests].to_vec()
    }
}

pub(crate) fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// Every Rust file of the workspace, ascending by path.
pub(crate) fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    for folder in ["proto", "server", "client", "tests"] {
        collect(&top().join(folder), &mut found);
    }
    found.sort_by(|left, right| left.path.cmp(&right.path));
    assert!(found.len() > 50, "the tree is not where this test looks for it");
    found
}

fn collect(folder: &Path, found: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && !name.starts_with('.') {
            collect(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let path = path.strip_prefix(top()).unwrap().to_string_lossy().into_owned();
            found.push(Source { path, text });
        }
    }
}

/// Fails with every offence, one a line.
pub(crate) fn expect_none(rule: &str, offences: &[String]) {
    assert!(offences.is_empty(), "{rule}:\n  {}", offences.join("\n  "));
}
