-- What kind a commit is: 1 genesis, 2 content, 3 control, 4 heal. Before this version there were the first two.
alter table vault_commit add column kind integer not null default 2;

update vault_commit set kind = 1 where seq = 0;

-- The commits that say who may write: few, and found without the others.
create index vault_control on vault_commit (vault_id, seq) where kind <> 2;

-- When a version was stored and when another took its place, in milliseconds since 1970 by the server's clock; the
-- current one's replaced_ms is null. For versions from before this migration both are its time.
alter table item_version add column stored_ms integer not null default 0;

alter table item_version add column replaced_ms integer;

update item_version set stored_ms = unixepoch() * 1000;

update item_version set replaced_ms = stored_ms
where not exists (
    select 1 from item
    where item.vault_id = item_version.vault_id and item.item_id = item_version.item_id
      and item.version = item_version.version
);

-- Versions that may be pruned one day, per item in order.
create index item_version_replaced on item_version (vault_id, item_id, seq) where replaced_ms is not null;
