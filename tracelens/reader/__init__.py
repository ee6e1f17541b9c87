"""A trace's bytes -> its records and dumps, in file order: the bulk path."""

from tracelens.reader.dumps import Dump
from tracelens.reader.reader import Item, Reader, read
from tracelens.reader.repeats import Retry, Run
from tracelens.reader.stats import Account

__all__ = ["Account", "Dump", "Item", "Reader", "Retry", "Run", "read"]
