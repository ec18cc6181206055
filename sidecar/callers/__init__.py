"""Who calls a server of the cluster: the token of a request becomes a caller, within bounds.

Authorization --> authentication.py --(reviews.py: TokenReview)--> Caller      review_cache.py remembers it
caller        --> rates.py          requests per second
refusal       --> errors.py --> responses.py
"""
