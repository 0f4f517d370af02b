"""`personalize prove`: the auditor's list, run against this very program on a scratch node."""
