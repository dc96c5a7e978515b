//! Tokio under the protocol: dialling, secure records, portals, and the clients of relay and authority.
//! Nothing here decides who may connect; it only makes sure that nobody else's bytes ever count.

#[cfg(feature = "api")]
pub mod api_client;
pub mod api_link;
mod backoff;
mod clock;
mod dial;
#[cfg(test)]
mod dice;
mod doorstep;
mod error;
mod flow;
mod handshake;
pub mod kept;
pub mod keyfile;
mod pipe;
mod pool;
mod portal;
mod preface;
#[cfg(feature = "provider")]
pub mod provider;
mod pulse;
mod record;
pub mod relay_link;
mod secure;
pub mod settings_file;
mod splice;
#[cfg(feature = "provider")]
pub mod tls;

pub use api_link::ApiConnection;
pub use backoff::Backoff;
pub use clock::now;

pub use dial::{abort, circuit, dial, tune};
pub use doorstep::{Doorstep, Guest};
pub use error::{LinkError, PortalError};
pub use flow::Meter;
pub use handshake::{HANDSHAKE_LIMIT, initiate, respond};
pub use pipe::{PipeEnd, join, pipe};
pub use portal::{Budget, Line, Portal, PortalControl, Returned, SecureStream, Traffic};
pub use preface::{Preface, preface, read_preface};
pub use pulse::Pulse;
pub use record::{RecordReader, RecordWriter};
pub use relay_link::{LinkState, RelayLink};
pub use secure::{Record, Secure};
pub use splice::join_in_kernel;
