"""What the proxy and the analyzer agree on: two files and a socket in one shared folder.

    proxy  --(stores)-->  page          counters and histograms, exact, read by copy      page.py
    proxy  --(frames)-->  records.sock  sampled exchanges, bounded, never waited for      record.py, sender.py,
                                                                                          receiver.py

Glossary
    page      a memory-mapped file of 64-bit words with one writer, the proxy
    epoch     changes whenever a proxy starts; counters on the page go on, gauges begin anew
    record    one sampled exchange: headers, bodies, trailers, timings; its format has a version, see record.py
    sequence  the number of a record; it counts accepted records and so goes on across restarts
    fate      what became of an exchange: sampled_out, accepted (by the channel) or dropped, with a reason
"""

PAGE_FILE = "page"
SOCKET_FILE = "records.sock"
SETTINGS_FILE = "proxy.json"
