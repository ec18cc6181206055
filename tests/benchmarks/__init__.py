"""`make bench`: what the data plane costs, beside other reverse proxies, all in one run on one machine.

proxy_contenders.py   the proxies that are compared, and how each is started
proxy_load.py         wrk for CPU and throughput; an open-loop client for latency at a fixed rate
proxy_measure.py      rounds of both, contenders in turn
proxy_table.py        medians, spread and ratios as a table
proxy_aiohttp.py      a plain reverse proxy in aiohttp, for comparison
"""
