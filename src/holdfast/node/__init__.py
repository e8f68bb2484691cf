"""The agent: rules, triggers, hub session, workers, local socket."""
