"""A proxy before Postgres, as a process of its own, that makes each round trip longer.

What a client sends arrives late, answers come back at once: a round trip takes as much longer, and what is sent in one
go still arrives in one go.
"""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from psycopg.conninfo import conninfo_to_dict

from benchmarks.workers import ROOT

CHUNK = 1 << 18


@contextmanager
def slow_network(url: str, delay: float) -> Iterator[str]:
    """Run the proxy before a Postgres that listens on a Unix socket.

    Args:
        url: Of the Postgres.
        delay: That is added to each round trip, in seconds.

    Yields:
        The conninfo of the same database through the proxy.
    """
    given = conninfo_to_dict(url)
    socket = f"{given['host']}/.s.PGSQL.{given.get('port') or 5432}"
    command = [sys.executable, "-m", "benchmarks.slow_network", socket, str(delay)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as proxy:
        try:
            assert proxy.stdout is not None
            port = int(proxy.stdout.readline())
            user, database = given.get("user") or "postgres", given["dbname"]
            yield f"postgresql://{user}@127.0.0.1:{port}/{database}"
        finally:
            proxy.terminate()


async def _serve(socket: str, delay: float) -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answers, server = await asyncio.open_unix_connection(socket)
        await asyncio.gather(_forward(reader, server, delay), _forward(answers, writer, 0.0), return_exceptions=True)

    running = await asyncio.start_server(connected, "127.0.0.1", 0)
    print(running.sockets[0].getsockname()[1], flush=True)
    async with running:
        await running.serve_forever()


async def _forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
    clock = asyncio.get_running_loop().time
    waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

    async def receive() -> None:
        data = b"-"
        while data:
            data = await reader.read(CHUNK)
            waiting.put_nowait((clock() + delay, data))

    receiving = asyncio.create_task(receive())
    try:
        while True:
            due, data = await waiting.get()
            await asyncio.sleep(max(0.0, due - clock()))
            if not data:
                return
            writer.write(data)
            await writer.drain()
    finally:
        receiving.cancel()
        writer.close()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], float(sys.argv[2])))
