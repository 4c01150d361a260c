-- Side commits: those of branches that heal commits of the chain joined, nested ones included. Kept beside the chain, of
-- which they are no part.
create table vault_side (
    vault_id bytea not null,
    seq int8 not null,
    hash bytea not null,
    kind int2 not null,
    author_account bytea not null,
    author_seq int8 not null,
    author_hash bytea not null,
    bytes bytea not null,
    body bytea not null,
    primary key (vault_id, seq, hash)
);

-- Where side commits wait for the heal commit that names them; bytes is what they hold.
create table heal_side_area (
    vault_id bytea not null,
    account_id bytea not null,
    bytes int8 not null,
    touched_ms int8 not null,
    primary key (vault_id, account_id)
);

-- The side commits that wait, as in vault_side, with the device that wrote each. needed is true where the staged chain, or
-- the heal commit that is being made, names them.
create table heal_side (
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
    needed bool not null default false,
    primary key (vault_id, account_id, seq, hash)
);
