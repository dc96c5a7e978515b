//! What `hub.toml` and `relay.toml` have in common: where a server listens, where its own things are, and whose it is.
//! Org and root are given here by whoever runs the server: neither a bundle nor a hub can make it serve somebody else.

use std::net::SocketAddr;
use std::path::PathBuf;

use tidegate_authority::Anchor;
use tidegate_link::settings_file::Reader;

pub(crate) struct ServerFile {
    pub(crate) listen: SocketAddr,
    pub(crate) data: PathBuf,
    pub(crate) anchor: Anchor,
}

impl ServerFile {
    /// Takes what is common out of the file of a `server`; `None` only after a note was made.
    pub(crate) fn read(top: &mut Reader<'_>, server: &str) -> Option<Self> {
        let listen = top.parsed("listen", "address and port: listen = \"0.0.0.0:7443\"");
        let data = top.path(
            "data",
            &format!("a directory of the {server}'s own: data = \"/var/lib/tidegate-{server}\""),
        );
        let org = top.parsed("org", "the org's name: org = \"acme\"");
        let root = top.parsed("root", "the fingerprint that `tidegate org init` printed");
        Some(Self {
            listen: listen?,
            data: data?,
            anchor: Anchor {
                org: org?,
                root: root?,
            },
        })
    }
}
