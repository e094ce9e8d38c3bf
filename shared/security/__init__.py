"""Who asks, and how that is known: callers, permissions, tokens. No service, no driver, no web framework."""
