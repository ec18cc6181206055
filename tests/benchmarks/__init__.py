"""`make bench`: what the data plane and the analyzer cost, in one run on one machine.

proxy_section.py      the data plane beside other reverse proxies: the table
proxy_contenders.py   the proxies that are compared, and how each is started
proxy_load.py         wrk for CPU and throughput; an open-loop client for latency at a fixed rate
proxy_measure.py      rounds of both, contenders in turn
proxy_table.py        medians, spread and ratios
proxy_aiohttp.py      a plain reverse proxy in aiohttp, for comparison
analyzer_section.py   what a decoded request costs the analyzer, and how fast values are binned: the table
analyzer_cost.py      one run of the analyzer's pipeline behind its real socket
decode_cost.py        decoding alone, by form of the request
resources_section.py  what the sampling of CPU, memory and attribution costs the analyzer: the table
detection/            `make bench-detection`: every promise of drift detection, beside River and Evidently
"""
