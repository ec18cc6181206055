"""A pool of CPU: several monitors of a namespace share a number of cores. Pure.

    members, demand --allocation--> share of each member --grants--> request of each pod, within the free room
                       |  queue: what a core is worth
                 demand: what a member needs

Share: the cores that each pod of a member gets. Commitment: the cores that a member holds, by the larger of what its
pods request and of what their nodes have allocated, with the pods that may still come. The sum of all commitments never
rises above the budget. A member lowers at once; it raises only with what others have given back.
"""
