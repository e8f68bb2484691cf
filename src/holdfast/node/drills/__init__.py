"""Restores on trial: of this machine's repositories, and of another's by an order.

`here` and `elsewhere` are the two jobs, `verdicts` what they do in the same way, `records` and `book` where the owner of the point writes
down what came of it. When they are due is planned in `planning`.
"""
