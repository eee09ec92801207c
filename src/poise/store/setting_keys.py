"""The names of the settings that a store keeps."""

CATALOGUE = "catalogue"
"""What cannot be told from the rows: the columns, their kinds and the behaviours of the data set that was loaded."""

RUN = "run"
"""The run that is served; servers follow it."""

EARLIER_RUNS = "runs before"
"""The runs that were served before, the oldest first."""
