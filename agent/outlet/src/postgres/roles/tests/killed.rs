//! Outlet or database are killed after every step in the life of a role; what comes after leaves nothing.

use tidegate_proto::rehearsal::granted;

use super::*;
use crate::postgres::PortalEnd;

/// For a database to be there again, and a journal to be worked off.
const SOON: Duration = Duration::from_secs(20);

/// Somebody uses a role whose grant then ends, in an outlet that is killed at `point`: its tasks go no further, not even to drop
/// what they hold in good order.
async fn killed_at(desk: &mut Desk, point: Point) {
    let life = tokio::runtime::Builder::new_multi_thread();
    let life = { life }.worker_threads(1).enable_all().build().unwrap();
    {
        let _in = life.enter();
        desk.restart();
    }
    let there = desk.roles().0.stops_at.at(point);
    let service = Arc::clone(&desk.stage.service);
    life.spawn(async move {
        let lease = service.roles().unwrap().lease(&granted(1, false)).await;
        lease.unwrap().over();
    });
    let there = tokio::time::timeout(SOON, there).await;
    let _there = there.expect("somebody comes there").unwrap();
    life.shutdown_background();
}

#[tokio::test]
async fn an_outlet_killed_at_any_point_leaves_nothing_once_it_has_started_again() {
    let mut desk = Desk::new(&Cluster::shared(), "outlet_killed");
    for point in Point::ALL {
        killed_at(&mut desk, point).await;
        let left = desk.roles().0.journal.all().await;
        assert_eq!(left.len(), 1, "{point:?}: the journal knows of it");
        let is_there = matches!(point, Point::Made | Point::Closed);
        assert_eq!(!desk.made().is_empty(), is_there, "{point:?}");

        desk.restart();
        desk.stage.service.start();

        desk.sees_nothing_left(SOON).await;
        desk.roles().shutdown().await;
    }
}

#[tokio::test]
async fn sessions_that_outlive_their_outlet_are_ended_when_it_starts_again() {
    let mut desk = Desk::new(&Cluster::shared(), "orphaned");
    let program = desk.stage.program_with(granted(1, false)).await;
    let role = desk.made();

    // The session's own task goes on here; that it holds a role is known to nobody who starts anew.
    desk.restart();
    desk.stage.service.start();

    desk.sees_nothing_left(SOON).await;
    assert_eq!(
        desk.psql(&format!(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = '{role}'"
        )),
        "0"
    );
    assert_eq!(program.ended().await, PortalEnd::Closed);
    desk.roles().shutdown().await;
}

#[tokio::test]
async fn a_lost_journal_is_made_up_for_by_looking() {
    let mut desk = Desk::new(&Cluster::shared(), "journal_lost");
    killed_at(&mut desk, Point::Made).await;
    std::fs::remove_file(desk.data.path().join("roles-warehouse.json")).unwrap();
    assert!(!desk.made().is_empty());

    desk.restart();
    desk.stage.service.start();

    desk.sees_nothing_left(SOON).await;
    desk.roles().shutdown().await;
}

#[tokio::test]
async fn a_database_killed_at_any_point_leaves_nothing_once_it_has_started_again() {
    let cluster = Cluster::alone();
    let desk = Desk::new(&cluster, "base_killed");
    for point in Point::ALL {
        let there = desk.roles().0.stops_at.at(point);
        let session = async {
            if let Ok(lease) = desk.roles().lease(&granted(1, false)).await {
                lease.over();
            }
        };
        let kill = async {
            let go_on = tokio::time::timeout(SOON, there).await;
            cluster.kill();
            go_on
                .expect("somebody comes there")
                .unwrap()
                .send(())
                .unwrap();
        };
        tokio::join!(session, kill);
        cluster.start_again();

        desk.sees_nothing_left(SOON * 2).await;
        let again = desk.roles().lease(&granted(2, false)).await;
        let again = again.unwrap_or_else(|fault| panic!("after {point:?}: {fault}"));
        again.over();
        desk.sees_nothing_left(SOON).await;
    }
    desk.roles().shutdown().await;
}
