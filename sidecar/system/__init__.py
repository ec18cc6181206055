"""What every role asks of the operating system: files, logs, compressed input, addresses, limits, child processes.

Standard library only, so that the data plane may import it. Each module stands alone; import the one that you need.
Above it, everything; below it, only `errors`.

    addresses      HOST:PORT, [IPV6]:PORT, :PORT, unix:/path -> Address
    children       run a child process with a bound on its time and its output
    files          replace a file atomically; write a descriptor whole; fsync files and folders
    framing        records <-> bytes: checksummed binary records, checksummed lines, plain lines, one sealed file
    gunzip         decompress with a bound on the result; a cut-off input is an error
    limits         memory, processor time, descriptors and priority of this process
    logfile        an append-only file of framed records: recover, append, fsync, rewrite, rotate
    parent_death   end when the parent process ends, and a wrapper that makes any program do so
    tokens         the bearer token in a file

Glossary
    atomic     a reader or a restart finds the old content or the new one, never a part
    durable    on disk before the call returns (fsync of the file, and of the folder that names it)
    frame      one record as bytes, with its length and checksum
    cut off    the end of a file is missing, as a kill or a full disk leaves it; nothing before it is affected
    damaged    bytes that are complete but fail their checksum
"""
