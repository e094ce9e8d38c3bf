"""The messaging kit on real servers: a toy service in processes of its own is killed, paused, starved and poisoned."""
