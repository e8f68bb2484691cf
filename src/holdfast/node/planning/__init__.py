"""What runs when, and how well each promise is kept: decided from the rules, the journal and the news of workers.

`scheduler` decides; `starting` says which of the jobs that wait may begin, `retries` when what failed is tried again, `housekeeping` what
repositories get by themselves, `protections` how each promise stands. Nothing here acts: the clock and the workers are given.
"""
