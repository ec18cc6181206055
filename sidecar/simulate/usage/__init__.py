"""The replay of measured use: what the recommender of resources, or a pool, would have done with it.

CSV --trace--> UsageTrace --play--> PlayedUsage for each policy --table--> SimulationView
                              |  ^
                 requests,    |  | use, throttling, kills for memory
                 load      plant | policies (the recommender and the pool of the controller)
"""
