//! The stage: a real provider, a real database, a real desktop and a network of its own, shared by the demo and the tests.
//! Nothing here is faked for Tidegate's sake; what a run cannot prove on this machine, it says on the terminal.

pub mod ca;
mod census;
pub mod chance;
pub mod chaos;
pub mod clock;
pub mod company;
pub mod figures;
pub mod ground;
pub mod laptop;
pub mod narrator;
pub mod perform;
pub mod process;
pub mod provider;
pub mod run;
pub mod scene;
pub mod search;
pub mod secret;
pub mod stage;
pub mod trouble;
pub mod user;
pub mod warehouse;

pub use ca::CertificateAuthority;
pub use company::Company;
pub use ground::{Ground, Site};
pub use laptop::Laptop;
pub use process::{Process, Program};
pub use provider::Provider;
pub use run::Run;
pub use stage::Stage;
pub use trouble::{Doing, Outcome, Trouble};
pub use user::User;
pub use warehouse::Warehouse;
