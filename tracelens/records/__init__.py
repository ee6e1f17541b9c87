"""A trace's bytes -> its records and dumps, in file order: the bulk path."""

from tracelens.records.account import Account
from tracelens.records.dumps import Dump
from tracelens.records.folding import Item, Record
from tracelens.records.reader import Reader, read
from tracelens.records.runs import Retry, Run

__all__ = ["Account", "Dump", "Item", "Reader", "Record", "Retry", "Run", "read"]
