"""Memory of a worker while large files pass through it."""

from pathlib import Path

from tests.support.documents import running

MEBIBYTE = 1024 * 1024


async def test_memory_stays_constant_for_48_mebibytes(tmp_path: Path) -> None:
    """Two files of 48 MiB at once raise the worker's peak memory by less than 40 MiB over a small document's."""
    async with running(tmp_path) as firm, firm.worker() as worker:
        small = firm.document(b"klein", firm.owner())
        await firm.settle()
        idle = worker.peak_memory()
        large = [firm.document(bytes([number]) * (48 * MEBIBYTE), firm.owner()) for number in (65, 66)]
        await firm.settle()
        firm.right(small, *large)
        assert worker.peak_memory() - idle < 40 * MEBIBYTE
