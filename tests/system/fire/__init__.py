"""A company on all services, each a process of its own, so that any of them can be killed, stopped or multiplied."""
