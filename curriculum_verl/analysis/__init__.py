"""Analysis of trajectories: how runs and stages differ in length, tools, coherence, loops and success."""
