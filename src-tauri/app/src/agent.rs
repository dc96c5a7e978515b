//! What the controller needs from the agent. Two implementations: the real one, and the one the tests move by hand.
//! A newcomer would await `act` inside the loop: Connect waits for a person in a browser, so every call gets a task of its own.

use std::future::Future;
use std::sync::Arc;

use tidegate_agent::{Action, Agent, Snapshot};
use tidegate_proto::problem::Problem;
use tokio::sync::watch;

pub trait AgentHandle: Send + Sync + 'static {
    fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>>;
    fn act(&self, action: Action) -> impl Future<Output = Result<(), Problem>> + Send;
    fn shutdown(self) -> impl Future<Output = ()> + Send;
}

impl AgentHandle for Agent {
    fn snapshot(&self) -> watch::Receiver<Arc<Snapshot>> {
        Agent::snapshot(self)
    }

    async fn act(&self, action: Action) -> Result<(), Problem> {
        Agent::act(self, action).await
    }

    async fn shutdown(self) {
        Agent::shutdown(self).await;
    }
}
