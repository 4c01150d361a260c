-- When a device's bar ends by itself, in milliseconds since 1970 by the server's clock. Before this version nothing was
-- barred.
alter table vault_barred add column until_ms int8 not null default 0;

-- How often devices were barred in this vault: a commit that waited for the vault's row sees by it that what it read of
-- vault_barred before is out of date.
alter table vault add column bars int8 not null default 0;
