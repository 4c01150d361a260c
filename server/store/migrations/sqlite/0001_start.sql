-- What the store knows about itself: one row per name.
create table meta (
    name text primary key,
    value blob not null
);

-- Accounts and the heads of their logs. bytes is what links, slots and record hold; quota_bytes and quota_vaults are what the
-- operator gives this account instead of what every account has.
create table account (
    account_id blob primary key,
    head_seq integer not null,
    head_hash blob not null,
    bytes integer not null,
    quota_bytes integer,
    quota_vaults integer
);

-- Signed links as on the wire.
create table account_link (
    account_id blob not null,
    seq integer not null,
    hash blob not null,
    bytes blob not null,
    added_ms integer not null,
    primary key (account_id, seq)
);

-- Wrapped keys, by the hash that a link names. Ones that are no longer named go.
create table slot (
    account_id blob not null,
    hash blob not null,
    bytes blob not null,
    primary key (account_id, hash)
);

-- OPAQUE registration uploads; profile is the key-stretching profile's number.
create table signin_record (
    account_id blob primary key,
    upload blob not null,
    profile integer not null
);

-- The vaults that an account made, and how many bytes of its quota are each one's share.
create table account_vault (
    account_id blob not null,
    vault_id blob not null,
    bytes integer not null,
    primary key (account_id, vault_id)
) without rowid;

-- Unspent invitations, by the hash of their code.
create table invite (
    hash blob primary key,
    expires_ms integer not null
);

-- Vaults: head, the verified state at the head, what commits, side commits and versions hold, and the vault's share of its
-- account's quota.
create table vault (
    vault_id blob primary key,
    head_seq integer not null,
    head_hash blob not null,
    checkpoint blob not null,
    live integer not null,
    tombstones integer not null,
    used_bytes integer not null,
    quota_bytes integer not null
);

-- Who may read a vault.
create table vault_member (
    vault_id blob not null,
    account_id blob not null,
    primary key (vault_id, account_id)
) without rowid;

create index vault_member_account on vault_member (account_id);

-- Devices that may not write in a vault now.
create table vault_barred (
    vault_id blob not null,
    device_id blob not null,
    primary key (vault_id, device_id)
) without rowid;

-- Signed commits and their bodies as on the wire; author_seq and author_hash are the place in the author's account log.
create table vault_commit (
    vault_id blob not null,
    seq integer not null,
    hash blob not null,
    author_account blob not null,
    author_seq integer not null,
    author_hash blob not null,
    bytes blob not null,
    body blob not null,
    primary key (vault_id, seq)
);

-- The current version of every item; purged ones stay (state 2). Versions are unsigned 64-bit numbers, kept by their bits.
create table item (
    vault_id blob not null,
    item_id blob not null,
    version integer not null,
    blob_hash blob not null,
    seq integer not null,
    state integer not null,
    primary key (vault_id, item_id)
) without rowid;

create unique index item_order on item (vault_id, seq, item_id);

-- Every version's blob, written once.
create table item_version (
    vault_id blob not null,
    item_id blob not null,
    version integer not null,
    seq integer not null,
    blob blob not null,
    primary key (vault_id, item_id, version)
);
