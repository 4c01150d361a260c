-- What the store knows about itself: one row per name.
create table meta (
    name text primary key,
    value bytea not null
);

-- Accounts and the heads of their logs. bytes is what links, slots and record hold; quota_bytes and quota_vaults are what the
-- operator gives this account instead of what every account has.
create table account (
    account_id bytea primary key,
    head_seq int8 not null,
    head_hash bytea not null,
    bytes int8 not null,
    quota_bytes int8,
    quota_vaults int8
);

-- Signed links as on the wire.
create table account_link (
    account_id bytea not null,
    seq int8 not null,
    hash bytea not null,
    bytes bytea not null,
    added_ms int8 not null,
    primary key (account_id, seq)
);

-- Wrapped keys, by the hash that a link names. Ones that are no longer named go.
create table slot (
    account_id bytea not null,
    hash bytea not null,
    bytes bytea not null,
    primary key (account_id, hash)
);

-- OPAQUE registration uploads; profile is the key-stretching profile's number.
create table signin_record (
    account_id bytea primary key,
    upload bytea not null,
    profile int4 not null
);

-- The vaults that an account made, and how many bytes of its quota are each one's share: a place is taken here, in the
-- account's own transaction, before the vault is made in the vault's, and a share is raised here before it is there.
create table account_vault (
    account_id bytea not null,
    vault_id bytea not null,
    bytes int8 not null,
    primary key (account_id, vault_id)
);

-- Unspent invitations, by the hash of their code.
create table invite (
    hash bytea primary key,
    expires_ms int8 not null
);

-- Vaults: head, the verified state at the head, what commits, side commits and versions hold, and the vault's share of its
-- account's quota. Every commit updates its row, so pages keep room for it.
create table vault (
    vault_id bytea primary key,
    head_seq int8 not null,
    head_hash bytea not null,
    checkpoint bytea not null,
    live int8 not null,
    tombstones int8 not null,
    used_bytes int8 not null,
    quota_bytes int8 not null
) with (fillfactor = 50);

-- Who may read a vault.
create table vault_member (
    vault_id bytea not null,
    account_id bytea not null,
    primary key (vault_id, account_id)
);

-- Devices that may not write in a vault now.
create table vault_barred (
    vault_id bytea not null,
    device_id bytea not null,
    primary key (vault_id, device_id)
);

-- Signed commits and their bodies as on the wire; author_seq and author_hash are the place in the author's account log.
-- Kinds: 1 genesis, 2 content, 3 control, 4 heal.
create table vault_commit (
    vault_id bytea not null,
    seq int8 not null,
    hash bytea not null,
    kind int2 not null,
    author_account bytea not null,
    author_seq int8 not null,
    author_hash bytea not null,
    bytes bytea not null,
    body bytea not null,
    primary key (vault_id, seq)
);

-- The commits that say who may write: few, and found without the others.
create index vault_control on vault_commit (vault_id, seq) where kind <> 2;

-- The current version of every item; purged ones stay (state 2). Versions are unsigned 64-bit numbers, kept by their
-- bits; bytes is the length of the blob.
create table item (
    vault_id bytea not null,
    item_id bytea not null,
    version int8 not null,
    blob_hash bytea not null,
    seq int8 not null,
    state int2 not null,
    bytes int4 not null,
    primary key (vault_id, item_id)
);

create unique index item_order on item (vault_id, seq, item_id) include (bytes);

-- Purged items: few, and pruned by a rule of their own.
create index item_purged on item (vault_id, item_id) where state = 2;

-- Every version's blob, written once. Times are by the server's clock, in milliseconds since 1970; the current
-- version's replaced_ms is null.
create table item_version (
    vault_id bytea not null,
    item_id bytea not null,
    version int8 not null,
    seq int8 not null,
    blob bytea not null,
    stored_ms int8 not null,
    replaced_ms int8,
    primary key (vault_id, item_id, version)
);

-- Sealed bytes cannot be compressed: no time is spent on trying.
alter table item_version alter column blob set storage external;

-- The versions of an item in order.
create index item_version_order on item_version (vault_id, item_id, seq);

-- Versions that may be pruned one day: by how long ago they were replaced, and per item in order.
create index item_version_age on item_version (vault_id, replaced_ms) where replaced_ms is not null;

create index item_version_replaced on item_version (vault_id, item_id, seq) include (version, replaced_ms)
where replaced_ms is not null;
