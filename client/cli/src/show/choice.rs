//! One value of a field among others: who wrote it and when.

use lockstep_client::item::{Stamp, Value};
use serde::Serialize;

use super::value;
use crate::output::clean_line;
use crate::when::rfc3339;

/// Whether a value is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// It is not.
    Hidden,
    /// It is.
    Open,
}

/// A value as a list of them shows it. A cleared field is `null`.
#[derive(Debug, Serialize)]
pub struct Choice {
    device_id: String,
    written: String,
    hidden: bool,
    value: serde_json::Value,
    #[serde(skip)]
    text: String,
}

impl Choice {
    /// This value.
    pub fn of(stamp: Stamp, held: &Value, shown: Shown) -> Self {
        let hidden = shown == Shown::Hidden;
        Self {
            device_id: stamp.device().to_string(),
            written: rfc3339(stamp.ms()),
            hidden,
            value: if hidden { serde_json::Value::Null } else { value::json(held) },
            text: if held.is_null() { "(cleared)".to_owned() } else { value::text(held) },
        }
    }

    /// A numbered line, `remark` in brackets behind the time.
    pub fn line(&self, number: usize, remark: &str) -> String {
        let held = if self.hidden { "(hidden; --reveal shows it)" } else { &clean_line(&self.text) };
        format!("  {number}. {held}  ({}{remark})", self.written)
    }
}
