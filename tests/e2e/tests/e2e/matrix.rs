//! The same short life on every runtime, transport and server, with every compression: connect, query, error, close.

use anyhow::{Result, bail};
use porpoise::classic_connect::CompressionAlgorithm;
use porpoise::{Connecting, Error};
use porpoise_test_support::{Account, lock};

use crate::suite::{Cell, Context, MARIADB, MYSQL, Suite, Transport, expect, first_cell};

pub(crate) fn add(suite: &mut Suite) {
    for server in [MYSQL].into_iter().chain(MARIADB) {
        for transport in Transport::ALL {
            for cell in Cell::on_each_runtime(transport, server) {
                for compression in CompressionAlgorithm::ALL.iter().copied() {
                    if compression == CompressionAlgorithm::Zstd && server != MYSQL {
                        continue;
                    }
                    let name =
                        format!("matrix::{server}::{}::{compression}::{}", transport.name(), cell.runner);
                    suite.add(name, cell.compressed(compression), live);
                }
            }
        }
    }
}

fn live(context: &Context) -> Result<()> {
    let options = match context.server()?.is_mariadb() {
        true => context.options()?.user("nat").password("pw-nat"),
        false => {
            let Account { user, password, .. } = Account::named("sha2")?;
            let options = context.options()?.user(&user).password(password.as_str());
            // Over plain TCP a full login needs the server's key.
            options.connect(|connect| connect.get_server_public_key(true))
        }
    };
    let options = options.database("odb").flight_record(true).build()?;
    let _lock = lock()?;
    context.run(async {
        let mut client = Connecting::new(context.runtime(), options.into()).await?;
        expect("encrypted", &client.is_encrypted(), &(context.cell.transport == Transport::Tls))?;
        expect("1 + 1", &first_cell(&mut client, "SELECT 1 + 1").await?.as_deref(), &Some("2"))?;
        expect("database", &first_cell(&mut client, "SELECT DATABASE()").await?.as_deref(), &Some("odb"))?;
        match client.query_drop("SELECT * FROM nope").await {
            Err(Error::Server(err)) => expect("error", &(err.code(), err.sqlstate()), &(1146, "42S02"))?,
            other => bail!("{other:?}"),
        }
        expect("after an error", &first_cell(&mut client, "SELECT NULL").await?, &None)?;
        client.ping().await?;
        Ok(client.close().await?)
    })
}
