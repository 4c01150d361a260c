//! Budgets: how large files, functions and ports may be, and how much of the code is tests.

use crate::tree::{Source, expect_none, sources};

fn percentile(values: &mut [usize], percent: usize) -> usize {
    values.sort_unstable();
    values[(values.len() - 1) * percent / 100]
}

#[test]
fn files_hold_one_idea() {
    let sources = sources();
    let long: Vec<String> = sources
        .iter()
        .filter(|source| source.text.lines().count() > 500)
        .map(|source| format!("{}: {} lines", source.path, source.text.lines().count()))
        .collect();
    expect_none("no file over 500 lines", &long);
    let mut lines: Vec<usize> = sources.iter().map(|source| source.text.lines().count()).collect();
    let (median, p90) = (percentile(&mut lines, 50), percentile(&mut lines, 90));
    assert!(median <= 150, "the median file has {median} lines, the budget is 150");
    assert!(p90 <= 350, "the 90th percentile of files has {p90} lines, the budget is 350");
}

/// The lengths of all functions outside tests, from `fn` to the closing brace of the same indentation.
fn function_lengths(source: &Source) -> Vec<(usize, usize)> {
    let lines = source.production_lines();
    let mut lengths = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let words = ["fn ", "pub fn ", "async fn ", "pub async fn ", "pub(super) fn ", "pub(crate) fn "];
        if !words.iter().any(|word| code.starts_with(word)) {
            continue;
        }
        let indentation = line.len() - code.len();
        let closes =
            |line: &&str| line.starts_with(&" ".repeat(indentation)) && line[indentation..].starts_with('}');
        let ends_at_once = code.ends_with(';') || code.ends_with("}");
        let length = if ends_at_once { 1 } else { lines[start..].iter().position(closes).unwrap_or(0) + 1 };
        lengths.push((start + 1, length));
    }
    lengths
}

#[test]
fn functions_are_short() {
    let mut lengths = Vec::new();
    for source in sources() {
        lengths.extend(function_lengths(&source).into_iter().map(|(_, length)| length));
    }
    let p90 = percentile(&mut lengths, 90);
    assert!(p90 <= 40, "the 90th percentile of functions has {p90} lines, the budget is 40");
}

#[test]
fn ports_have_at_most_twenty_methods() {
    let mut offences = Vec::new();
    for source in sources() {
        let mut current: Option<(String, usize)> = None;
        for line in source.text.lines() {
            if let Some(rest) = line.strip_prefix("pub trait ") {
                let name = rest.split([':', ' ', '<', '{']).next().unwrap_or_default();
                current = Some((name.to_owned(), 0));
            } else if line == "}" {
                if let Some((name, count)) = current.take().filter(|(_, count)| *count > 20) {
                    offences.push(format!("{}: {name} has {count} methods", source.path));
                }
            } else if let Some((_, count)) = &mut current {
                let code = line.trim_start();
                *count += usize::from(code.starts_with("fn ") || code.starts_with("async fn "));
            }
        }
    }
    expect_none("ports have at most 20 methods", &offences);
}

fn code_lines<'a>(lines: impl Iterator<Item = &'a str>) -> usize {
    lines.map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//")).count()
}

/// Test lines for each line of code, over the files that belong.
fn test_ratio(sources: &[Source], belongs: impl Fn(&str) -> bool) -> f64 {
    let (mut code, mut tests) = (0, 0);
    for source in sources.iter().filter(|source| belongs(&source.path)) {
        let production = code_lines(source.production_lines().into_iter());
        code += production;
        tests += code_lines(source.text.lines()) - production;
    }
    tests as f64 / code as f64
}

#[test]
fn there_is_enough_test_code() {
    let sources = sources();
    let overall = test_ratio(&sources, |_| true);
    assert!(overall >= 0.8, "test code is {overall:.2} x code, the budget is 0.8");
    // Merge is everything of an item but its views; the stories of devices in step are tests of sync.
    let parts: [(&str, &[&str], &str); 4] = [
        ("proto", &["proto/"], "-"),
        ("crypto", &["client/crypto/"], "-"),
        ("sync", &["client/core/src/sync/", "tests/e2e/"], "tests/e2e/binaries/"),
        ("merge", &["client/core/src/item/"], "client/core/src/item/views/"),
    ];
    for (part, folders, left_out) in parts {
        let belongs =
            |path: &str| folders.iter().any(|folder| path.starts_with(folder)) && !path.starts_with(left_out);
        let ratio = test_ratio(&sources, belongs);
        assert!(ratio >= 1.0, "test code of {part} is {ratio:.2} x code, the budget is 1.0");
    }
}
