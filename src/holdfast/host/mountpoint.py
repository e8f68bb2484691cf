"""Folders that something of ours is mounted on: seeing it, and unmounting it, dead ones too."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess

from holdfast.core.errors import Conflict, StoreError, UnknownName
from holdfast.host.watch.mounts import mounts_now

_COMMAND_S = 30.0


def kind_at(folder: bytes) -> str:
    """The kind of the file system that is mounted on this very folder (the topmost); empty where none is. Never touches the folder, so a
    mount whose process hangs holds nobody up."""
    real = os.path.join(os.path.realpath(os.path.dirname(os.path.abspath(folder))), os.path.basename(os.path.abspath(folder)))
    kinds = [mount.kind for mount in mounts_now() if mount.point == real]
    return kinds[-1] if kinds else ""


def is_dead(folder: bytes) -> bool:
    """Whether what is mounted there has lost its process. Asks for what no kernel keeps: attributes it may still have."""
    try:
        os.statvfs(folder)
    except OSError as error:
        return error.errno in (errno.ENOTCONN, errno.ECONNABORTED)
    return False


def prepare(folder: bytes, kind: str) -> None:
    """An empty folder to mount on: made where it is missing, freed of a dead mount of this kind. Raises `Conflict` where something else is,
    `StoreError` where it cannot be made."""
    name = os.fsdecode(folder)
    while found := kind_at(folder):
        if found != kind or not is_dead(folder):
            break
        unmount(folder, kind)
    if kind_at(folder):
        raise Conflict(f"something is mounted on {name} already", hint=f"choose another folder, or `holdfast unmount {name}` first")
    try:
        os.makedirs(folder, exist_ok=True)
        if os.listdir(folder):
            raise Conflict(f"{name} is not empty", hint="choose an empty folder: a mount hides what is in it")
    except OSError as error:
        raise StoreError(f"{name} cannot be mounted on: {error.strerror}", hint="choose a folder of your own") from error


def unmount(folder: bytes, kind: str) -> None:
    """At once, also where somebody is still in it: he keeps what he has open. Raises `UnknownName` where nothing of this kind is mounted,
    `StoreError` where the kernel refuses."""
    name = os.fsdecode(folder)
    if kind_at(folder) != kind:
        raise UnknownName(f"nothing of Holdfast is mounted on {name}", hint="`findmnt -t fuse.holdfast` lists what is")
    command = ["umount", "-l"] if os.geteuid() == 0 else [shutil.which("fusermount3") or "fusermount3", "-u", "-z"]
    try:
        done = subprocess.run([*command, "--", name], capture_output=True, text=True, timeout=_COMMAND_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise StoreError(f"{name} cannot be unmounted: {error}", hint="apt-get install fuse3") from error
    if done.returncode:
        raise StoreError(f"{name} cannot be unmounted: {done.stderr.strip()}", hint="run it as the user who mounted it, or as root")
