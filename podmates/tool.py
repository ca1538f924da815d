"""Programs asked by their command line (podman, kind, kubectl): run to their end, bounded, their words kept."""

import asyncio
from collections.abc import Mapping


class ToolFailed(Exception):
    """A command ended with an error, or took too long, or its program is missing; the text says which."""


async def run_tool(*command: str, environ: Mapping[str, str], given: bytes = b"", within_s: float) -> str:
    """What the command says on standard output. ToolFailed with its own words when it fails."""
    said = " ".join(command)
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=environ,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us; what it ends, we end
        )
    except FileNotFoundError:
        raise ToolFailed(f"{command[0]} is not installed") from None
    try:
        async with asyncio.timeout(within_s):
            out, err = await process.communicate(given)
    except TimeoutError:
        raise ToolFailed(f"{said}: not done within {within_s:.0f} s") from None
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        raise ToolFailed(f"{said}: {err.decode('utf-8', 'replace').strip()}")
    return out.decode("utf-8", "replace").strip()
