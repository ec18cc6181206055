"""The command `pilotfish simulate`: plays a load trace through the policy of a document, beside an HPA.

    CSV, Prometheus --trace, prometheus--> LoadTrace --play--> Played --outcome--> Outcome --> table, page, picture
                                                         |  ^
                                          replicas, load v  | signals, decisions
                                            plant, queueing | policies (the recommender of the controller)

plant (of a control system): the simulated service. Gap: a stretch of a trace without data. Reversal: a change of the
replicas in the opposite direction of the one before. Everything is a function of document, trace and seed.
"""
