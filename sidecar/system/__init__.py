"""Operating-system helpers for all roles: files, logs, compressed input, addresses, limits, child processes.

The modules use the standard library only, so that the proxy may import them. They are independent of each other, except
that logfile uses files and framing. They import nothing from the sidecar but `errors`.

    addresses      HOST:PORT, [IPV6]:PORT, :PORT, unix:/path -> Address
    children       run a child process with a bound on its time and its output
    files          replace a file atomically; write a descriptor whole; fsync files and folders
    framing        records to bytes and back: checksummed binary records, checksummed or plain lines, one sealed file
    gunzip         decompress with a limit on the result; a truncated input is an error
    listening      one listening socket for all addresses, IPv6 and IPv4
    limits         memory, CPU time, descriptors and priority of this process
    logfile        an append-only file of framed records: recover, append, fsync, rewrite, rotate
    ownership      files of a folder belong to this user or root, and none is a symbolic link
    parent_death   end when the parent process ends; also a wrapper for other programs
    tokens         read the bearer token from a file

Glossary. More terms: docs/glossary.md
    atomic     a reader or a restart finds the old content or the new one, never a mixture
    durable    on disk before the call returns (fsync of the file and of its folder)
    frame      one record as bytes, with its length and checksum
    cut off    the end of a file is missing, after a kill or a full disk; the bytes before it are intact
    damaged    complete bytes whose checksum is wrong
"""
