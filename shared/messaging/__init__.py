"""The delivery guarantee, once for all services: take, load, decide, write, publish, commit.

Read `loop` (the five steps) first, then `decision` (what a service writes), `service` (how a topic meets a decision),
`subscriber` (how batches come), `kafka`, `host` (the world around). The guarantee is proven in `tests/unit/messaging`
(every interleaving, over fakes) and on the real servers by failpoints in `tests/system`.
"""
