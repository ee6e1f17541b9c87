"""libgit2 (pygit2) through the steps of a plan (JSON, the first argument), with Debian's own Python.

{"url", "folder", "accept", "steps": [{"do": "fetch" | "clone" | "push", "user", "password" | "public" and "private"}]}.
Each step is a connection of its own. Exit status 1: a step failed.
"""

import json
import os
import sys
import tempfile
import time

import pygit2

pygit2.option(pygit2.GIT_OPT_SET_OWNER_VALIDATION, 0)


class Callbacks(pygit2.RemoteCallbacks):
    def __init__(self, plan, step):
        super().__init__()
        self._plan, self._step, self._asked = plan, step, 0

    def credentials(self, url, username_from_url, allowed_types):
        self._asked += 1
        if self._asked > self._plan.get("tries", 1):
            raise pygit2.Passthrough
        if "password" in self._step:
            return pygit2.UserPass(self._step["user"], self._step["password"])
        return pygit2.Keypair(self._step["user"], self._step["public"], self._step["private"], "")

    def certificate_check(self, certificate, valid, host):
        return self._plan.get("accept", True)

    def push_update_reference(self, refname, message):
        if message is not None:
            raise pygit2.GitError(message)


def take(plan, step, folder):
    callbacks = Callbacks(plan, step)
    if step["do"] == "fetch":
        pygit2.init_repository(folder).remotes.create(f"r{time.time_ns()}", plan["url"]).fetch(callbacks=callbacks)
    elif step["do"] == "clone":
        pygit2.clone_repository(plan["url"], folder, callbacks=callbacks)
    elif step["do"] == "push":
        repository = pygit2.Repository(folder)
        who = pygit2.Signature("Devi", "devi@depot.example", 1736498760, 0)
        tree = repository.index.write_tree()
        made = repository.create_commit(None, who, who, "Stock of the week", tree, [repository.head.target])
        branch = f"refs/heads/{step['branch']}"
        repository.create_reference(branch, made, force=True)
        repository.remotes["origin"].push([branch], callbacks=callbacks)


def main():
    plan = json.loads(sys.argv[1])
    failed = 0
    for _ in range(plan.get("times", 1)):
        folder = tempfile.mkdtemp(dir=os.environ["HOME"])
        for step in plan["steps"]:
            try:
                take(plan, step, folder)
            except Exception as error:
                print(type(error).__name__, error, file=sys.stderr)
                failed = 1
                break
    return failed


if __name__ == "__main__":
    sys.exit(main())
