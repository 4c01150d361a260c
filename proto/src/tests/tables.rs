//! The tables of the Markdown pages that are the specification.

use std::path::PathBuf;

/// One table: its head and its rows, cell by cell.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) head: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
}

/// Every table of a page of this crate, in order.
pub(super) fn tables(page: &str) -> Vec<Table> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = std::fs::read_to_string(path).unwrap();
    let mut tables = Vec::<Table>::new();
    let mut inside = false;
    for line in text.lines() {
        let cells = line.trim().strip_prefix('|').and_then(|line| line.strip_suffix('|')).map(cells);
        match cells {
            None => inside = false,
            Some(head) if !inside => {
                inside = true;
                tables.push(Table { head, rows: Vec::new() });
            }
            Some(row) if row.iter().all(|cell| cell.chars().all(|sign| sign == '-')) => {}
            Some(row) => {
                let table = tables.last_mut().unwrap();
                assert_eq!(row.len(), table.head.len(), "{page}: {line}");
                table.rows.push(row);
            }
        }
    }
    tables
}

fn cells(line: &str) -> Vec<String> {
    line.split('|').map(|cell| cell.trim().to_owned()).collect()
}

/// What stands in backticks.
pub(super) fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}
