"""The virtual clock: workloads, simulated hands, baselines, and what a run comes to."""
