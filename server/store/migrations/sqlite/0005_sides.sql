-- Side commits: those of branches that heal commits of the chain joined, nested ones included. Kept beside the chain, of
-- which they are no part.
create table vault_side (
    vault_id blob not null,
    seq integer not null,
    hash blob not null,
    kind integer not null,
    author_account blob not null,
    author_seq integer not null,
    author_hash blob not null,
    bytes blob not null,
    body blob not null,
    primary key (vault_id, seq, hash)
);

-- Where side commits wait for the heal commit that names them; bytes is what they hold.
create table heal_side_area (
    vault_id blob not null,
    account_id blob not null,
    bytes integer not null,
    touched_ms integer not null,
    primary key (vault_id, account_id)
);

-- The side commits that wait, as in vault_side, with the device that wrote each. needed is 1 where the staged chain, or
-- the heal commit that is being made, names them.
create table heal_side (
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
    needed integer not null default 0,
    primary key (vault_id, account_id, seq, hash)
);
