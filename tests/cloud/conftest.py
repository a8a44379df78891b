"""The fake cloud itself is what is tested here (support/fake_cloud)."""

import pytest
from cloud_node import STATE

from support.fake_cloud import FakeCloud


@pytest.fixture
def cloud():
    """A node with two ENIs, and one that is on no instance; time stands still."""
    with FakeCloud(STATE, frozen_clock=True) as cloud:
        yield cloud
