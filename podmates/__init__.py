"""The suite's own command: a whole pod on one machine, without Kubernetes, that proves what the mates promise."""
