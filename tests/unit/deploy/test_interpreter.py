"""What a serving process asks of its interpreter and of the C library."""

from __future__ import annotations

import asyncio

import psutil

from deploy.run.interpreter import give_back, use_one_heap

BLOCK, BLOCKS = 8192, 12_000
MOST_LEFT = BLOCK * BLOCKS // 2


async def test_what_lies_free_inside_the_heap_goes_back_to_the_system() -> None:
    use_one_heap()
    process = psutil.Process()
    before = process.memory_info().rss
    blocks = [bytes(BLOCK - 64) for _ in range(BLOCKS)]
    last = blocks[-1]  # whatever lies last keeps the end of the heap where it is
    blocks.clear()
    giving = asyncio.create_task(give_back(every_s=0.01))
    try:
        async with asyncio.timeout(20):
            while process.memory_info().rss > before + MOST_LEFT:
                await asyncio.sleep(0.02)
    finally:
        giving.cancel()
    assert last
