"""Many runs over time: a table, trends, and whether the newest run is a regression. A shell: reads run folders."""
