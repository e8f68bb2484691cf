"""The agent and its workers: rules, triggers, hub session, jobs, questions.

Glossary
--------
agent       the process that decides and records: rules, schedule, journal, hub session, local socket (`agent.run_agent`)
worker      a process that acts: one for sources, one for repositories and mirrors; started again when it dies (`supervisor`)
link        the socket pair between the two; its messages are the closed union of `worker_messages`
journal     `node.db`: jobs, what waits for the Master (the outbox), how each protection stands
protection  one operation of one dataset at one receiver, judged against its rules (`protections`)
job book    jobs that are queued or run, and their limits (`job_book`)
question    asked over the hub or the local socket, answered here or by a worker (`router`, `model.questions`)
order       a signed, single-use right to read one point, for a restore on another machine (`orders`)
limits      what root lets the Master ask of this machine (`limits`, limits.toml)
"""
