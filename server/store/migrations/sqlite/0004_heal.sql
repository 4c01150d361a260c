-- Staging areas: what devices give back of a vault that this database lost with an older backup. Nothing of it is read
-- before it is whole and moves into the vault. base is the vault's head when the area was begun, -1 for a vault that is
-- not there; members are 32-byte ids, one after the other; bytes is what the area holds.
create table heal (
    vault_id blob not null,
    account_id blob not null,
    base_seq integer not null,
    base_hash blob not null,
    head_seq integer not null,
    head_hash blob not null,
    checkpoint blob not null,
    live integer not null,
    tombstones integer not null,
    members blob not null,
    bytes integer not null,
    touched_ms integer not null,
    primary key (vault_id, account_id)
);

-- The staged commits, as in vault_commit, with the device that wrote each.
create table heal_commit (
    vault_id blob not null,
    account_id blob not null,
    seq integer not null,
    hash blob not null,
    kind integer not null,
    author_account blob not null,
    author_device blob not null,
    author_seq integer not null,
    author_hash blob not null,
    bytes blob not null,
    body blob not null,
    primary key (vault_id, account_id, seq)
);

-- Items as they are at the staged head. header is the one that the blob must have, as a live one; state and blob are null
-- until the blob is there.
create table heal_item (
    vault_id blob not null,
    account_id blob not null,
    item_id blob not null,
    version integer not null,
    blob_hash blob not null,
    seq integer not null,
    header blob not null,
    state integer,
    blob blob,
    primary key (vault_id, account_id, item_id)
);

create index heal_wanted on heal_item (vault_id, account_id, item_id) where blob is null;
