"""A recovery kit as people keep it: plain text, or one page of paper (HTML that needs nothing from anywhere)."""

from __future__ import annotations

import shlex
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from holdfast.model.keys import Kit

_WARNING = (
    "Keep this away from the machine that it is about, and from the store. Whoever has both this and the store can read everything in it; "
    "without this and without the machine, nobody can."
)


def kit_text(kit: Kit) -> str:
    """For a terminal, a printer or a password manager."""
    lines = [f"Recovery kit of the repository {kit.repository}", "", f"    {kit.code}", ""]
    lines += [f"{name + ':':<12}{value}" for name, value in _facts(kit)]
    lines += ["", _WARNING]
    for title, steps in _ways(kit):
        lines += ["", title]
        for number, (words, commands) in enumerate(_joined(steps), 1):
            lines += [f"  {number}. {words}", *(f"         {command}" for command in commands.splitlines())]
    return "\n".join(lines) + "\n"


def kit_html(kit: Kit) -> str:
    """One page of A4, self-contained: no scripts, no fonts, no pictures from elsewhere."""
    title = f"Recovery kit of the repository {kit.repository}"
    facts = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in _facts(kit))
    ways = "".join(_way_html(way, steps) for way, steps in _ways(kit))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f'<meta name="robots" content="noindex">\n<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n'
        f"<h1>{escape(title)}</h1>\n"
        f'<div class="code"><p>{_groups(kit.code)}</p>{_square(kit.code)}</div>\n'
        f"<table>{facts}</table>\n<p><strong>{escape(_WARNING)}</strong></p>\n{ways}\n"
        '<p class="kept">Kept by ______________________ &nbsp; at ______________________ &nbsp; since ______________</p>\n'
        "</body>\n</html>\n"
    )


def _facts(kit: Kit) -> list[tuple[str, str]]:
    made = f"{kit.slot.created_at:%Y-%m-%d %H:%M} UTC" if kit.slot.created_at else "-"
    return [
        ("repository", f"{kit.repository}, id {kit.repository_id}"),
        ("lies at", f"{kit.location}, used by {kit.node}"),
        ("key", f"{kit.slot.id[:8]}, made {made}"),
    ]


def _ways(kit: Kit) -> list[tuple[str, list[tuple[str, str]]]]:
    """Titles, and steps of words and a command each. A test does what they say."""
    name, place = shlex.quote(kit.repository), shlex.quote(kit.location)
    restic = [
        ("Install restic 0.14 or newer, and bring the store to a machine (or have access to it).", ""),
        ("See what is there. The password is the code above: capitals, hyphens and all.", f"restic -r {place} --no-lock snapshots"),
        (
            "Get the newest back; the id of a snapshot in the place of latest takes that one.",
            f"restic -r {place} restore latest --target back",
        ),
    ]
    if kit.location.startswith("s3:"):
        restic[0] = ("Install restic 0.14 or newer; give it access to the store.", "export AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=...")
    return [
        (
            "With Holdfast, on the machine that shall own the repository from now on",
            [
                ("Install Holdfast, let the machine join the environment, and bring the store to its place.", ""),
                (f"Activate a flow that names the repository as {kit.repository} on this machine, at that place.", ""),
                ("Give the machine a key of its own. It asks for the code above.", f"holdfast repository key restore {name}"),
                ("Look what is there, and get it back.", f"holdfast points --repository {name}"),
                ("", "holdfast restore POINT --to DIR"),
            ],
        ),
        ("With restic alone, on any machine", restic),
    ]


def _way_html(title: str, steps: list[tuple[str, str]]) -> str:
    shown = "".join(f"<li>{escape(words)}{f'<pre>{escape(command)}</pre>' if command else ''}</li>" for words, command in _joined(steps))
    return f"<h2>{escape(title)}</h2>\n<ol>{shown}</ol>"


def _joined(steps: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """A command without words belongs to the step before it."""
    joined: list[tuple[str, str]] = []
    for words, command in steps:
        if words:
            joined.append((words, command))
        else:
            before, above = joined.pop()
            joined.append((before, f"{above}\n{command}"))
    return joined


def _groups(code: str) -> str:
    """Hyphens stay, so that a copy of the line is the password; a line may break behind one."""
    return "-<wbr>".join(escape(group) for group in code.split("-"))


def _square(code: str) -> str:
    """The code to be photographed, so that nobody has to type it. Error correction M bears a fold or a stain."""
    import segno

    return segno.make(code, error="m", micro=False).svg_inline(scale=3, border=2, svgclass="square", lineclass=None)


_STYLE = """
@page { size: A4; margin: 18mm }
body { font: 11pt/1.4 sans-serif; max-width: 174mm; margin: 10mm auto; color: #000; background: #fff }
h1 { font-size: 17pt; margin: 0 0 5mm } h2 { font-size: 12pt; margin: 5mm 0 1mm }
.code { border: 0.6mm solid #000; padding: 3mm 4mm; display: flex; align-items: center; gap: 4mm; justify-content: space-between }
.code p { font: bold 14pt/1.6 monospace; margin: 0 } .square { width: 30mm; height: 30mm; flex: none }
table { margin: 5mm 0; border-collapse: collapse }
th { text-align: left; padding: 0.5mm 6mm 0.5mm 0; vertical-align: top; font-weight: normal }
td { overflow-wrap: anywhere } ol { margin: 0; padding-left: 6mm } li { margin: 1mm 0 }
pre { font: 10pt/1.4 monospace; margin: 0.5mm 0; white-space: pre-wrap; overflow-wrap: anywhere } .kept { margin-top: 9mm }
@media print { body { margin: 0 auto } }
"""
