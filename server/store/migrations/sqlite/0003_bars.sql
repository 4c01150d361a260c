-- When a device's bar ends by itself, in milliseconds since 1970 by the server's clock. Before this version nothing was
-- barred.
alter table vault_barred add column until_ms integer not null default 0;
