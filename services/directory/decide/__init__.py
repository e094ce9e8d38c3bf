"""The directory's decisions: pure functions of state, message and circumstances."""
