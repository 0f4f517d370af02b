"""The demo shop's simulated shoppers on a running server: what an experiment measures against what is true."""
