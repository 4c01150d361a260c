//! The commit's statement: one compare-and-set for any number of vaults, with the exact outcome of each.
//!
//! `snap` is what this statement's snapshot shows, `head` the newest row, locked. Where they differ the lock was won
//! after the snapshot was taken, and what was read elsewhere is out of date: the verdict is `again`. All writes read the
//! verdict `ok`, so a refusal writes nothing.

use std::sync::LazyLock;

/// One commit with one change, as scalars: `$1` … `$15` are the commit's columns, `$16` … `$22` the change's,
/// `$23` the commit's quota rule.
pub(super) static ONE: LazyLock<String> = LazyLock::new(|| {
    let requests =
        "select 0::int4 as n, $1::bytea as vault_id, $2::int8 as after_seq, $3::bytea as after_hash,
            $4::int8 as seq, $5::bytea as hash, $6::bytea as device_id, $7::bytea as author_account,
            $8::int8 as author_seq, $9::bytea as author_hash, $10::bytea as bytes, $11::bytea as body,
            $12::bytea as checkpoint, $13::int8 as live, $14::int8 as tombstones, $15::int8 as now_ms,
            $23::bool as waived, 2::int2 as kind, null::bytea[] as members";
    let changes = "select 0::int4 as n, 0::int4 as number, $16::bytea as item_id, $17::int8 as old_version,
            $18::bytea as old_hash, $19::int8 as new_version, $20::bytea as new_hash, $21::int2 as new_state,
            $22::bytea as blob";
    statement(requests, changes, "for update of v", "")
});

/// Any number of content commits, one per vault, as arrays: `$1` … `$16` are the commits' columns, `$17` … `$25` the
/// changes', `$26` the commits' quota rules. Passes by vaults that somebody else has locked.
pub(super) static MANY: LazyLock<String> =
    LazyLock::new(|| statement(REQUESTS, CHANGES, "for update of v skip locked", ""));

/// One commit of any kind, as the arrays of [`MANY`], in `$27` the members after it, if it sets them, and in `$28` its kind.
pub(super) static ALONE: LazyLock<String> =
    LazyLock::new(|| statement(REQUESTS_OF_ANY, CHANGES, "for update of v", MEMBERS));

/// Commits that follow a commit which is not the head any more: each is in the chain already, or overtaken. Reads only.
pub(super) const OVERTAKEN: &str = "select r.n, v.head_seq, v.head_hash, v.quota_bytes, v.used_bytes,
            exists (
                select 1 from vault_commit c where c.vault_id = r.vault_id and c.seq = r.seq and c.hash = r.hash
            )
     from unnest($1::int4[], $2::bytea[], $3::int8[], $4::bytea[]) as r (n, vault_id, seq, hash)
     join vault v on v.vault_id = r.vault_id
     order by r.n";

const REQUESTS: &str = "select r.*, 2::int2 as kind, null::bytea[] as members
     from unnest($1::int4[], $2::bytea[], $3::int8[], $4::bytea[], $5::int8[], $6::bytea[], $7::bytea[], $8::bytea[],
                 $9::int8[], $10::bytea[], $11::bytea[], $12::bytea[], $13::bytea[], $14::int8[], $15::int8[], $16::int8[],
                 $26::bool[])
          as r (n, vault_id, after_seq, after_hash, seq, hash, device_id, author_account,
                author_seq, author_hash, bytes, body, checkpoint, live, tombstones, now_ms, waived)";

const REQUESTS_OF_ANY: &str = "select r.*, $28::int2 as kind, $27::bytea[] as members
     from unnest($1::int4[], $2::bytea[], $3::int8[], $4::bytea[], $5::int8[], $6::bytea[], $7::bytea[], $8::bytea[],
                 $9::int8[], $10::bytea[], $11::bytea[], $12::bytea[], $13::bytea[], $14::int8[], $15::int8[], $16::int8[],
                 $26::bool[])
          as r (n, vault_id, after_seq, after_hash, seq, hash, device_id, author_account,
                author_seq, author_hash, bytes, body, checkpoint, live, tombstones, now_ms, waived)";

const CHANGES: &str = "select c.*
     from unnest($17::int4[], $18::int4[], $19::bytea[], $20::int8[], $21::bytea[], $22::int8[], $23::bytea[],
                 $24::int2[], $25::bytea[])
          as c (n, number, item_id, old_version, old_hash, new_version, new_hash, new_state, blob)";

const MEMBERS: &str = ",
w_gone as (
    delete from vault_member m
    using verdict d
    where d.outcome = 'ok' and d.members is not null and m.vault_id = d.vault_id
      and not m.account_id = any(d.members)
), w_members as (
    insert into vault_member (vault_id, account_id)
    select d.vault_id, unnest(d.members)
    from verdict d
    where d.outcome = 'ok' and d.members is not null
    on conflict (vault_id, account_id) do nothing
)";

fn statement(requests: &str, changes: &str, lock: &str, more: &str) -> String {
    format!(
        "with req as materialized (
    {requests}
), chg as materialized (
    {changes}
), snap as materialized (
    select v.vault_id, v.head_seq, v.bars
    from req r
    join vault v on v.vault_id = r.vault_id
), head as materialized (
    select v.vault_id, v.head_seq, v.head_hash, v.live, v.tombstones, v.used_bytes, v.quota_bytes, v.bars
    from vault v
    where v.vault_id = any(array(select vault_id from req))
    order by v.vault_id
    {lock}
), found as materialized (
    select c.n, c.number, c.new_state, octet_length(c.blob) as bytes, i.state,
           coalesce(i.version, 0) <> c.old_version
             or coalesce(i.blob_hash, '\\x{zero}'::bytea) <> c.old_hash as other
    from chg c
    join req r on r.n = c.n
    left join item i on i.vault_id = r.vault_id and i.item_id = c.item_id
), judged as (
    select n, min(number) filter (where other) as bad, sum(bytes)::int8 as added,
           count(*) filter (where new_state = 1) - count(*) filter (where state = 1) as live,
           count(*) filter (where new_state = 2) - count(*) filter (where state = 2) as tombstones
    from found
    group by n
), verdict as materialized (
    select r.*, h.head_seq, h.head_hash, h.quota_bytes, h.used_bytes, j.bad,
        coalesce(j.added, 0) + octet_length(r.bytes) + octet_length(r.body) as added,
        case
            when s.vault_id is null then 'no_vault'
            when h.vault_id is null then 'locked'
            when h.head_seq = r.seq and h.head_hash = r.hash then 'already'
            when h.head_seq <> s.head_seq or h.bars <> s.bars then 'again'
            when exists (
                select 1 from vault_commit p where p.vault_id = r.vault_id and p.seq = r.seq and p.hash = r.hash
            ) then 'already'
            when h.head_seq <> r.after_seq or h.head_hash <> r.after_hash then 'head_moved'
            when exists (
                select 1 from vault_barred b
                where b.vault_id = r.vault_id and b.device_id = r.device_id and b.until_ms > r.now_ms
            ) then 'barred'
            when j.bad is not null then 'item'
            when h.live + coalesce(j.live, 0) <> r.live or h.tombstones + coalesce(j.tombstones, 0) <> r.tombstones
                then 'counts'
            when not r.waived
             and h.used_bytes + coalesce(j.added, 0) + octet_length(r.bytes) + octet_length(r.body)
                 + coalesce((select sum(a.bytes)::int8 from heal a where a.vault_id = r.vault_id), 0)
                 + coalesce((select sum(a.bytes)::int8 from heal_side_area a where a.vault_id = r.vault_id), 0)
                 > h.quota_bytes then 'quota'
            else 'ok'
        end as outcome
    from req r
    left join snap s on s.vault_id = r.vault_id
    left join head h on h.vault_id = r.vault_id
    left join judged j on j.n = r.n
), w_vault as (
    update vault v
    set head_seq = d.seq, head_hash = d.hash, checkpoint = d.checkpoint, live = d.live, tombstones = d.tombstones,
        used_bytes = v.used_bytes + d.added
    from verdict d
    where d.outcome = 'ok' and v.vault_id = d.vault_id
), w_commit as (
    insert into vault_commit (vault_id, seq, hash, kind, author_account, author_seq, author_hash, bytes, body)
    select vault_id, seq, hash, kind, author_account, author_seq, author_hash, bytes, body
    from verdict
    where outcome = 'ok'
), w_replaced as (
    update item_version o
    set replaced_ms = d.now_ms
    from verdict d
    join chg c on c.n = d.n
    where d.outcome = 'ok' and c.old_version <> 0
      and o.vault_id = d.vault_id and o.item_id = c.item_id and o.version = c.old_version
), w_version as (
    insert into item_version (vault_id, item_id, version, seq, blob, stored_ms)
    select d.vault_id, c.item_id, c.new_version, d.seq, c.blob, d.now_ms
    from verdict d
    join chg c on c.n = d.n
    where d.outcome = 'ok'
), w_item as (
    insert into item (vault_id, item_id, version, blob_hash, seq, state, bytes)
    select d.vault_id, c.item_id, c.new_version, c.new_hash, d.seq, c.new_state, octet_length(c.blob)
    from verdict d
    join chg c on c.n = d.n
    where d.outcome = 'ok'
    on conflict (vault_id, item_id) do update
    set version = excluded.version, blob_hash = excluded.blob_hash, seq = excluded.seq, state = excluded.state,
        bytes = excluded.bytes
){more}
select n, outcome, head_seq, head_hash, quota_bytes, used_bytes, bad, added
from verdict
order by n",
        zero = "00".repeat(32)
    )
}
