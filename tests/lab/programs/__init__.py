"""Packaged programs over the lab's libssh2: curl, PHP, Perl, libgit2, aria2, nmap, mc.

They link libssh2.so.1, so another build of it can be put in front; `shim.c`, preloaded, turns its trace on. Which
commands they run is in `scenarios/programs/`, as data.
"""
