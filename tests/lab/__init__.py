"""A laboratory: real servers, a real libssh2, faults made on purpose, and the truth about each of them.

`python -m tests.lab --out FOLDER` records every scenario with every libssh2 version, with a table of the truth;
`--check` holds tracelens's diagnosis against it. What runs here is in `scenarios/`, as data.
"""
