"""Servers that are packaged programs: rclone's."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from tests.lab.plain import Running
from tests.lab.premises import DEVI, Ready, Site, free_port, wait_until
from tests.lab.programs.program import RCLONE, Program


@dataclass(frozen=True)
class Rclone:
    """`rclone serve sftp` of the user's home, with the password of the user; as root, so it is kept from nothing."""

    options: tuple[str, ...] = ()
    program: ClassVar[Program] = RCLONE

    @property
    def title(self) -> str:
        return " ".join(("rclone serve sftp", *self.options))

    @contextmanager
    def start(self, site: Site) -> Iterator[Running]:
        folder, port = site.new_folder("rclone"), free_port()
        log = folder / "log"
        command = [
            *(*RCLONE.command, "serve", "sftp", f"/home/{DEVI.name}", "--addr", f"127.0.0.1:{port}", "-vv"),
            *("--config", "/dev/null", "--cache-dir", str(folder), "--user", DEVI.name, "--pass", DEVI.password),
            *("--key", str(site.keys / "host_ed25519"), *self.options),
        ]
        with log.open("wb") as out, site.running(command, out):
            wait_until(Ready(log, "listening on"), "rclone")
            yield Running(port, logs=(log,))
