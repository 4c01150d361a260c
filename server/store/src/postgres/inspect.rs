//! Looking at a database without changing it.

use deadpool_postgres::Object;
use lockstep_domain::store::StoreError;

use super::columns::failed as broken;
use super::operator::server;
use super::{connect, schema};
use crate::error::OpenError;
use crate::inspect::{Found, Inspection};
use crate::url::PostgresUrl;

/// Connects once, and reads what the database is and how it is set.
pub(crate) async fn inspect(url: &PostgresUrl) -> Result<Inspection, OpenError> {
    let name = url.to_string();
    let failed = |source| OpenError::Failed { path: name.clone(), source };
    let pool = connect::pool(url).map_err(failed)?;
    let client = pool.get().await.map_err(|error| failed(error.into()))?;
    let found = schema::found(&client, &name).await?;
    let Some(schema) = found else { return Ok(Inspection::Absent) };
    read(&client, schema).await.map(Inspection::Found).map_err(|error| failed(error.into()))
}

async fn read(client: &Object, schema: u32) -> Result<Found, StoreError> {
    let sql = "select (extract(epoch from clock_timestamp()) * 1000)::int8, current_setting('fsync') = 'on',
             current_setting('full_page_writes') = 'on', exists (select 1 from account)";
    let row = client.query_one(sql, &[]).await.map_err(broken)?;
    let clock_ms: i64 = row.try_get(0).map_err(broken)?;
    let mut faults = Vec::new();
    for (column, setting) in [(1, "fsync"), (2, "full_page_writes")] {
        if !row.try_get::<_, bool>(column).map_err(broken)? {
            faults.push(format!(
                "the database's setting {setting} is off, so a power cut loses what was acknowledged: switch it on"
            ));
        }
    }
    Ok(Found {
        schema,
        known: schema::KNOWN,
        server_id: server(client).await?,
        has_accounts: row.try_get(3).map_err(broken)?,
        clock_ms: u64::try_from(clock_ms).ok(),
        faults,
    })
}
