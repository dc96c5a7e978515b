//! The client of the authority's API: first what the hub says about itself, checked against the pinned root, then a stream.
//! The hello is in clear and unauthenticated until the handshake succeeds with the key that the root signed.
