"""The compiler's passes, in the order `compile` runs them: each one a named step over values, its findings put into a report.

names -> movers -> graph -> availability -> legs -> joined -> schedules, retention, overlaps, unused -> places -> merge -> orders
"""
