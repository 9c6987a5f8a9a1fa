"""The X-Ray agent's UDP socket: prints every datagram as a line of hexadecimal digits. Runs in a container.

python agent.py PORT
"""

import socket
import sys


def main(port: int) -> None:
    """Listen until the container ends."""
    with socket.socket(type=socket.SOCK_DGRAM) as agent:
        agent.bind(("127.0.0.1", port))
        print("listening", flush=True)
        while True:
            print(agent.recv(65535).hex(), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
