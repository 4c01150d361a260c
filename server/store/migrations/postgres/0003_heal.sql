-- Staging areas: what devices give back of a vault that this database lost with an older backup. Nothing of it is read
-- before it is whole and moves into the vault. base is the vault's head when the area was begun, -1 for a vault that is
-- not there; members are 32-byte ids, one after the other; bytes is what the area holds.
create table heal (
    vault_id bytea not null,
    account_id bytea not null,
    base_seq int8 not null,
    base_hash bytea not null,
    head_seq int8 not null,
    head_hash bytea not null,
    checkpoint bytea not null,
    live int8 not null,
    tombstones int8 not null,
    members bytea not null,
    bytes int8 not null,
    touched_ms int8 not null,
    primary key (vault_id, account_id)
);

-- The staged commits, as in vault_commit, with the device that wrote each.
create table heal_commit (
    vault_id bytea not null,
    account_id bytea not null,
    seq int8 not null,
    hash bytea not null,
    kind int2 not null,
    author_account bytea not null,
    author_device bytea not null,
    author_seq int8 not null,
    author_hash bytea not null,
    bytes bytea not null,
    body bytea not null,
    primary key (vault_id, account_id, seq)
);

-- Items as they are at the staged head. header is the one that the blob must have, as a live one; state and blob are null
-- until the blob is there.
create table heal_item (
    vault_id bytea not null,
    account_id bytea not null,
    item_id bytea not null,
    version int8 not null,
    blob_hash bytea not null,
    seq int8 not null,
    header bytea not null,
    state int2,
    blob bytea,
    primary key (vault_id, account_id, item_id)
);

create index heal_wanted on heal_item (vault_id, account_id, item_id) where blob is null;

-- Sealed bytes cannot be compressed: no time is spent on trying.
alter table heal_item alter column blob set storage external;
