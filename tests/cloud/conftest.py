"""The fake cloud itself is what is tested here (support/fake_cloud)."""

import pytest
from cloud_node import STATE

from support.fake_cloud import FakeCloud


@pytest.fixture
def cloud():
    """A node with two ENIs, and one that is on no instance; time stands still."""
    with FakeCloud(STATE, frozen_clock=True) as cloud:
        yield cloud


@pytest.fixture
def botocore_closes(monkeypatch):
    """botocore would leave its connections to the garbage collector, that is to another test."""
    from botocore.httpsession import URLLib3Session
    opened, init = [], URLLib3Session.__init__

    def opening(self, *arguments, **options):
        init(self, *arguments, **options)
        opened.append(self)

    monkeypatch.setattr(URLLib3Session, "__init__", opening)
    yield
    for one in opened:
        one.close()
