"""A DynamoDB whose first answer never ends, and every later one comes from the real one: runs in a container.

    python tarpit.py PORT REAL_PORT

No read of the first answer waits long enough to time out, so only a deadline ends it.
"""

import socket
import sys
import time
from threading import Thread

_BYTES = 60


def _trickle(client: socket.socket) -> None:
    client.recv(65536)
    client.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    for _ in range(_BYTES):
        client.sendall(b".")
        time.sleep(0.5)


def _copy(source: socket.socket, target: socket.socket) -> None:
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)


def main(port: int, real_port: int) -> None:
    """Serve until the container ends."""
    with socket.create_server(("127.0.0.1", port)) as server:
        Thread(target=_trickle, args=(server.accept()[0],), daemon=True).start()
        while True:
            client, _ = server.accept()
            real = socket.create_connection(("127.0.0.1", real_port))
            for pair in ((client, real), (real, client)):
                Thread(target=_copy, args=pair, daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
