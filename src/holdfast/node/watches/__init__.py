"""What the store worker looks at now and then in each of its repositories.

Signs of destruction (`anomalies`), room that gets short (`room`), what is held and not yet sealed (`sealing`), a clock that is doubted
(`doubted_time`).
"""
