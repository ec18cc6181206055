"""The certificates of Pilotfish's own servers in a cluster: self-managed, or from files such as cert-manager's.

    Secret pilotfish-ca --> secret.py (entries) --> rotation.py (what belongs into it now, who signs)     pure
            ^                                            |
            +---- compare-and-swap ---- authority.py ----+--> issuing.py --> serving certificate, in memory
                                                         |
    Secret SERVICE-tls <---- issued.py, for a process that must not read the authority
    files of --tls-cert, --tls-key --> files.py

`Authority` and `CertificateFiles` are both a `CertificateSource`: the TLS context of new connections, the bundle that
clients must trust, and the expiry of each certificate. The library `cryptography` is imported only here, and this
package only where a certificate is needed: the library belongs to the extra `cluster`.
"""
