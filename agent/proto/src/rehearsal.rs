//! Permits for other crates' tests, made as the real ones are: signed tokens, both policies, a recorded event.
//! Only with the feature `testing`, which no product crate asks for. It opens nothing that its caller could not open:
//! every key in it is the caller's own.

use serde_json::json;

use crate::{
    auth::Auth,
    event::{Chain, EventKind},
    frame::{Open, Purpose},
    permit::Permit,
    statement::{Credential, Statement},
    testing::{NOW, World, at, key, office::colleague, org, set, warehouse},
};

/// A permit for the service `warehouse` of the org `acme`.
///
/// # Panics
/// When the rehearsed world refuses the person: then the world has changed, not the person.
#[allow(clippy::unwrap_used)]
pub fn permit(sub: &str, portal: u64, purpose: Purpose) -> Permit {
    let world = World::new();
    let mut claims = world.claims();
    set(&mut claims, "sub", json!(sub));
    let credential = Credential {
        sub: sub.parse().unwrap(),
        ..world.credential()
    };
    let auth = Auth {
        credential: credential.sign(&world.authority),
        id_token_0: world.provider.sign(&claims),
        ..world.auth()
    };
    opened(&world, &auth, &open(portal, purpose))
}

/// The same for Ana, who was granted two hours; `read_only`: not to change anything, where somebody is held to that.
///
/// # Panics
/// As [`permit`].
#[allow(clippy::unwrap_used)]
pub fn granted(portal: u64, read_only: bool) -> Permit {
    let mut world = World::asking();
    world.standing.read_only = [warehouse()].into();
    let mut request = world.request();
    request.extent.read_only = read_only;
    let jws = request.sign(&world.identity);
    let ben = colleague("00uben", 30);
    let mut grant = world.granted(&request, &[]);
    grant.approvals = vec![world.approval_but(&jws, &ben, |statement| {
        statement.extent.read_only = read_only
    })];
    let id = grant.id().0;
    let auth = Auth {
        grant: Some(grant),
        ..world.auth()
    };
    let open = Open {
        grant: Some(id),
        ..open(portal, Purpose::Connect)
    };
    opened(&world, &auth, &open)
}

fn open(portal: u64, purpose: Purpose) -> Open<'static> {
    Open {
        portal,
        process: 9,
        purpose,
        grant: None,
        first: &[],
    }
}

#[allow(clippy::unwrap_used)]
fn opened(world: &World, auth: &Auth, open: &Open<'_>) -> Permit {
    let mut session = world.session();
    session
        .handle_auth(&auth.encode().unwrap(), &world.standing, NOW)
        .unwrap();
    let allowed = session
        .handle_open(open, &world.standing, &at(NOW), NOW)
        .unwrap();
    let mut chain = Chain::start(&org(), &key(4).verify_key());
    let event = EventKind::PortalOpened(allowed.event().clone());
    let recorded = Chain::confirm(chain.append(NOW, event, &key(4)));
    allowed.recorded(recorded).unwrap()
}
