"""What subscribers of live events are told: snapshots, numbered deltas, each as far as it is theirs."""
