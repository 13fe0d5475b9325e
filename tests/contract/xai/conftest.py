"""A simulated xAI with a clock that stands still, and a caller for it."""

from collections.abc import AsyncIterator

import aiohttp
import pytest

from bitbylaw.simulators.xai import ManualClock, XaiConfig, XaiSimulator

from .caller import Caller


@pytest.fixture
async def caller() -> AsyncIterator[Caller]:
    clock = ManualClock()
    async with XaiSimulator.running(XaiConfig(clock=clock)) as xai, aiohttp.ClientSession() as session:
        yield Caller(xai, clock, session)
