//! What lets the schema be distributed by vault and by account: keys that lead with one of the two, and transactions
//! that keep to one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use lockstep_proto::ids::AccountId;

use super::super::statement::{MANY, OVERTAKEN};
use super::super::testing::TestDatabase;
use super::every_method::call_every_method;
use super::made_up::vault_id;
use super::scene::session;
use super::wire::{Sent, Wire};
use super::{open, open_at};

/// Small tables that every part has, or that are looked up by a code.
const GLOBAL: [&str; 3] = ["invite", "lockstep_schema", "meta"];
const OF_VAULTS: [&str; 12] = [
    "heal",
    "heal_commit",
    "heal_item",
    "heal_side",
    "heal_side_area",
    "item",
    "item_version",
    "vault",
    "vault_barred",
    "vault_commit",
    "vault_member",
    "vault_side",
];
const OF_ACCOUNTS: [&str; 5] = ["account", "account_link", "account_vault", "signin_record", "slot"];

#[tokio::test(flavor = "multi_thread")]
async fn every_key_leads_with_vault_or_account() {
    let database = TestDatabase::make();
    drop(open(&database));
    let session = session(&database).await;
    let sql = "select c.relname::text, i.relname::text, a.attname::text
         from pg_class c
         left join pg_index x on x.indrelid = c.oid
         left join pg_class i on i.oid = x.indexrelid
         left join pg_attribute a on a.attrelid = c.oid and a.attnum = x.indkey[0]
         where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')";
    let mut tables = BTreeSet::new();
    for row in session.query(sql, &[]).await.unwrap() {
        let (table, index, column): (String, Option<String>, Option<String>) =
            (row.get(0), row.get(1), row.get(2));
        tables.insert(table.clone());
        let wanted = match table.as_str() {
            table if OF_VAULTS.contains(&table) => "vault_id",
            table if OF_ACCOUNTS.contains(&table) => "account_id",
            table => {
                assert!(GLOBAL.contains(&table), "{table} is of neither vaults nor accounts");
                continue;
            }
        };
        assert_eq!(column.as_deref(), Some(wanted), "{table}, {index:?}");
    }
    assert_eq!(tables.len(), GLOBAL.len() + OF_VAULTS.len() + OF_ACCOUNTS.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_table_points_to_another() {
    let database = TestDatabase::make();
    drop(open(&database));
    let session = session(&database).await;
    let sql = "select count(*) from pg_constraint where contype = 'f'";
    assert_eq!(session.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 0);
    let sql = "select count(*) from pg_trigger";
    assert_eq!(session.query_one(sql, &[]).await.unwrap().get::<_, i64>(0), 0);
}

/// Statements with the bytes that they were given.
type Transaction = Vec<(String, Vec<u8>)>;

/// The transactions that a store sent, explicit ones and those of a single statement.
fn transactions(sent: Vec<(usize, Sent)>) -> Vec<Transaction> {
    let mut connections: BTreeMap<usize, (bool, Transaction)> = BTreeMap::new();
    let mut whole = Vec::new();
    for (number, sent) in sent {
        let (open, statements) = connections.entry(number).or_default();
        match sent {
            Sent::Query(sql) if sql.starts_with("BEGIN") || sql.starts_with("START") => *open = true,
            Sent::Query(sql) if sql.starts_with("COMMIT") || sql.starts_with("ROLLBACK") => {
                *open = false;
                whole.push(std::mem::take(statements));
            }
            Sent::Bind(sql, values) => statements.push((sql, values)),
            Sent::Sync if !*open => whole.push(std::mem::take(statements)),
            _ => {}
        }
    }
    whole.retain(|statements| !statements.is_empty());
    whole
}

/// The tables that a statement names.
fn tables(sql: &str) -> BTreeSet<&str> {
    let words: Vec<&str> = sql
        .split(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
        .filter(|word| !word.is_empty())
        .collect();
    let named =
        words.windows(2).filter(|pair| ["from", "join", "into", "update", "using"].contains(&pair[0]));
    named.map(|pair| pair[1]).collect()
}

fn holds(values: &[u8], id: &[u8; 32]) -> bool {
    values.windows(id.len()).any(|window| window == id)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_keeps_to_one_vault_or_one_account() {
    let database = TestDatabase::make();
    let wire = Wire::to(&database.url());
    let store = Arc::new(open_at(wire.url()));
    wire.take();
    let vaults = [vault_id(1), vault_id(2)];
    call_every_method(&store, vaults, AccountId([9; 32])).await;
    let (mut of_vaults, mut of_accounts) = (0, 0);
    for transaction in transactions(wire.take()) {
        let named: BTreeSet<&str> = transaction.iter().flat_map(|(sql, _)| tables(sql)).collect();
        let vault = OF_VAULTS.iter().any(|table| named.contains(table));
        let account = OF_ACCOUNTS.iter().any(|table| named.contains(table));
        assert!(!(vault && account), "{transaction:?}");
        of_vaults += usize::from(vault);
        of_accounts += usize::from(account);
        // A batch and the answer to many that came too late are of many vaults, none of which changes what another
        // gets: they share a flush or a round trip.
        let shared = |sql: &str| sql == MANY.as_str() || sql == OVERTAKEN;
        let own = transaction.iter().filter(|(sql, _)| !shared(sql));
        let values: Vec<u8> = own.flat_map(|(_, values)| values.clone()).collect();
        let touched = vaults.iter().filter(|vault_id| holds(&values, &vault_id.0)).count();
        assert!(touched <= 1, "{transaction:?}");
    }
    assert!(of_vaults > 15 && of_accounts > 8, "{of_vaults} {of_accounts}");
}
