"""The time line of one model: what a report says of now, window by window. `GET /windows` answers with it.

span        one window of closed ticks: its rows, and how large each family's evidence became in it
trend       one feature over the spans: PSI with its interval, missing, unseen, out of range, where it lies on average
histogram   shares of a feature's rows over bars that are the same for reference and current rows
drift       a feature in an episode: the histogram since its onset

    detectors.windows -> make (-> shapes) -> document -> JSON, pages
"""
