"""A queue that says yes to every other message and does not keep it."""

from typing import override

import orjson

from tests.soak.fake_aws_server import FakeAws, http_reply, main


class LosingStore(FakeAws):
    """Every other message is lost."""

    _sent = 0

    @override
    def forward(self, service: str, head: bytes, body: bytes) -> bytes:
        self._sent += 1
        if self._sent % 2:
            return http_reply(200, orjson.dumps({"MessageId": "lost", "MD5OfMessageBody": "0"}))
        return super().forward(service, head, body)


if __name__ == "__main__":
    main(LosingStore)
