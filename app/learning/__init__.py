"""What the shop learns from its shoppers: pure functions from arrays of behaviour to arrays a model is made of."""
