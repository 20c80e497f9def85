"""The command line: one thin module for each verb. Parse, call, print, exit code."""
