"""Tasks, submissions, states and jobs as plain Python values, without any input or output."""
