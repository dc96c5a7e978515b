//! The front of a `tcp` service: bytes both ways.
//! Such a program cannot be told anything: on refusal it sees a reset, and the person reads why in the window.

use tidegate_link::{Meter, PipeEnd, abort, pipe};
use tokio::net::TcpStream;

use super::host::Host;
use super::visit::VisitEnd;
use crate::problems;

/// Serves one admitted program until either side or the door ends it.
pub(crate) async fn serve(mut program: TcpStream, host: &Host) -> VisitEnd {
    let opened = tokio::select! {
        why = host.closed() => Err(why),
        opened = host.open(&[]) => opened,
    };
    let mut portal = match opened {
        Ok(portal) => portal,
        Err(problem) => {
            abort(program);
            return VisitEnd::Refused(problem);
        }
    };
    let control = portal.control();
    let keeping = host.keeping(&control);
    let end = pipe(&mut program, &mut portal, &Meter::new(), keeping).await;
    match end {
        PipeEnd::Finished => return VisitEnd::Finished,
        PipeEnd::Withdrawn(_) | PipeEnd::Plain(_) | PipeEnd::Portal(_) => abort(program),
    }
    match end {
        PipeEnd::Withdrawn(why) => {
            portal.control().reset(why.code.number());
            portal.part().await;
            VisitEnd::Ended(why)
        }
        PipeEnd::Portal(error) => VisitEnd::Ended(problems::of_portal(error, host.service())),
        PipeEnd::Plain(_) => {
            portal.part().await;
            VisitEnd::Finished
        }
        PipeEnd::Finished => VisitEnd::Finished,
    }
}
