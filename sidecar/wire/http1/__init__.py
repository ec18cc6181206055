"""HTTP/1.1 (RFC 9112). `Tracker` parses a connection with one `Framer` per direction; `heads.py` parses the heads."""
