"""How often the intervals of gains and contrasts cover, in simulated studies:
python -m bench.evidence [every | alone | rules | levels | answers | contrasts] [--seed N].

A study has arms of one method beside the untrained baseline, some seeds of training each, and a benchmark of binary
answers to prompts that differ in difficulty. The first table, and `every` with a line for each kind of study, draws
what an interval is made of (the runs' means and the mean squares), which takes minutes. `alone` prints whether one
unsteady arm among steady ones can be told, `rules` the worst of each rule by which arms tell each other their variance
between seeds, `levels` how often p is below other levels.
`answers` draws answers and asks `estimate` itself, and adds up what it says of benchmarks where few prompts differ.
`contrasts` draws answers to two benchmarks by two methods and asks for declared contrasts, as `compare` does.

docs/evidence.md shows what it prints. The settings of the rule were chosen on the seeds 0 and 11, and on none since.
"""
