//! What a statement costs follows from what it answers, not from how much there is.

use std::collections::BTreeSet;
use std::sync::Arc;

use lockstep_proto::ids::AccountId;
use tokio_postgres::Client;

use super::super::testing::TestDatabase;
use super::every_method::call_every_method;
use super::made_up::vault_id;
use super::open_at;
use super::scene::session;
use super::wire::{Sent, Wire};

/// Tables that grow without bound.
const GROWING: [&str; 17] = [
    "account",
    "account_link",
    "account_vault",
    "heal",
    "heal_commit",
    "heal_item",
    "heal_side",
    "heal_side_area",
    "item",
    "item_version",
    "signin_record",
    "slot",
    "vault",
    "vault_barred",
    "vault_commit",
    "vault_member",
    "vault_side",
];

/// Whether there is any account: ends at the first row.
const ALLOWED: &str = "select not exists (select 1 from account)";

/// 120,000 items in eight large vaults, with three versions of every twelfth; and 4,000 small vaults and accounts.
const LOAD: &str = "
    set synchronous_commit = off;
    alter table item set unlogged;
    alter table item_version set unlogged;
    alter table vault_commit set unlogged;
    create function id(kind text, n int8) returns bytea language sql immutable
        as $$ select decode(md5(kind) || lpad(to_hex(n), 32, '0'), 'hex') $$;
    create function item_id(n int8) returns bytea language sql immutable
        as $$ select decode(lpad(to_hex(n), 32, '0'), 'hex') $$;
    insert into account select id('a', n), 1, id('h', n), 0, null, null from generate_series(1, 4000) n;
    insert into account_link select id('a', n), s, id('h', n), id('h', n)
        from generate_series(1, 4000) n, generate_series(0, 4) s;
    insert into slot select id('a', n), id('s', s), id('s', s) from generate_series(1, 4000) n, generate_series(0, 4) s;
    insert into signin_record select id('a', n), id('u', n), 1 from generate_series(1, 4000) n;
    insert into account_vault select id('a', n), id('v', n), 0 from generate_series(1, 4000) n;
    insert into vault select id('v', n), 2000, id('c', 2000), id('k', n), 15000, 0, 0, 0, 0 from generate_series(1, 4000) n;
    insert into vault_member select id('v', n), id('a', m) from generate_series(1, 4000) n, generate_series(n, n + 2) m;
    insert into vault_barred select id('v', n), item_id(d), d
        from generate_series(1, 4000) n, generate_series(0, 4) d;
    insert into vault_commit
        select id('v', n), s, id('c', s), case when s % 100 = 0 then 3 else 2 end, id('a', n), 1, id('h', n), id('c', s), ''
        from generate_series(1, 8) n, generate_series(0, 2000) s;
    insert into item
        select id('v', n), item_id(i), 3, id('b', i), i / 8, case when i % 1000 = 0 then 2 else 1 end, 32
        from generate_series(1, 8) n, generate_series(1, 15000) i;
    insert into heal select id('v', n), id('a', n), 1, id('h', n), 2, id('h', n), '', 0, 0, '', 0, n
        from generate_series(1, 4000) n;
    insert into heal_commit select id('v', n), id('a', n), s, id('c', s), 2, id('a', n), item_id(s), 1, id('h', n), '', ''
        from generate_series(1, 8) n, generate_series(0, 2000) s;
    insert into heal_item select id('v', n), id('a', n), item_id(i), 3, id('b', i), i, '', null, null
        from generate_series(1, 8) n, generate_series(1, 4000) i;
    insert into heal_side_area select id('v', n), id('a', n), 0, n from generate_series(1, 4000) n;
    insert into heal_side select id('v', n), id('a', n), s, id('c', s), 2, id('a', n), item_id(s), 1, id('h', n), '', '', false
        from generate_series(1, 8) n, generate_series(0, 2000) s;
    insert into vault_side select id('v', n), s, id('c', s), 2, id('a', n), 1, id('h', n), '', ''
        from generate_series(1, 8) n, generate_series(0, 2000) s;
    insert into item_version
        select id('v', n), item_id(i), 3, i / 8, id('b', i), i, null
        from generate_series(1, 8) n, generate_series(1, 15000) i;
    insert into item_version
        select id('v', n), item_id(i * 12), v, v, id('b', i), i, i + v
        from generate_series(1, 8) n, generate_series(1, 1250) i, generate_series(1, 2) v;
    analyze";

/// Every statement that a store prepares.
async fn statements(database: &TestDatabase) -> BTreeSet<String> {
    let wire = Wire::to(&database.url());
    let store = Arc::new(open_at(wire.url()));
    call_every_method(&store, [vault_id(1), vault_id(2)], AccountId([9; 32])).await;
    let parsed = |(_, sent)| match sent {
        Sent::Parse(sql) => Some(sql),
        _ => None,
    };
    wire.take().into_iter().filter_map(parsed).collect()
}

/// The plan for values that are not known.
async fn plan(session: &Client, sql: &str) -> Vec<String> {
    session.batch_execute(&format!("prepare looked_at as {sql}")).await.unwrap();
    let count = "select cardinality(parameter_types) from pg_prepared_statements where name = 'looked_at'";
    let count: i32 = session.query_one(count, &[]).await.unwrap().get(0);
    let values = vec!["null"; count as usize].join(", ");
    let execute = if count == 0 { "looked_at".to_owned() } else { format!("looked_at ({values})") };
    let rows = session.query(&format!("explain (costs off) execute {execute}"), &[]).await.unwrap();
    session.batch_execute("deallocate looked_at").await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

/// The growing tables that a plan reads from end to end, in their own order or in an index's.
fn read_whole(plan: &[String]) -> Vec<&str> {
    let table = |line: &'_ str| GROWING.into_iter().find(|table| line.split(' ').any(|word| word == *table));
    let mut found = Vec::new();
    for (index, line) in plan.iter().enumerate().filter(|(_, line)| line.contains(" Scan")) {
        let own = plan[index + 1..].iter().take_while(|line| !line.contains("->"));
        let narrowed = line.contains("Bitmap Heap") || own.clone().any(|line| line.contains("Index Cond: "));
        found.extend(table(line.split_once(" on ").map_or("", |(_, on)| on)).filter(|_| !narrowed));
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_reads_a_table_from_end_to_end() {
    let database = TestDatabase::make();
    let statements = statements(&database).await;
    let session = session(&database).await;
    session.batch_execute(LOAD).await.unwrap();
    session.batch_execute("set plan_cache_mode = force_generic_plan").await.unwrap();
    let mut offences = String::new();
    for sql in statements.iter().filter(|sql| *sql != ALLOWED) {
        let plan = plan(&session, sql).await;
        if !read_whole(&plan).is_empty() {
            offences += &format!("{:?} in {sql}\n\n{}\n\n", read_whole(&plan), plan.join("\n"));
        }
    }
    assert!(offences.is_empty(), "{offences}");
    // That the rule can fail, and that what it looked at is what the store runs.
    let whole = plan(&session, "select count(*) from item where version = 7").await;
    assert_eq!(read_whole(&whole), ["item"], "{whole:?}");
    let whole = plan(&session, "select vault_id from vault order by vault_id limit 1").await;
    assert_eq!(read_whole(&whole), ["vault"], "{whole:?}");
    for part in
        ["for update of v skip locked", "w_members", "w_vault", "held <= $7", "skip locked\n     ), gone"]
    {
        assert!(statements.iter().any(|sql| sql.contains(part)), "{part}");
    }
    assert!(statements.len() > 30, "{}", statements.len());
}
