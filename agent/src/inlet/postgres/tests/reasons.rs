//! Every reason for which a session can end, as the bytes a program reads: a FATAL that names the service.
//! Reasons that end everything at once (a revocation, quitting) know no service; the program still wants to read which one.

use tidegate_proto::frame::Frame;
use tokio::io::AsyncReadExt as _;

use super::ends::{Scripted, startup};
use super::*;

const GREETING: &[u8] = b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I";

/// What the program reads after its session was ready: one error message, and nothing else.
async fn last_words(inlet: &Inlet, end: impl FnOnce(&Inlet)) -> String {
    let mut program = inlet.connect().await;
    program.write_all(&startup()).await.unwrap();
    let mut greeting = vec![0; GREETING.len()];
    program.read_exact(&mut greeting).await.unwrap();
    assert_eq!(greeting, GREETING);

    end(inlet);

    let mut heard = Vec::new();
    program.read_to_end(&mut heard).await.unwrap();
    let length = u32::from_be_bytes(heard[1..5].try_into().unwrap());
    assert_eq!((heard[0], length as usize), (b'E', heard.len() - 1));
    let field = |name: u8| {
        let fields = heard[5..].split(|byte| *byte == 0);
        let found = fields
            .into_iter()
            .find(|field| field.first() == Some(&name));
        String::from_utf8(found.unwrap()[1..].to_vec()).unwrap()
    };
    assert_eq!(field(b'S'), "FATAL");
    field(b'M')
}

/// An outlet that greets, and ends the session with this code, or waits.
async fn greeted(end: Option<Frame<'static>>) -> Inlet {
    Inlet::new(Scripted(move |mut outlet: Secure| async move {
        let greeting = Frame::Data {
            offset: 0,
            bytes: GREETING,
        };
        outlet.send(&greeting).await.unwrap();
        match end {
            Some(end) => outlet.send(&end).await.unwrap(),
            None => drop(outlet.recv().await),
        }
    }))
    .await
}

#[tokio::test]
async fn whatever_ends_a_session_here_names_the_service() {
    let reasons = [
        (
            Code::DisconnectedByYou,
            "The connection to warehouse cannot go on because you disconnected it. (TG-7001)",
        ),
        (
            Code::RevokedByAdmin,
            "The connection to warehouse cannot go on because your access from this computer was taken back, by an administrator or from another computer of yours. (TG-7002)",
        ),
        (
            Code::AppQuitting,
            "The connection to warehouse cannot go on because Tidegate was quit. (TG-7005)",
        ),
        (
            Code::SignedOut,
            "The connection to warehouse cannot go on because you signed out. (TG-7008)",
        ),
        (
            Code::PolicyChanged,
            "The connection to warehouse cannot go on because the rules have changed. (TG-2004)",
        ),
        (
            Code::SessionExpired,
            "warehouse cannot be connected because your sign-in has expired. (TG-2003)",
        ),
    ];
    for (code, sentence) in reasons {
        let mut inlet = greeted(None).await;

        // As an order that ends every door gives it: without a service.
        let said = last_words(&inlet, |inlet| {
            inlet.close.send(Some(Problem::new(code))).unwrap();
        })
        .await;

        assert_eq!(said, sentence);
        let named = Problem::new(code).service(&warehouse());
        assert_eq!(inlet.next_end().await, VisitEnd::Ended(named));
    }
}

#[tokio::test]
async fn whatever_an_outlet_ends_a_session_for_names_the_service() {
    let reasons = [
        (
            Code::RevokedByAdmin,
            "The connection to warehouse cannot go on because your access from this computer was taken back, by an administrator or from another computer of yours. (TG-7002)",
        ),
        (
            Code::Expired,
            "The connection to warehouse cannot go on because its time is up. (TG-7003)",
        ),
        (
            Code::OutletStopping,
            "The connection to warehouse cannot go on because its outlet is being restarted. (TG-7004)",
        ),
        (
            Code::PolicyChanged,
            "The connection to warehouse cannot go on because the rules have changed. (TG-2004)",
        ),
        (
            Code::KillSwitch,
            "warehouse cannot be connected because its owner has closed it for everybody. (TG-7007)",
        ),
    ];
    for (code, sentence) in reasons {
        let mut inlet = greeted(Some(Frame::Reset {
            code: code.number(),
        }))
        .await;

        assert_eq!(last_words(&inlet, |_| ()).await, sentence);
        let named = Problem::new(code).service(&warehouse());
        assert_eq!(inlet.next_end().await, VisitEnd::Ended(named));
    }
}

#[tokio::test]
async fn a_circuit_that_is_lost_and_a_database_that_closes_name_the_service() {
    let lost = greeted(Some(Frame::Ping(1))).await; // and then the channel goes without FIN or RESET
    let closed = greeted(Some(Frame::Fin {
        offset: GREETING.len() as u64,
    }))
    .await;

    assert_eq!(
        last_words(&lost, |_| ()).await,
        "The connection to warehouse cannot go on because the network between broke off. (TG-1005)"
    );
    assert_eq!(
        last_words(&closed, |_| ()).await,
        "The connection to warehouse cannot go on because the service closed it. (TG-7006)"
    );
}
