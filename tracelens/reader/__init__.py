"""A trace's bytes -> its events, dumps and runs of repeated records in file order, and from dumps its packets."""

from tracelens.reader.dumps import Dump
from tracelens.reader.reader import Item, Reader, read
from tracelens.reader.repeats import Retry, Run
from tracelens.reader.stats import Account
from tracelens.reader.streams import Stream, Streams

__all__ = ["Account", "Dump", "Item", "Reader", "Retry", "Run", "Stream", "Streams", "read"]
