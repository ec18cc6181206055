"""HTTP/1.1 (RFC 9112): `Tracker` is its parser."""
