"""Scenario suites, benchmark runner, raters, statistics, reports and the command line."""
