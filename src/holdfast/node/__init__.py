"""The agent and its workers: rules, triggers, hub session, jobs, questions.

Glossary
--------
agent       the process that decides and records: rules, schedule, journal, hub session, local socket (`agent.run_agent`)
worker      a process that acts: one for sources, one for repositories and mirrors; started again when it dies (`processes.supervisor`)
link        the socket pair between the two; its messages are the closed union of `workers.messages`
journal     `node.db`: jobs, what waits for the Master (the outbox), how each protection stands (`records.journal`)
protection  one operation of one dataset at one receiver, judged against its rules (`planning.protections`)
job book    jobs that are queued or run, and their limits (`records.job_book`)
question    asked over the hub or the local socket, answered here or by a worker (`answering.router`, `model.questions`)
order       a signed, single-use right to read one point, for a restore on another machine (`restoring.orders`)
limits      what root lets the Master ask of this machine (`bounds.limits`, limits.toml)
"""
