//! Reads from a database behind Tidegate without opening a local port: the portal itself is the connection.
//! Join and sign in once (`tidegate join`, `tidegate login`), quit that agent, then: cargo run --example no_port warehouse
use tidegate_agent::{Agent, AgentConfig};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).ok_or("name a service")?;
    let words = |problem| tidegate_agent::words(&problem).line();
    let agent = Agent::start(AgentConfig::for_user().map_err(|error| words(error.into()))?)
        .await
        .map_err(words)?;
    let service = agent.snapshot().borrow().find(&name).map_err(words)?;
    agent.signed_in(&service.org).await.map_err(words)?;
    let portal = agent.open(&service).await.map_err(words)?;

    // The outlet knows the database and logs in; what is said here is only a label.
    let mut login = tokio_postgres::Config::new();
    login.user("tidegate");
    let (database, connection) = login.connect_raw(portal, tokio_postgres::NoTls).await?;
    let connection = tokio::spawn(connection);
    let row = database
        .query_one("SELECT count(*) FROM flights", &[])
        .await?;
    println!("{} flights", row.get::<_, i64>(0));

    drop(database);
    connection.await??;
    agent.shutdown().await;
    Ok(())
}
